"""A compute host: libvirt with QEMU, nova-compute as Debian's unit starts it, our agent and mm-ctl."""

from __future__ import annotations

import contextlib

from controller import Controller, configure
from machine import Machine
from midolman import Agent, install_programs
from process import wait_until

# No systemd, no cgroups of its own, no AppArmor: for this test alone. On a real host Debian's defaults do.
QEMU_CONF = """security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
remember_owner = 0
stdio_handler = "file"
user = "root"
group = "root"
migration_address = "{address}"
"""
# Live migration without TLS, as docs/openstack.md has it for a network with no other machine. `host_uuid`: every "machine" here
# reads the same one from the firmware.
LIBVIRTD_CONF = """unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
auth_unix_rw = "none"
listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
log_outputs = "3:stderr"
host_uuid = "7f0b2c9e-1111-4222-8333-0000000000{number:02}"
"""
# What Nova finds as mm-ctl: the program itself, with a note of when it began and ended.
MM_CTL = """#!/bin/bash
echo "$EPOCHREALTIME begin $*" >>/var/log/mm-ctl.log
/usr/local/libexec/mm-ctl "$@"
status=$?
echo "$EPOCHREALTIME end $* exit $status" >>/var/log/mm-ctl.log
exit $status
"""


class Compute:
    def __init__(self, machine: Machine, number: int, controller: Controller) -> None:
        self.machine, self.number, self.controller = machine, number, controller
        self.name = machine.name
        self.agent = Agent(machine, controller.zookeeper.uri())

    def start(self, hosts: str) -> None:
        """All but nova-compute, which start_nova() starts when Nova's other services are there."""
        machine = self.machine
        machine.write("/etc/hosts", hosts)
        install_programs(machine, self.controller.programs)
        machine.run("mkdir", "-p", "/usr/local/libexec")
        machine.run("mv", "/usr/local/bin/mm-ctl", "/usr/local/libexec/mm-ctl")
        machine.write("/usr/local/bin/mm-ctl", MM_CTL, 0o755)
        machine.write("/etc/libvirt/qemu.conf", QEMU_CONF.format(address=machine.address))
        machine.write("/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF.format(address=machine.address, number=self.number))
        machine.run("sh", "-c", "rm -f /etc/libvirt/qemu/networks/autostart/*")
        machine.start("libvirtd", "libvirtd", "--listen")
        self.agent.start()
        wait_until(self._libvirt_answers, 300, f"libvirt on {self.name} answers", interval=0.1)

    def _libvirt_answers(self) -> bool:
        self.machine.services["libvirtd"].must_run()
        return bool(self.machine.run("virsh", "-c", "qemu:///system", "version", check=False))

    def start_nova(self) -> None:
        machine = self.machine
        for path in ("/var/lock/nova", "/var/log/nova"):
            machine.run("mkdir", "-p", path)
        machine.run("chown", "-R", "nova:nova", "/var/lock/nova", "/var/log/nova", "/var/lib/nova")
        configure(
            machine,
            "/etc/nova/nova.conf",
            {
                "DEFAULT": {
                    "my_ip": machine.address,
                    "transport_url": self.controller.transport,
                    "debug": "true",
                    "vif_plugging_timeout": 300,
                    "vif_plugging_is_fatal": "true",
                    # The guest has no ACPI daemon that a stop could wait for.
                    "shutdown_timeout": 2,
                },
                "vnc": {"enabled": "false"},
                **self.controller.nova_common(),
            },
        )
        configure(
            machine,
            "/etc/nova/nova-compute.conf",
            {"libvirt": {"virt_type": "qemu", "live_migration_scheme": "tcp", "live_migration_inbound_addr": machine.address}},
        )
        machine.start("nova-compute", "/etc/init.d/nova-compute", "systemd-start", user="nova")

    # -- what is on it

    def virsh(self, *argv: object, check: bool = True) -> str:
        return self.machine.run("virsh", "-c", "qemu:///system", *argv, check=check)

    def domains(self) -> set[str]:
        """Ids of the servers that libvirt knows here; it gives them Nova's."""
        return set(self.virsh("list", "--all", "--uuid").split())

    def taps(self) -> set[str]:
        return {name for name in self.machine.namespace.links() if name.startswith("tap")}

    def hooks(self, interface: str) -> str:
        return self.machine.namespace.tc(
            "filter", "show", "dev", interface, "ingress", check=False
        ) + self.machine.namespace.tc("filter", "show", "dev", interface, "egress", check=False)

    def nova_log(self) -> str:
        with contextlib.suppress(OSError):
            return self.machine.read("/var/log/nova/nova-compute.log")
        return ""

    def mm_ctl_log(self) -> str:
        with contextlib.suppress(OSError):
            return self.machine.read("/var/log/mm-ctl.log")
        return ""

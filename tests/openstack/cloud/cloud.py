"""The whole cloud: a controller and two compute hosts on one underlay, in one temporary directory whose name is theirs.

    <name>.underlay   the Linux bridge between the machines
    <name>.ctl        the controller, 172.30.0.250: OpenStack's services, ZooKeeper, midonet-api, an agent and the DHCP agent
    <name>.cmp1 ..    compute hosts, 172.30.0.1 ..: libvirt, nova-compute, an agent
"""

from __future__ import annotations

import contextlib
import os

from clients import Record
from compute_host import Compute
from controller import Controller
from guest_image import contents, kernel
from cloud_guest import initramfs
from machine import Machine
from process import wait_until
from progress import Progress
from underlay import Underlay

CONTROLLER = 250
HOSTS = 2
# As everywhere: 1500 below, so that guests get 1450.
MTU = 1500


class Cloud:
    def __init__(self, directory: str, programs: str, driver: str, progress: Progress, split_neutron: bool = False) -> None:
        self.directory, self.programs, self.progress = directory, programs, progress
        self._close = contextlib.ExitStack()
        self.image = self.flavor = ""
        try:
            self.underlay = Underlay(f"{os.path.basename(directory)}.underlay", MTU)
            self._close.callback(self.underlay.remove)
            self.controller = Controller(self._machine("ctl", CONTROLLER), programs, driver, progress, split_neutron)
            self._close.callback(self.controller.close)
            self.hosts = [
                Compute(self._machine(f"cmp{number}", number), number, self.controller) for number in range(1, HOSTS + 1)
            ]
        except BaseException:
            self.close()
            raise
        self.openstack, self.midonet = self.controller.openstack, self.controller.midonet

    def _machine(self, name: str, number: int) -> Machine:
        made = Machine(self.directory, name, self.underlay, number)
        self._close.callback(made.close)
        return made

    def close(self) -> None:
        self._close.close()

    @property
    def machines(self) -> list[Machine]:
        return [self.controller.machine, *(host.machine for host in self.hosts)]

    def host(self, name: str) -> Compute:
        return next(host for host in self.hosts if host.name == name)

    def start(self) -> None:
        hosts = "127.0.0.1 localhost\n" + "".join(f"{machine.address} {machine.name}\n" for machine in self.machines)
        self.progress.step(f"{len(self.machines)} machines")
        self.controller.start(hosts)
        for host in self.hosts:
            host.start(hosts)
        self.controller.start_dhcp()
        self._make_zone()
        self.progress.step("libvirt and our agents, tunnel zone, DHCP agent")
        for host in self.hosts:
            host.start_nova()
        wait_until(self._computes_are_up, 600, "nova-compute is up on all hosts", interval=0.5)
        self.controller.discover_hosts()
        self._make_image()
        self.progress.step("nova-compute, image, flavor: the cloud is up")

    def _make_zone(self) -> None:
        zone = self.midonet.create("/tunnel_zones", {"name": "underlay", "type": "vxlan"})
        for agent in (self.controller.agent, *(host.agent for host in self.hosts)):
            self.midonet.expect(
                201, "POST", f"/tunnel_zones/{zone}/hosts", {"hostId": agent.id, "ipAddress": agent.machine.address}
            )

    def _computes_are_up(self) -> bool:
        for machine in self.machines:
            machine.must_run()
        services: list[Record] = self.openstack.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
        nodes = self.controller.query("nova", "select host from compute_nodes where deleted=0")
        return sum(service["state"] == "up" for service in services) == len(self.hosts) == len(nodes)

    def _make_image(self) -> None:
        probe = os.path.join(self.programs, "probe")
        of = kernel()
        assert of, "no cloud kernel is here"
        kernel_id = self.openstack.image("kernel", contents(of.image))
        initrd_id = self.openstack.image("initrd", initramfs(of, probe))
        self.image = self.openstack.image(
            "guest",
            bytes(1 << 20),
            kernel_id=kernel_id,
            ramdisk_id=initrd_id,
            hw_machine_type="pc",
            os_command_line="console=ttyS0 quiet loglevel=0 panic=1 mitigations=off random.trust_cpu=1",
        )
        self.flavor = self.openstack.create("compute", "flavor", name="small", ram=128, vcpus=1, disk=0)["id"]

"""The DHCP agent's interface driver with real interfaces, in a network namespace of the test's own; mm-ctl is a recorder."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import tempfile
import unittest
import uuid

try:
    from neutron import privileged
    from neutron.agent.linux import ip_lib
    from neutron.conf.agent import common as agent_config
    from neutron_lib import exceptions
    from oslo_config import cfg
    from oslo_privsep import priv_context

    from midonet_neutron.interface_driver import MidonetInterfaceDriver

    MISSING = None if os.geteuid() == 0 else "needs root: it makes network namespaces"
except ImportError as error:
    MISSING = f"python3-neutron is not installed: {error}"

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

RECORDER = """#!/bin/sh
echo "$@" >> {log}
exit $(cat {status})
"""


@unittest.skipIf(MISSING, MISSING or "")
class Interface(unittest.TestCase):
    """Plug, plug again, unplug, failures."""

    def setUp(self) -> None:
        for context in vars(privileged).values():
            if isinstance(context, priv_context.PrivContext):
                context.set_client_mode(False)  # as root already: no helper process
        before = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.addCleanup(os.close, before)
        self.assertEqual(libc.unshare(CLONE_NEWNET), 0)
        self.addCleanup(libc.setns, before, CLONE_NEWNET)
        self.directory = tempfile.mkdtemp(prefix="midonet-unit-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.namespace = "midonet-unit-" + uuid.uuid4().hex[:12]
        ip_lib.IPWrapper().ensure_namespace(self.namespace)
        self.addCleanup(ip_lib.IPWrapper(namespace=self.namespace).netns.delete, self.namespace)
        self.log, status = os.path.join(self.directory, "log"), os.path.join(self.directory, "status")
        self.program = os.path.join(self.directory, "mm-ctl")
        self.status = status
        self.exit_with(0)
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(RECORDER.format(log=self.log, status=status))
        os.chmod(self.program, stat.S_IRWXU)
        agent_config.register_root_helper(cfg.CONF)
        cfg.CONF.set_override("root_helper", "env", "AGENT")
        self.addCleanup(cfg.CONF.clear_override, "root_helper", "AGENT")
        self.driver = MidonetInterfaceDriver(cfg.CONF)
        cfg.CONF.set_override("mm_ctl", self.program, "midonet")
        self.addCleanup(cfg.CONF.clear_override, "mm_ctl", "midonet")
        self.port = str(uuid.uuid4())
        self.inner, self.tap = ("ns-" + self.port)[:14], ("tap" + self.port)[:14]

    def exit_with(self, status: int) -> None:
        with open(self.status, "w", encoding="utf-8") as file:
            file.write(str(status))

    def calls(self) -> list[str]:
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()

    def plug(self, mtu: int | None = 1400) -> None:
        self.driver.plug("net", self.port, self.inner, "fa:16:3e:00:00:05", namespace=self.namespace, mtu=mtu)

    def test_a_port_gets_a_pair_with_its_mac_and_mtu_and_is_bound(self) -> None:
        self.plug()
        inner, tap = ip_lib.IPDevice(self.inner, namespace=self.namespace), ip_lib.IPDevice(self.tap)
        self.assertEqual((inner.link.address, inner.link.mtu, tap.link.mtu), ("fa:16:3e:00:00:05", 1400, 1400))
        self.assertEqual((inner.link.state, tap.link.state), ("UP", "UP"))
        self.assertEqual(self.calls(), [f"--bind-port {self.port} {self.tap}"])

    def test_plugging_again_binds_again_and_sets_the_mtu(self) -> None:
        self.plug()
        self.plug(mtu=1300)
        self.assertEqual(ip_lib.IPDevice(self.tap).link.mtu, 1300)
        self.assertEqual(self.calls(), [f"--bind-port {self.port} {self.tap}"] * 2)

    def test_unplugging_unbinds_and_leaves_nothing(self) -> None:
        self.plug()
        self.driver.unplug(self.inner, namespace=self.namespace)
        self.assertFalse(ip_lib.device_exists(self.tap))
        self.assertFalse(ip_lib.device_exists(self.inner, namespace=self.namespace))
        self.assertEqual(self.calls()[-1], f"--unbind-port {self.port}")

    def test_unplugging_twice_is_no_error(self) -> None:
        self.plug()
        for _ in range(2):
            self.driver.unplug(self.inner, namespace=self.namespace)
        self.assertEqual(len(self.calls()), 2)

    def test_a_binding_that_fails_is_told_and_leaves_nothing(self) -> None:
        self.exit_with(3)
        with self.assertRaises(exceptions.ProcessExecutionError):
            self.plug()
        self.assertFalse(ip_lib.device_exists(self.tap))
        self.assertFalse(ip_lib.device_exists(self.inner, namespace=self.namespace))

    def test_an_unbinding_that_fails_does_not_keep_the_interface(self) -> None:
        self.plug()
        self.exit_with(3)
        self.driver.unplug(self.inner, namespace=self.namespace)
        self.assertFalse(ip_lib.device_exists(self.tap))


if __name__ == "__main__":
    unittest.main()

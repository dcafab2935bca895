#!/usr/bin/python3
"""Nova's real VIF driver (VIF type midonet) with the real mm-ctl, agent and API: what the compute service does to a vNIC in
each operation on a server, in the order in which it does it. Where libvirt acts in between, the test acts for it."""

import os
import os
import pwd
import signal

from openstack_bed import OpenStackTest, main, new_uuid
from bed import Stream
from compute import Compute, tap_name


class VifTest(OpenStackTest):
    needs = (
        ("/usr/lib/python3/dist-packages/nova/virt/libvirt/vif.py", "python3-nova"),
        ("/usr/lib/python3/dist-packages/os_vif", "python3-os-vif"),
        ("/etc/sudoers.d/nova-common", "nova-common"),
        ("/usr/bin/sudo", "sudo"),
    )
    user = "root"

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        cls.h = cluster.add_host()
        cluster.start_store()
        cluster.start_apis(1)
        cls.h.start()
        cluster.zone()
        cls.compute = Compute(cls.h, cls.user)
        cls.shared.callback(cls.compute.close)

    def setUp(self):
        super().setUp()
        self.bridge = self.h.create_bridge()
        _, self.peer = self.plugged(self.h, self.bridge, "peer0")
        self.port = self.h.create_port(self.bridge)
        self.tap_name = tap_name(self.port)

    def tearDown(self):
        self.h.rest.expect(204, "DELETE", f"/bridges/{self.bridge}")

    def show_more(self):
        super().show_more()
        print(f"---- Nova's driver:\n{self.compute.output()}")

    def assert_well(self, *outcomes):
        for outcome in outcomes:
            self.assertEqual((outcome["raised"], outcome["log"]), (None, []))

    def libvirt_starts(self, port=None):
        """libvirt 9 makes the tap itself, of one queue, not persistent, and gives it to QEMU."""
        name = tap_name(port or self.port)
        self.assertNotIn(name, self.h.namespace.links(), "libvirt refuses an interface that exists already")
        return self.tap(self.h, name)

    def wait_active(self, port=None):
        self.h.wait_state(port or self.port, "active", 120)

    def wait_state(self, state, port=None):
        self.h.wait_state(port or self.port, state, 120)

    def unplugged(self):
        self.assert_well(self.compute.unplug(self.port))
        self.wait_state("unbound")
        self.assertNotIn(self.tap_name, self.h.namespace.links())


# ctest-class: as_root TIMEOUT 1800 COST 60
class Vif(VifTest):
    """In the process of the test's Nova, as root."""

    def test_a_boot_plugs_and_the_port_is_active_once_libvirt_has_made_the_tap(self):
        self.assertIn(f'<target dev="{self.tap_name}"/>', self.compute.interface_xml(self.port))
        self.assert_well(self.compute.plug(self.port))
        self.wait_state("pending-interface")
        tap = self.libvirt_starts()
        self.wait_active()
        self.assert_passes(tap, self.peer)
        self.assert_passes(self.peer, tap)
        tap.close()  # a deletion: libvirt ends the guest, then Nova unplugs
        self.wait_state("pending-interface")
        self.unplugged()

    def test_a_restarted_compute_service_plugs_again_and_no_frame_is_lost(self):
        self.assert_well(self.compute.plug(self.port))
        tap = self.libvirt_starts()
        self.wait_active()
        ifindex = self.h.namespace.ifindex(self.tap_name)
        with Stream(self.peer, tap) as stream:
            stream.wait_for(20)
            for _ in range(3):
                self.assert_well(self.compute.plug(self.port))
            stream.wait_for(20)
        self.assertEqual((stream.lost(), stream.doubled()), ([], 0))
        self.assertEqual(self.h.namespace.ifindex(self.tap_name), ifindex, "a tap that QEMU has open was deleted")
        self.assertEqual(self.h.port_status(self.port)["state"], "active")
        self.unplugged()

    def test_a_plug_before_the_guest_runs_may_be_repeated(self):
        for _ in range(2):
            self.assert_well(self.compute.plug(self.port))
            self.assertNotIn(self.tap_name, self.h.namespace.links())
        self.libvirt_starts()
        self.wait_active()
        self.unplugged()

    def test_a_failed_build_unplugs_three_times(self):
        self.assert_well(self.compute.plug(self.port))
        for _ in range(3):
            self.unplugged()

    def test_what_was_never_plugged_or_never_was_a_port_is_unplugged_without_a_complaint(self):
        self.unplugged()
        self.assert_well(self.compute.unplug(new_uuid()))

    def test_a_hard_reboot_unplugs_and_plugs_and_the_new_tap_is_carried(self):
        self.assert_well(self.compute.plug(self.port))
        first = self.libvirt_starts()
        self.wait_active()
        for _ in range(3):
            first.close()  # libvirt destroys the domain
            self.assert_well(self.compute.unplug(self.port), self.compute.plug(self.port))
            second = self.libvirt_starts()
            self.wait_active()
            self.assert_passes(self.peer, second)
            self.assert_passes(second, self.peer)
            first = second
        first.close()
        self.unplugged()

    def test_a_stopped_server_keeps_its_binding_and_a_start_plugs_it_again(self):
        self.assert_well(self.compute.plug(self.port))
        self.libvirt_starts().close()  # stop and suspend: the device goes, without an unbind
        self.wait_state("pending-interface")
        self.assert_well(self.compute.plug(self.port))  # resume: bound again without an unbind
        tap = self.libvirt_starts()
        self.wait_active()
        self.assert_passes(self.peer, tap)
        self.unplugged()

    def test_many_at_once(self):
        ports = [self.port] + [self.h.create_port(self.bridge) for _ in range(15)]
        self.assert_well(*self.compute.at_once(*(("plug", port) for port in ports)))
        taps = [self.libvirt_starts(port) for port in ports]
        for port in ports:
            self.wait_active(port)
        self.assert_passes(taps[0], taps[-1])
        self.assert_well(*self.compute.at_once(*(("unplug", port) for port in ports)))
        for port in ports:
            self.wait_state("unbound", port)
        self.assertEqual(self.h.namespace.links() & {tap_name(port) for port in ports}, set())

    def test_a_port_that_does_not_exist_fails_with_a_reason_that_nova_logs_and_swallows(self):
        unknown = new_uuid()
        outcome = self.compute.plug(unknown)
        self.assertIsNone(outcome["raised"])
        self.assertIn("Failed while plugging vif", outcome["log"][0])
        self.assertIn("Exit code: 3", outcome["log"][0])
        self.assertIn(f"mm-ctl: bind port {unknown} to {tap_name(unknown)}: ", outcome["log"][0])
        # A tap that was not bound is not released: it stays as Nova left it, for a look at the reason.

        self.assertIn(tap_name(unknown), self.h.namespace.links())
        self.assert_well(self.compute.unplug(unknown))
        self.assertNotIn(tap_name(unknown), self.h.namespace.links())

    def test_with_the_agent_away_the_binding_is_recorded_and_its_start_plugs(self):
        self.h.kill()
        try:
            self.assert_well(self.compute.plug(self.port))
            self.assertEqual(self.h.rest.get(f"/ports/{self.port}")["interfaceName"], self.tap_name)
            tap = self.libvirt_starts()
        finally:
            self.h.start()
        self.wait_active()
        self.assert_passes(self.peer, tap)
        self.unplugged()

    def test_where_the_tap_is_not_to_be_released_qemu_opens_novas(self):
        """libvirt before 9.0, and `release-tap = no`."""
        compute = Compute(self.h, self.user, release_tap="no")
        self.addCleanup(compute.close)
        self.assert_well(compute.plug(self.port))
        self.wait_state("down")  # it is there, and no process has it open
        ifindex = self.h.namespace.ifindex(self.tap_name)
        tap = self.tap(self.h, self.tap_name)
        self.wait_active()
        self.assertEqual(self.h.namespace.ifindex(self.tap_name), ifindex)
        self.assert_passes(self.peer, tap)
        tap.close()
        self.assert_well(compute.unplug(self.port))
        self.wait_state("unbound")
        self.assertNotIn(self.tap_name, self.h.namespace.links())

    def test_with_agent_and_store_away_it_gives_up_and_the_port_is_never_active(self):
        self.h.kill()
        servers = self.cluster.zookeeper.servers
        for server in servers:
            server.process.popen.send_signal(signal.SIGSTOP)
        try:
            outcome = self.compute.plug(self.port)
        finally:
            for server in servers:
                server.process.popen.send_signal(signal.SIGCONT)
        self.assertIsNone(outcome["raised"])
        self.assertIn("Exit code: 3", outcome["log"][0])
        self.assertIn("mm-ctl: bind port", outcome["log"][0])
        self.assertIn(self.tap_name, self.h.namespace.links(), "the tap was released though nothing was bound")
        tap = self.tap(self.h, self.tap_name)
        self.h.start()
        _, later = self.plugged(self.h, self.bridge, "later0")  # so the agent has looked at all that was there before
        self.assertEqual(self.h.port_status(self.port)["state"], "unbound")
        self.assert_passes(self.peer, later)
        self.assert_blocked(self.peer, tap)
        self.unplugged()


# ctest-class: as_user_nova_through_sudo_and_privsep TIMEOUT 1800 COST 60
class VifOfUserNova(Vif):
    """As the compute service runs: user nova, whose privileged calls go through sudo and privsep's daemon."""

    user = "nova"
    test_with_agent_and_store_away_it_gives_up_and_the_port_is_never_active = None  # ten seconds; once is enough
    test_where_the_tap_is_not_to_be_released_qemu_opens_novas = None

    def test_the_driver_itself_is_not_root(self):
        self.assertEqual(os.stat(f"/proc/{self.compute.popen.pid}").st_uid, pwd.getpwnam("nova").pw_uid)


if __name__ == "__main__":
    main()

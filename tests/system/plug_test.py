#!/usr/bin/python3
"""The life of a binding on one host: contracts' rows on binding, tap and link, in whatever order they come."""

import os
import time

from bed import SystemTest, Tap, frame, main, wait_until
from over_zookeeper import OverZooKeeper

# "plugged within 100 ms" is measured here and printed; a loaded machine is given this much before it counts as broken.
SLACK_SECONDS = 2.0


class Plug(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.bridge = self.h.create_bridge()
        self.peer_port, self.peer = self.plugged(self.h, self.bridge, "peer0")

    def first_frame(self, tap, since, what):
        """Asserts that a frame from the peer gets to the tap, sent every millisecond, and prints how long it took."""
        while time.monotonic() - since < SLACK_SECONDS:
            self.peer.send(tap, b"are you there")
            if tap.receive(0.001):
                print(f"{what}: first frame after {(time.monotonic() - since) * 1000:.1f} ms")
                return
        self.fail(f"{what}: no frame within {SLACK_SECONDS} s")

    def test_a_tap_that_is_there_is_plugged_when_it_is_bound(self):
        tap = self.tap(self.h, "tap0")
        port = self.h.create_port(self.bridge)
        since = time.monotonic()
        self.assertEqual(
            self.h.attach(port, "tap0", wait=None)["state"] in ("active", "pending-host", "pending-interface", "down"), True
        )
        self.first_frame(tap, since, "tap first")
        self.h.wait_state(port, "active")
        self.assert_passes(tap, self.peer)

    def test_a_binding_that_is_there_is_plugged_when_the_tap_comes(self):
        port = self.h.create_port(self.bridge)
        self.h.attach(port, "tap0", wait=None)
        self.h.wait_state(port, "pending-interface")
        tap = self.tap(self.h, "tap0")
        self.first_frame(tap, time.monotonic(), "binding first")
        self.h.wait_state(port, "active")
        self.assert_passes(tap, self.peer)

    def test_waiting_for_a_tap_that_does_not_come_answers_202_with_the_status_so_far(self):
        port = self.h.create_port(self.bridge)
        since = time.monotonic()
        status = self.h.attach(port, "tap0", wait=1, expect=202)
        self.assertEqual(status["state"], "pending-interface")
        self.assertGreaterEqual(time.monotonic() - since, 0.9)

    def test_a_tap_made_again_under_the_same_name_is_plugged_and_the_binding_stays(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        binding = self.h.rest.get(f"/ports/{port}/attach_interface")
        before = self.h.namespace.ifindex("tap0")
        tap.close()
        self.h.wait_state(port, "pending-interface")
        again = self.tap(self.h, "tap0", mac=tap.mac)
        self.assertNotEqual(self.h.namespace.ifindex("tap0"), before)
        self.first_frame(again, time.monotonic(), "made again")
        status = self.h.wait_state(port, "active")
        self.assertEqual(status["revision"], binding["status"]["revision"])
        self.assert_passes(again, self.peer)

    def test_many_quick_flips_of_a_tap_converge(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        for _ in range(60):
            tap.close()
            tap = Tap(self.h.namespace, "tap0", tap.mac)
        self.addCleanup(tap.close)
        self.first_frame(tap, time.monotonic(), "after 60 flips")
        self.h.wait_state(port, "active")
        self.assert_passes(tap, self.peer)
        # Nothing of the 60 interfaces that are gone is left: the agent knows exactly two active ports.
        states = [self.h.port_status(p)["state"] for p in (port, self.peer_port)]
        self.assertEqual(states, ["active", "active"])

    def test_an_ifindex_that_another_interface_gets_is_not_plugged(self):
        _, tap = self.plugged(self.h, self.bridge, "tap0")
        index = self.h.namespace.ifindex("tap0")
        tap.close()
        self.h.namespace.ip("link", "add", "name", "stranger", "index", index, "type", "veth", "peer", "name", "far")
        self.h.namespace.ip("link", "set", "stranger", "up")
        self.h.namespace.ip("link", "set", "far", "up")
        self.peer.send(frame.BROADCAST, b"not for you")
        self.assertEqual(self.h.hooks("stranger"), "")
        counters = self.h.namespace.ip("-s", "link", "show", "far").split("\n")
        received = counters[[i for i, line in enumerate(counters) if "RX:" in line][0] + 1].split()
        self.assertEqual(received[1], "0", "the stranger was sent a frame")

    def test_down_and_up_follow_the_link_and_leave_the_binding(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        revision = self.h.port_status(port)["revision"]
        tap.down()
        self.assertEqual(self.h.wait_state(port, "down")["revision"], revision)
        self.assertFalse(self.h.rest.get(f"/ports/{port}")["active"])
        tap.up()
        self.assertEqual(self.h.wait_state(port, "active")["revision"], revision)
        self.assertTrue(self.h.rest.get(f"/ports/{port}")["active"])
        self.assert_passes(self.peer, tap)
        self.assert_passes(tap, self.peer)

    def test_a_renamed_tap_is_unplugged_and_what_carries_the_bound_name_is_plugged(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        tap.down()
        self.h.namespace.ip("link", "set", "tap0", "name", "other0")
        self.h.namespace.ip("link", "set", "other0", "up")
        self.h.wait_state(port, "pending-interface")
        wait_until(lambda: self.h.closed("other0"), what="the renamed tap is closed")
        self.assert_blocked(self.peer, tap)
        new = self.tap(self.h, "tap0")
        self.first_frame(new, time.monotonic(), "the bound name came back")
        self.h.wait_state(port, "active")
        self.assert_blocked(self.peer, tap)

    def test_a_tap_that_is_renamed_to_the_bound_name_is_plugged(self):
        port = self.h.create_port(self.bridge)
        self.h.attach(port, "tap0", wait=None)
        tap = self.tap(self.h, "other0", up=False)
        self.h.namespace.ip("link", "set", "other0", "name", "tap0")
        self.h.namespace.ip("link", "set", "tap0", "up")
        self.first_frame(tap, time.monotonic(), "renamed to the bound name")
        self.h.wait_state(port, "active")

    def test_a_tap_moved_to_another_namespace_is_pending_and_is_plugged_when_it_is_back(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        elsewhere = self.namespace("elsewhere")
        self.h.namespace.ip("link", "set", "tap0", "netns", elsewhere.name)
        elsewhere.ip("link", "set", "tap0", "up")
        self.h.wait_state(port, "pending-interface")
        self.assert_blocked(self.peer, tap)
        self.assert_blocked(tap, self.peer)
        elsewhere.ip("link", "set", "tap0", "netns", self.h.namespace.name)
        self.h.namespace.ip("link", "set", "tap0", "up")
        self.first_frame(tap, time.monotonic(), "moved back")
        self.h.wait_state(port, "active")

    def test_detach_stops_traffic_and_leaves_nothing_on_the_tap(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        self.assert_passes(self.peer, tap)
        self.h.detach(port)
        self.assert_unplugged(tap)
        self.assertEqual(self.h.port_status(port)["state"], "unbound")
        self.h.detach(port)  # once more: a success
        self.assertEqual(self.h.rest.call("GET", f"/ports/{port}/attach_interface").status, 404)

    def test_deleting_a_bound_port_stops_traffic_and_closes_its_tap(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        self.h.rest.expect(204, "DELETE", f"/ports/{port}")
        self.assert_unplugged(tap)
        self.assertEqual(self.h.rest.call("GET", f"/hosts/{self.h.id}/ports/{port}").status, 404)

    def test_deleting_a_bridge_unplugs_all_of_its_ports(self):
        _, tap = self.plugged(self.h, self.bridge, "tap0")
        self.h.rest.expect(204, "DELETE", f"/bridges/{self.bridge}")
        self.assert_unplugged(tap)
        self.assert_unplugged(self.peer)
        self.assertEqual(self.h.rest.get(f"/hosts/{self.h.id}/ports"), [])

    def assert_unplugged(self, tap):
        wait_until(lambda: self.h.closed(tap.name), what=f"{tap.name} is closed")
        self.assert_blocked(self.peer, tap)
        self.assert_blocked(tap, self.peer)

    def test_a_second_port_on_an_interface_is_refused_naming_the_holder(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        second = self.h.create_port(self.bridge)
        answer = self.h.rest.expect(
            409, "POST", f"/ports/{second}/attach_interface", {"hostId": self.h.id, "interface": "tap0"}
        )
        self.assertIn(port, answer.message)
        self.assertEqual(self.h.port_status(second)["state"], "unbound")
        self.assert_passes(self.peer, tap)

    def test_a_port_on_a_second_interface_is_refused_naming_the_first(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        self.tap(self.h, "tap1")
        answer = self.h.rest.expect(409, "POST", f"/ports/{port}/attach_interface", {"hostId": self.h.id, "interface": "tap1"})
        self.assertIn("tap0", answer.message)
        self.assertIn(self.h.id, answer.message)
        self.assertEqual(self.h.hooks("tap1"), "")
        self.assert_passes(self.peer, tap)

    def test_the_same_attach_again_writes_nothing(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        before = self.h.port_status(port)
        self.assertEqual(self.h.attach(port, "tap0"), before)
        self.assert_passes(self.peer, tap)

    def test_a_member_of_a_linux_bridge_is_an_error_and_is_plugged_once_freed(self):
        tap = self.tap(self.h, "tap0")
        self.h.namespace.ip("link", "add", "name", "br0", "type", "bridge")
        self.h.namespace.ip("link", "set", "tap0", "master", "br0")
        port = self.h.create_port(self.bridge)
        status = self.h.attach(port, "tap0")
        self.assertEqual(status["state"], "error", status)
        self.assertIn("br0", status["reason"])
        self.assertEqual(self.h.hooks("tap0"), "")
        self.h.namespace.ip("link", "set", "tap0", "nomaster")
        self.first_frame(tap, time.monotonic(), "freed from the Linux bridge")
        self.h.wait_state(port, "active")

    def test_an_active_tap_that_joins_a_linux_bridge_is_an_error_until_it_leaves(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        self.h.namespace.ip("link", "add", "name", "br0", "type", "bridge")
        self.h.namespace.ip("link", "set", "tap0", "master", "br0")
        self.assertIn("br0", self.h.wait_state(port, "error")["reason"])
        self.assert_blocked(self.peer, tap)
        self.h.namespace.ip("link", "set", "tap0", "nomaster")
        self.h.wait_state(port, "active")
        self.assert_passes(self.peer, tap)

    def test_a_port_that_fails_holds_up_no_other(self):
        self.h.namespace.ip("link", "add", "name", "br0", "type", "bridge")
        self.tap(self.h, "bad0")
        self.h.namespace.ip("link", "set", "bad0", "master", "br0")
        ports = [self.h.create_port(self.bridge) for _ in range(12)]
        names = ["bad0" if i == 5 else "gone0" if i == 7 else f"tap{i}" for i in range(12)]
        taps = {name: self.tap(self.h, name) for name in names if name.startswith("tap")}
        for port, name in zip(ports, names):
            self.h.attach(port, name, wait=None)
        for port, name in zip(ports, names):
            self.h.wait_state(port, {"bad0": "error", "gone0": "pending-interface"}.get(name, "active"))
        for tap in taps.values():
            self.assert_passes(self.peer, tap)

    def test_interfaces_whose_names_no_path_can_hold_silence_nothing_else(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        for name in (b"vpn\xf0\x9f\x90\xa7", b"eth\xff\xfe", b"a\x01z", b"c\xee\x80\x80"):
            self.h.namespace.run("ip", "link", "add", "name", name.decode(errors="surrogateescape"), "type", "bridge")
        wait_until(lambda: len(self.h.agent_status()["warnings"]) == 4, 20, "the agent says which it leaves out")
        self.assertIn(r"vpn\xf0\x9f\x90\xa7", "".join(self.h.agent_status()["warnings"]))
        second, _ = self.plugged(self.h, self.bridge, "tap1")
        names = {each["name"] for each in self.h.rest.get(f"/hosts/{self.h.id}/interfaces")}
        self.assertGreaterEqual(names, {"tap0", "peer0"})
        tap.close()
        self.h.wait_state(port, "pending-interface", 20)
        self.assertEqual(self.h.port_status(second)["state"], "active")
        for name in (b"vpn\xf0\x9f\x90\xa7", b"eth\xff\xfe", b"a\x01z", b"c\xee\x80\x80"):
            self.h.namespace.run("ip", "link", "del", "dev", name.decode(errors="surrogateescape"))
        wait_until(lambda: not self.h.agent_status()["warnings"], 20, "they are gone")

    def test_a_persistent_tap_as_the_compute_service_makes_it_is_plugged_when_the_guest_opens_it(self):
        name = "tap" + os.urandom(6).hex()[:11]
        self.h.namespace.ip("tuntap", "add", "dev", name, "mode", "tap")
        self.h.namespace.ip("link", "set", name, "up")
        port = self.h.create_port(self.bridge)
        self.h.attach(port, name, wait=None)
        self.h.wait_state(port, "down")  # no process has opened it: no carrier
        tap = self.tap(self.h, name)
        self.first_frame(tap, time.monotonic(), "opened by the hypervisor")
        self.h.wait_state(port, "active")

    def test_a_move_with_the_right_previous_host_is_one_step(self):
        port, tap = self.plugged(self.h, self.bridge, "tap0")
        new = self.tap(self.h, "tap1", mac=tap.mac)
        uri = f"/ports/{port}/attach_interface"
        wrong = {"hostId": self.h.id, "interface": "tap1", "previousHostId": self.bridge}
        self.h.rest.expect(409, "POST", uri, wrong)
        self.assert_passes(self.peer, tap)
        status = self.h.attach(port, "tap1", previousHostId=self.h.id)
        self.assertEqual(status["state"], "active", status)
        self.assert_passes(self.peer, new)
        wait_until(lambda: self.h.closed("tap0"), what="the old tap is closed")
        self.assert_blocked(self.peer, tap)


# ctest-class: over_zookeeper
class PlugOverZooKeeper(OverZooKeeper, Plug):
    pass


if __name__ == "__main__":
    main()

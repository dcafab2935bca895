#!/usr/bin/python3
"""Other programs delete things of ours, which are repaired within a second and logged. Their own things are left alone."""


import os
import re
import time

from bed import HAS_TCX, SystemTest, main, needs_tcx, wait_until
from over_zookeeper import OverZooKeeper

# Classic BPF that never matches, as a foreign filter: needs no compiler and no other classifier in the kernel.
NEVER = "1,6 0 0 0"


class Repair(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.bridge = self.h.create_bridge()
        self.a_port, self.a = self.plugged(self.h, self.bridge, "a0")
        self.b_port, self.b = self.plugged(self.h, self.bridge, "b0")

    def assert_repaired(self, damage, intact, what):
        """After the damage the state is again what it was, frames pass both ways, and the log says so."""
        before, log_before = intact(), len(self.h.process.output())
        damage()
        since = time.monotonic()
        wait_until(lambda: intact() == before, 2, f"{what} is repaired")
        print(f"{what}: repaired after {(time.monotonic() - since) * 1000:.0f} ms")
        self.h.wait_state(self.a_port, "active")
        self.assert_passes(self.a, self.b)
        self.assert_passes(self.b, self.a)
        self.assertRegex(self.h.process.output()[log_before:], r"(?i)(warn|info).*(drift|repair|touched|gone|deleted)")

    def hooks_shape(self):
        """The hooks without the numbers that a new filter gets."""
        words = (self.h.hooks("a0") + self.h.namespace.tc("qdisc", "show", "dev", "a0")).split()
        return [word for before, word in zip([""] + words, words) if before not in ("id", "tag", "pref", "handle")]

    @needs_tcx
    def test_with_tcx_for_all_taps_filters_become_links_and_filters_again(self):
        for setting, links in (("tcx", True), ("auto", True), ("clsact", False)):
            self.h.stop()
            self.h.start("--hooks", setting)
            wait_until(
                lambda: (self.h.hooks("a0").count("tcx link"), self.h.hooks("a0").count(" midolman/"))
                == ((2, 0) if links else (0, 2)),
                what=f"the hooks are as {setting} has them",
            )
            self.h.wait_state(self.a_port, "active")
            self.assert_passes(self.a, self.b)

    def test_a_deleted_qdisc_is_repaired(self):
        self.assert_repaired(
            lambda: self.h.namespace.tc("qdisc", "del", "dev", "a0", "clsact"), self.hooks_shape, "the deleted qdisc"
        )

    def add_filter_before_ours(self):
        self.h.namespace.tc(
            *"filter add dev a0 ingress prio 7 protocol all u32 match u32 0 0 flowid 1:1".split()
        )  # gives each frame to the host

    @needs_tcx
    def test_a_filter_that_comes_before_ours_makes_the_tap_attached_by_tcx(self):
        self.add_filter_before_ours()
        wait_until(lambda: "tcx" in self.h.hooks("a0") and "midolman" not in self.h.hooks("a0"), what="the tap has tcx links")
        self.h.wait_state(self.a_port, "active")
        self.assert_passes(self.a, self.b)
        self.assert_passes(self.b, self.a)
        self.assertNotIn("tcx", self.h.hooks("b0"), "the others keep their filters")
        self.assertIn("pref 7 ", self.h.hooks("a0"))

    def test_by_filters_alone_a_filter_before_ours_is_said_and_the_port_is_not_active(self):
        for setting in ("clsact",) if HAS_TCX else ("clsact", "auto", "tcx"):
            with self.subTest(setting=setting):
                self.h.stop()
                self.h.start("--hooks", setting)
                self.assertEqual(re.findall(r"hooks=(\w+)", self.h.process.output())[-1], "clsact")
                self.h.wait_state(self.a_port, "active")
                self.add_filter_before_ours()
                self.h.wait_state(self.a_port, "error")
                self.assertIn("priority 7", self.h.port_status(self.a_port)["reason"])
                self.h.namespace.tc("filter", "del", "dev", "a0", "ingress", "prio", "7")
                self.h.wait_state(self.a_port, "active")
                self.assert_passes(self.a, self.b)

    @needs_tcx
    def test_an_ingress_qdisc_as_libvirt_makes_it_for_bandwidth_does_not_matter(self):
        tap = self.tap(self.h, "c0")
        self.h.namespace.tc("qdisc", "add", "dev", "c0", "ingress")
        self.h.namespace.tc(
            "filter", "add", "dev", "c0", "parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0", "flowid", ":1"
        )
        port = self.h.create_port(self.bridge)
        self.assertEqual(self.h.attach(port, "c0")["state"], "active")
        self.assert_passes(self.a, tap)
        self.assert_passes(tap, self.a)
        self.h.detach(port)
        self.h.wait_state(port, "unbound")
        self.assertIn("ingress", self.h.namespace.tc("qdisc", "show", "dev", "c0"))

    def test_a_deleted_filter_is_repaired(self):
        self.assert_repaired(
            lambda: self.h.namespace.tc("filter", "del", "dev", "a0", "ingress"), self.hooks_shape, "the deleted filter"
        )

    def test_every_deleted_pin_is_repaired(self):
        for pin in self.h.pins():
            with self.subTest(pin=pin):
                self.assert_repaired(lambda: os.unlink(os.path.join(self.h.bpffs, pin)), self.h.pins, f"the pin {pin}")

    def test_all_pins_deleted_at_once_are_repaired_and_a_restart_adopts_them(self):
        def damage():
            for pin in self.h.pins():
                os.unlink(os.path.join(self.h.bpffs, pin))

        self.assert_repaired(damage, self.h.pins, "all pins")
        self.h.kill()
        self.h.start()
        self.h.wait_state(self.a_port, "active")
        self.assert_passes(self.a, self.b)

    @needs_tcx
    def test_foreign_filters_and_qdiscs_stay_through_plug_restart_and_unplug(self):
        tap = self.tap(self.h, "c0")
        self.h.namespace.tc("qdisc", "add", "dev", "c0", "clsact")
        self.h.namespace.tc(
            "filter", "add", "dev", "c0", "ingress", "prio", "7", "handle", "0x77", "bpf", "bytecode", NEVER, "flowid", "1:1"
        )
        self.h.namespace.tc(
            "filter", "add", "dev", "c0", "egress", "prio", "9", "handle", "0x99", "bpf", "bytecode", NEVER, "flowid", "1:1"
        )
        self.h.namespace.tc("qdisc", "add", "dev", "c0", "root", "pfifo", "limit", "77")

        def theirs():
            shown = self.h.hooks("c0") + self.h.namespace.tc("qdisc", "show", "dev", "c0")
            return [mark for mark in ("0x77", "0x99", "limit 77p", "clsact") if mark in shown]

        all_of_them = ["0x77", "0x99", "limit 77p", "clsact"]
        self.assertEqual(theirs(), all_of_them)
        port = self.h.create_port(self.bridge)
        self.assertEqual(self.h.attach(port, "c0")["state"], "active")
        self.assertEqual(theirs(), all_of_them)
        self.assert_passes(self.a, tap)
        self.assert_passes(tap, self.a)
        self.h.kill()
        self.h.start()
        self.h.wait_state(port, "active")
        self.assertEqual(theirs(), all_of_them)
        self.h.detach(port)
        self.h.wait_state(port, "unbound")
        wait_until(lambda: self.h.closed("c0"), what="the tap is closed")
        self.assertEqual(theirs(), all_of_them)

    def test_removing_the_datapath_leaves_nothing_and_a_start_plugs_everything_again(self):
        self.h.stop()
        self.assert_passes(self.a, self.b)
        removed = self.h.namespace.run(
            self.h.program("midolman"), "standalone", "--remove-datapath", "--store", self.h.store, *self.h.agent_flags()
        )
        self.assertEqual(removed, "")
        self.assertEqual(self.h.pins(), [])
        for tap in (self.a, self.b):
            self.assertEqual(self.h.hooks(tap.name), "")
            self.assertNotIn("clsact", self.h.namespace.tc("qdisc", "show", "dev", tap.name))
        self.assert_blocked(self.a, self.b)
        self.h.start()
        self.h.wait_state(self.a_port, "active")
        self.h.wait_state(self.b_port, "active")
        self.assert_passes(self.a, self.b)

    def test_an_interface_that_is_not_bound_is_never_touched(self):
        self.tap(self.h, "c0")
        before = self.h.namespace.ip("-d", "link", "show", "c0")
        self.h.kill()
        self.h.start()
        self.h.wait_state(self.a_port, "active")
        self.assertEqual(self.h.hooks("c0"), "")
        self.assertEqual(self.h.namespace.ip("-d", "link", "show", "c0"), before)

    def test_plugging_changes_nothing_of_the_tap_itself(self):
        self.tap(self.h, "c0")

        def settings():
            return self.h.namespace.ip("-d", "link", "show", "c0")

        before = settings()
        port = self.h.create_port(self.bridge)
        self.h.attach(port, "c0")
        self.assertEqual(settings(), before)
        self.h.detach(port)
        wait_until(lambda: self.h.closed("c0"), what="the tap is closed")
        self.assertEqual(settings(), before)


# ctest-class: over_zookeeper
class RepairOverZooKeeper(OverZooKeeper, Repair):
    pass


if __name__ == "__main__":
    main()

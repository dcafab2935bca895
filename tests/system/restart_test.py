#!/usr/bin/python3
"""The agent stops, is killed, starts again: no frame is lost, and a start makes the kernel match what changed meanwhile."""

import os
import signal

from bed import Stream, SystemTest, main, wait_until
from over_zookeeper import OverZooKeeper


class Restart(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.bridge = self.h.create_bridge()
        self.a_port, self.a = self.plugged(self.h, self.bridge, "a0")
        self.b_port, self.b = self.plugged(self.h, self.bridge, "b0")

    def assert_nothing_lost(self, stream, frames):
        self.assertGreater(stream.sent, frames)
        self.assertEqual(stream.lost(), [], f"lost of {stream.sent}")
        self.assertEqual(stream.doubled(), 0)
        print(f"{stream.sent} frames, none lost")

    def test_an_agent_that_is_killed_loses_no_frame_and_neither_does_the_next_start(self):
        with Stream(self.a, self.b) as stream:
            stream.wait_for(200)
            self.h.kill()
            stream.wait_for(500)
            self.h.start()
            self.h.wait_state(self.b_port, "active")
            stream.wait_for(300)
        self.assert_nothing_lost(stream, 1000)

    def test_three_kills_in_a_row_while_the_agent_starts_lose_no_frame(self):
        with Stream(self.a, self.b) as stream:
            stream.wait_for(100)
            self.h.kill()
            for _ in range(3):
                self.h.start(wait=False)
                stream.wait_for(60)
                self.h.kill()
            self.h.start()
            self.h.wait_state(self.b_port, "active")
            stream.wait_for(200)
        self.assert_nothing_lost(stream, 400)

    def test_a_clean_stop_and_start_loses_no_frame_and_leaves_everything_pinned(self):
        with Stream(self.a, self.b) as stream:
            stream.wait_for(200)
            pins = self.h.pins()
            self.h.stop()
            self.assertEqual(self.h.pins(), pins)
            stream.wait_for(500)
            self.h.start()
            self.h.wait_state(self.b_port, "active")
            stream.wait_for(300)
        self.assert_nothing_lost(stream, 1000)

    def test_the_host_keeps_its_id_and_says_that_it_is_down_while_it_is(self):
        before = self.h.id
        self.h.stop()
        self.h.start_api()
        self.assertEqual(self.h.id, before)
        wait_until(lambda: not self.h.rest.get(f"/hosts/{before}")["alive"], 10, "the host is down")
        port = self.h.rest.get(f"/ports/{self.a_port}")
        self.assertEqual((port["status"]["state"], port["active"]), ("pending-host", False))
        self.assertEqual(port["interfaceName"], "a0")
        self.h.stop()
        self.h.start()
        self.assertEqual(self.h.id, before)

    def while_down(self, change):
        """Stops the agent, makes the change through the API alone, and starts the agent again."""
        self.h.stop()
        self.h.start_api()
        change()
        self.h.stop()
        self.assert_passes(self.a, self.b)  # forwarding does not need us
        self.h.start()

    def test_what_is_bound_while_the_agent_is_down_is_plugged_by_its_start(self):
        tap = self.tap(self.h, "c0")
        port = self.h.create_port(self.bridge)

        def bind():
            status = self.h.attach(port, "c0", wait=None)
            self.assertEqual(status["state"], "pending-host")

        self.while_down(bind)
        self.h.wait_state(port, "active")
        self.assert_passes(self.a, tap)
        self.assert_passes(self.a, self.b)

    def test_what_is_unbound_while_the_agent_is_down_is_swept_by_its_start(self):
        self.while_down(lambda: self.h.detach(self.b_port))
        wait_until(lambda: self.h.closed("b0"), what="the unbound tap is swept")
        self.assert_blocked(self.a, self.b)

    def test_a_port_deleted_while_the_agent_is_down_is_swept_by_its_start(self):
        self.while_down(lambda: self.h.rest.expect(204, "DELETE", f"/ports/{self.b_port}"))
        wait_until(lambda: self.h.closed("b0"), what="the deleted port's tap is swept")
        self.assert_blocked(self.a, self.b)

    def test_a_bridge_deleted_while_the_agent_is_down_is_swept_by_its_start(self):
        self.while_down(lambda: self.h.rest.expect(204, "DELETE", f"/bridges/{self.bridge}"))
        wait_until(lambda: self.h.closed("a0") and self.h.closed("b0"), what="both taps are swept")
        self.assert_blocked(self.a, self.b)

    def test_a_tap_made_again_while_the_agent_is_down_is_plugged_by_its_start(self):
        self.h.kill()
        self.b.close()
        b = self.tap(self.h, "b0", mac=self.b.mac)
        self.assert_blocked(self.a, b)
        self.h.start()
        self.h.wait_state(self.b_port, "active")
        self.assert_passes(self.a, b)
        self.assert_passes(b, self.a)

    def test_a_port_moved_to_another_interface_while_the_agent_is_down_leaves_the_first(self):
        new = self.tap(self.h, "c0", mac=self.b.mac)

        def move():
            self.h.detach(self.b_port)
            self.h.attach(self.b_port, "c0", wait=None)

        self.while_down(move)
        self.h.wait_state(self.b_port, "active")
        wait_until(lambda: self.h.closed("b0"), what="the first tap is swept")
        self.assert_passes(self.a, new)
        self.assert_blocked(self.a, self.b)

    def test_a_second_agent_on_the_same_store_is_refused_with_a_clear_error(self):
        second = self.host(start=False)
        second.store = self.h.store
        second.start(wait=False)
        self.assertNotEqual(second.process.popen.wait(30), 0)
        self.assertIn(os.path.basename(self.h.store), second.process.output())
        self.assert_passes(self.a, self.b)

    def test_what_is_acknowledged_survives_a_kill_at_once(self):
        port = self.h.create_port(self.bridge)
        self.tap(self.h, "c0")
        self.h.attach(port, "c0", wait=None)
        self.h.process.popen.send_signal(signal.SIGKILL)
        self.h.kill()
        self.h.start()
        self.assertEqual(self.h.wait_state(port, "active")["state"], "active")
        self.assertEqual(self.h.rest.get(f"/ports/{port}")["interfaceName"], "c0")


# ctest-class: over_zookeeper
class RestartOverZooKeeper(OverZooKeeper, Restart):
    # Any number of agents have one ensemble: nothing is refused.
    test_a_second_agent_on_the_same_store_is_refused_with_a_clear_error = None


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Live migration as Nova does it: the port is bound at the destination seconds before its guest runs there. The guest has its
network at the source until then, and is followed by the next frame."""

import json
import threading
import time

import frame
from bed import main, wait_until
from cluster_bed import ClusterTest

RARP = 0x8035


def rarp_announce(mac):
    """What QEMU sends for a guest that has just arrived (RFC 903: reverse request, of itself)."""
    body = bytes.fromhex("0001080006040003") + frame.mac_bytes(mac) + bytes(4) + frame.mac_bytes(mac) + bytes(4)
    return frame.ethernet(frame.BROADCAST, mac, body, RARP)


class Watch:
    """A sender's numbered frames to one MAC, a thousand a second, and when each of several taps got which of them."""

    def __init__(self, sender, mac, receivers):
        self.sender, self.mac = sender, mac
        self.sent, self.got = {}, {tap.name: {} for tap in receivers}
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send)]
        self._threads += [threading.Thread(target=self._receive, args=(tap,)) for tap in receivers]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _send(self):
        due = time.monotonic()
        while not self._ending.is_set():
            number = len(self.sent)
            self.sent[number] = time.monotonic()
            self.sender.send(self.mac, number.to_bytes(8, "big"))
            due += 0.001
            self._ending.wait(max(0.0, due - time.monotonic()))

    def _receive(self, tap):
        got = self.got[tap.name]
        while (one := tap.receive(0.3)) is not None or not self._ending.is_set():
            if one is not None and one.source == self.sender.mac and one.to == self.mac:
                got.setdefault(int.from_bytes(one.payload[:8], "big"), time.monotonic())

    def wait_for(self, tap, frames, seconds=20.0):
        """Returns when that many more have come to this tap."""
        target = len(self.got[tap.name]) + frames
        wait_until(lambda: len(self.got[tap.name]) >= target, seconds, f"{frames} more frames come to {tap.name}")

    def lost(self):
        return sorted(set(self.sent).difference(*self.got.values()))


# ctest-class: live TIMEOUT 300
class Migration(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(3):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(1)
        cluster.start_hosts()
        cluster.zone()

    def setUp(self):
        """A guest at the source, one that talks to it on each host, and its tap at the destination, open and silent."""
        super().setUp()
        self.source, self.destination, self.third = self.cluster.hosts
        self.rest = self.cluster.rest
        self.bridge = self.source.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")
        self.mac = frame.guest_mac(900)
        self.port, self.old = self.plugged(self.source, self.bridge, "vm0", macAddress=self.mac)
        self.old.mac = self.mac
        self.others = []
        for number, host in enumerate(self.cluster.hosts):
            mac = frame.guest_mac(910 + number)
            _, tap = self.plugged(host, self.bridge, f"o{number}", macAddress=mac)
            tap.mac = mac
            self.others.append(tap)
        self.new = self.tap(self.destination, "vm1", mac=self.mac)
        for tap in self.others:
            self.wait_reaches(tap, self.old)
            self.wait_reaches(self.old, tap)

    def wait_reaches(self, sender, receiver):
        def reaches():
            receiver.drain()
            sender.send(receiver, b"are you there")
            return receiver.receive(0.05)

        wait_until(reaches, 5, f"{sender.name} reaches {receiver.name}")

    def bind(self, host, tap):
        done = host.mm_ctl("--bind-port", self.port, tap.name)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def unbind(self, host):
        done = host.mm_ctl("--unbind-port", self.port)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def bound_on(self):
        return self.rest.get(f"/ports/{self.port}")["hostId"]

    def take_over(self):
        self.bind(self.destination, self.new)
        self.destination.wait_state(self.port, "active")
        self.assertEqual(self.bound_on(), self.destination.id)

    def lingering(self):
        return [one["portId"] for one in self.source.agent_status()["lingering"]]

    def guest_on(self):
        ports = self.destination.agent_status()["ports"]
        return next(one for one in ports if one["portId"] == self.port).get("guestOn")

    def assert_guest_is_at(self, tap, not_at):
        for other in self.others:
            self.assert_passes(other, tap)
            self.assert_passes(tap, other)
        not_at.drain()
        for other in self.others:
            other.send(self.mac, b"for the guest alone")
        self.assertIsNotNone(tap.receive())
        self.assertIsNone(not_at.receive(0.1))

    def migrated(self):
        """The guest is heard at the destination, and the source hears of that."""
        wait_until(lambda: self.source.closed(self.old.name), what="the old tap is closed")
        wait_until(lambda: not self.lingering(), what="the source has given it up")

    def test_a_guest_has_its_network_at_the_source_until_it_is_heard_at_the_destination(self):
        watcher = self.others[2]
        with Watch(watcher, self.mac, (self.old, self.new)) as watch:
            watch.wait_for(self.old, 200)
            self.take_over()
            before = len(watch.sent)
            watch.wait_for(self.old, 1000)
            self.assertEqual(watch.got[self.new.name], {})
            self.assertNotEqual(self.source.hooks(self.old.name), "")
            self.assertEqual(self.lingering(), [self.port])
            spoke = time.monotonic()
            self.new.send_raw(rarp_announce(self.mac))
            watch.wait_for(self.new, 200)
        first = min(watch.got[self.new.name].values())
        last = max(at for at in watch.got[self.old.name].values() if at < first)
        lost = watch.lost()
        print(
            f"from the announcement to the first frame at the destination {(first - spoke) * 1000:.1f} ms, from the last at "
            f"the source {(first - last) * 1000:.1f} ms; of {len(watch.sent)} frames, one a millisecond, {len(lost)} lost"
        )
        self.assertEqual([n for n in lost if watch.sent[n] < spoke], [], f"lost before the guest moved, of {before}")
        self.migrated()
        self.assert_guest_is_at(self.new, self.old)
        self.unbind(self.source)
        self.assertEqual(self.bound_on(), self.destination.id)
        self.assert_guest_is_at(self.new, self.old)

    def test_meanwhile_its_guest_talks_to_all_hosts_and_gets_what_is_flooded(self):
        self.take_over()
        self.assert_guest_is_at(self.old, self.new)
        for other in self.others:
            self.old.drain()
            other.send(frame.BROADCAST, b"to all")
            self.assertIsNotNone(self.old.receive())
            other.drain()
            self.old.send(frame.BROADCAST, b"from the guest")
            self.assertIsNotNone(other.receive())
        self.assertEqual(self.guest_on(), self.source.id)
        status = self.destination.port_status(self.port)
        self.new.send_raw(rarp_announce(self.mac))
        self.migrated()
        self.assert_guest_is_at(self.new, self.old)
        wait_until(lambda: self.guest_on() is None, what="the destination knows that its guest is there")
        self.assertEqual(self.destination.port_status(self.port), status)

    def test_a_tap_that_comes_after_the_binding_makes_no_difference(self):
        self.new.close()
        self.bind(self.destination, self.new)
        self.destination.wait_state(self.port, "pending-interface")
        for other in self.others:
            self.assert_passes(other, self.old)
        self.new = self.tap(self.destination, "vm1", mac=self.mac)
        self.destination.wait_state(self.port, "active")
        self.assert_guest_is_at(self.old, self.new)
        self.new.send_raw(rarp_announce(self.mac))
        self.migrated()
        self.assert_guest_is_at(self.new, self.old)

    def test_agents_that_are_killed_in_the_middle_change_nothing(self):
        with Watch(self.others[2], self.mac, (self.old, self.new)) as watch:
            self.take_over()
            for host in (self.source, self.destination):
                host.kill()
                host.start()
                wait_until(lambda agent=host: agent.agent_status()["synchronised"], what="the agent has read its store")
                watch.wait_for(self.old, 100)
            self.assertEqual(watch.got[self.new.name], {})
        self.assertEqual(watch.lost(), [])
        self.assert_guest_is_at(self.old, self.new)
        self.source.kill()
        self.new.send_raw(rarp_announce(self.mac))
        wait_until(lambda: self.arrives(self.others[2], self.new), what="frames go to the destination, the source being dead")
        self.source.start()
        self.migrated()
        self.destination.kill()
        self.destination.start()
        self.assert_guest_is_at(self.new, self.old)

    def arrives(self, sender, receiver):
        receiver.drain()
        sender.send(self.mac, b"where are you")
        return receiver.receive(0.05)

    def test_a_rollback_gives_the_port_back_to_the_source(self):
        with Watch(self.others[2], self.mac, (self.old, self.new)) as watch:
            watch.wait_for(self.old, 100)
            self.take_over()
            watch.wait_for(self.old, 100)
            self.unbind(self.destination)
            self.source.wait_state(self.port, "active")
            wait_until(lambda: self.destination.closed(self.new.name), what="the new tap is closed")
            watch.wait_for(self.old, 100)
        self.assertEqual(watch.lost(), [])
        self.assertEqual(self.bound_on(), self.source.id)
        self.assertEqual(self.lingering(), [])
        self.assert_guest_is_at(self.old, self.new)
        # The next attempt succeeds.
        self.take_over()
        self.new.send_raw(rarp_announce(self.mac))
        self.migrated()
        self.assert_guest_is_at(self.new, self.old)
        self.unbind(self.destination)
        self.assertIsNone(self.bound_on())

    def test_a_rollback_without_an_agent_at_the_destination_gives_it_back_too(self):
        self.take_over()
        self.destination.kill()
        try:
            done = self.destination.mm_ctl(
                "--store", self.destination.store, "--host-id-file", self.destination.host_id_file, "--unbind-port", self.port
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(self.bound_on(), self.source.id)
        finally:
            self.destination.start()
        self.source.wait_state(self.port, "active")
        self.assert_guest_is_at(self.old, self.new)

    def test_a_source_whose_guest_is_gone_gives_the_port_up_though_the_destination_is_silent(self):
        self.take_over()
        self.old.close()
        wait_until(lambda: not self.lingering(), what="the source has given it up")
        wait_until(lambda: self.arrives(self.others[2], self.new), what="frames go to the destination")

    def test_a_move_over_rest_waits_for_the_guest_too_and_a_detach_does_not(self):
        status = self.destination.attach(self.port, self.new.name, previousHostId=self.source.id)
        self.assertEqual(status["state"], "active", json.dumps(status))
        self.assert_guest_is_at(self.old, self.new)
        self.destination.detach(self.port)
        wait_until(lambda: self.source.closed(self.old.name), what="the old tap is closed")
        wait_until(lambda: self.destination.closed(self.new.name), what="the new tap is closed")
        self.assertIsNone(self.bound_on())


if __name__ == "__main__":
    main()

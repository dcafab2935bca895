#!/usr/bin/python3
"""A MAC or an IP address that several ports of a bridge declare: it takes nothing from the guest that is heard with it, and the
status of each port says where else it stands."""

import os

import frame
from bed import main, wait_until
from cluster_bed import ClusterTest


# ctest-class: three_hosts TIMEOUT 300
class Declared(ClusterTest):
    @classmethod
    def prepare(cls):
        c = cls.new_cluster(servers=1)
        for _ in range(3):
            c.add_host()
        c.start_store(), c.start_apis(1), c.start_hosts(), c.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2, self.h3 = self.cluster.hosts
        self.rest = self.cluster.rest
        self.bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")
        self.mac = frame.guest_mac(next(self.macs))
        self.guest = self.tap(self.h1, "guest", mac=self.mac)
        self.port = self.h1.create_port(self.bridge, macAddress=self.mac, fixedIps=[{"ipAddress": "10.7.0.1"}])
        self.assertEqual(self.h1.attach(self.port, "guest")["state"], "active")
        _, self.watcher = self.plugged(self.h3, self.bridge, "watch", macAddress=(mac := frame.guest_mac(next(self.macs))))
        self.watcher.mac = mac
        wait_until(lambda: self.arrives(self.watcher, self.mac, self.guest), 20, "the guest is reached")
        wait_until(lambda: self.arrives(self.guest, self.watcher.mac, self.watcher), 20, "the guest reaches others")

    @staticmethod
    def arrives(sender, to, receiver, other=None):
        """A frame gets there, and not to the other one."""
        mark = os.urandom(16)
        if other:
            other.drain()
        sender.send(to, mark)
        here = False
        while not here and (got := receiver.receive(0.3)):
            here = got.payload.startswith(mark)
        return here and not (other and any(got.payload.startswith(mark) for got in other.drain()))

    def second(self, host, name, up=True):
        """Another port with the guest's addresses, at a tap of this host; without `up` its guest has not opened it."""
        port = self.h1.create_port(self.bridge, macAddress=self.mac, fixedIps=[{"ipAddress": "10.7.0.1"}])
        if up:
            tap = self.tap(host, name, mac=self.mac)
        else:
            host.namespace.ip("tuntap", "add", "dev", name, "mode", "tap")
            self.addCleanup(host.namespace.ip, "link", "del", name, check=False)
            host.namespace.ip("link", "set", name, "up")
            tap = None
        host.attach(port, name, wait=None)
        host.wait_state(port, "active" if up else "down", 20)
        return port, tap

    def reason(self, port, words):
        seen = {}

        def said():
            seen["reason"] = self.h1.port_status(port)["reason"]
            return all(word in seen["reason"] for word in words)

        try:
            wait_until(said, 20)
        except AssertionError:
            raise AssertionError(f"{seen['reason']!r} does not say {words}") from None

    def arp_answers(self):
        """The senders of what comes back to a request for the address, within a moment."""
        self.watcher.drain()
        self.watcher.send_raw(frame.arp_request(self.watcher.mac, "10.7.0.9", "10.7.0.1"))
        answers = set()
        while got := self.watcher.receive(0.3, frame.ARP):
            if got.arp()[0] == 2:
                answers.add(got.source)
        return answers

    def test_at_a_tap_that_is_down_it_takes_nothing(self):
        self.assertEqual(self.arp_answers(), {self.mac})
        other, _ = self.second(self.h2, "silent", up=False)
        self.reason(self.port, [f"is also that of port {other} on host {self.h2.id}, which is down: its frames come here"])
        self.reason(other, [f"is also that of port {self.port} on host {self.h1.id}: its frames go there"])
        for _ in range(5):
            self.assertTrue(self.arrives(self.watcher, self.mac, self.guest))
            self.assertTrue(self.arrives(self.guest, self.watcher.mac, self.watcher))
        self.assertEqual(self.arp_answers(), {self.mac})
        self.assertEqual(self.h1.port_status(self.port)["state"], "active")
        self.h1.detach(other)
        wait_until(lambda: self.h1.port_status(self.port)["reason"] == "", 20, "nothing stands twice any more")

    def test_at_a_silent_guest_it_takes_nothing_and_the_first_one_gets_it_back_by_a_frame(self):
        other, tap = self.second(self.h2, "other")
        self.reason(self.port, [other, self.h2.id])
        self.reason(other, [self.port, self.h1.id])
        self.assertTrue(self.arrives(self.guest, self.watcher.mac, self.watcher))
        wait_until(lambda: self.arrives(self.watcher, self.mac, self.guest, tap), 20, "the guest alone gets its frames")
        # Both speak: it stays with the one that was bound first.
        tap.send(frame.BROADCAST, b"me too")
        self.guest.send(frame.BROADCAST, b"me")
        wait_until(lambda: self.arrives(self.watcher, self.mac, self.guest, tap), 20, "the guest alone gets its frames")
        self.reason(self.port, ["its frames come here, where it is heard"])
        tap.send(frame.BROADCAST, b"me too")
        self.assertTrue(self.arrives(self.watcher, self.mac, self.guest, tap))
        self.h1.detach(other)
        wait_until(lambda: self.h1.port_status(self.port)["reason"] == "", 20, "nothing stands twice any more")
        self.assertTrue(self.arrives(self.watcher, self.mac, self.guest, tap))

    def test_on_the_same_host_too(self):
        other, tap = self.second(self.h1, "other")
        self.reason(self.port, [f"is also that of port {other} on other of this host"])
        self.guest.send(frame.BROADCAST, b"me")
        wait_until(lambda: self.arrives(self.watcher, self.mac, self.guest, tap), 20, "the guest alone gets its frames")
        self.reason(self.port, ["its frames come here, where it is heard"])
        tap.send(frame.BROADCAST, b"me too")
        self.assertTrue(self.arrives(self.watcher, self.mac, self.guest, tap))
        self.guest.close()
        tap.send(frame.BROADCAST, b"now it is mine")
        wait_until(lambda: self.arrives(self.watcher, self.mac, tap), 20, "the other one has it when the guest is gone")

    def test_a_fixed_address_at_two_guests_is_left_to_them(self):
        mac = frame.guest_mac(next(self.macs))
        tap = self.tap(self.h2, "other", mac=mac)
        port = self.h1.create_port(self.bridge, macAddress=mac, fixedIps=[{"ipAddress": "10.7.0.1"}])
        self.assertEqual(self.arp_answers(), {self.mac})
        self.assertEqual(self.h2.attach(port, "other")["state"], "active")
        self.reason(self.port, [f"fixed address 10.7.0.1 is also that of port {port} on host {self.h2.id}"])
        self.reason(port, [f"fixed address 10.7.0.1 is also that of port {self.port} on host {self.h1.id}"])
        wait_until(lambda: self.arp_answers() == set(), 20, "no host answers for these guests")
        self.guest.drain(), tap.drain()
        self.watcher.send_raw(frame.arp_request(self.watcher.mac, "10.7.0.9", "10.7.0.1"))
        for each in (self.guest, tap):
            self.assertIsNotNone(each.receive(5, frame.ARP), "the request gets to both")
        tap.close()
        wait_until(lambda: self.arp_answers() == {self.mac}, 20, "one guest is left")


if __name__ == "__main__":
    main()

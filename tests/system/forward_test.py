#!/usr/bin/python3
"""Frames between the ports of one host: the ports that get a frame, and those that do not."""

import json
import re

from bed import SystemTest, frame, main, wait_until


class Forward(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.bridge = self.h.create_bridge()

    def plug_many(self, count, prefix="t"):
        return [self.plugged(self.h, self.bridge, f"{prefix}{i}") for i in range(count)]

    def test_a_broadcast_reaches_every_other_port_once_and_not_its_sender(self):
        taps = [tap for _, tap in self.plug_many(20)]
        taps[3].send(frame.BROADCAST, b"to all of you")
        for tap in taps:
            if tap is taps[3]:
                continue
            self.assertIsNotNone(tap.receive(), f"{tap.name} got nothing")
        for tap in taps:
            self.assertEqual(tap.drain(), [], f"{tap.name} got it twice, or back")

    def test_a_multicast_frame_is_flooded(self):
        (_, a), (_, b), (_, c) = self.plug_many(3)
        a.send("01:00:5e:00:00:fb", b"multicast")
        self.assertIsNotNone(b.receive())
        self.assertIsNotNone(c.receive())

    def test_an_address_is_learned_where_it_speaks_and_no_longer_flooded(self):
        (_, a), (_, b), (_, c) = self.plug_many(3)
        a.send(b, b"unknown: flooded")
        self.assertIsNotNone(b.receive())
        self.assertIsNotNone(c.receive())
        b.send(a, b"here I am")
        self.assertIsNotNone(a.receive())
        a.send(b, b"known: to b alone")
        self.assertIsNotNone(b.receive())
        self.assertIsNone(c.receive(0.2))

    def test_a_learned_address_moves_to_the_port_where_it_spoke_last(self):
        (_, a), (_, b), (_, c) = self.plug_many(3)
        b.send(a, b"I am here")
        self.assertIsNotNone(a.receive())
        c.send(a, b"now I am there", source=b.mac)
        self.assertIsNotNone(a.receive())
        b.drain(), c.drain()
        a.send(b.mac, b"where are you")
        self.assertIsNotNone(c.receive())
        self.assertIsNone(b.receive(0.2))

    def test_a_configured_address_is_known_before_it_speaks_and_cannot_be_stolen(self):
        mac = frame.guest_mac(77)
        _, a = self.plugged(self.h, self.bridge, "a0")
        _, b = self.plugged(self.h, self.bridge, "b0", macAddress=mac)
        _, c = self.plugged(self.h, self.bridge, "c0")
        a.send(mac, b"to the configured one")
        self.assertIsNotNone(b.receive())
        self.assertIsNone(c.receive(0.2))
        c.send(a, b"I am not who I say", source=mac)
        a.drain()
        a.send(mac, b"still to the configured one")
        self.assertIsNotNone(b.receive())
        self.assertIsNone(c.receive(0.2))

    def test_bridges_are_isolated_even_with_the_same_addresses_in_both(self):
        other = self.h.create_bridge("other")
        _, a1 = self.plugged(self.h, self.bridge, "a1")
        _, b1 = self.plugged(self.h, self.bridge, "b1")
        _, a2 = self.plugged(self.h, other, "a2")
        _, b2 = self.plugged(self.h, other, "b2")
        a2.mac, b2.mac = a1.mac, b1.mac
        for sender, receiver in ((a1, b1), (b1, a1), (a2, b2), (b2, a2)):
            self.assert_passes(sender, receiver)
        for tap in (a1, b1, a2, b2):
            tap.drain()
        a1.send(frame.BROADCAST, b"in the first bridge")
        self.assertIsNotNone(b1.receive())
        a1.send(b1, b"in the first bridge")
        self.assertIsNotNone(b1.receive())
        self.assertEqual(a2.drain() + b2.drain(), [])

    def test_a_port_that_is_administratively_down_passes_nothing_until_it_is_up(self):
        (port, a), (_, b) = self.plug_many(2)
        entity = self.h.rest.get(f"/ports/{port}")
        self.h.rest.expect(204, "PUT", f"/ports/{port}", {**entity, "adminStateUp": False})
        wait_until(lambda: not self.gets_through(a, b) and not self.gets_through(b, a), what="the port is down")
        self.h.rest.expect(204, "PUT", f"/ports/{port}", {**entity, "adminStateUp": True})
        wait_until(lambda: self.gets_through(a, b) and self.gets_through(b, a), what="the port is up")

    def test_a_bridge_that_is_administratively_down_passes_nothing_until_it_is_up(self):
        (_, a), (_, b) = self.plug_many(2)
        entity = self.h.rest.get(f"/bridges/{self.bridge}")
        self.h.rest.expect(204, "PUT", f"/bridges/{self.bridge}", {**entity, "adminStateUp": False})
        wait_until(lambda: not self.gets_through(a, b), what="the bridge is down")
        self.h.rest.expect(204, "PUT", f"/bridges/{self.bridge}", {**entity, "adminStateUp": True})
        wait_until(lambda: self.gets_through(a, b), what="the bridge is up")

    @staticmethod
    def gets_through(sender, receiver):
        receiver.drain()
        sender.send(receiver, b"does this pass")
        return receiver.receive(0.05) is not None

    def test_a_malformed_frame_harms_nothing(self):
        (_, a), (_, b) = self.plug_many(2)
        for raw in (
            frame.mac_bytes(b.mac) + frame.mac_bytes(a.mac),
            b"\xff" * 14,
            b"\0" * 14,
            frame.mac_bytes(frame.BROADCAST) + frame.mac_bytes(a.mac) + b"\x08\x06" + b"\0" * 3,
            frame.mac_bytes(b.mac) + frame.mac_bytes(frame.BROADCAST) + b"\x08\x00" + b"\x45" * 40,
        ):
            try:
                a.send_raw(raw)
            except OSError:
                pass  # the kernel itself refuses what is shorter than a header
        b.drain()
        self.assert_passes(a, b)
        self.assert_passes(b, a)

    def test_guests_ping_and_run_tcp_with_segmentation_offload(self):
        guests = []
        for i in (1, 2):
            guests.append(self.guest(self.h, f"tap{i}", f"10.0.0.{i}/24", frame.guest_mac(i)))
            port = self.h.create_port(self.bridge, macAddress=frame.guest_mac(i))
            self.assertEqual(self.h.attach(port, f"tap{i}")["state"], "active")
        guests[0].run("ping", "-c", "3", "-i", "0.01", "-W", "2", "10.0.0.2")
        result = self.iperf(guests[0], guests[1], "10.0.0.2")
        print(f"TCP between two guests: {result['end']['sum_received']['bits_per_second'] / 1e9:.2f} Gbit/s")
        counters = json.loads(guests[0].ip("-s", "-j", "link", "show", "eth0"))[0]["stats64"]["tx"]
        per_frame = counters["bytes"] / counters["packets"]
        self.assertGreater(per_frame, 3000, "frames are no larger than the MTU: segmentation offload does not pass")

    def iperf(self, client, server, address, seconds="1"):
        from process import Process

        listening = Process(server.command("iperf3", "-s", "-1"), f"{self.directory}/iperf.log")
        self.addCleanup(listening.end)
        wait_until(
            lambda: re.search(r"Server listening", listening.output()) or ":5201" in server.run("ss", "-tlnH"),
            what="iperf3 listens",
        )
        return json.loads(client.run("iperf3", "-c", address, "-t", seconds, "-J"))

    def test_250_ports_attached_at_once_are_all_active_and_a_broadcast_reaches_them(self):
        self.h.namespace.run(
            "sh",
            "-c",
            "for i in $(seq 250); do echo link add name v$i up type veth peer name w$i; "
            "echo link set v$i up; echo link set w$i up; done | ip -batch -",
        )
        ports = [self.h.create_port(self.bridge) for _ in range(250)]
        for i, port in enumerate(ports, 1):
            self.h.attach(port, f"v{i}", wait=None)
        for port in ports:
            self.h.wait_state(port, "active", 10)
        _, tap = self.plugged(self.h, self.bridge, "tap0")
        before = self.received()
        tap.send(frame.BROADCAST, b"to 250")
        wait_until(lambda: self.received() - before >= 250, what="250 ports got the broadcast")
        self.assertEqual(self.received() - before, 250)

    def received(self):
        """Frames that the far ends of the veths have received."""
        links = json.loads(self.h.namespace.ip("-s", "-j", "link", "show", "type", "veth"))
        return sum(link["stats64"]["rx"]["packets"] for link in links if link["ifname"].startswith("w"))


if __name__ == "__main__":
    main()

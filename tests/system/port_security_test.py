#!/usr/bin/python3
"""Port security across two hosts: a guest that lies about its addresses harms no other, and says so in the counters."""

import json
import socket
import struct

import frame
from bed import main, wait_until
from cluster_bed import ClusterTest

DHCP_REPLY = struct.pack("!HHHH", 67, 68, 8 + 200, 0) + bytes(200)


def ip4(source, to, payload, protocol=17):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    return header + socket.inet_aton(source) + socket.inet_aton(to) + payload


def arp(operation, sender_mac, sender_ip, target_ip):
    return (
        struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
        + frame.mac_bytes(sender_mac)
        + socket.inet_aton(sender_ip)
        + bytes(6)
        + socket.inet_aton(target_ip)
    )


class PortSecurity(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(1)
        cluster.start_hosts()
        cluster.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        self.rest = self.cluster.rest
        self.bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")

    def secured(self, host, name, address, **more):
        return self.made(host, name, fixedIps=[{"ipAddress": address}], portSecurityEnabled=True, **more)

    def made(self, host, name, **fields):
        """A port with the MAC of its tap, active. (port, tap)"""
        tap = self.tap(host, name, mac=frame.guest_mac(0x100 + int(name[1:])))
        port = host.create_port(self.bridge, macAddress=tap.mac, **fields)
        status = host.attach(port, name)
        self.assertEqual(status["state"], "active", status)
        return port, tap

    def drops(self, host, port):
        ports = {entry["portId"]: entry for entry in host.agent_status()["ports"]}
        return ports[port]["counters"]["drops"]

    def change(self, port, **fields):
        record = self.rest.get(f"/ports/{port}")
        answer = self.rest.call("PUT", f"/ports/{port}", {**record, **fields})
        self.assertIn(answer.status, (200, 204), answer)

    def passes(self, sender, receiver, ethertype, payload, source=None):
        """Whether a frame with this payload gets to the other tap; a frame of its own type after it says that it would be there."""
        sender.send(receiver.mac, payload, ethertype, source=source)
        sender.send(receiver.mac, b"after", frame.TEST_ETHERTYPE)
        seen = False
        while True:
            got = receiver.receive(5.0, ethertype=None)
            self.assertIsNotNone(got, "the frame after it did not arrive")
            if got.ethertype == frame.TEST_ETHERTYPE and got.payload.startswith(b"after"):
                return seen
            if got.ethertype == ethertype and got.payload.startswith(payload):
                seen = True

    def test_a_guest_that_lies_harms_no_other(self):
        _, victim = self.secured(self.h1, "t0", "10.0.0.1")
        _, peer = self.secured(self.h2, "t1", "10.0.0.2")
        liar_port, liar = self.secured(self.h2, "t2", "10.0.0.3")
        for one, two in ((victim, peer), (peer, victim), (liar, victim), (liar, peer)):
            self.assert_passes(one, two)
        lies = (
            ("spoofed_mac", frame.TEST_ETHERTYPE, b"as the victim", victim.mac),
            ("spoofed_ip", 0x0800, ip4("10.0.0.1", "10.0.0.2", b"\0" * 8), None),
            ("spoofed_arp", frame.ARP, arp(2, liar.mac, "10.0.0.1", "10.0.0.2"), None),
            ("spoofed_arp", frame.ARP, arp(1, victim.mac, "10.0.0.1", "10.0.0.2"), None),
            ("server_reply", 0x0800, ip4("10.0.0.3", "10.0.0.1", DHCP_REPLY), None),
            ("vlan_tag", 0x8100, b"\0\5\x88\xb5tagged", None),
        )
        for reason, ethertype, payload, source in lies:
            for other in (victim, peer):
                with self.subTest(reason=reason, to=other.name):
                    before = self.drops(self.h2, liar_port).get(reason, 0)
                    self.assertFalse(self.passes(liar, other, ethertype, payload, source))
                    self.assertEqual(self.drops(self.h2, liar_port)[reason], before + 1)
        # The victim's MAC was learned nowhere else, so its frames still get to it.
        for one, two in ((victim, peer), (peer, victim)):
            self.assert_passes(one, two)
        self.assertTrue(self.passes(liar, victim, 0x0800, ip4("10.0.0.3", "10.0.0.1", b"\0" * 8)))
        self.assertTrue(self.passes(liar, peer, frame.ARP, arp(2, liar.mac, "10.0.0.3", "10.0.0.2")))

    def test_it_is_turned_on_and_off_and_pairs_come_and_go_while_frames_flow(self):
        port, guest = self.made(self.h1, "t0", fixedIps=[{"ipAddress": "10.0.0.1"}])
        _, other = self.made(self.h2, "t1")
        self.assert_passes(guest, other)
        own, foreign = (ip4(address, "10.0.0.9", b"\0" * 8) for address in ("10.0.0.1", "10.0.7.7"))

        def said(payload):
            return self.passes(guest, other, 0x0800, payload)

        self.assertTrue(said(foreign), "it was not asked for")
        self.change(port, portSecurityEnabled=True)
        wait_until(lambda: not said(foreign), 5, "the foreign address is refused")
        self.assertTrue(said(own))
        self.change(port, allowedAddressPairs=[{"ipAddress": "10.0.7.0/24"}])
        wait_until(lambda: said(foreign), 5, "the pair is allowed")
        self.assertTrue(said(own))
        self.h1.kill()
        self.assertTrue(said(own), "also without an agent")
        self.assertFalse(said(ip4("10.0.8.7", "10.0.0.9", b"\0" * 8)))
        self.h1.start()
        self.assertFalse(said(ip4("10.0.8.7", "10.0.0.9", b"\0" * 8)))
        self.change(port, allowedAddressPairs=[])
        wait_until(lambda: not said(foreign), 5, "the pair is gone")
        self.change(port, portSecurityEnabled=False)
        wait_until(lambda: said(foreign), 5, "it is open again")

    def test_an_older_program_does_not_start_on_a_store_with_secured_ports(self):
        self.secured(self.h1, "t0", "10.0.0.1")
        with self.cluster.zookeeper.client() as client:
            self.assertEqual(json.loads(client.get("/midonet/version")[0])["minReader"], 2)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Addresses that a bridge knows before a guest has sent a frame: those of its ports and those set by hand in its MAC and ARP
tables, from REST to the frame. On one host, and with ports on another host."""


import os

import frame
from bed import SystemTest, main, wait_until
from cluster_bed import ClusterTest

ASKER, OWNER, MOVED = "10.0.0.1", "10.0.0.2", "10.0.0.77"


class Tables(SystemTest):
    """`near` is the sender's host, `far` that of two other ports: here both are one host."""

    def hosts_of_the_bridge(self):
        host = self.host()
        return host, host

    def setUp(self):
        super().setUp()
        self.near, self.far = self.hosts_of_the_bridge()
        self.rest = self.near.rest
        self.bridge = self.near.create_bridge()
        self.table = f"/bridges/{self.bridge}"
        self.a_port, self.a = self.plugged(self.near, self.bridge, "a0")
        self.b_mac = frame.guest_mac(700)
        self.b_port, self.b = self.plugged(self.far, self.bridge, "b0", macAddress=self.b_mac, fixedIps=self.addresses(OWNER))
        self.c_port, self.c = self.plugged(self.far, self.bridge, "c0")
        self.b.mac = self.b_mac
        wait_until(lambda: self.arrives(self.a, frame.BROADCAST, self.c), what="the bridge floods")

    @staticmethod
    def addresses(*ips):
        return [{"ipAddress": ip, "subnetId": None} for ip in ips]

    @staticmethod
    def arrives(sender, to, receiver):
        mark = os.urandom(16)
        sender.send(to, mark)
        while got := receiver.receive(0.1):
            if got.payload.startswith(mark):
                return True
        return False

    # -- ARP

    def ask(self, target, sender_ip=ASKER):
        """(the MAC address that answers a request, the taps that a copy of it got to)"""
        for tap in (self.a, self.b, self.c):
            while tap.receive(0, frame.ARP):
                pass
        self.a.send_raw(frame.arp_request(self.a.mac, sender_ip, target))
        answer = self.a.receive(0.05, frame.ARP)
        copies = [tap for tap in (self.b, self.c) if tap.receive(0.05, frame.ARP)]
        if answer is None:
            return None, copies
        mac = answer.arp()[1]
        self.assertEqual(answer.arp(), (2, mac, target, self.a.mac, sender_ip))
        self.assertEqual((answer.source, answer.to), (mac, self.a.mac))
        return mac, copies

    def wait_answered(self, target, mac):
        wait_until(lambda: self.ask(target) == (mac, []), what=f"requests for {target} are answered with {mac}")

    def wait_flooded(self, target, *to):
        wait_until(lambda: self.ask(target) == (None, list(to)), what=f"requests for {target} are flooded")

    def change(self, port, **fields):
        entity = self.rest.get(f"/ports/{port}")
        self.rest.expect(204, "PUT", f"/ports/{port}", {**entity, **fields})

    def test_a_request_for_a_ports_fixed_address_is_answered_and_goes_no_further_while_it_is_plugged(self):
        self.wait_answered(OWNER, self.b_mac)
        self.far.detach(self.b_port)
        self.wait_flooded(OWNER, self.c)
        self.assertEqual(self.far.attach(self.b_port, "b0")["state"], "active")
        self.wait_answered(OWNER, self.b_mac)

    def test_what_a_put_says_of_the_addresses_is_followed(self):
        self.wait_answered(OWNER, self.b_mac)
        self.change(self.b_port, fixedIps=self.addresses(MOVED, "fd00::77"))
        self.wait_answered(MOVED, self.b_mac)
        self.wait_flooded(OWNER, self.b, self.c)
        self.change(self.b_port, adminStateUp=False)
        self.wait_flooded(MOVED, self.c)
        self.change(self.b_port, adminStateUp=True)
        self.wait_answered(MOVED, self.b_mac)
        self.change(self.b_port, macAddress=None)
        self.wait_flooded(MOVED, self.b, self.c)

    def test_a_probe_or_an_announcement_of_a_known_address_is_for_everybody(self):
        self.wait_answered(OWNER, self.b_mac)
        for sender_ip in ("0.0.0.0", OWNER):
            self.assertEqual(self.ask(OWNER, sender_ip), (None, [self.b, self.c]), sender_ip)

    def test_an_address_of_two_active_ports_is_left_to_their_guests(self):
        self.wait_answered(OWNER, self.b_mac)
        mac = frame.guest_mac(701)
        port, _ = self.plugged(self.near, self.bridge, "d0", macAddress=mac, fixedIps=self.addresses(OWNER))
        self.wait_flooded(OWNER, self.b, self.c)
        self.near.detach(port)
        self.wait_answered(OWNER, self.b_mac)

    def test_an_entry_of_the_arp_table_is_answered_until_it_is_deleted_and_comes_before_what_ports_have(self):
        mac = frame.guest_mac(702)
        for ip, before in ((MOVED, None), (OWNER, self.b_mac)):
            if before:
                self.wait_answered(ip, before)
            else:
                self.wait_flooded(ip, self.b, self.c)
            entry = self.rest.expect(201, "POST", f"{self.table}/arp_table", {"ip": ip, "mac": mac}).headers["Location"]
            self.assertEqual([(each["ip"], each["mac"]) for each in self.rest.get(f"{self.table}/arp_table")], [(ip, mac)])
            self.wait_answered(ip, mac)
            self.rest.expect(204, "DELETE", entry)
            if before:
                self.wait_answered(ip, before)
            else:
                self.wait_flooded(ip, self.b, self.c)

    # -- MAC

    def reached(self, mac):
        """The taps that a frame to this address gets to."""
        mark = os.urandom(16)
        self.a.send(mac, mark)
        taps = []
        for tap in (self.b, self.c):
            while got := tap.receive(0.05):
                if got.payload.startswith(mark):
                    taps.append(tap)
        return taps

    def test_a_frame_to_an_entry_of_the_mac_table_goes_to_its_port_alone_until_it_is_deleted(self):
        mac = frame.guest_mac(703)
        everybody = [self.b, self.c]
        for port, tap in ((self.c_port, self.c), (self.b_port, self.b)):
            wait_until(lambda: self.reached(mac) == everybody, what="frames are flooded")
            entry = self.rest.expect(201, "POST", f"{self.table}/mac_table", {"macAddr": mac, "portId": port}).headers[
                "Location"
            ]
            wait_until(lambda: self.reached(mac) == [tap], what=f"frames go to {tap.name} alone")
            self.assertIn((mac, port), self.mac_table())
            self.rest.expect(204, "DELETE", entry)
            self.assertNotIn((mac, port), self.mac_table())
        wait_until(lambda: self.reached(mac) == everybody, what="frames are flooded again")

    def test_an_entry_of_the_mac_table_comes_before_what_is_heard_and_goes_with_its_port(self):
        mac = frame.guest_mac(704)
        self.b.send(self.a, b"here I am", source=mac)
        wait_until(lambda: self.reached(mac) == [self.b], what="it is learned")
        self.rest.expect(201, "POST", f"{self.table}/mac_table", {"macAddr": mac, "portId": self.c_port})
        wait_until(lambda: self.reached(mac) == [self.c], what="what is set comes first")
        self.b.send(self.a, b"still here", source=mac)
        self.assertEqual(self.reached(mac), [self.c])
        self.rest.expect(204, "DELETE", f"/ports/{self.c_port}")
        self.assertNotIn((mac, self.c_port), self.mac_table())
        wait_until(lambda: self.reached(mac) == [self.b], what="frames go nowhere else")

    def mac_table(self):
        return [(entry["macAddr"], entry["portId"]) for entry in self.rest.get(f"{self.table}/mac_table")]


# ctest-class: two_hosts TIMEOUT 300
class TablesOfTwoHosts(ClusterTest, Tables):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis()
        cluster.start_hosts()
        cluster.zone()

    def hosts_of_the_bridge(self):
        return self.cluster.hosts

    def tearDown(self):
        self.rest.call("DELETE", f"/bridges/{self.bridge}")
        super().tearDown()

    def test_what_was_learned_stands_in_the_mac_table_until_it_is_learned_elsewhere(self):
        mac = frame.guest_mac(705)
        self.c.send(self.a, b"here I am", source=mac)
        wait_until(lambda: (mac, self.c_port) in self.mac_table(), what="what was learned is shown")
        [entry] = [each["uri"] for each in self.rest.get(f"{self.table}/mac_table") if each["macAddr"] == mac]
        self.assertEqual(self.rest.get(entry)["portId"], self.c_port)
        self.assertIn("learned", self.rest.expect(409, "DELETE", entry).message)
        self.a.send(self.c, b"now I am there", source=mac)
        wait_until(lambda: (mac, self.a_port) in self.mac_table(), what="the move is shown")
        self.assertNotIn((mac, self.c_port), self.mac_table())
        self.rest.expect(404, "GET", entry)


if __name__ == "__main__":
    main()

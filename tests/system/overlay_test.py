#!/usr/bin/python3
"""One network across three hosts: the frames that each gets through the tunnel, moves, the MTU, and an agent that is away."""

import json
import os
import re
import socket
import struct
import subprocess

import bed
import frame
from bed import Stream, main, wait_until
from cluster_bed import ClusterTest
from process import Process
from underlay import Capture


class OverlayTest(ClusterTest):
    ipv6 = False
    overhead = 50

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1, ipv6_underlay=cls.ipv6)
        for _ in range(3):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(2)
        cluster.start_hosts()
        cluster.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2, self.h3 = self.cluster.hosts
        self.rest = self.cluster.rest
        self.bridge = self.new_bridge()

    def new_bridge(self):
        bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{bridge}")
        return bridge

    def plug(self, *hosts, bridge=None, **port):
        """A tap on each of the hosts, active on a new port. What is sent there is known to pass as soon as this returns."""
        made = [self.plugged(host, bridge or self.bridge, f"t{i}", **port) for i, host in enumerate(hosts)]
        taps = [tap for _, tap in made]
        for sender in taps:
            for receiver in taps:
                if sender is not receiver:
                    self.wait_passes(sender, receiver)
        self.drain(taps)
        return made

    @staticmethod
    def drain(taps):
        for tap in taps:
            tap.receive(0.05)
            tap.drain()

    def wait_passes(self, sender, receiver, seconds=5.0):
        """Returns when broadcasts of the one get to the other: the control plane of both hosts has come that far."""
        mark = os.urandom(16)

        def passes():
            sender.send(frame.BROADCAST, mark)
            while got := receiver.receive(0.02):
                if got.payload.startswith(mark):
                    return True
            return False

        wait_until(passes, seconds, f"broadcasts of {sender.name} reach {receiver.name}")


# ctest-class: over_ipv4 TIMEOUT 300
class Overlay(OverlayTest):
    def test_a_frame_gets_to_the_other_host_unchanged_and_back(self):
        (_, a), (_, b) = self.plug(self.h1, self.h2)
        for payload in (b"x", os.urandom(1400)):
            self.assert_passes(a, b, payload)
            self.assert_passes(b, a, payload)

    def midonet_status(self, host, *flags):
        """`midonet status` as on that host; its exit status and what it prints."""
        argv = self.cluster.control.command(
            os.path.join(bed.BIN, "midonet"),
            "--full",
            "--socket",
            os.path.join(host.run_directory, "midolman.sock"),
            *flags,
            "status",
        )
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
        )
        return done.returncode, done.stdout

    def test_midonet_status_shows_the_store_the_tunnel_and_who_else_serves_each_bridge(self):
        self.plug(self.h1, self.h2, self.h2)
        lonely = self.new_bridge()
        self.plugged(self.h1, lonely, "alone")

        def peers():
            _, out = self.midonet_status(self.h1, "-o", "json")
            served = {bridge["bridgeId"]: bridge["peers"] for bridge in json.loads(out)["agent"]["bridges"]}
            return served if served[self.bridge] and served[self.bridge][0]["macs"] == 2 else None

        served = wait_until(peers, 20, "both MACs that were heard on h2 lead there", interval=0.05)
        self.assertEqual(served[self.bridge], [{"hostId": self.h2.id, "address": self.h2.address, "ports": 2, "macs": 2}])
        self.assertEqual(served[lonely], [])
        status, text = self.midonet_status(self.h1)
        self.assertEqual(status, 0)
        self.assertRegex(text, rf"(?m)^store +{re.escape(self.cluster.store)} answers, since [0-9]+[smh]$")
        self.assertRegex(
            text,
            rf"(?m)^tunnel +midonet-vxlan active, from {self.h1.address} on eth0 \(mtu 1600\), UDP port 4789, "
            rf"mtu {1600 - self.overhead} inside$",
        )
        # All hosts and bridges of the bed have one name: their ids tell them apart.
        self.assertRegex(
            text,
            rf"(?m)^  \S+ \({self.bridge}\) +vni [0-9]+ +to \S+ \({self.h2.id}\) +{self.h2.address} " r"+2 ports +2 MACs$",
        )
        self.assertRegex(text, rf"(?m)^  \S+ \({lonely}\) +vni [0-9]+ +no other host$")

    def test_midonet_status_shows_why_the_tunnel_is_not_complete(self):
        self.h1.namespace.ip("addr", "del", f"{self.h1.address}/{64 if self.ipv6 else 24}", "dev", "eth0")
        try:
            wait_until(lambda: "which no interface of this host has" in self.midonet_status(self.h1)[1], 20, "it says so")
        finally:
            self.h1.namespace.ip("addr", "add", f"{self.h1.address}/{64 if self.ipv6 else 24}", "dev", "eth0")
        wait_until(lambda: f"from {self.h1.address} on eth0" in self.midonet_status(self.h1)[1], 20, "it is back")

    def test_a_broadcast_reaches_each_guest_on_each_host_once_and_not_its_sender(self):
        taps = [tap for _, tap in self.plug(*self.cluster.hosts, *self.cluster.hosts)]
        for sender in taps[:3]:
            mark = os.urandom(16)
            sender.send(frame.BROADCAST, mark)
            for tap in taps:
                got = [got for got in self.everything(tap) if got.payload.startswith(mark)]
                self.assertEqual(len(got), 0 if tap is sender else 1, f"{tap.name}, sent by {sender.name}")

    @staticmethod
    def everything(tap):
        found = []
        while got := tap.receive(0.1):
            found.append(got)
        return found

    def test_two_bridges_are_isolated_even_with_the_same_addresses_in_both(self):
        (_, a), (_, b) = self.plug(self.h1, self.h2)
        other = self.new_bridge()
        made = [self.plugged(host, other, f"o{i}") for i, host in enumerate((self.h1, self.h2))]
        c, d = (tap for _, tap in made)
        c.mac, d.mac = a.mac, b.mac
        self.wait_passes(c, d)
        self.wait_passes(d, c)  # each host learns of the other at a moment of its own
        self.drain((c, d))
        for sender, receiver in ((a, b), (b, a), (c, d), (d, c)):
            self.assert_passes(sender, receiver)
        self.drain((a, b, c, d))
        a.send(frame.BROADCAST, b"in the first bridge")
        a.send(b, b"in the first bridge")
        self.assertIsNotNone(b.receive())
        self.assertIsNotNone(b.receive())
        self.assertIsNone(d.receive(0.2))
        self.assertIsNone(c.receive(0.05))

    def test_a_host_that_does_not_serve_the_bridge_gets_nothing_until_it_does_and_after_it_no_longer_does(self):
        (_, a), (_, b) = self.plug(self.h1, self.h2)
        capture = Capture(self.h3.namespace)
        self.addCleanup(capture.close)
        for _ in range(20):
            a.send(frame.BROADCAST, b"to those who serve it")
        self.assertEqual(len([1 for _ in range(20) if b.receive()]), 20)
        self.assertEqual(capture.packets(), [])
        port, c = self.plugged(self.h3, self.bridge, "c0")
        self.wait_passes(a, c)
        self.assertNotEqual(capture.packets(), [])
        self.h3.detach(port)
        wait_until(lambda: self.silent(a, b, capture), what="the host that left the bridge gets nothing more")

    @staticmethod
    def silent(a, b, capture):
        capture.packets()
        a.send(frame.BROADCAST, b"and now?")
        b.receive()
        return not capture.packets()

    def test_a_configured_address_is_sent_to_its_host_alone_before_it_has_spoken(self):
        mac = frame.guest_mac(700)
        _, a = self.plugged(self.h1, self.bridge, "a0")
        _, b = self.plugged(self.h2, self.bridge, "b0", macAddress=mac)
        _, c = self.plugged(self.h3, self.bridge, "c0")
        b.mac = mac
        self.wait_goes_to(a, mac, b, c)

    def test_an_address_that_is_learned_on_another_host_is_no_longer_flooded(self):
        (_, a), (_, b), (_, c) = self.plug(*self.cluster.hosts)
        b.send(a, b"here I am")
        self.wait_goes_to(a, b.mac, b, c)

    def test_an_address_that_moves_to_another_host_is_followed(self):
        (_, a), (_, b), (_, c) = self.plug(*self.cluster.hosts)
        b.send(a, b"I am here")
        self.wait_goes_to(a, b.mac, b, c)
        c.send(a, b"now I am there", source=b.mac)
        self.wait_goes_to(a, b.mac, c, b)
        b.send(a, b"and back", source=b.mac)
        self.wait_goes_to(a, b.mac, b, c)

    def wait_goes_to(self, sender, mac, receiver, not_to):
        """Until a frame to that address arrives at the one and not at the other."""

        def goes():
            self.drain((receiver, not_to))
            mark = os.urandom(16)
            sender.send(mac, mark)
            got = receiver.receive(0.1)
            stray = not_to.receive(0.05)
            return got and got.payload.startswith(mark) and not stray

        wait_until(goes, 5, f"{mac} is sent to {receiver.name} alone")

    def forge(self, sender, address, payload):
        """A VXLAN packet with a broadcast for the bridge, sent by an ordinary socket in this namespace."""
        vni = self.rest.get(f"/bridges/{self.bridge}")["vni"]
        packet = struct.pack("!II", 0x08000000, vni << 8) + frame.ethernet(frame.BROADCAST, frame.guest_mac(77), payload)
        with sender.entered(), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(packet, (address, 4789))

    @staticmethod
    def tunnel_drops(host, reason):
        text = host.agent_metrics()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("midonet_tunnel_drops_total") and f'reason="{reason}"' in line
        )

    def assert_refused(self, tap, host, sender, address, reason):
        tap.drain()
        before = self.tunnel_drops(host, reason)
        self.forge(sender, address, b"forged")
        wait_until(lambda: self.tunnel_drops(host, reason) > before, 10, f"{reason} is counted")
        self.assertIsNone(tap.receive(0))

    def test_a_tunnel_packet_of_a_machine_that_does_not_serve_the_bridge_is_dropped_and_counted(self):
        (_, a), (_, _) = self.plug(self.h1, self.h2)
        self.assert_refused(a, self.h1, self.cluster.control, self.h1.address, "foreign_source")
        # A host of the cloud that has no port of this bridge is no better.
        self.assert_refused(a, self.h1, self.h3.namespace, self.h1.address, "foreign_source")
        self.forge(self.h2.namespace, self.h1.address, b"as its own")
        self.assertIsNotNone(a.receive(5), "what a host of the bridge sends is taken")
        # With a port of its own it is taken from the moment at which its first frame can come.
        _, c = self.plugged(self.h3, self.bridge, "tc")
        c.send(frame.BROADCAST, b"the first")
        self.assertIsNotNone(a.receive(5), "the first frame of a host that begins to serve the bridge")

    def test_a_tunnel_packet_to_another_address_of_the_host_is_dropped_and_counted(self):
        (_, a), (_, _) = self.plug(self.h1, self.h2)
        other = "fd30::123" if self.ipv6 else "172.30.0.123"
        self.h1.namespace.ip(
            "addr", "add", f"{other}/{64 if self.ipv6 else 24}", "dev", "eth0", *(["nodad"] if self.ipv6 else [])
        )
        self.addCleanup(self.h1.namespace.ip, "addr", "del", f"{other}/{64 if self.ipv6 else 24}", "dev", "eth0")
        self.assert_refused(a, self.h1, self.h2.namespace, other, "foreign_destination")

    def test_a_frame_of_the_overlays_mtu_passes_and_a_larger_one_is_dropped_and_counted(self):
        (port, a), (_, b) = self.plug(self.h1, self.h2)
        mtu = self.cluster.underlay.mtu - self.overhead
        self.assertEqual(self.rest.get(f"/ports/{port}")["mtu"], mtu)
        b.send(a, b"here I am")
        a.receive()
        fits = os.urandom(mtu)
        self.assert_passes(a, b, fits)
        a.send(b, fits + b"x")
        self.assertIsNone(b.receive(0.2))
        status = next(p for p in self.h1.agent_status()["ports"] if p["portId"] == port)
        self.assertEqual(sum(status["counters"]["drops"].values()), 1, status)

    def test_a_tap_whose_mtu_is_larger_than_the_overlays_says_so_in_its_status(self):
        (port, a), (_, b) = self.plug(self.h1, self.h2)
        self.assertEqual(self.h1.port_status(port)["reason"] or "", "")
        mtu = self.cluster.underlay.mtu - self.overhead
        self.h1.namespace.ip("link", "set", a.name, "mtu", mtu + 1)
        wait_until(lambda: self.h1.port_status(port)["reason"], what="the status has a reason")
        status = self.h1.port_status(port)
        self.assertEqual(status["state"], "active", status)
        self.assertIn(str(mtu), status["reason"])
        self.assertIn(str(mtu + 1), status["reason"])
        self.assert_passes(a, b)
        self.h1.namespace.ip("link", "set", a.name, "mtu", mtu)
        wait_until(lambda: not self.h1.port_status(port)["reason"], what="the reason is gone")

    def test_guests_on_three_hosts_ping_and_run_tcp_with_segmentation_offload_through_the_tunnel(self):
        guests = []
        for i, host in enumerate(self.cluster.hosts, 1):
            guest = self.whole_guest(host, f"g{i}", (f"10.0.0.{i}/24", f"fd00::{i}/64"), frame.guest_mac(800 + i))
            self.cluster.attached(guest, self.bridge)
            guests.append(guest)
        for i, guest in enumerate(guests, 1):
            for j in range(1, 4):
                if i != j:
                    wait_until(lambda: "0 received" not in guest.ping(f"10.0.0.{j}", check=False), what="they ping")
                    guest.ping(f"10.0.0.{j}")
                    guest.ping(f"fd00::{j}")
        capture = Capture(self.h1.namespace)
        self.addCleanup(capture.close)
        rate, per_frame = self.tcp(guests[0], guests[1], "10.0.0.2")
        print(f"TCP between two hosts: {rate / 1e9:.2f} Gbit/s, {per_frame:.0f} bytes a frame")
        self.assertGreater(per_frame, 3000, "frames are no larger than the MTU: segmentation offload does not pass")
        longest = max(len(inner) for outgoing, *_, inner in capture.packets() if outgoing)
        self.assertGreater(longest, 3000, "frames are segmented before the tunnel")

    def whole_guest(self, *arguments):
        from guest import Guest

        made = Guest(*arguments)
        self.addCleanup(made.close)
        return made

    def tcp(self, client, server, address):
        """(bits a second, bytes a frame that the client sent)"""
        listening = Process(server.namespace.command("iperf3", "-s", "-1"), f"{self.directory}/iperf.log")
        self.addCleanup(listening.end)
        wait_until(lambda: ":5201" in server.run("ss", "-tlnH"), what="iperf3 listens")
        before = self.sent(client)
        result = json.loads(client.run("iperf3", "-c", address, "-t", "1", "-J"))
        after = self.sent(client)
        return (
            result["end"]["sum_received"]["bits_per_second"],
            (after["bytes"] - before["bytes"]) / (after["packets"] - before["packets"]),
        )

    @staticmethod
    def sent(guest):
        return json.loads(guest.namespace.ip("-s", "-j", "link", "show", "eth0"))[0]["stats64"]["tx"]

    def test_a_move_with_the_right_previous_host_takes_the_traffic_along(self):
        (_, a), (port, b) = self.plug(self.h3, self.h1)
        new = self.tap(self.h2, "new0", mac=b.mac)
        uri, body = f"/ports/{port}/attach_interface", {"hostId": self.h2.id, "interface": "new0"}
        for wrong in ({}, {"previousHostId": self.h3.id}):
            answer = self.rest.expect(409, "POST", uri, {**body, **wrong})
            self.assertIn(self.h1.id, answer.message)
        self.assert_passes(a, b)
        status = self.h2.attach(port, "new0", previousHostId=self.h1.id)
        self.assertEqual(status["state"], "active", status)
        new.send(a, b"here I am now")
        wait_until(lambda: self.h1.closed(b.name), what="the old tap is closed")
        self.wait_goes_to(a, new.mac, new, b)

    def test_mm_ctl_takes_a_port_over_and_the_late_unbind_of_the_source_changes_nothing(self):
        (_, a), (port, b) = self.plug(self.h3, self.h1)
        new = self.tap(self.h2, "new0", mac=b.mac)
        self.assertEqual(self.h2.mm_ctl("--bind-port", port, "new0").returncode, 0)
        self.h2.wait_state(port, "active")
        new.send(a, b"here I am now")
        wait_until(lambda: self.h1.closed(b.name), what="the source has unplugged")
        done = self.h1.mm_ctl("--unbind-port", port)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.rest.get(f"/ports/{port}")["hostId"], self.h2.id)
        self.wait_goes_to(a, new.mac, new, b)
        self.assert_passes(new, a)

    def test_an_agent_that_was_away_while_its_port_moved_takes_nothing_back(self):
        (_, a), (port, b) = self.plug(self.h3, self.h1)
        new = self.tap(self.h2, "new0", mac=b.mac)
        self.h1.kill()
        self.assertEqual(self.h2.attach(port, "new0", previousHostId=self.h1.id)["state"], "active")
        new.send(a, b"here I am now")
        self.wait_goes_to(a, new.mac, new, b)
        self.h1.start()
        wait_until(lambda: self.h1.closed(b.name), what="the late agent has unplugged")
        self.assertEqual(self.rest.get(f"/ports/{port}")["hostId"], self.h2.id)
        self.wait_goes_to(a, new.mac, new, b)

    def test_guests_of_a_host_whose_agent_is_killed_stay_reachable_and_no_frame_is_lost(self):
        (_, a), (port, b) = self.plug(self.h1, self.h2)
        b.send(a, b"here I am")
        a.receive()
        with Stream(a, b) as stream, Stream(b, a) as back:
            stream.wait_for(200)
            self.h2.kill()
            # Long enough for its session to end, too.
            wait_until(lambda: not self.h2.alive(), 10, "the session of the killed agent is over")
            stream.wait_for(200)
            self.h2.start()
            self.h2.wait_state(port, "active")
            stream.wait_for(200)
            back.wait_for(1)
        for each in (stream, back):
            self.assertGreater(each.sent, 1000)
            self.assertEqual(each.lost(), [], f"lost of {each.sent}")
            self.assertEqual(each.doubled(), 0)

    def test_a_deleted_tunnel_device_is_repaired(self):
        (_, a), (_, b) = self.plug(self.h1, self.h2)
        device = "midonet-vxlan"
        self.assertIn(device, self.h1.namespace.links())
        self.h1.namespace.ip("link", "del", device)
        wait_until(lambda: device in self.h1.namespace.links(), what="the device is made again")
        self.wait_passes(a, b)
        self.wait_passes(b, a)

    def test_a_foreign_device_of_another_name_and_port_is_left_alone(self):
        self.plug(self.h1, self.h2)
        self.h1.namespace.ip("link", "add", "name", "theirs", "type", "vxlan", "id", "7", "dstport", "8472")
        self.addCleanup(self.h1.namespace.ip, "link", "del", "theirs", check=False)

        def shown():
            return self.h1.namespace.ip("-d", "link", "show", "theirs")

        before = shown()
        self.h1.kill()
        self.h1.start()
        self.assertEqual(shown(), before)


# ctest-class: over_ipv6 TIMEOUT 300
class OverlayOverIpv6(Overlay):
    ipv6 = True
    overhead = 70


# ctest-class: sessions
class Sessions(OverlayTest):
    def alive_node(self, host):
        with self.cluster.zookeeper.client() as client:
            return client.get(f"/midonet/hosts/{host.id}/alive")[1]

    def statuses(self, host):
        with self.cluster.zookeeper.client() as client:
            folder = f"/midonet/hosts/{host.id}/status"
            return {name: client.get(f"{folder}/{name}")[1].mzxid for name in client.list(folder)}

    def test_a_quick_restart_of_an_agent_is_invisible_to_the_cluster(self):
        (port, a), (_, b) = self.plug(self.h1, self.h2)
        for end in (self.h1.kill, self.h1.stop):
            before, statuses = self.alive_node(self.h1), self.statuses(self.h1)
            since = self.h1.port_status(port)["since"]
            seen = len(self.h2.process.output())
            end()
            self.h1.start()
            wait_until(lambda: self.h1.agent_status()["synchronised"], what="the agent has read its store")
            self.h1.wait_state(port, "active")
            after = self.alive_node(self.h1)
            self.assertEqual((after.czxid, after.owner), (before.czxid, before.owner))
            self.assertEqual(self.statuses(self.h1), statuses)
            self.assertEqual(self.h1.port_status(port)["since"], since)
            self.assertNotIn("unplugged", self.h2.process.output()[seen:])
        self.assert_passes(a, b)

    def test_the_session_file_is_for_root_alone(self):
        mode = os.stat(os.path.join(self.h1.run_directory, "session")).st_mode
        self.assertEqual(mode & 0o777, 0o600)

    def test_after_a_long_absence_the_agent_has_a_new_session_and_says_everything_anew(self):
        (port, a), (_, b) = self.plug(self.h1, self.h2)
        before = self.alive_node(self.h1)
        self.h1.kill()
        wait_until(lambda: not self.h1.alive(), 10, "the session is over")
        self.assertEqual(self.h1.port_status(port)["state"], "pending-host")
        self.assert_passes(a, b)
        self.h1.start()
        self.h1.wait_state(port, "active")
        self.assertNotEqual(self.alive_node(self.h1).owner, before.owner)

    def test_an_agent_whose_session_ends_under_it_gets_a_new_one_and_says_everything_anew(self):
        (port, a), (_, b) = self.plug(self.h1, self.h2)
        before = self.alive_node(self.h1)
        self.h1.process.popen.send_signal(19)  # SIGSTOP
        try:
            wait_until(lambda: not self.h1.alive(), 10, "the session is over")
            self.assert_passes(a, b)
        finally:
            self.h1.process.popen.send_signal(18)
        wait_until(self.h1.alive, 10, "the agent is back")
        self.h1.wait_state(port, "active")
        self.assertNotEqual(self.alive_node(self.h1).owner, before.owner)
        self.assert_passes(b, a)

    def test_two_apis_show_the_same_and_have_one_winner_for_a_port(self):
        second = self.cluster.apis[1].rest
        port = self.h1.create_port(self.bridge)
        status = self.h1.attach(port, "nothing0", wait=None, rest_client=second)
        self.assertIn("state", status)
        wait_until(lambda: self.rest.get(f"/ports/{port}")["interfaceName"] == "nothing0", what="the other API shows it")
        import threading

        for number in range(10):
            port = self.h1.create_port(self.bridge)
            wait_until(lambda: second.call("GET", f"/ports/{port}").status == 200, what="the other API shows the port")
            answers = {}
            barrier = threading.Barrier(2)

            def attach(client, name):
                barrier.wait()
                answers[name] = client.call(
                    "POST", f"/ports/{port}/attach_interface", {"hostId": self.h1.id, "interface": name}
                ).status

            racers = [
                threading.Thread(target=attach, args=(client, f"r{number}x{i}"))
                for i, client in enumerate((self.rest, second))
            ]
            for racer in racers:
                racer.start()
            for racer in racers:
                racer.join()
            self.assertEqual(sorted(answers.values()), [200, 409])
            winner = next(name for name, status in answers.items() if status == 200)
            self.assertEqual(self.rest.get(f"/ports/{port}")["interfaceName"], winner)

    def test_a_layout_that_is_newer_is_refused_by_agent_and_api_and_nothing_is_written(self):
        with self.cluster.zookeeper.client() as client:
            client.create("/newer")
            client.create("/newer/version", '{"layout": 9, "minReader": 9}')
        store = self.cluster.zookeeper.uri("/newer")
        run_directory = os.path.join(self.directory, "run")
        agent = ["midolman", "--run-dir", run_directory, "--host-id-file", f"{self.directory}/id", "--bpffs", self.h1.bpffs]
        for name, *flags in (agent, ["midonet-api", "--listen", "127.0.0.1:9999"]):
            process = Process(
                self.h1.namespace.command(self.h1.program(name), "--store", store, *flags), f"{self.directory}/{name}.log"
            )
            self.addCleanup(process.end, 9)
            self.assertEqual(process.popen.wait(20), 1, process.output())
            self.assertIn("needs a program that knows layout 9", process.output())
        with self.cluster.zookeeper.client() as client:
            self.assertEqual(client.list("/newer"), ["version"])
            self.assertEqual(client.get("/newer/version")[1].version, 0)


if __name__ == "__main__":
    main()

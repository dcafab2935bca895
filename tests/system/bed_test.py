#!/usr/bin/python3
"""The bed of many hosts itself: what the tests of the overlay stand on."""

import os
import re
import subprocess
import sys
import textwrap

from bed import TOP, SystemTest, main, wait_until
from cluster_bed import ClusterTest
from underlay import Capture, ipv4, ipv6


# Indented: tests are found by the lines of their classes.
FAILING = textwrap.dedent(
    f"""
    import sys
    sys.path.insert(0, "{TOP}/tests/system")
    from bed import SystemTest, main
    class Failing(SystemTest):
        def test_it(self):
            self.host(start=False)
            self.fail("on purpose")
    main()
    """
)


class Pause(SystemTest):
    def test_a_failed_test_keeps_its_bed_until_enter_if_it_is_asked_to(self):
        path = os.path.join(self.directory, "failing_test.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(FAILING)
        with subprocess.Popen(
            [sys.executable, path],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"MIDONET_PAUSE": "1"},
        ) as failing:
            self.addCleanup(failing.kill)
            said = ""
            for line in failing.stderr:
                said += line
                if "paused" in line:
                    break
            namespace, files = re.search(r"--net=(\S+); files in (\S+)", said).groups()
            self.assertTrue(os.path.exists(namespace) and os.path.isdir(files), said)
            failing.communicate("\n", timeout=60)
            self.assertEqual(failing.returncode, 1)
            self.assertFalse(os.path.exists(namespace) or os.path.exists(files), said)


class Programs(SystemTest):
    def test_their_folder_may_be_named_from_where_the_developer_stands(self):
        os.makedirs(os.path.join(self.directory, "build/bin"))
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, '{TOP}/tests/system'); import bed; print(bed.BIN)"],
            cwd=self.directory,
            env=os.environ | {"MIDONET_BIN": "build/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        self.assertEqual(done.stdout.strip(), os.path.join(os.path.realpath(self.directory), "build/bin"))


# ctest-class: underlay_and_ensemble
class Bed(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=3)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()

    def test_hosts_reach_each_other_and_every_server_over_both_families(self):
        one = self.cluster.hosts[0].namespace
        for address in (ipv4(2), ipv6(2), *(server.address for server in self.cluster.zookeeper.servers)):
            one.run("ping", "-c", "1", "-W", "2", address)

    def test_a_packet_of_the_underlays_mtu_passes_and_a_larger_one_does_not(self):
        one = self.cluster.hosts[0].namespace
        fits = self.cluster.underlay.mtu - 28
        one.run("ping", "-c", "1", "-W", "2", "-M", "do", "-s", fits, ipv4(2))
        with self.assertRaises(RuntimeError):
            one.run("ping", "-c", "1", "-W", "1", "-M", "do", "-s", fits + 1, ipv4(2))

    def test_a_capture_sees_tunnel_packets_of_both_families_alone(self):
        capture = Capture(self.cluster.hosts[1].namespace)
        self.addCleanup(capture.close)
        one = self.cluster.hosts[0].namespace
        inner = b"\x08\0\0\0\0\0\x07\0" + b"frame"
        for address in (ipv4(2), ipv6(2)):
            for port in (4789, 4790):
                self.send(one, address, port, inner)
        self.assertEqual(capture.packets(), [(False, ipv4(1), ipv4(2), 7, b"frame"), (False, ipv6(1), ipv6(2), 7, b"frame")])

    @staticmethod
    def send(namespace, address, port, payload):
        import socket

        with namespace.entered():
            sender = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.sendto(payload, (address, port))

    def test_one_server_leads_and_when_it_is_killed_another_does(self):
        zookeeper = self.cluster.zookeeper
        modes = sorted(server.mode() for server in zookeeper.servers)
        self.assertEqual(modes, ["follower", "follower", "leader"])
        first = zookeeper.leader()
        first.kill()
        second = wait_until(zookeeper.leader, 20, "another server leads", interval=0.02)
        self.assertIsNot(second, first)
        self.assertEqual(first.mode(), "")
        zookeeper.start()
        self.assertEqual(sorted(server.mode() for server in zookeeper.servers), modes)

    def test_the_servers_count_what_they_do(self):
        before = self.cluster.zookeeper.total("zk_packets_received")
        self.assertEqual(self.cluster.zookeeper.servers[0].word("ruok"), "imok")
        self.assertGreater(self.cluster.zookeeper.total("zk_packets_received"), before)
        self.assertEqual(self.cluster.zookeeper.total("zk_watch_count"), 0)

    def test_a_client_writes_and_reads_nodes(self):
        with self.cluster.zookeeper.client() as client:
            client.create("/bed", "one")
            value, stat = client.get("/bed")
            self.assertEqual((value, stat.version, stat.owner), (b"one", 0, 0))
            client.set("/bed", "two")
            value, again = client.get("/bed")
            self.assertEqual((value, again.version, again.czxid), (b"two", 1, stat.czxid))
            self.assertEqual(client.list("/"), ["bed", "zookeeper"])
            self.assertIsNone(client.get("/nothing"))


if __name__ == "__main__":
    main()

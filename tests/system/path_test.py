#!/usr/bin/python3
"""The way to other hosts: which size of packets it takes, and from which address they are."""

import os

import frame
from bed import main, wait_until
from cluster_bed import ClusterTest
from namespace import Namespace
from underlay import Capture


class PathTest(ClusterTest):
    mtu = 1600

    @classmethod
    def prepare(cls):
        c = cls.new_cluster(servers=1, mtu=cls.mtu)
        c.add_host(), c.add_host()
        c.start_store(), c.start_apis(1), c.start_hosts()
        cls.zone = c.rest.create("/tunnel_zones", {"name": "underlay"})
        cls.addresses = cls.prepare_addresses(*c.hosts)
        for host, address in zip(c.hosts, cls.addresses):
            c.rest.expect(201, "POST", f"/tunnel_zones/{cls.zone}/hosts", {"hostId": host.id, "ipAddress": address})

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        self.rest = self.cluster.rest
        self.bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")
        self.port, self.a = self.plugged(self.h1, self.bridge, "ta")
        _, self.b = self.plugged(self.h2, self.bridge, "tb")
        wait_until(lambda: self.passes(self.a, self.b, 20) and self.passes(self.b, self.a, 20), 20, "frames pass")

    @staticmethod
    def passes(sender, receiver, size):
        mark = os.urandom(16)
        sender.send(frame.BROADCAST, mark.ljust(size, b"."))
        while got := receiver.receive(0.3):
            if got.payload.startswith(mark):
                return True
        return False

    def wait_mtu(self, mtu, seconds=30):
        seen = {}

        def reached():
            seen["mtu"] = self.rest.get(f"/ports/{self.port}")["mtu"]
            return seen["mtu"] == mtu

        try:
            wait_until(reached, seconds)
        except AssertionError:
            raise AssertionError(f"the port's mtu is {seen['mtu']}, not {mtu}") from None

    def too_big(self):
        counters = next(p["counters"] for p in self.h1.agent_status()["ports"] if p["portId"] == self.port)
        return counters["drops"].get("too_big", 0)

    def assert_what_is_larger_is_counted(self, mtu):
        wait_until(lambda: self.passes(self.a, self.b, mtu), 20, f"{mtu} bytes pass")
        before = self.too_big()
        self.assertFalse(self.passes(self.a, self.b, mtu + 1))
        self.assertEqual(self.too_big(), before + 1)


# ctest-class: on_loopback
class OnLoopback(PathTest):
    """A routed underlay: the tunnel addresses stand on lo, and a router between the hosts takes less than their links."""

    router_mtu = 1400

    @classmethod
    def prepare_addresses(cls, *hosts):
        cls.router = Namespace(f"{cls.cluster.name}.router")
        cls.shared.callback(cls.router.remove)
        with cls.router.entered(), open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")
        for n, host in enumerate(hosts, 1):
            mtu = cls.mtu if n == 1 else cls.router_mtu
            cls.router.ip(
                "link",
                "add",
                "name",
                f"to{n}",
                "mtu",
                mtu,
                "type",
                "veth",
                "peer",
                "name",
                "out0",
                "mtu",
                cls.mtu,
                "netns",
                host.namespace.name,
            )
            cls.router.ip("addr", "add", f"10.88.{n}.254/24", "dev", f"to{n}")
            cls.router.ip("link", "set", f"to{n}", "up")
            host.namespace.ip("addr", "add", f"10.88.{n}.1/24", "dev", "out0")
            host.namespace.ip("link", "set", "out0", "up")
            host.namespace.ip("addr", "add", f"192.0.2.{n}/32", "dev", "lo")
            host.namespace.ip("route", "add", f"192.0.2.{3 - n}/32", "via", f"10.88.{n}.254")
            cls.router.ip("route", "add", f"192.0.2.{n}/32", "via", f"10.88.{n}.1")
        return "192.0.2.1", "192.0.2.2"

    def test_packets_are_from_the_zones_address_and_what_is_learned_of_the_path_is_the_mtu(self):
        capture = Capture(self.h2.namespace, "out0")
        self.addCleanup(capture.close)
        self.assertTrue(self.passes(self.a, self.b, 20))
        came = [packet for packet in capture.packets() if not packet[0]]
        self.assertEqual({packet[1:3] for packet in came}, {("192.0.2.1", "192.0.2.2")})
        # The interface takes 1600. The router says once that it does not.
        self.wait_mtu(1550)
        self.passes(self.a, self.b, 1500)
        self.wait_mtu(self.router_mtu - 50)
        self.assert_what_is_larger_is_counted(self.router_mtu - 50)
        self.assertIn("by the path to 192.0.2.2", self.h1.port_status(self.port)["reason"])
        # A route that says less, and nothing of what was learned.
        self.h1.namespace.ip("route", "change", "192.0.2.2/32", "via", "10.88.1.254", "mtu", "1300")
        self.wait_mtu(1250)
        self.assert_what_is_larger_is_counted(1250)
        self.h1.namespace.ip("route", "change", "192.0.2.2/32", "via", "10.88.1.254")
        self.wait_mtu(1550)


# ctest-class: sources
class Sources(PathTest):
    """The zone has addresses that the kernel would not take: those that the interface got second."""

    @classmethod
    def prepare_addresses(cls, *hosts):
        for n, host in enumerate(hosts, 1):
            host.namespace.ip("addr", "add", f"172.30.0.{100 + n}/24", "dev", "eth0")
            host.namespace.ip("addr", "add", f"fd30::10{n}/64", "dev", "eth0", "nodad", "preferred_lft", "0")
        return "172.30.0.101", "172.30.0.102"

    def sources(self):
        """The outer addresses of what comes to the second host."""
        capture = Capture(self.h2.namespace)
        try:
            self.assertTrue(self.passes(self.a, self.b, 20))
            return {packet[1:3] for packet in capture.packets() if not packet[0]}
        finally:
            capture.close()

    def test_packets_are_from_the_zones_address_over_ipv4_and_ipv6(self):
        self.assertEqual(self.sources(), {("172.30.0.101", "172.30.0.102")})
        self.h1.namespace.ip("route", "change", "172.30.0.0/24", "dev", "eth0", "src", "172.30.0.1", "mtu", "1500")
        self.wait_mtu(1450)
        self.assertEqual(self.sources(), {("172.30.0.101", "172.30.0.102")})
        for host, address in zip(self.hosts, ("fd30::101", "fd30::102")):
            uri = f"/tunnel_zones/{self.zone}/hosts/{host.id}"
            self.rest.expect(204, "PUT", uri, {"hostId": host.id, "ipAddress": address})
        wait_until(
            lambda: self.passes(self.a, self.b, 20) and self.sources() == {("fd30::101", "fd30::102")},
            30,
            "packets are from the zone's IPv6 address",
        )


if __name__ == "__main__":
    main()

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
    overhead = 50
    forwarding = "net/ipv4/ip_forward"
    tunnel_prefix, link_prefix = "192.0.2.{}/32", "10.88.{}.{}/24"

    @classmethod
    def address(cls, host):
        return cls.tunnel_prefix.format(host).split("/", maxsplit=1)[0]

    @classmethod
    def gateway(cls, host):
        return cls.link_prefix.format(host, 254).split("/", maxsplit=1)[0]

    @classmethod
    def prepare_addresses(cls, *hosts):
        cls.router = Namespace(f"{cls.cluster.name}.router")
        cls.shared.callback(cls.router.remove)
        with cls.router.entered(), open(f"/proc/sys/{cls.forwarding}", "w", encoding="ascii") as file:
            file.write("1")
        nodad = ["nodad"] if ":" in cls.tunnel_prefix else []
        for n, host in enumerate(hosts, 1):
            mtu = cls.mtu if n == 1 else cls.router_mtu
            made = f"link add name to{n} mtu {mtu} type veth peer name out0 mtu {cls.mtu} netns {host.namespace.name}"
            cls.router.ip(*made.split())
            for namespace, link, end in ((cls.router, f"to{n}", 254), (host.namespace, "out0", 1)):
                namespace.allow_ipv6(link)
                namespace.ip("addr", "add", cls.link_prefix.format(n, end), "dev", link, *nodad)
                namespace.ip("link", "set", link, "up")
            host.namespace.allow_ipv6("lo")
            host.namespace.ip("addr", "add", cls.tunnel_prefix.format(n), "dev", "lo", *nodad)
            host.namespace.ip("route", "add", cls.tunnel_prefix.format(3 - n), "via", cls.gateway(n))
            cls.router.ip("route", "add", cls.tunnel_prefix.format(n), "via", cls.link_prefix.format(n, 1).split("/")[0])
        return cls.address(1), cls.address(2)

    def test_packets_are_from_the_zones_address_and_what_is_learned_of_the_path_is_the_mtu(self):
        capture = Capture(self.h2.namespace, "out0")
        self.addCleanup(capture.close)
        self.assertTrue(self.passes(self.a, self.b, 20))
        came = [packet for packet in capture.packets() if not packet[0]]
        self.assertEqual({packet[1:3] for packet in came}, {(self.address(1), self.address(2))})
        # The interface takes 1600. The router says once that it does not.
        self.wait_mtu(1600 - self.overhead)
        self.passes(self.a, self.b, 1500)
        self.wait_mtu(self.router_mtu - self.overhead)
        self.assert_what_is_larger_is_counted(self.router_mtu - self.overhead)
        self.assertIn(f"by the path to {self.address(2)}", self.h1.port_status(self.port)["reason"])
        # A route that says less, and nothing of what was learned.
        way = ("route", "replace", self.tunnel_prefix.format(2), "via", self.gateway(1))
        self.h1.namespace.ip(*way, "mtu", "1300")
        self.wait_mtu(1300 - self.overhead)
        self.assert_what_is_larger_is_counted(1300 - self.overhead)
        self.h1.namespace.ip(*way)
        self.wait_mtu(1600 - self.overhead)


# ctest-class: on_loopback_ipv6
class OnLoopbackIpv6(OnLoopback):
    overhead = 70
    forwarding = "net/ipv6/conf/all/forwarding"
    tunnel_prefix, link_prefix = "2001:db8::{}/128", "fd88:{}::{}/64"


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

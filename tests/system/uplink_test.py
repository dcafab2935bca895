#!/usr/bin/python3
"""Interfaces that the host itself lives by are never plugged: the tunnel device, what carries the tunnel address, the routes to
the store and to other hosts, the default route, what stands above and below those, and macvtaps."""

import json
import os

import frame
from bed import main, wait_until
from cluster_bed import ClusterTest


def passes(sender, receiver, to=None):
    """A broadcast (or a frame to that address) gets there."""
    mark = os.urandom(16)
    sender.send(to or frame.BROADCAST, mark)
    while got := receiver.receive(0.2):
        if got.payload.startswith(mark):
            return True
    return False


# ctest-class: named_server
class NamedServer(ClusterTest):
    @classmethod
    def prepare(cls):
        cls.new_cluster(servers=1).add_host()
        cls.cluster.start_store(), cls.cluster.start_apis(1)

    def start(self, host, **names):
        """The agent, with a table of names of its own and a server that is given by name. The host is in no tunnel zone."""
        table = os.path.join(host.directory, "hosts")
        with open(table, "w", encoding="ascii") as file:
            file.writelines(f"{address} {name}\n" for name, address in names.items())
        host.launch(
            "unshare",
            "--mount",
            "sh",
            "-c",
            f'mount --bind {table} /etc/hosts && exec "$@"',
            "sh",
            host.program("midolman"),
            "--store",
            host.store.replace(self.cluster.zookeeper.servers[0].address, "zk"),
            *self.cluster.store_flags,
            *host.agent_flags(),
        )
        wait_until(host.alive_now, 60, "the host is alive")

    def test_the_way_to_a_server_that_is_given_by_name_is_refused(self):
        host, server = self.cluster.hosts[0], self.cluster.zookeeper.servers[0].address
        self.start(host, zk=server)
        port = host.create_port(host.create_bridge())
        host.attach(port, "eth0")
        self.assertEqual(host.wait_state(port, "error", 20)["reason"], f"eth0 carries the route to the store at {server}")
        self.assertNotIn("midolman", host.hooks("eth0"))


# ctest-class: two_hosts
class Uplink(ClusterTest):
    @classmethod
    def prepare(cls):
        c = cls.new_cluster(servers=1)
        c.add_host(), c.add_host()
        c.start_store(), c.start_apis(1), c.start_hosts(), c.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        if not self.h1.process.running():
            self.h1.start()
        self.rest = self.cluster.rest
        self.bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")
        self.a_port, self.a = self.plugged(self.h1, self.bridge, "ta")
        _, self.b = self.plugged(self.h2, self.bridge, "tb")
        self.wait_both_ways()

    def wait_both_ways(self):
        wait_until(lambda: passes(self.a, self.b) and passes(self.b, self.a), 20, "frames pass in both directions")

    def refused(self, interface):
        """Binds a port there; the reason of its error. Nothing is attached, and the host goes on as before."""
        port = self.h1.create_port(self.bridge)
        self.h1.attach(port, interface)
        reason = self.h1.wait_state(port, "error", 20)["reason"]
        self.wait_both_ways()
        self.assertNotIn("midolman/to_tap", self.h1.hooks(interface))
        self.assertNotIn("midolman/from_tap", self.h1.hooks(interface))
        self.assertEqual(self.h1.agent_status()["tunnel"]["state"], "active")
        self.assertIn("1 received", self.h1.namespace.run("ping", "-c", "1", "-W", "5", "172.30.0.201"))
        self.h1.detach(port)
        self.wait_both_ways()
        return reason

    def test_the_tunnel_device_is_refused(self):
        self.assertEqual(self.refused("midonet-vxlan"), "midonet-vxlan is the tunnel device")

    def test_the_interface_with_the_tunnel_address_is_refused_and_what_stands_on_it(self):
        it = f"eth0 carries the tunnel address {self.h1.address} of this host"
        self.assertEqual(self.refused("eth0"), it)
        for kind, name in (("macvlan", "mv0"), ("macvtap", "mt0")):
            self.h1.namespace.ip("link", "add", "link", "eth0", "name", name, "type", kind)
            self.addCleanup(self.h1.namespace.ip, "link", "del", name, check=False)
            self.h1.namespace.ip("link", "set", name, "up")
            self.assertIn(f"{name} stands above eth0, which carries the tunnel address", self.refused(name))

    def test_what_a_bridge_is_made_of_that_carries_the_default_route_is_refused(self):
        ip = self.h1.namespace.ip
        self.addCleanup(ip, "link", "del", "br0", check=False)
        ip("link", "add", "name", "br0", "type", "bridge")
        self.addCleanup(ip, "link", "del", "up0", check=False)
        ip("link", "add", "name", "up0", "type", "veth", "peer", "name", "up1")
        ip("link", "set", "up0", "master", "br0")
        for name in ("up0", "up1", "br0"):
            ip("link", "set", name, "up")
        ip("addr", "add", "10.98.0.1/24", "dev", "br0")
        ip("route", "add", "default", "via", "10.98.0.2", "dev", "br0")
        self.assertEqual(self.refused("br0"), "br0 carries the default route")
        self.assertEqual(self.refused("up0"), "up0 stands below br0, which carries the default route")

    def test_a_macvtap_anywhere_is_refused(self):
        self.h1.namespace.ip("link", "add", "name", "v0", "type", "veth", "peer", "name", "v1")
        self.addCleanup(self.h1.namespace.ip, "link", "del", "v0", check=False)
        self.h1.namespace.ip("link", "add", "link", "v0", "name", "mt1", "type", "macvtap")
        self.assertEqual(self.refused("mt1"), "mt1 is a macvtap interface: make a tap instead")

    def test_the_loopback_interface_is_refused(self):
        self.assertEqual(self.refused("lo"), "lo is the loopback interface")

    def plugged_veth(self):
        """A port that is active at a veth, which has an address by which routes may lead."""
        self.h1.namespace.ip("link", "add", "name", "up0", "type", "veth", "peer", "name", "up1")
        self.addCleanup(self.h1.namespace.ip, "link", "del", "up0", check=False)
        for name in ("up0", "up1"):
            self.h1.namespace.ip("link", "set", name, "up")
        self.h1.namespace.ip("addr", "add", "10.99.0.1/24", "dev", "up0")
        port = self.h1.create_port(self.bridge)
        self.assertEqual(self.h1.attach(port, "up0")["state"], "active")
        return port

    def test_a_plugged_interface_that_gets_the_default_route_is_freed_and_plugged_again_without_it(self):
        port = self.plugged_veth()
        self.h1.namespace.ip("route", "add", "default", "via", "10.99.0.2")
        self.assertEqual(self.h1.wait_state(port, "error", 20)["reason"], "up0 carries the default route")
        wait_until(lambda: "midolman" not in self.h1.hooks("up0"), 20, "our hooks left it")
        self.h1.namespace.ip("route", "del", "default")
        self.h1.wait_state(port, "active", 20)
        self.wait_both_ways()

    def test_an_agent_that_finds_its_hooks_on_the_way_to_the_store_takes_them_off_though_the_store_is_not_reached(self):
        port = self.plugged_veth()
        self.h1.kill()
        self.assertIn("midolman", self.h1.hooks("up0"))
        self.h1.namespace.ip("route", "add", "172.30.0.201/32", "via", "10.99.0.2", "dev", "up0")
        self.h1.start(wait=False)
        wait_until(lambda: "midolman" not in self.h1.hooks("up0"), 20, "our hooks left it")
        self.assertIn("midolman", self.h1.hooks("ta"))
        self.wait_both_ways()  # nothing else was touched
        self.h1.namespace.ip("route", "del", "172.30.0.201/32")
        wait_until(self.h1.alive_now, 60, "the agent has found the store")
        self.h1.wait_state(port, "active", 20)

    def test_hooks_of_an_earlier_agent_on_the_tunnel_device_go_and_its_own_stays(self):
        """As an agent left them that did not refuse it: a port's entry, and to_tap at the device's egress."""
        self.h1.kill()
        ifindex = self.h1.namespace.ifindex("midonet-vxlan")
        maps = os.path.join(self.h1.bpffs, os.path.dirname(next(p for p in self.h1.pins() if p.endswith("/ports"))))

        def entries():
            dump = json.loads(self.h1.namespace.run("bpftool", "-j", "map", "dump", "pinned", f"{maps}/ports"))
            return {int.from_bytes(bytes(int(byte, 16) for byte in each["key"]), "little"): each["value"] for each in dump}

        value = next(iter(entries().values()))
        value[20:36] = ["0xee"] * 16  # another port's id
        self.h1.namespace.run(
            "bpftool",
            "map",
            "update",
            "pinned",
            f"{maps}/ports",
            "key",
            *ifindex.to_bytes(4, "little"),
            "value",
            *(int(byte, 16) for byte in value),
        )
        self.assertIn(ifindex, entries())
        self.h1.start()
        wait_until(lambda: ifindex not in entries(), 20, "the entry is gone")
        self.wait_both_ways()
        self.assertIn("from_tunnel", self.h1.hooks("midonet-vxlan"))
        self.assertEqual(self.h1.agent_status()["tunnel"]["state"], "active")


if __name__ == "__main__":
    main()

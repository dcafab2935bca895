#!/usr/bin/python3
"""The host behind a tap: what a guest reaches of it before its port is bound, while it is, and after it is gone."""

import os
import re
import socket

import frame
from bed import Guest, SystemTest, main, wait_until

SERVICE = 7777  # a TCP port of the host
HOST_V4 = "192.0.2.1"


class ClosedTap(SystemTest):
    """A whole guest whose tap has an IPv4 address of the host, and the IPv6 link-local one that the kernel gives it."""

    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.bridge = self.h.create_bridge()
        self.peer_port, self.peer = self.plugged(self.h, self.bridge, "peer0")
        self.port = self.h.create_port(self.bridge)
        self.guest = Guest(self.h, "tap0", ("192.0.2.2/24", "fe80::2/64"), frame.guest_mac(77))
        self.addCleanup(self.guest.close)
        self.h.namespace.ip("addr", "add", f"{HOST_V4}/24", "dev", "tap0")
        self.h.namespace.allow_ipv6("tap0")
        self.h.namespace.ip("addr", "add", "fe80::77/64", "dev", "tap0", "nodad")
        with self.h.namespace.entered():
            self.service = socket.create_server(("::", SERVICE), family=socket.AF_INET6, dualstack_ipv6=True)
        self.addCleanup(self.service.close)

    def connects(self, family, address):
        with self.guest.namespace.entered():
            client = socket.socket(family, socket.SOCK_STREAM)
            scope = socket.if_nametoindex("eth0")
        with client:
            client.settimeout(0.3)
            try:
                client.connect((address, SERVICE) if family == socket.AF_INET else (address, SERVICE, 0, scope))
                return True
            except OSError:
                return False

    def reached(self):
        """Over which families the guest reaches the service."""
        families = {"ipv4": (socket.AF_INET, HOST_V4), "ipv6": (socket.AF_INET6, "fe80::77")}
        return [name for name, (family, address) in families.items() if self.connects(family, address)]

    def bind(self):
        self.assertEqual(self.h.attach(self.port, "tap0")["state"], "active")

    def closed_metric(self):
        return re.search(r"^midonet_agent_closed_taps (\d+)$", self.h.agent_metrics(), re.M).group(1)

    def assert_closed(self):
        wait_until(lambda: self.h.closed("tap0"), what="the tap is closed")
        self.assertEqual(self.reached(), [])

    def wait_open(self):
        # What the two know of each other's MACs has to be asked for again.
        wait_until(lambda: self.reached() == ["ipv4", "ipv6"], 20, what="the guest reaches the host")

    def test_it_is_closed_from_the_binding_on_also_after_a_detach_until_the_next_binding(self):
        self.assertEqual(self.reached(), ["ipv4", "ipv6"], "before the first binding")
        self.bind()
        self.assertEqual(self.reached(), [])
        self.h.detach(self.port)
        self.assert_closed()
        self.assertEqual(self.closed_metric(), "1")
        self.bind()
        self.assertFalse(self.h.closed("tap0"))
        self.assertEqual(self.closed_metric(), "0")
        self.guest.run("ping", "-c", "1", "-W", "0.2", "192.0.2.9", check=False)  # asks for the address by broadcast
        wait_until(lambda: self.heard(frame.ARP), what="the guest is in its network again")
        self.h.rest.expect(204, "DELETE", f"/ports/{self.port}")
        self.assert_closed()

    def heard(self, ethertype):
        return self.peer.receive(0.1, ethertype=ethertype)

    def test_it_stays_closed_while_the_agent_is_away_over_its_restart_and_is_shown(self):
        self.bind()
        self.h.detach(self.port)
        self.assert_closed()
        self.h.kill()
        self.assertEqual(self.reached(), [])
        self.h.start()
        self.assert_closed()
        agent = os.path.join(self.h.run_directory, "midolman.sock")
        shown = self.h.namespace.run(self.h.program("midonet"), "--socket", agent, "status", check=False)
        self.assertRegex(shown, r"closed taps +tap0\n")

    def test_what_is_unbound_while_the_agent_is_away_is_closed_by_its_start_without_a_gap(self):
        self.bind()
        self.h.kill()
        self.h.start_api()
        self.h.detach(self.port)
        self.h.stop()
        self.assertEqual(self.reached(), [])
        self.h.start()
        self.assert_closed()

    def test_a_tap_that_is_put_into_a_linux_bridge_is_opened_within_a_second(self):
        self.bind()
        self.h.detach(self.port)
        self.assert_closed()
        self.h.namespace.ip("link", "add", "name", "br0", "type", "bridge")
        self.h.namespace.ip("link", "set", "dev", "tap0", "master", "br0")
        wait_until(lambda: self.h.hooks("tap0") == "", 1, "our hooks have left it", 0.05)
        self.assertFalse(self.h.closed("tap0"))
        self.h.namespace.ip("link", "set", "dev", "tap0", "nomaster")
        self.wait_open()

    def test_a_tap_that_goes_leaves_nothing_behind(self):
        self.bind()
        self.h.detach(self.port)
        self.assert_closed()
        self.guest.close()
        wait_until(lambda: self.h.agent_status()["closedTaps"] == [], what="it is forgotten")
        self.assertEqual(self.closed_metric(), "0")

    def test_removing_the_datapath_opens_it(self):
        self.bind()
        self.h.detach(self.port)
        self.assert_closed()
        self.h.stop()
        self.h.namespace.run(
            self.h.program("midolman"), "standalone", "--remove-datapath", "--store", self.h.store, *self.h.agent_flags()
        )
        self.assertEqual(self.h.hooks("tap0"), "")
        self.wait_open()
        self.assertEqual(self.h.pins(), [])


if __name__ == "__main__":
    main()

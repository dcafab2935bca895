#!/usr/bin/python3
"""Clients that take all they can get: others are still served, and the agent's socket has descriptors of its own."""

import contextlib
import resource
import socket

from bed import SystemTest, main, wait_until

DESCRIPTORS = 1024


class Flood(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host(start=False)
        self.clients = []
        self.addCleanup(lambda: [client.close() for client in self.clients])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
        try:
            self.h.launch("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", self.h.program("midolman"), "standalone",
                          "--store", self.h.store, *self.h.agent_flags())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10_000), hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.h.wait_answering()
        wait_until(self.h.alive, 60, "the host is alive")

    def connect(self, count, sends=b""):
        with self.h.namespace.entered():
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", 8181), timeout=30)
                self.clients.append(client)
                if sends:
                    client.sendall(sends)

    def assert_others_are_served(self):
        self.h.rest.close()
        for _ in range(10):
            self.assertEqual(self.h.rest.call("GET", "/bridges").status, 200)
        bridge = self.h.create_bridge()
        port = self.h.create_port(bridge)
        bound = self.h.mm_ctl("--bind-port", port, "tap0")
        self.assertEqual(bound.returncode, 0, bound)
        self.assertEqual(self.h.rest.get(f"/ports/{port}")["interfaceName"], "tap0")
        self.assertEqual(self.h.mm_ctl("--unbind-port", port).returncode, 0)

    def test_more_idle_connections_than_descriptors_keep_nobody_out(self):
        self.connect(1500)
        self.assert_others_are_served()
        self.assertIn('midonet_http_cut_off_total{reason="connections",server="api"}', self.h.agent_metrics())

    def test_slow_headers_and_bodies_keep_nobody_out(self):
        self.connect(700, b"POST /midonet-api/bridges HTTP/1.1\r\nHo")
        self.connect(700, b"POST /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        self.assert_others_are_served()

    def test_a_flood_of_lists_whose_clients_reset_delays_nobody(self):
        bridge = self.h.create_bridge()
        for _ in range(200):
            self.h.create_port(bridge)
        for _ in range(10):
            self.connect(60, b"GET /midonet-api/ports HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for client in self.clients:
                with contextlib.suppress(OSError):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
            self.clients.clear()
        self.assert_others_are_served()
        wait_until(lambda: 'midonet_http_requests_in_flight{server="api"} 0' in self.h.agent_metrics(),
                   what="nothing is worked on any more")


if __name__ == "__main__":
    main()

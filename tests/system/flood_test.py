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
            self.h.launch(
                "prlimit",
                f"--nofile={DESCRIPTORS}:{DESCRIPTORS}",
                self.h.program("midolman"),
                "standalone",
                "--store",
                self.h.store,
                *self.h.agent_flags(),
            )
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
        wait_until(
            lambda: 'midonet_http_requests_in_flight{server="api"} 0' in self.h.agent_metrics(),
            what="nothing is worked on any more",
        )


class SilentKeystone(SystemTest):
    """The API and the agent in one process, with a Keystone that takes connections and says nothing."""

    def test_mm_ctl_goes_on_while_many_clients_wait_for_a_silent_keystone(self):
        h = self.host(start=False)
        with h.namespace.entered():
            keystone = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.addCleanup(keystone.close)
        keystone.setblocking(False)
        h.start()
        port = h.create_port(h.create_bridge())
        h.stop()
        h.start("--auth", "keystone", "--keystone-url", f"http://127.0.0.1:{keystone.getsockname()[1]}", wait=False)
        wait_until(lambda: self.synchronised(h), 60, "the agent has acted")
        clients, asked = [], []
        self.addCleanup(lambda: [each.close() for each in clients + asked])
        with h.namespace.entered():
            for number in range(40):
                clients.append(socket.create_connection(("127.0.0.1", 8181), timeout=30))
                clients[-1].sendall(
                    b"GET /midonet-api/ports HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: t%d\r\n\r\n" % number
                )

        def accepted():
            with contextlib.suppress(BlockingIOError):
                while True:
                    asked.append(keystone.accept()[0])
            return len(asked)

        wait_until(lambda: accepted() == 16, 20, "Keystone is asked by as many connections as may ask it")
        for _ in range(5):
            for verb in (("--bind-port", port, "tap0"), ("--unbind-port", port)):
                done = h.mm_ctl("--timeout", "5", *verb)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(accepted(), 16)
        for client in clients:
            client.setblocking(False)
            with self.assertRaises(BlockingIOError, msg="it was answered, so Keystone was not waited for"):
                client.recv(1)

    @staticmethod
    def synchronised(h):
        with contextlib.suppress(OSError):
            return h.agent_status()["synchronised"]
        return False


if __name__ == "__main__":
    main()

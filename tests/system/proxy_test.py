#!/usr/bin/python3
"""The REST API behind nginx and haproxy that speak TLS: events come as they happen, URIs lead back through the proxy."""

import base64
import json

import proxy
from bed import SystemTest, main

FORWARDED = (
    "proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;"
    " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
)


class Proxies(SystemTest):
    def proxied(self, package, make, *arguments, flags=(), **more):
        if proxy.program(package) is None:
            self.skipTest(f"{package} is not here: run tools/install")
        self.h = self.host(*flags)
        made = make(self.h, *arguments, **more)
        self.addCleanup(made.close)
        return made

    def assert_events_come_as_they_happen(self, front):
        """A port is bound after the stream has been silent: its event comes though the stream goes on."""
        bridge = self.h.create_bridge()
        port = self.h.create_port(bridge)
        with front.connect() as stream:
            stream.sendall(
                f"GET /midonet-api/events HTTP/1.1\r\nHost: {proxy.NAME}:{proxy.PORT}\r\n"
                "Accept: text/event-stream\r\n\r\n".encode()
            )
            lines = stream.makefile("rb")
            self.assertIn(b" 200 ", next(lines))
            self.read_until(lines, lambda line: line == b"event: synced\n")
            self.h.rest.expect(200, "POST", f"/ports/{port}/attach_interface", {"hostId": self.h.id, "interface": "tap0"})
            data = self.read_until(lines, lambda line: port.encode() in line and b'"pending-interface"' in line)
            self.assertEqual(json.loads(data.split(b": ", 1)[1])["interfaceName"], "tap0")

    @staticmethod
    def read_until(lines, wanted):
        """The next line for which that is so; the socket's time-out ends the wait."""
        return next(line for line in lines if wanted(line))

    def assert_uris_lead_through(self, front, root):
        client = front.client(root)
        self.addCleanup(client.close)
        base = f"https://{proxy.NAME}:{proxy.PORT}{root}"
        self.assertEqual(client.get("/")["ports"], base + "/ports")
        answer = client.expect(201, "POST", "/bridges", {"name": "net"})
        self.assertTrue(answer.headers["Location"].startswith(base + "/bridges/"), answer.headers["Location"])
        bridge = client.get(answer.headers["Location"])
        port = client.get(client.expect(201, "POST", bridge["ports"], {}).headers["Location"])
        bound = client.expect(200, "POST", port["attach_interface"], {"hostId": self.h.id, "interface": "tap7"})
        self.assertEqual(bound.json["hostInterfacePort"], f"{base}/hosts/{self.h.id}/ports/{port['id']}")
        self.assertEqual(client.get(bound.json["hostInterfacePort"])["interfaceName"], "tap7")
        credentials = base64.b64encode(b"user:secret").decode()
        cookie = client.expect(200, "POST", "/login", headers={"Authorization": f"Basic {credentials}"}).headers["Set-Cookie"]
        self.assertEqual(cookie.split("; ")[1:], [f"Path={root}", "HttpOnly", "SameSite=Strict", "Secure"])
        # The proxy's own pages are no other site's.
        client.expect(200, "GET", "/bridges", headers={"Origin": f"https://{proxy.NAME}:{proxy.PORT}"})
        client.expect(403, "GET", "/bridges", headers={"Origin": "https://evil.example"})

    def test_events_come_as_they_happen_behind_nginx_with_its_defaults(self):
        self.assert_events_come_as_they_happen(self.proxied("nginx", proxy.nginx))

    def test_events_come_as_they_happen_behind_haproxy(self):
        self.assert_events_come_as_they_happen(self.proxied("haproxy", proxy.haproxy, flags=("--allow-host", proxy.NAME)))

    def test_uris_lead_back_through_nginx(self):
        self.assert_uris_lead_through(self.proxied("nginx", proxy.nginx, more=FORWARDED), "/midonet-api")

    def test_uris_lead_back_through_nginx_below_a_path_of_its_own(self):
        front = self.proxied("nginx", proxy.nginx, "/cloud/", "/", FORWARDED + " proxy_set_header X-Forwarded-Prefix /cloud;")
        self.assert_uris_lead_through(front, "/cloud/midonet-api")

    def test_uris_lead_back_through_haproxy(self):
        front = self.proxied(
            "haproxy", proxy.haproxy, "http-request set-header X-Forwarded-Proto https", flags=("--allow-host", proxy.NAME)
        )
        self.assert_uris_lead_through(front, "/midonet-api")

    def test_a_proxy_that_is_not_trusted_shapes_nothing(self):
        front = self.proxied("nginx", proxy.nginx, more=FORWARDED, flags=("--trusted-proxy", "192.0.2.1"))
        client = front.client()
        self.addCleanup(client.close)
        self.assertEqual(client.get("/")["ports"], "http://127.0.0.1:8181/midonet-api/ports")


if __name__ == "__main__":
    main()

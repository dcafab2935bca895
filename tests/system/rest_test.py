#!/usr/bin/python3
"""Mistakes of clients over REST, and races of two clients: the answers of the contract, and nothing changed."""

import socket
import threading

import rest
from bed import SystemTest, main, new_uuid
from over_zookeeper import OverZooKeeper


class Rest(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.rest = self.h.rest
        self.bridge = self.h.create_bridge()
        self.port = self.h.create_port(self.bridge)

    def everything(self):
        """All that the API shows of what clients can change."""
        get = self.rest.get
        return (get("/bridges"), get("/ports"), get(f"/bridges/{self.bridge}/ports"), get(f"/hosts/{self.h.id}/ports"))

    def assert_refused(self, status, method, uri, body=None, **more):
        """The answer has the status and an error body, and nothing has changed."""
        before = self.everything()
        answer = self.rest.call(method, uri, body, **more)
        self.assertEqual(answer.status, status, f"{method} {uri} {str(body)[:200]}: {answer}")
        if answer.status != 405 or answer.raw:
            self.assertEqual(answer.json["code"], status, answer)
            self.assertTrue(answer.message, answer)
        self.assertEqual(self.everything(), before)
        return answer

    def test_an_ill_formed_attach_is_400_and_changes_nothing(self):
        uri = f"/ports/{self.port}/attach_interface"
        good = {"hostId": self.h.id, "interface": "tap0"}
        for body in (
            {},
            {"hostId": self.h.id},
            {"interface": "tap0"},
            {**good, "hostId": "no-uuid"},
            {**good, "hostId": 7},
            {**good, "hostId": None},
            {**good, "interface": 7},
            {**good, "interface": None},
            {**good, "interface": ["tap0"]},
            {**good, "interface": ""},
            {**good, "interface": "a/b"},
            {**good, "interface": "a b"},
            {**good, "interface": "."},
            {**good, "interface": ".."},
            {**good, "interface": "sixteen-bytes-xx"},
            {**good, "interface": "tap\t0"},
            {**good, "interface": "tap\u0000"},
            {**good, "previousHostId": "x"},
            [],
            [good],
            "tap0",
            7,
            None,
        ):
            with self.subTest(body=body):
                if body is None:
                    self.assert_refused(400, "POST", uri, raw=b"null", headers={"Content-Type": "application/json"})
                else:
                    self.assert_refused(400, "POST", uri, body)
        for raw in (
            b"",
            b"{",
            b'{"hostId": ',
            b"\xff\xfe",
            b'{"hostId":"%s","interface":"tap0"}}' % self.h.id.encode(),
            b"[" * 20000,
            b'{"a":' * 5000,
            b"nul",
            b"\0\0\0",
        ):
            with self.subTest(raw=raw[:20]):
                self.assert_refused(400, "POST", uri, raw=raw, headers={"Content-Type": "application/json"})

    def test_unknown_things_are_404_and_ill_formed_ids_400(self):
        good = {"hostId": self.h.id, "interface": "tap0"}
        unknown = new_uuid()
        self.assert_refused(404, "POST", f"/ports/{unknown}/attach_interface", good)
        self.assert_refused(404, "POST", f"/ports/{self.port}/attach_interface", {**good, "hostId": unknown})
        self.assert_refused(404, "GET", f"/ports/{unknown}")
        self.assert_refused(404, "GET", f"/routers/{self.bridge}")
        self.assert_refused(404, "DELETE", f"/bridges/{unknown}")
        self.assert_refused(404, "POST", f"/bridges/{unknown}/ports", {"type": "Bridge"})
        self.assert_refused(404, "GET", "/no_such_thing")
        for bad in ("7", "not-a-uuid", self.port + "0", "%00", "..%2f" + self.port):
            with self.subTest(id=bad):
                self.assert_refused(400, "POST", f"/ports/{bad}/attach_interface", good)
                self.assert_refused(400, "GET", f"/ports/{bad}")
                self.assert_refused(400, "DELETE", f"/bridges/{bad}")
        answer = self.assert_refused(404, "GET", f"/ports/{unknown}")
        self.assertEqual(answer.message, f"There is no Port with ID {unknown}.")

    def test_wrong_types_and_values_of_fields_are_400_and_name_the_field(self):
        for uri, body, field in (
            (f"/bridges/{self.bridge}/ports", {"type": "Bridge", "macAddress": "zz"}, "macAddress"),
            (f"/bridges/{self.bridge}/ports", {"type": "Bridge", "adminStateUp": "yes"}, "adminStateUp"),
            (f"/bridges/{self.bridge}/ports", {"type": "Bridge", "id": "x"}, "id"),
            ("/bridges", {"name": 7}, "name"),
            ("/bridges", {"name": "n" * 256}, "name"),
            ("/bridges", {"name": "n", "id": "not-a-uuid"}, "id"),
        ):
            with self.subTest(body=body):
                answer = self.assert_refused(400, "POST", uri, body)
                self.assertIn(field, [violation["property"] for violation in answer.json["violations"]])

    def test_a_used_id_is_a_conflict(self):
        answer = self.assert_refused(409, "POST", "/bridges", {"name": "again", "id": self.bridge})
        self.assertIn(f"with ID {self.bridge} already exists.", answer.message)
        self.assert_refused(409, "POST", f"/bridges/{self.bridge}/ports", {"type": "Bridge", "id": self.port})

    def test_a_body_or_header_over_the_limit_is_refused_and_the_server_goes_on(self):
        self.assertEqual(
            self.rest.call("POST", "/bridges", raw=b" " * (2 << 20), headers={"Content-Type": "application/json"}).status, 413
        )
        self.rest.close()
        self.assertEqual(self.rest.call("GET", "/bridges", headers={"X-Long": "x" * 40000}).status, 431)
        self.rest.close()
        self.assertEqual(len(self.rest.get("/bridges")), 1)

    def test_every_link_leads_somewhere(self):
        self.h.attach(self.port, "tap0", wait=None)
        self.rest.create(f"/bridges/{self.bridge}/mac_table", {"macAddr": "02:00:00:00:00:01", "portId": self.port})
        self.rest.create(f"/bridges/{self.bridge}/arp_table", {"ip": "10.0.0.1", "mac": "02:00:00:00:00:01"})
        zone = self.rest.create("/tunnel_zones", {"name": "zone"})
        self.rest.expect(201, "POST", f"/tunnel_zones/{zone}/hosts", {"hostId": self.h.id, "ipAddress": "192.0.2.1"})

        def links(value):
            if isinstance(value, dict | list):
                for one in value.values() if isinstance(value, dict) else value:
                    yield from links(one)
            elif isinstance(value, str) and value.startswith("http") and "{" not in value:
                yield value

        answers, to_ask = {}, ["/"]
        while to_ask:
            uri = to_ask.pop()
            if uri in answers or uri.endswith("/openapi.json"):
                continue
            answer = self.rest.call("GET", uri)
            answers[uri] = answer.status
            if answer.status == 200:
                to_ask += links(answer.json)
        self.assertGreater(len(answers), 25)
        wrong = {uri: status for uri, status in answers.items() if status != 200 and not uri.endswith("/login")}
        self.assertEqual(wrong, {})

    def test_methods_and_media_types_are_checked(self):
        self.assert_refused(405, "PATCH", f"/bridges/{self.bridge}")
        self.assert_refused(405, "PUT", "/bridges", {})
        self.assert_refused(406, "GET", "/bridges", headers={"Accept": "text/html"})
        self.assert_refused(415, "POST", "/bridges", raw=b"<a/>", headers={"Content-Type": "text/xml"})

    def test_bytes_that_are_no_http_end_that_connection_alone(self):
        for raw in (b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" * 100):
            with self.h.namespace.entered():
                connection = socket.create_connection(("127.0.0.1", 8181), timeout=5)
            with connection:
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(4096), b""))
                self.assertTrue(answer == b"" or b" 400 " in answer or b" 505 " in answer, answer[:200])
        self.assertEqual(len(self.rest.get("/bridges")), 1)

    def race(self, requests):
        """All at the same moment, each on a connection of its own that is open already. The statuses."""
        barrier = threading.Barrier(len(requests))
        clients = [rest.Client.tcp(self.h.namespace) for _ in requests]
        for client in clients:
            client.get("/bridges")
        answers = [None] * len(requests)

        def go(i):
            barrier.wait()
            answers[i] = clients[i].call(*requests[i])

        threads = [threading.Thread(target=go, args=(i,)) for i in range(len(requests))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        return answers

    def test_clients_that_race_for_one_port_have_one_winner(self):
        for round_number in range(20):
            port = self.h.create_port(self.bridge)
            answers = self.race(
                [
                    ("POST", f"/ports/{port}/attach_interface", {"hostId": self.h.id, "interface": f"r{round_number}x{i}"})
                    for i in range(8)
                ]
            )
            statuses = [answer.status for answer in answers]
            self.assertEqual(sorted(statuses), [200] + [409] * 7)
            winner = f"r{round_number}x{statuses.index(200)}"
            self.assertEqual(self.rest.get(f"/ports/{port}")["interfaceName"], winner)
            for answer in answers:
                if answer.status == 409:
                    self.assertIn(winner, answer.message)
            bound = [b for b in self.rest.get(f"/hosts/{self.h.id}/ports") if b["portId"] == port]
            self.assertEqual([b["interfaceName"] for b in bound], [winner])

    def test_clients_that_race_for_one_interface_have_one_winner(self):
        for round_number in range(20):
            ports = [self.h.create_port(self.bridge) for _ in range(8)]
            name = f"if{round_number}"
            answers = self.race(
                [("POST", f"/ports/{port}/attach_interface", {"hostId": self.h.id, "interface": name}) for port in ports]
            )
            statuses = [answer.status for answer in answers]
            self.assertEqual(sorted(statuses), [200] + [409] * 7)
            winner = ports[statuses.index(200)]
            bound = [b["portId"] for b in self.rest.get(f"/hosts/{self.h.id}/ports") if b["interfaceName"] == name]
            self.assertEqual(bound, [winner])
            for port, answer in zip(ports, answers):
                self.assertEqual(self.rest.get(f"/ports/{port}")["interfaceName"], name if port == winner else None)
                if port != winner:
                    self.assertIn(winner, answer.message)

    def test_attach_and_delete_of_one_port_at_once_leave_no_half(self):
        for round_number in range(30):
            port = self.h.create_port(self.bridge)
            attach, delete = self.race(
                [
                    ("POST", f"/ports/{port}/attach_interface", {"hostId": self.h.id, "interface": f"d{round_number}"}),
                    ("DELETE", f"/ports/{port}"),
                ]
            )
            self.assertIn(attach.status, (200, 404))
            self.assertEqual(delete.status, 204)
            self.assertEqual(self.rest.call("GET", f"/ports/{port}").status, 404)
            self.assertNotIn(port, [b["portId"] for b in self.rest.get(f"/hosts/{self.h.id}/ports")])
            # And the interface is free again.
            other = self.h.create_port(self.bridge)
            self.h.attach(other, f"d{round_number}", wait=None)

    def test_the_two_faces_show_the_same_binding(self):
        self.tap(self.h, "tap0")
        body = {"portId": self.port, "interfaceName": "tap0"}
        self.rest.expect(201, "POST", f"/hosts/{self.h.id}/ports", body)
        self.h.wait_state(self.port, "active")
        self.assertTrue(self.rest.get(f"/ports/{self.port}")["active"])
        binding = self.rest.get(f"/ports/{self.port}/attach_interface")
        self.assertEqual(binding["status"]["state"], "active")
        answer = self.rest.expect(409, "POST", f"/hosts/{self.h.id}/ports", body)
        self.assertEqual(answer.message, f"Port {self.port} is already bound to an interface")
        other = self.h.create_port(self.bridge)
        answer = self.rest.expect(409, "POST", f"/hosts/{self.h.id}/ports", {"portId": other, "interfaceName": "tap0"})
        self.assertEqual(answer.message, "Interface tap0 is already bound to a port.")
        self.rest.expect(204, "DELETE", f"/hosts/{self.h.id}/ports/{self.port}")
        self.h.wait_state(self.port, "unbound")

    def test_the_hosts_interfaces_are_reported_and_follow_the_kernel(self):
        tap = self.tap(self.h, "tap0")

        def reported():
            return {i["name"]: i for i in self.rest.get(f"/hosts/{self.h.id}/interfaces")}

        from bed import wait_until

        wait_until(lambda: reported().get("tap0", {}).get("status") == 3, what="tap0 is reported, up with carrier")
        shown = reported()["tap0"]
        self.assertEqual((shown["type"], shown["endpoint"], shown["mtu"]), ("Virtual", "TUNTAP", 1500))
        tap.close()
        wait_until(lambda: "tap0" not in reported(), what="tap0 is no longer reported")


# ctest-class: over_zookeeper
class RestOverZooKeeper(OverZooKeeper, Rest):
    pass


if __name__ == "__main__":
    main()

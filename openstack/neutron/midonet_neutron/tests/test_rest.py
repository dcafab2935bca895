"""The REST client, the parser of the event stream and the follower, against the fake server."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
import unittest
from typing import Any
from unittest import mock

import urllib3
from oslo_config import cfg

from midonet_neutron import config
from midonet_neutron.events import Event, Follower, parse
from midonet_neutron.rest import Refused, RestClient, Unavailable
from midonet_neutron.tests.base import wait_until
from midonet_neutron.tests.fake_server import FakeServer


class RestTest(unittest.TestCase):
    """A fake server and a configuration of its own."""

    def setUp(self) -> None:
        self.fake = FakeServer()
        self.addCleanup(self.fake.close)
        self.conf = cfg.ConfigOpts()
        config.register(self.conf)
        self.conf([])
        self.set(api_url=self.fake.url, retries=2, timeout=60.0, connect_timeout=60.0)
        self.client = RestClient(self.conf)

    def set(self, **options: Any) -> None:
        for name, value in options.items():
            self.conf.set_override(name, value, "midonet")


class Https(unittest.TestCase):
    """The client against a server that speaks TLS."""

    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="midonet-")
        self.addCleanup(self.directory.cleanup)

    def certificate(self, name: str, alternative: str) -> tuple[str, str]:
        """One that has signed itself."""
        made, key = (os.path.join(self.directory.name, name + ending) for ending in (".pem", ".key"))
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        argv += ["-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}", "-keyout", key, "-out", made]
        subprocess.run(argv, check=True, capture_output=True)
        return made, key

    def client(self, certificate: tuple[str, str], ca_file: str | None) -> RestClient:
        fake = FakeServer(certificate)
        self.addCleanup(fake.close)
        fake.add_host("cmp1")
        conf = cfg.ConfigOpts()
        config.register(conf)
        conf([])
        for name, value in {"api_url": fake.url, "ca_file": ca_file, "retries": 0, "timeout": 60.0}.items():
            conf.set_override(name, value, "midonet")
        return RestClient(conf)

    def test_a_good_certificate_is_taken(self) -> None:
        good = self.certificate("api", "IP:127.0.0.1")
        self.assertEqual([host["name"] for host in self.client(good, good[0]).hosts_named("cmp1")], ["cmp1"])

    def test_any_other_is_refused_with_the_reason(self) -> None:
        good, other = self.certificate("api", "IP:127.0.0.1"), self.certificate("other", "DNS:other.example")
        for certificate, ca_file, reason in (
            (good, None, "self.signed certificate"),
            (other, other[0], "mismatch|doesn't match"),
        ):
            with self.assertRaisesRegex(Unavailable, "GET https://127.0.0.1:[0-9]+/midonet-api/hosts.*(" + reason + ")"):
                self.client(certificate, ca_file).hosts_named("cmp1")


class Client(RestTest):
    """Questions, changes, failures, login."""

    def test_a_question_is_asked_again_while_the_server_is_unavailable(self) -> None:
        self.fake.add_host("cmp1")
        self.fake.fail("503", times=2)
        self.assertEqual([host["name"] for host in self.client.hosts_named("cmp1")], ["cmp1"])
        self.assertEqual(len(self.fake.requests), 3)

    def test_a_change_is_sent_once(self) -> None:
        self.fake.fail("503", times=1)
        with self.assertRaises(Unavailable):
            self.client.post("/bridges", {"id": "b"})
        self.assertEqual(len(self.fake.requests), 1)

    def test_an_error_says_what_was_tried_and_why_not(self) -> None:
        self.fake.fail("400")
        with self.assertRaises(Refused) as caught:
            self.client.post("/bridges", {"id": "b"})
        self.assertEqual(str(caught.exception), f"POST {self.fake.url}/bridges: 400 told to fail")

    def test_nobody_there_is_unavailable_and_named(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but not listening: refused
            self.set(api_url=f"http://127.0.0.1:{taken.getsockname()[1]}/midonet-api", retries=0)
            with self.assertRaisesRegex(Unavailable, "(?i)GET http.*/hosts.*refused"):
                RestClient(self.conf).hosts_named("x")

    def test_a_server_that_says_nothing_is_given_up(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.set(api_url=f"http://127.0.0.1:{silent.getsockname()[1]}/midonet-api", retries=0, timeout=0.2)
            with self.assertRaisesRegex(Unavailable, "timed out"):
                RestClient(self.conf).port("p")

    def test_a_deeply_nested_answer_is_unavailable_whatever_its_status(self) -> None:
        for status in (200, 500):
            answer = urllib3.HTTPResponse(body=b"[" * 100_000, status=status)
            with mock.patch.object(self.client, "_send", return_value=answer), self.assertRaises(Unavailable):
                self.client.port("p")

    def test_what_is_not_there_is_none_and_deleting_it_a_success(self) -> None:
        self.assertIsNone(self.client.bridge("b"))
        self.client.delete("/bridges/b")

    def test_it_logs_in_when_told_to_and_again_when_the_token_is_no_longer_taken(self) -> None:
        self.fake.password = ("neutron", "secret")
        self.set(username="neutron", password="secret", project="service")
        self.client.post("/bridges", {"id": "b1"})
        self.fake.token = "t2"
        self.client.post("/bridges", {"id": "b2"})
        self.assertEqual(set(self.fake.bridges), {"b1", "b2"})
        logins = [headers for _, path, _, headers in self.fake.requests if path == "/login"]
        self.assertEqual([headers["x-auth-project"] for headers in logins], ["service", "service"])

    def test_a_wrong_password_loses_nothing(self) -> None:
        self.fake.password = ("neutron", "secret")
        self.set(username="neutron", password="wrong")
        with self.assertRaisesRegex(Unavailable, "log in as neutron: POST .*401 Wrong credentials"):
            self.client.post("/bridges", {"id": "b1"})


class Parse(unittest.TestCase):
    """Server-sent events."""

    def test_messages_may_be_cut_anywhere(self) -> None:
        text = b': hello\n\nid: 7\nevent: port\ndata: {"a":\ndata: 1}\n\nid: 8\r\nevent: synced\r\ndata: {}\r\n\r\nevent: half\nda'
        expected = [Event("7", "port", '{"a":\n1}'), Event("8", "synced", "{}")]
        self.assertEqual(list(parse([text])), expected)
        self.assertEqual(list(parse(text[i : i + 1] for i in range(len(text)))), expected)


class Follow(RestTest):
    """One stream for ever."""

    def setUp(self) -> None:
        super().setUp()
        self.ports: list[tuple[str, str, str]] = []
        self.synced: list[dict[str, tuple[str, str]] | None] = []
        self.follower = Follower(
            self.client, lambda port, host, state: self.ports.append((port, host, state)), self.synced.append
        )
        self.thread = threading.Thread(target=self.follower.run, daemon=True)
        self.thread.start()
        self.addCleanup(self.thread.join)
        self.addCleanup(self.fake.end_streams)
        self.addCleanup(self.follower.stop)
        self.wait_stream(1)

    def wait_stream(self, number: int) -> None:
        wait_until(lambda: len(self.fake.stream_requests) == number and self.fake.streams, f"stream {number}")

    def say_port(self, event_id: int, port: str, host: str, state: str) -> None:
        self.fake.event(event_id, "port", {"portId": port, "hostId": "h", "host": host, "state": state})

    def test_the_present_state_comes_as_a_whole_and_then_what_changes(self) -> None:
        self.fake.event(1, "reset", {})
        self.say_port(1, "p1", "cmp1", "active")
        self.say_port(1, "p2", "cmp1", "down")
        self.fake.event(1, "host", {"hostId": "h", "host": "cmp1", "alive": True})
        self.say_port(2, "p2", "cmp1", "unbound")
        self.say_port(3, "p1", "cmp2", "active")
        self.say_port(3, "p1", "cmp1", "unbound")
        self.fake.event(3, "synced", {})
        self.say_port(4, "p1", "cmp2", "down")
        wait_until(lambda: self.ports, "the change")
        self.assertEqual(self.synced, [{"p1": ("cmp2", "active")}])
        self.assertEqual(self.ports, [("p1", "cmp2", "down")])

    def test_it_goes_on_where_it_broke_off(self) -> None:
        self.fake.event(1, "reset", {})
        self.fake.event(5, "synced", {})
        self.say_port(9, "p1", "cmp1", "active")
        wait_until(lambda: self.ports, "the change")
        self.fake.end_streams()
        self.wait_stream(2)
        self.assertEqual(self.fake.stream_requests, [None, "9"])
        self.fake.event(9, "synced", {})
        wait_until(lambda: len(self.synced) == 2, "the second synced")
        self.assertIsNone(self.synced[1])

    def test_a_state_that_was_cut_off_is_asked_for_anew(self) -> None:
        self.fake.event(1, "reset", {})
        self.say_port(6, "p1", "cmp1", "active")
        self.fake.end_streams()
        self.wait_stream(2)
        self.assertEqual(self.fake.stream_requests, [None, None])
        self.assertEqual(self.synced, [])

    def test_nonsense_starts_over(self) -> None:
        self.fake.event(1, "reset", {})
        self.fake.event(1, "synced", {})
        self.fake.say("id: 2\nevent: port\ndata: {oh\n\n")
        self.wait_stream(2)
        self.assertIsNone(self.fake.stream_requests[1])


if __name__ == "__main__":
    unittest.main()

"""A small REST server with bridges, ports, hosts and the event stream, that can be told to fail.

Only what the driver uses, in the wire form of docs/rest.md. What a test sets is plain data: `bridges`, `ports`, `hosts`.
"""

from __future__ import annotations

import json
import queue
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
ROOT = "/midonet-api"


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client goes away in the middle, or does not trust the certificate."""


class FakeServer:
    """`fail(…)` decides the fate of the next requests; `requests` has all that came."""

    def __init__(self, certificate: tuple[str, str] | None = None) -> None:
        """With a certificate and its key (files), it speaks TLS."""
        self.lock = threading.RLock()
        self.bridges: dict[str, Json] = {}
        self.ports: dict[str, Json] = {}
        self.hosts: dict[str, Json] = {}
        self.requests: list[tuple[str, str, Json | None, dict[str, str]]] = []
        self.streams: list[queue.Queue[bytes | None]] = []
        self.stream_requests: list[str | None] = []
        self.password: tuple[str, str] | None = None
        self.token = "t1"
        self._fates: list[Callable[[str, str], str | None]] = []
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            # The handshake is left to the thread of the connection.
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port_number = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port_number}{ROOT}"

    def close(self) -> None:
        self.end_streams()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        """As new, but at the same address."""
        with self.lock:
            for table in (self.bridges, self.ports, self.hosts):
                table.clear()
            self.requests.clear()
            self._fates.clear()
            self.stream_requests.clear()
            self.password = None

    # ---- what tests say

    def fail(self, how: str, times: int = 1, method: str | None = None, path: str | None = None) -> None:
        """`how`: a status ("503"), "drop" (carried out, but the answer is lost), "refuse" (dropped before anything is done).
        For the next `times` requests with that method and that text in their path."""
        left = [times]

        def fate(request_method: str, request_path: str) -> str | None:
            if left[0] == 0 or (method and request_method != method) or (path and path not in request_path):
                return None
            left[0] -= 1
            return how

        with self.lock:
            self._fates.append(fate)

    def well_again(self) -> None:
        with self.lock:
            self._fates.clear()

    def add_host(self, name: str, alive: bool = True) -> str:
        host_id = f"00000000-0000-4000-8000-{len(self.hosts):012d}"
        self.hosts[host_id] = {"id": host_id, "name": name, "alive": alive}
        return host_id

    def bind(self, port_id: str, host_id: str | None, state: str = "active") -> None:
        with self.lock:
            self.ports[port_id]["hostId"] = host_id
            self.ports[port_id]["status"] = {"state": state if host_id else "unbound"}

    def fate(self, method: str, path: str) -> str | None:
        with self.lock:
            for fate in self._fates:
                if how := fate(method, path):
                    return how
        return None

    def changes(self) -> list[tuple[str, str]]:
        """The requests that were not questions."""
        return [(method, path) for method, path, _, _ in self.requests if method != "GET"]

    # ---- the stream

    def say(self, text: str) -> None:
        """To all open streams."""
        with self.lock:
            for stream in self.streams:
                stream.put(text.encode())

    def event(self, event_id: int | str, name: str, data: Json) -> None:
        self.say(f"id: {event_id}\nevent: {name}\ndata: {json.dumps(data)}\n\n")

    def end_streams(self) -> None:
        with self.lock:
            for stream in self.streams:
                stream.put(None)

    # ---- what it does

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Json | None) -> tuple[int, Any]:
        with self.lock:
            parts = path.strip("/").split("/")
            if method == "GET" and parts[0] == "hosts" and len(parts) == 1:
                names = query.get("name")
                return 200, [host for host in self.hosts.values() if not names or host["name"] in names]
            kept = {"bridges": self.bridges, "ports": self.ports, "hosts": self.hosts}.get(parts[0])
            if kept is None:
                return 404, {"message": f"There is nothing at {path}.", "code": 404}
            if len(parts) == 1:
                return (200, list(kept.values())) if method == "GET" else self._create(kept, body or {}, {})
            if parts[1] not in kept:
                return 404, {"message": f"There is no such thing as {path}.", "code": 404}
            if len(parts) == 3 and method == "POST":
                extra = {"deviceId": parts[1], "hostId": None, "status": {"state": "unbound"}}
                return self._create(self.ports, body or {}, extra)
            if method == "GET":
                return 200, kept[parts[1]]
            if method == "PUT":
                kept[parts[1]].update(body or {})
                return 204, None
            del kept[parts[1]]
            if kept is self.bridges:
                for port_id in [port["id"] for port in self.ports.values() if port["deviceId"] == parts[1]]:
                    del self.ports[port_id]
            return 204, None

    @staticmethod
    def _create(kept: dict[str, Json], body: Json, extra: Json) -> tuple[int, Any]:
        if body["id"] in kept:
            return 409, {"message": f"A thing with ID {body['id']} already exists.", "code": 409}
        kept[body["id"]] = {**body, **extra}
        return 201, None


def _handler(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(ROOT)
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            with fake.lock:
                fake.requests.append((self.command, path, body, headers))
            how = fake.fate(self.command, path)
            if how == "refuse":
                self.hang_up()
            elif path == "/login":
                self.log_in(headers)
            elif fake.password and headers.get("x-auth-token") != fake.token:
                self.reply(401, {"message": "Log in first.", "code": 401})
            elif how and how.isdigit():
                self.reply(int(how), {"message": "told to fail", "code": int(how)})
            elif path == "/events":
                self.stream()
            else:
                status, answer = fake.answer(self.command, path, parse_qs(parts.query), body)
                if how == "drop":
                    self.hang_up()
                else:
                    self.reply(status, answer)

        do_GET = do_POST = do_PUT = do_DELETE = serve

        def log_in(self, headers: dict[str, str]) -> None:
            import base64

            said = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
            if fake.password and said == ":".join(fake.password):
                self.reply(200, {"key": fake.token}, {"Set-Cookie": f"sessionId={fake.token}; Path=/"})
            else:
                self.reply(401, {"message": "Wrong credentials.", "code": 401})

        def reply(self, status: int, answer: Any, more: dict[str, str] | None = None) -> None:
            data = json.dumps(answer).encode() if answer is not None else b""
            self.send_response(status)
            for name, value in (more or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def stream(self) -> None:
            said: queue.Queue[bytes | None] = queue.Queue()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            with fake.lock:
                fake.stream_requests.append(self.headers.get("Last-Event-ID"))
                fake.streams.append(said)
            try:
                while (data := said.get()) is not None:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                    self.wfile.flush()
            except OSError:
                pass
            finally:
                with fake.lock:
                    fake.streams.remove(said)
                self.hang_up()

        def hang_up(self) -> None:
            self.close_connection = True
            try:
                self.connection.shutdown(2)
            except OSError:
                pass

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler

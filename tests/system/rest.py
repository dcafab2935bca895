"""A small REST client that connects from inside a namespace, or over a unix socket."""

import http.client
import json
import socket
import urllib.parse


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.raw = status, headers, body
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None

    @property
    def message(self):
        return self.json.get("message", "") if isinstance(self.json, dict) else ""

    def __repr__(self):
        return f"<{self.status} {self.raw[:300]!r}>"


class _Connection(http.client.HTTPConnection):
    def __init__(self, make_socket, host, timeout):
        super().__init__(host, timeout=timeout)
        self._make_socket = make_socket

    def connect(self):
        self.sock = self._make_socket()
        self.sock.settimeout(self.timeout)


class Client:
    """Keeps one connection open; opens a new one when the server closed it. One client per thread."""

    def __init__(self, make_socket, host="localhost", root="", timeout=30):
        self._connection = _Connection(make_socket, host, timeout)
        self.root = root

    @classmethod
    def tcp(cls, namespace, port=8181, root="/midonet-api", timeout=30):
        def connect():
            # A socket belongs to the namespace that it was made in, for good.
            with namespace.entered():
                made = socket.create_connection(("127.0.0.1", port), timeout=5)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made

        return cls(connect, f"127.0.0.1:{port}", root, timeout)

    @classmethod
    def unix(cls, path):
        def connect():
            made = socket.socket(socket.AF_UNIX)
            try:
                made.connect(str(path))
            except OSError:
                made.close()
                raise
            return made

        return cls(connect)

    def close(self):
        self._connection.close()

    def call(self, method, uri, body=None, headers=None, raw=None):
        """The answer, whatever its status is. `uri` is absolute or below the root."""
        parts = urllib.parse.urlsplit(uri)
        target = uri if not parts.scheme else urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        if not parts.scheme and not target.startswith(self.root):
            target = self.root + target
        sent = {"Content-Type": "application/json"} if raw is None and body is not None else {}
        sent.update(headers or {})
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        while True:
            kept = self._connection.sock is not None
            try:
                self._connection.request(method, target, body=data, headers=sent)
                answer = self._connection.getresponse()
                return Answer(answer.status, answer.headers, answer.read())
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # A kept connection may have been closed by the server meanwhile: once more, on a new one.
                self._connection.close()
                if not kept:
                    raise
            except Exception:
                self._connection.close()
                raise

    def expect(self, status, method, uri, body=None, **more):
        answer = self.call(method, uri, body, **more)
        if answer.status != status:
            raise AssertionError(f"{method} {uri} {body}: {answer.status}, not {status}: {answer.raw!r}")
        return answer

    def get(self, uri):
        return self.expect(200, "GET", uri).json

    def create(self, uri, body):
        """POST that must make something: the id at the end of its Location."""
        return self.expect(201, "POST", uri, body).headers["Location"].rsplit("/", 1)[1]

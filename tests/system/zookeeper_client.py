"""A small client of ZooKeeper's own protocol, for tests that look at nodes, or spoil one. Blocking; one request at a time."""

import collections
import socket
import struct

Stat = collections.namedtuple("Stat", "czxid mzxid ctime mtime version cversion aversion owner length children pzxid")
STAT = struct.Struct("!qqqqiiiqiiq")
CREATE, DELETE, GET, SET, LIST, CLOSE = 1, 2, 4, 5, 8, -11
NO_NODE = -101


class Failed(Exception):
    def __init__(self, code, path):
        super().__init__(f"{path}: ZooKeeper's error {code}")
        self.code = code


def _text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!i", len(raw)) + raw


class Client:
    """Connected to one server, from inside the namespace; its session ends with close()."""

    def __init__(self, namespace, address, port=2181, session_ms=5000):
        with namespace.entered():
            self.socket = socket.create_connection((address, port), timeout=10)
        self._send(struct.pack("!iqiq", 0, 0, session_ms, 0) + _text(bytes(16)) + b"\0")
        self.session = struct.unpack("!q", self._receive()[8:16])[0]
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self._call(CLOSE, b"", "")
        except OSError:
            pass
        self.socket.close()

    def get(self, path):
        """(value, Stat), or None where there is no such node."""
        try:
            answer = self._call(GET, _text(path) + b"\0", path)
        except Failed as error:
            if error.code == NO_NODE:
                return None
            raise
        (length,) = struct.unpack("!i", answer[:4])
        length = max(length, 0)
        return answer[4 : 4 + length], Stat(*STAT.unpack(answer[4 + length : 4 + length + STAT.size]))

    def list(self, path):
        answer = self._call(LIST, _text(path) + b"\0", path)
        (count,), at, names = struct.unpack("!i", answer[:4]), 4, []
        for _ in range(count):
            (length,) = struct.unpack("!i", answer[at : at + 4])
            names.append(answer[at + 4 : at + 4 + length].decode())
            at += 4 + length
        return sorted(names)

    def set(self, path, value):
        self._call(SET, _text(path) + _text(value) + struct.pack("!i", -1), path)

    def create(self, path, value=""):
        everybody = struct.pack("!ii", 1, 31) + _text("world") + _text("anyone")
        self._call(CREATE, _text(path) + _text(value) + everybody + struct.pack("!i", 0), path)

    def _call(self, kind, body, path):
        self.number += 1
        self._send(struct.pack("!ii", self.number, kind) + body)
        answer = self._receive()
        _, _, code = struct.unpack("!iqi", answer[:16])
        if code:
            raise Failed(code, path)
        return answer[16:]

    def _send(self, raw):
        self.socket.sendall(struct.pack("!i", len(raw)) + raw)

    def _receive(self):
        (length,) = struct.unpack("!i", self._exactly(4))
        return self._exactly(length)

    def _exactly(self, count):
        raw = b""
        while len(raw) < count:
            got = self.socket.recv(count - len(raw))
            if not got:
                raise ConnectionError("the ZooKeeper server closed the connection")
            raw += got
        return raw

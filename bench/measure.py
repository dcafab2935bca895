"""What the benchmarks share: a bed without unittest, statistics, and the rows of the table."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests/system"))
import zookeeper  # noqa: E402  (the path above)
from cluster import Cluster  # noqa: E402
from host import Host  # noqa: E402
from process import wait_until  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.abspath(os.environ.get("MIDONET_BIN", os.path.join(TOP, "build/release/bin")))


def percentile(values, percent):
    """The smallest value that at least `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def row(what, value, budget="", holds=None):
    """One line of the table. `holds` says whether the budget is kept, where there is one."""
    verdict = "" if holds is None else "kept" if holds else "MISSED"
    print(f"{what:<62} {value:>26}  {budget:<12} {verdict}", flush=True)


def milliseconds(seconds):
    return f"{seconds * 1000:.2f} ms"


def clean_up_on_signals():
    def ended(number, _):
        raise SystemExit(f"ended by signal {number}")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ended)


def _prepare():
    if os.geteuid() != 0:
        sys.exit("benchmarks need root: they make network namespaces")
    clean_up_on_signals()


def _directory(stack):
    directory = tempfile.mkdtemp(prefix="midonet-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    return directory


@contextlib.contextmanager
def bed():
    """A started standalone host and a stack for whatever else must be undone, in that order reversed."""
    _prepare()
    with contextlib.ExitStack() as stack:
        host = Host(BIN, _directory(stack), "h0")
        stack.callback(host.close)
        host.start("--log-level", "warning")
        yield host, stack


@contextlib.contextmanager
def many_hosts(count, servers=1, **options):
    """A started cluster with ZooKeeper beside it, and a stack as above. The servers' JVM is as it comes, but for its memory."""
    _prepare()
    if zookeeper.missing():
        sys.exit(zookeeper.missing())
    with contextlib.ExitStack() as stack:
        cluster = Cluster(BIN, _directory(stack), servers=servers, session_ms=10000, java_flags=("-Xmx1g",), **options)
        stack.callback(cluster.close)
        for _ in range(count):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis()
        cluster.start_hosts("--log-level", "warning")
        cluster.zone()
        yield cluster, stack


def make_veths(namespace, count, prefix="v", far=None):
    """`count` pairs <prefix>1 .. and far ends f<prefix>1 .., all up; the far ends in namespace `far`, else in the same.
    Returns the seconds that it took."""
    since = time.monotonic()
    where = f" netns {far.name}" if far else ""
    near = "".join(f"link add name {prefix}{i} up type veth peer name f{prefix}{i}{where}\n" for i in range(1, count + 1))
    ends = "".join(f"link set f{prefix}{i} up\n" for i in range(1, count + 1))
    from namespace import run

    run("ip", "-n", namespace.name, "-batch", "-", text=near)
    run("ip", "-n", (far or namespace).name, "-batch", "-", text=ends)
    return time.monotonic() - since


def received(namespace, prefix):
    """Frames that all interfaces of that prefix have received, by the kernel's counters."""
    total = 0
    with namespace.entered(), open("/proc/thread-self/net/dev", encoding="ascii") as file:
        for line in file.readlines()[2:]:
            name, counters = line.split(":", 1)
            if name.strip().startswith(prefix):
                total += int(counters.split()[1])
    return total


class Connection:
    """A bare keep-alive HTTP connection, for requests whose bytes must leave at a moment that we choose."""

    def __init__(self, namespace, port=8181):
        with namespace.entered():
            self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def fileno(self):
        return self.socket.fileno()

    def send(self, method, path, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.socket.sendall(
            f"{method} /midonet-api{path} HTTP/1.1\r\nHost: 127.0.0.1:8181\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        )

    def answer(self):
        """(status, headers as text, body) of the next answer."""
        # Nothing is taken from what was read before the answer is complete: the socket may be non-blocking.
        while not self.complete():
            self._read()
        head, rest = self._rest.split(b"\r\n\r\n", 1)
        length = self._body_length(head)
        body, self._rest = rest[:length], rest[length:]
        return int(head.split()[1]), head.decode(), body

    def complete(self):
        """A whole answer has been read already."""
        head, separator, rest = self._rest.partition(b"\r\n\r\n")
        return bool(separator) and len(rest) >= self._body_length(head)

    @staticmethod
    def _body_length(head):
        return next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )

    def _read(self):
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError("the server closed the connection")
        self._rest += got


def pipelined(namespace, requests, connections=8, window=64):
    """Makes many requests quickly, several in flight on each connection. Answers in order; each must be below 300."""
    answers = [None] * len(requests)
    lanes = [Connection(namespace) for _ in range(min(connections, len(requests)))]
    pending = {lane: [] for lane in lanes}
    following = 0
    done = 0
    while done < len(requests):
        for lane in lanes:
            while len(pending[lane]) < window and following < len(requests):
                lane.send(*requests[following])
                pending[lane].append(following)
                following += 1
        poll = select.poll()  # not select(): that knows descriptors below 1024 alone
        by_fd = {lane.fileno(): lane for lane in lanes if pending[lane]}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        for lane in [by_fd[fd] for fd, _ in poll.poll()]:
            # One answer at least, and those that came along with it, for which select would not wake us again.
            while True:
                number = pending[lane].pop(0)
                answers[number] = lane.answer()
                if answers[number][0] >= 300:
                    raise RuntimeError(f"{requests[number]}: {answers[number]}")
                done += 1
                if not lane.complete():
                    break
    for lane in lanes:
        lane.socket.close()
    return answers


def create_ports(host, bridge, count):
    """The ids of `count` new ports of the bridge."""
    made = pipelined(host.api_namespace, [("POST", f"/bridges/{bridge}/ports", {"type": "Bridge"})] * count)
    return [
        next(line.rsplit("/", 1)[1].strip() for line in head.split("\r\n") if line.lower().startswith("location:"))
        for _, head, _ in made
    ]


__all__ = [
    "BIN",
    "Connection",
    "bed",
    "create_ports",
    "make_veths",
    "many_hosts",
    "milliseconds",
    "percentile",
    "pipelined",
    "received",
    "row",
    "wait_until",
]

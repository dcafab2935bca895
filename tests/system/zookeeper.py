"""Real ZooKeeper servers of Debian's package, one or an ensemble, in a namespace, with data in a temporary directory."""

import os
import signal
import socket
import time

from process import Process, wait_until
from zookeeper_client import Client

JAVA = "/usr/bin/java"
JAR = "/usr/share/java/zookeeper.jar"
CLIENT_PORT = 2181
# Sessions may be as short as two ticks and as long as twenty.
TICK_MS = 500
# Starts in a second and stays small. Servers for benchmarks take the JVM's own choices.
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx160m")


def missing():
    """Why servers cannot run here, or None."""
    for path, package in ((JAVA, "default-jre-headless"), (JAR, "zookeeper")):
        if not os.path.exists(path):
            return f"{path} is not there (Debian's package {package})"
    return None


class Server:
    """The n-th server of an ensemble (counted from 1). It listens on one address alone; nothing runs until start()."""

    def __init__(self, ensemble, number, address):
        self.ensemble, self.number, self.address = ensemble, number, address
        self.directory = os.path.join(ensemble.directory, f"zookeeper{number}")
        self.log = os.path.join(self.directory, "log")
        self.process = None
        os.makedirs(os.path.join(self.directory, "data"))

    def configure(self, addresses):
        lines = [
            f"tickTime={TICK_MS}",
            "initLimit=20",
            "syncLimit=10",
            f"dataDir={self.directory}/data",
            f"clientPort={CLIENT_PORT}",
            f"clientPortAddress={self.address}",
            "maxClientCnxns=0",
            "admin.enableServer=false",
            "4lw.commands.whitelist=*",
        ]
        if len(addresses) > 1:
            lines += [f"server.{i}={address}:2888:3888" for i, address in enumerate(addresses, 1)]
            with open(f"{self.directory}/data/myid", "w", encoding="ascii") as file:
                file.write(f"{self.number}\n")
        with open(f"{self.directory}/zoo.cfg", "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        assert not self.running(), "runs already"
        argv = [
            JAVA,
            *self.ensemble.java_flags,
            "-XX:-UsePerfData",
            "-Dzookeeper.preAllocSize=1024",
            "-cp",
            JAR,
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            f"{self.directory}/zoo.cfg",
        ]
        self.process = Process(self.ensemble.namespace.command(*argv), self.log, self.ensemble.ledger)

    def running(self):
        return self.process is not None and self.process.running()

    def kill(self):
        if self.process:
            self.process.end(signal.SIGKILL)

    def word(self, four_letters, timeout=2.0):
        """The answer to a four-letter word; "" when the server does not answer in time."""
        try:
            with self.ensemble.namespace.entered():
                connection = socket.create_connection((self.address, CLIENT_PORT), timeout=timeout)
            with connection:
                connection.sendall(four_letters.encode())
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return ""

    def counters(self):
        """What `mntr` says: {"zk_watch_count": "3", …}; empty while it serves no client."""
        return dict(line.split("\t", 1) for line in self.word("mntr").splitlines() if "\t" in line)

    def mode(self, timeout=2.0):
        """standalone, leader, follower; "" while it serves no client."""
        lines = self.word("srvr", timeout).splitlines()
        return next((line.split()[1] for line in lines if line.startswith("Mode:")), "")


class ZooKeeper:
    """An ensemble of one server for each address; the namespace has these addresses."""

    def __init__(self, namespace, directory, addresses, java_flags=QUICK, ledger=None):
        self.namespace, self.directory, self.java_flags, self.ledger = namespace, directory, java_flags, ledger
        self.servers = [Server(self, i, address) for i, address in enumerate(addresses, 1)]
        for server in self.servers:
            server.configure(addresses)

    def uri(self, root="/midonet"):
        return "zookeeper://" + ",".join(f"{server.address}:{CLIENT_PORT}" for server in self.servers) + root

    def start(self):
        """Starts those that do not run, and waits until all serve."""
        for server in self.servers:
            if not server.running():
                server.start()
        self.wait_serving()

    def wait_serving(self, seconds=120):
        timeout = 0.1

        def all_serve():
            # One that has just begun to listen may take the question and never answer it.
            nonlocal timeout
            begin = time.monotonic()
            for server in self.servers:
                if server.process and not server.running():
                    raise AssertionError(f"ZooKeeper server {server.number} ended:\n{server.process.output()[-3000:]}")
            serving = all(server.mode(timeout) for server in self.servers if server.process)
            if time.monotonic() - begin >= timeout:
                timeout = min(timeout * 2, 2.0)
            return serving

        wait_until(all_serve, seconds, "the ZooKeeper servers serve", interval=0.02)

    def kill(self):
        """All of them, at once."""
        for server in self.servers:
            if server.running():
                server.process.popen.send_signal(signal.SIGKILL)
        for server in self.servers:
            server.kill()

    close = kill

    def leader(self):
        """The server that leads now, or None."""
        return next((server for server in self.servers if server.running() and server.mode() == "leader"), None)

    def client(self):
        """Connected to one of the servers that serve."""
        server = next(server for server in self.servers if server.running() and server.mode())
        return Client(self.namespace, server.address)

    def total(self, counter):
        """The sum of one of mntr's counters over all servers that answer."""
        return sum(int(float(server.counters().get(counter, 0))) for server in self.servers if server.running())

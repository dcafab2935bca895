"""A whole cloud on this machine: hosts, each a namespace on one underlay with an agent, a run directory and a BPF file system
of its own; ZooKeeper servers; API processes. For system tests, benchmarks, the quickstart and, by hand, tools/testbed.

    <name>.underlay   the Linux bridge that connects all others
    <name>.control    ZooKeeper servers (172.30.0.201 ..), API processes (127.0.0.1:8181 ..)
    <name>.h1 ..      hosts: eth0 is 172.30.0.1 and fd30::1
    <name>.h1-tap0    a guest behind tap0 of h1

Everything lives in one directory, and its name is the name of the bed.
"""

import json
import os

import rest
from guest import Guest
from host import Host
from namespace import Namespace
from process import Process, wait_until
from underlay import Underlay, ipv4, ipv6
from zookeeper import QUICK, ZooKeeper

CONTROL = 250
FIRST_SERVER = 201
API_PORT = 8181


class ClusterHost(Host):
    """A host of the cluster: the agent alone, on the cluster's store. Its REST calls go to the cluster's first API."""

    def __init__(self, cluster, number, ledger=None):
        super().__init__(cluster.bin, cluster.directory, f"h{number}", ledger)
        self.cluster, self.number = cluster, number
        self.store = cluster.store
        self.flags = ()
        self.rest = cluster.client()
        cluster.underlay.connect(self.namespace, number, self.name)

    @property
    def address(self):
        return ipv6(self.number) if self.cluster.ipv6 else ipv4(self.number)

    @property
    def api_namespace(self):
        return self.cluster.control

    def start(self, *more, wait=True):
        """The agent. The flags of the first start are those of later ones, unless these have some."""
        self.flags = more or self.flags
        self.launch(
            self.program("midolman"), "--store", self.store, *self.cluster.store_flags, *self.agent_flags(), *self.flags
        )
        if wait:
            wait_until(self.alive_now, 90, f"{self.name} is alive")

    def alive_now(self):
        """The agent that was started last has read its store and acted on it. (A session that it resumes keeps the host alive
        while nobody is there: it is asked itself, too.)"""
        if not self.process.running():
            raise AssertionError(
                f"{self.process.argv} ended with {self.process.popen.returncode}:\n" + self.process.output()[-3000:]
            )
        try:
            return self.alive() and self.agent_status()["synchronised"]
        except OSError:
            return False


class Api:
    """One API process of the cluster, on a loopback port of the control namespace."""

    def __init__(self, cluster, number):
        self.cluster, self.bin, self.port = cluster, cluster.bin, API_PORT + number
        self.log = os.path.join(cluster.directory, f"api{number + 1}.log")
        self.rest = rest.Client.tcp(cluster.control, self.port)
        self.process = None

    def start(self, *more):
        argv = [
            os.path.join(self.bin, "midonet-api"),
            "--store",
            self.cluster.store,
            *self.cluster.store_flags,
            "--listen",
            f"127.0.0.1:{self.port}",
            *more,
        ]
        self.process = Process(self.cluster.control.command(*argv), self.log, self.cluster.ledger)

    def wait_answering(self, seconds=90):
        def answers():
            if not self.process.running():
                raise AssertionError(f"{self.process.argv} ended:\n{self.process.output()[-3000:]}")
            try:
                return self.rest.call("GET", "/").status == 200
            except OSError:
                return False

        wait_until(answers, seconds, "the REST API answers", interval=0.02)

    def close(self):
        self.rest.close()
        if self.process:
            self.process.end(9)


class Cluster:
    """`directory` exists. `session_ms` is short, so that tests see sessions end. Nothing runs until the start calls."""

    def __init__(
        self,
        bin_directory,
        directory,
        servers=1,
        ipv6_underlay=False,
        mtu=1600,
        session_ms=2000,
        java_flags=QUICK,
        ledger=None,
    ):
        self.bin, self.directory, self.ledger = bin_directory, directory, ledger
        self.ipv6 = ipv6_underlay
        self.name = os.path.basename(directory)
        self.store_flags = ("--session-timeout", str(session_ms))
        self.hosts, self.apis, self.guests = [], [], []
        self._zone = None
        self._close = []
        try:
            self.underlay = self._made(Underlay(f"{self.name}.underlay", mtu, ledger), "remove")
            self.control = self._made(Namespace(f"{self.name}.control", ledger), "remove")
            addresses = [ipv4(FIRST_SERVER + i) for i in range(servers)]
            self.underlay.connect(self.control, CONTROL, "control", range(FIRST_SERVER, FIRST_SERVER + servers))
            self.zookeeper = self._made(ZooKeeper(self.control, directory, addresses, java_flags, ledger), "close")
            self.store = self.zookeeper.uri()
        except BaseException:
            self.close()
            raise

    def _made(self, what, how):
        self._close.append(getattr(what, how))
        return what

    def close(self):
        """Ends and removes everything, the last made first; an error is raised after all has been tried."""
        failed = []
        while self._close:
            try:
                self._close.pop()()
            except Exception as error:  # the rest must be removed too
                failed.append(error)
        if failed:
            raise failed[0]

    def client(self, api=0):
        """A REST connection of its own to that API."""
        return self._made(rest.Client.tcp(self.control, API_PORT + api), "close")

    @property
    def rest(self):
        return self.apis[0].rest

    # -- building

    def start_store(self):
        self.zookeeper.start()

    def start_apis(self, count=1, bin_directory=None):
        for number in range(count):
            api = self._made(Api(self, number), "close")
            api.bin = bin_directory or self.bin
            self.apis.append(api)
            api.start()
        for api in self.apis:
            api.wait_answering()

    def add_host(self, kind=ClusterHost):
        """A host on the underlay; nothing runs there."""
        host = self._made(kind(self, len(self.hosts) + 1, self.ledger), "close")
        self.hosts.append(host)
        return host

    def start_hosts(self, *flags):
        for host in self.hosts:
            host.start(*flags, wait=False)
        for host in self.hosts:
            wait_until(host.alive_now, 90, f"{host.name} is alive")

    def guest(self, host, tap, address, mac, *more, mtu=None):
        made = self._made(Guest(host, tap, address, mac, *more, mtu=mtu), "close")
        self.guests.append(made)
        return made

    def attached(self, guest, bridge, **more):
        """A new port of the bridge with the guest's MAC, attached to its tap and active. Its id."""
        guest.port = self.rest.create(f"/bridges/{bridge}/ports", {"type": "Bridge", "macAddress": guest.mac, **more})
        self.attach(guest)
        return guest.port

    @staticmethod
    def attach(guest):
        status = guest.host.attach(guest.port, guest.tap, wait=10)
        if status["state"] != "active":
            raise AssertionError(f"port {guest.port} on {guest.tap} of {guest.host.name}: {status}")

    def save(self):
        """Writes what tools/testbed must know of it, `bed.json`, and returns that."""
        state = {
            "bin": self.bin,
            "store": self.store,
            "apis": [api.port for api in self.apis],
            "control": self.control.name,
            "underlay": self.underlay.namespace.name,
            "hosts": [
                {
                    "name": host.name,
                    "namespace": host.namespace.name,
                    "id": host.id,
                    "address": host.address,
                    "socket": os.path.join(host.run_directory, "midolman.sock"),
                    "log": host.log,
                }
                for host in self.hosts
            ],
            "guests": [
                {
                    "name": f"g{i}",
                    "namespace": guest.namespace.name,
                    "host": guest.host.name,
                    "tap": guest.tap,
                    "port": guest.port,
                    "address": guest.first_address(),
                }
                for i, guest in enumerate(self.guests, 1)
            ],
        }
        with open(os.path.join(self.directory, "bed.json"), "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
        return state

    def zone(self):
        """The tunnel zone of all hosts, which are members with their underlay address."""
        if self._zone is None:
            self._zone = self.rest.create("/tunnel_zones", {"name": "underlay", "type": "vxlan"})
        members = {member["hostId"] for member in self.rest.get(f"/tunnel_zones/{self._zone}/hosts")}
        for host in self.hosts:
            if host.id not in members:
                self.rest.expect(
                    201, "POST", f"/tunnel_zones/{self._zone}/hosts", {"hostId": host.id, "ipAddress": host.address}
                )
        return self._zone

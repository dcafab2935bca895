"""OVN beside a cluster of Midolman, for comparisons: its databases, ovn-northd, and hosts with a userspace Open vSwitch and an
ovn-controller each, on the cluster's underlay. Its databases are driven over OVSDB (RFC 7047), with no program in between.

The datapath is Open vSwitch's own in userspace (datapath_type=netdev), which needs no kernel module; tunnels are Geneve."""

import json
import os
import select
import socket
import subprocess

from measure import TOP, wait_until
from namespace import Namespace
from process import Process
from underlay import ipv4

PACKAGES = os.path.join(TOP, "build/packages")
LIST = os.path.join(TOP, "bench/ovn_packages.txt")
SERVER = os.path.join(PACKAGES, "openvswitch-common/usr/sbin/ovsdb-server")
TOOL = os.path.join(PACKAGES, "openvswitch-common/usr/bin/ovsdb-tool")
SWITCH = os.path.join(PACKAGES, "openvswitch-switch/usr/lib/openvswitch-switch/ovs-vswitchd")
SWITCH_SCHEMA = os.path.join(PACKAGES, "openvswitch-switch/usr/share/openvswitch/vswitch.ovsschema")
NORTHD = os.path.join(PACKAGES, "ovn-central/usr/bin/ovn-northd")
SCHEMA = os.path.join(PACKAGES, "ovn-central/usr/share/ovn/ovn-{}.ovsschema")
CONTROLLER = os.path.join(PACKAGES, "ovn-host/usr/bin/ovn-controller")
SOUTHBOUND_PORT = 6642
FIRST_ADDRESS = 101  # of OVN's hosts on the underlay
CONTROL = "172.31.{}.{}"  # the n-th link between a host and the databases: .1 and .2


def missing():
    """What tools/install would install, in its words, or None."""
    said = subprocess.run(
        [os.path.join(TOP, "tools/install"), "--list", LIST], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return said.strip() if "missing" in said or "unpacked" in said else None


class Ovsdb:
    """A connection to the unix socket of an ovsdb-server."""

    def __init__(self, path, database):
        self.database, self._text, self._next = database, "", 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    def send(self, method, *parameters):
        """Sends a request and returns its number."""
        self._next += 1
        self.socket.sendall(json.dumps({"id": self._next, "method": method, "params": parameters}).encode())
        return self._next

    def messages(self, seconds=10.0):
        """What has come, and waits for it if nothing has: a list of JSON objects, empty after `seconds`."""
        found = []
        while not found:
            readable = select.poll()
            readable.register(self.socket, select.POLLIN)
            if not readable.poll(seconds * 1000):
                return found
            got = self.socket.recv(1 << 20)
            if not got:
                raise ConnectionError(f"{self.database}: the server closed the connection")
            self._text += got.decode()
            while self._text:
                try:
                    message, end = json.JSONDecoder().raw_decode(self._text)
                except json.JSONDecodeError:
                    break  # the rest is on its way
                self._text = self._text[end:].lstrip()
                if message.get("method") == "echo":
                    self.socket.sendall(json.dumps({"id": message["id"], "result": message["params"], "error": None}).encode())
                else:
                    found.append(message)
        return found

    def start(self, *operations):
        """Sends a transaction and returns its number."""
        return self.send("transact", self.database, *operations)

    def transact(self, *operations):
        """The results of the operations. Notifications that come before them are dropped."""
        number = self.start(*operations)
        while True:
            for message in self.messages() or [{"id": number, "result": None, "error": "no answer within 10 s"}]:
                if message.get("id") == number:
                    return check(message)

    def rows(self, table, where=(), columns=("_uuid",)):
        return self.transact({"op": "select", "table": table, "where": list(where), "columns": list(columns)})[0]["rows"]


def check(answer):
    """The results of a transaction's answer, or an error if any part of it failed."""
    wrong = [answer["error"]] if answer["error"] else [part for part in answer["result"] if part and "error" in part]
    if wrong:
        raise RuntimeError(f"OVSDB: {wrong}")
    return answer["result"]


def ovsdb_map(**pairs):
    return ["map", [[key.replace("_", "-"), str(value)] for key, value in pairs.items()]]


class Daemon:
    """A folder with a process of OVN or Open vSwitch, its log and its sockets."""

    def __init__(self, directory, namespace):
        self.directory, self.namespace = directory, namespace
        self.processes = []
        os.makedirs(directory)

    def start(self, program, *argv):
        name = os.path.basename(program)
        folders = [
            f"{kind}={self.directory}"
            for kind in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR", "OVS_SYSCONFDIR")
        ]
        process = Process(
            self.namespace.command("env", *folders, program, *argv),
            os.path.join(self.directory, f"{name}-{len(self.processes)}.log"),
        )
        self.processes.append(process)
        return process

    def database(self, name, schema, *argv):
        """Starts an ovsdb-server with a new database and returns the path of its socket."""
        file, path = os.path.join(self.directory, f"{name}.db"), os.path.join(self.directory, f"{name}.sock")
        subprocess.run([TOOL, "create", file, schema], check=True)
        process = self.start(SERVER, f"--remote=punix:{path}", f"--unixctl={path}.ctl", *argv, file)
        wait_until(lambda: os.path.exists(path) or not process.running(), what=f"the database {name} answers")
        if not process.running():
            raise AssertionError(f"{process.argv} ended:\n{process.output()[-2000:]}")
        return path

    def close(self):
        for process in reversed(self.processes):
            process.end(9)


class OvnHost(Daemon):
    """A hypervisor: Open vSwitch with br-int, and an ovn-controller. `address` is the tunnel's, of br-phys, which has eth0."""

    def __init__(self, ovn, number):
        self.ovn, self.address, self.name = ovn, ipv4(FIRST_ADDRESS + number), f"o{number + 1}"
        super().__init__(os.path.join(ovn.directory, self.name), Namespace(f"{ovn.cluster.name}.{self.name}"))
        ovn.cluster.underlay.connect(self.namespace, FIRST_ADDRESS + number, self.name)
        # Not through br-phys: Open vSwitch in userspace forwards the kernel's TCP with the partial checksums of a veth.
        self.control = CONTROL.format(number, 1)
        ovn.cluster.control.ip(
            "link", "add", "name", self.name, "up", "type", "veth", "peer", "name", "control", "netns", self.namespace.name
        )
        ovn.cluster.control.ip("addr", "add", f"{self.control}/30", "dev", self.name)
        self.namespace.ip("addr", "add", f"{CONTROL.format(number, 2)}/30", "dev", "control")
        self.namespace.ip("link", "set", "control", "up")
        self.local = self.bridge = None

    def launch(self):
        path = self.database("conf", SWITCH_SCHEMA)
        self.local = Ovsdb(path, "Open_vSwitch")
        self.local.transact(
            {
                "op": "insert",
                "table": "Open_vSwitch",
                "row": {
                    "external_ids": ovsdb_map(
                        system_id=self.name,
                        hostname=self.name,
                        ovn_remote=f"tcp:{self.control}:{SOUTHBOUND_PORT}",
                        ovn_encap_type="geneve",
                        ovn_encap_ip=self.address,
                        ovn_bridge_datapath_type="netdev",
                    )
                },
            }
        )
        self.start(SWITCH, f"unix:{path}")
        self.add_bridge("br-phys", "eth0")
        self.add_bridge("br-int")
        wait_until(lambda: {"br-phys", "br-int"} <= self.namespace.links(), what="Open vSwitch has made its bridges")
        # What leaves a userspace tunnel goes out by the bridge that has the route.
        self.namespace.ip("addr", "flush", "dev", "eth0")
        self.namespace.ip("addr", "add", f"{self.address}/24", "dev", "br-phys")
        self.namespace.ip("link", "set", "br-phys", "up")
        self.start(CONTROLLER, f"unix:{path}")

    def add_bridge(self, name, *interfaces):
        operations, ports = [], []
        for number, each in enumerate((name, *interfaces)):
            operations += [
                {
                    "op": "insert",
                    "table": "Interface",
                    "uuid-name": f"i{number}",
                    "row": {"name": each, "type": "internal" if each == name else ""},
                },
                {
                    "op": "insert",
                    "table": "Port",
                    "uuid-name": f"p{number}",
                    "row": {"name": each, "interfaces": ["named-uuid", f"i{number}"]},
                },
            ]
            ports.append(["named-uuid", f"p{number}"])
        bridge = {"name": name, "datapath_type": "netdev", "ports": ["set", ports]}
        if name == "br-int":
            bridge |= {"fail_mode": "secure", "other_config": ovsdb_map(disable_in_band="true")}
        self.local.transact(
            *operations,
            {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": bridge},
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["bridges", "insert", ["named-uuid", "b"]], ["next_cfg", "+=", 1]],
            },
        )

    @staticmethod
    def plugging(interface, logical_port):
        """The operations that plug an interface as a logical port, as an orchestrator has them done on the host."""
        return [
            {
                "op": "insert",
                "table": "Interface",
                "uuid-name": "i",
                "row": {"name": interface, "external_ids": ["map", [["iface-id", logical_port]]]},
            },
            {"op": "insert", "table": "Port", "uuid-name": "p", "row": {"name": interface, "interfaces": ["named-uuid", "i"]}},
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [["name", "==", "br-int"]],
                "mutations": [["ports", "insert", ["named-uuid", "p"]]],
            },
            {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
        ]

    def unplug(self, *interfaces):
        """Removes them, and waits until the southbound database has no chassis for their logical ports."""
        logical = []
        for interface in interfaces:
            (port,) = self.local.rows("Port", [["name", "==", interface]])
            (row,) = self.local.rows("Interface", [["name", "==", interface]], ["external_ids"])
            logical.append(dict(row["external_ids"][1])["iface-id"])
            self.local.transact(
                {
                    "op": "mutate",
                    "table": "Bridge",
                    "where": [["name", "==", "br-int"]],
                    "mutations": [["ports", "delete", port["_uuid"]]],
                },
                {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
            )
        wait_until(lambda: all(self.ovn.chassis(each) is None for each in logical), what="OVN has released the ports")

    def monitor(self):
        """A connection that says when an interface's external_ids change."""
        connection = Ovsdb(self.local.socket.getpeername(), "Open_vSwitch")
        connection.send(
            "monitor",
            "Open_vSwitch",
            "m",
            {"Interface": [{"columns": ["name", "external_ids"], "select": {"initial": False}}]},
        )
        connection.messages()  # its answer
        return connection

    def plug(self, interface, logical_port):
        """... and waits until OVN says that it is installed."""
        self.local.transact(*self.plugging(interface, logical_port))
        wait_until(
            lambda: is_installed(self.local.rows("Interface", [["name", "==", interface]], ["external_ids"])[0]),
            what=f"{interface} is installed",
        )

    def close(self):
        super().close()
        self.namespace.remove()


def is_installed(row):
    return dict(row["external_ids"][1]).get("ovn-installed") == "true"


def installed(messages):
    """The names of the interfaces that these notifications of a monitor say are installed."""
    return {
        row["new"]["name"]
        for message in messages
        if message.get("method") == "update"
        for row in message["params"][1].get("Interface", {}).values()
        if "new" in row and is_installed(row["new"])
    }


class Ovn:
    """The databases and ovn-northd in the cluster's control namespace, and `hosts` hosts."""

    def __init__(self, cluster, stack, hosts):
        self.cluster, self.directory = cluster, os.path.join(cluster.directory, "ovn")
        central = Daemon(self.directory, cluster.control)
        stack.callback(central.close)
        northbound = central.database("nb", SCHEMA.format("nb"))
        southbound = central.database("sb", SCHEMA.format("sb"), f"--remote=ptcp:{SOUTHBOUND_PORT}")
        self.northbound, self.southbound = Ovsdb(northbound, "OVN_Northbound"), Ovsdb(southbound, "OVN_Southbound")
        stack.callback(self.northbound.close), stack.callback(self.southbound.close)
        central.start(NORTHD, f"--ovnnb-db=unix:{northbound}", f"--ovnsb-db=unix:{southbound}")
        self.hosts = []
        for number in range(hosts):
            host = OvnHost(self, number)
            stack.callback(host.close)
            self.hosts.append(host)
            host.launch()
        wait_until(lambda: len(self.southbound.rows("Chassis")) == hosts, what="OVN's hosts are there")

    def create_switch(self, name, macs):
        """A logical switch with a port of each MAC; returns the ports' names once the southbound database has them."""
        ports = [f"{name}-{number}" for number in range(len(macs))]
        self.northbound.transact(
            *(
                {
                    "op": "insert",
                    "table": "Logical_Switch_Port",
                    "uuid-name": f"p{number}",
                    "row": {"name": port, "addresses": mac},
                }
                for number, (port, mac) in enumerate(zip(ports, macs))
            ),
            {
                "op": "insert",
                "table": "Logical_Switch",
                "row": {"name": name, "ports": ["set", [["named-uuid", f"p{number}"] for number in range(len(macs))]]},
            },
        )
        wait_until(
            lambda: self.southbound.rows("Port_Binding", [["logical_port", "==", ports[-1]]]),
            what=f"ovn-northd has bound {ports[-1]}",
        )
        return ports

    def chassis(self, logical_port):
        """The uuid of the host that has the port, or None."""
        (row,) = self.southbound.rows("Port_Binding", [["logical_port", "==", logical_port]], ["chassis"])
        return row["chassis"][1] if row["chassis"] != ["set", []] else None

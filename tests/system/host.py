"""One host of a test: a namespace, a run directory, a BPF file system of its own, and the real programs on them."""

import json
import os
import signal
import subprocess
import uuid

import rest
from namespace import Namespace, run
from process import Process, wait_until


class Host:
    """`directory` is the bed's; the host lives in a subfolder. Nothing runs until start(). With a ledger, what it starts
    outlives its maker."""

    def __init__(self, bin_directory, directory, name, ledger=None):
        self.bin, self.name, self.ledger = bin_directory, name, ledger
        self.directory = os.path.join(directory, name)
        self.bpffs = os.path.join(self.directory, "bpf")
        self.run_directory = os.path.join(self.directory, "run")
        self.host_id_file = os.path.join(self.directory, "host_id.properties")
        self.store = "embedded:" + os.path.join(self.directory, "midonet.db")
        self.log = os.path.join(self.directory, "log")
        self.process = None
        self.mounted = False
        os.makedirs(self.bpffs)
        os.makedirs(self.run_directory)
        self.namespace = Namespace(f"{os.path.basename(directory)}.{name}"[-40:], ledger)
        if ledger:
            ledger.note("mount", self.bpffs)
        run("mount", "-t", "bpf", "bpf", self.bpffs)
        self.mounted = True
        self.rest = rest.Client.tcp(self.namespace)

    def program(self, name):
        path = os.path.join(self.bin, name)
        if not os.access(path, os.X_OK):
            raise AssertionError(f"{path} is not built")
        return path

    # -- processes

    def launch(self, *argv):
        assert self.process is None or not self.process.running(), "something runs already"
        self.rest.close()
        self.process = Process(self.namespace.command(*argv), self.log, self.ledger)

    def agent_flags(self):
        return ["--run-dir", self.run_directory, "--host-id-file", self.host_id_file, "--bpffs", self.bpffs]

    def start(self, *more, wait=True):
        """API and agent in one process: `midolman standalone`."""
        self.launch(self.program("midolman"), "standalone", "--store", self.store, *self.agent_flags(), *more)
        if wait:
            self.wait_answering()
            wait_until(self.alive, 60, "the host is alive")

    def start_api(self, *more):
        """The API alone on the same store: the host is down, the store is not."""
        self.launch(self.program("midonet-api"), "--store", self.store, *more)
        self.wait_answering()

    def wait_answering(self):
        def answers():
            if not self.process.running():
                raise AssertionError(
                    f"{self.process.argv} ended with {self.process.popen.returncode}:\n" + self.process.output()[-3000:]
                )
            try:
                return self.rest.call("GET", "/").status == 200
            except OSError:
                return False

        wait_until(answers, 60, "the REST API answers")

    def stop(self):
        """A clean stop, which must be one."""
        status = self.process.end(signal.SIGTERM)
        if status != 0:
            raise AssertionError(f"{self.process.argv} ended with {status} after SIGTERM")

    def kill(self):
        self.process.end(signal.SIGKILL)

    def close(self):
        """Ends and removes everything of this host, whatever state it is in."""
        self.rest.close()
        try:
            if self.process:
                self.process.end(signal.SIGKILL)
        finally:
            self.namespace.remove()
            if self.mounted:
                run("umount", self.bpffs, check=False)
                self.mounted = False

    # -- what it says

    @property
    def api_namespace(self):
        """Where the REST API is reached at 127.0.0.1:8181."""
        return self.namespace

    @property
    def id(self):
        with open(self.host_id_file, encoding="ascii") as file:
            return next(line.strip().split("=", 1)[1] for line in file if line.startswith("host_uuid="))

    def alive(self):
        if not os.path.exists(self.host_id_file):
            return False
        answer = self.rest.call("GET", f"/hosts/{self.id}")
        return answer.status == 200 and answer.json["alive"]

    def agent_metrics(self):
        """GET /metrics of the agent's socket: text."""
        return self.namespace.run(
            "curl", "-sf", "--unix-socket", os.path.join(self.run_directory, "midolman.sock"), "http://localhost/metrics"
        )

    def agent_status(self):
        """GET /status of the agent's socket."""
        client = rest.Client.unix(os.path.join(self.run_directory, "midolman.sock"))
        try:
            return client.get("/status")
        finally:
            client.close()

    def pins(self):
        """Every file that Midolman has in the BPF file system, relative to that. (The kernel puts some of its own there.)"""
        return sorted(
            os.path.relpath(os.path.join(folder, name), self.bpffs)
            for folder, _, names in os.walk(os.path.join(self.bpffs, "midolman"))
            for name in names
        )

    def hooks(self, interface):
        """What `tc` shows of the interface's clsact filters, and our tcx links by their pins, both directions."""
        try:
            pins = [os.path.basename(pin) for pin in self.pins() if os.path.basename(os.path.dirname(pin)) == "links"]
            links = [pin for pin in pins if pin.split("-")[0] == str(self.namespace.ifindex(interface))]
        except OSError:
            links = []
        return (
            self.namespace.tc("filter", "show", "dev", interface, "ingress")
            + self.namespace.tc("filter", "show", "dev", interface, "egress")
            + "".join(f"tcx link {pin}\n" for pin in links)
        )

    def closed(self, interface):
        """Whether the interface is a tap without a port that the agent keeps closed."""
        return interface in [tap["interfaceName"] for tap in self.agent_status().get("closedTaps", [])]

    def mm_ctl(self, *arguments, timeout=60):
        """Runs mm-ctl as the compute service does; the finished process, with text output."""
        argv = [self.program("mm-ctl"), "--socket", os.path.join(self.run_directory, "midolman.sock"), *arguments]
        return subprocess.run(
            self.namespace.command(*argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            umask=0,
            timeout=timeout,
            check=False,
        )

    # -- bridges, ports, bindings over REST

    def create_bridge(self, name="net", **more):
        return self.rest.create("/bridges", {"name": name, **more})

    def create_port(self, bridge, **more):
        return self.rest.create(f"/bridges/{bridge}/ports", {"type": "Bridge", **more})

    def attach(self, port, interface, wait=5, expect=200, rest_client=None, **more):
        """POST to the port's attach_interface; the status of the answer."""
        uri = f"/ports/{port}/attach_interface" + (f"?wait={wait}" if wait else "")
        body = {"hostId": self.id, "interface": interface, **more}
        answer = (rest_client or self.rest).expect(expect, "POST", uri, body)
        return answer.json["status"] if isinstance(answer.json, dict) and "status" in answer.json else answer

    def detach(self, port):
        self.rest.expect(204, "DELETE", f"/ports/{port}/attach_interface")

    def port_status(self, port):
        return self.rest.get(f"/ports/{port}")["status"]

    def wait_state(self, port, state, seconds=5.0):
        last = {}

        def reached():
            last.update(self.port_status(port))
            return last["state"] == state

        try:
            wait_until(reached, seconds)
        except AssertionError:
            raise AssertionError(f"port {port} is not {state} within {seconds} s but {json.dumps(last)}") from None
        return last


def new_uuid():
    return str(uuid.uuid4())

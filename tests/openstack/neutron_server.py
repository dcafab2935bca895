"""A real neutron-server in a host's namespace, with our driver: no Keystone, no message bus; SQLite or MariaDB.

The driver runs from the source tree: `site()` makes the folder with the package's entry points that PYTHONPATH names.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

import rest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from namespace import run
from process import Process, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PACKAGE = os.path.join(TOP, "openstack", "neutron")

CONFIG = """
[DEFAULT]
auth_strategy = noauth
core_plugin = ml2
service_plugins =
transport_url = fake://
state_path = {directory}
bind_host = 127.0.0.1
bind_port = {port}
api_workers = {api_workers}
rpc_workers = 0
rpc_state_report_workers = 0
api_paste_config = /usr/share/neutron-common/api-paste.ini
dhcp_agent_notification = False
notify_nova_on_port_status_changes = True
notify_nova_on_port_data_changes = True
send_events_interval = 1
debug = {debug}
[database]
connection = {database}
max_pool_size = 20
max_overflow = 40
[oslo_concurrency]
lock_path = {directory}/lock
[nova]
auth_type = none
endpoint = http://127.0.0.1:8774/v2.1
[ml2]
type_drivers = local,flat,vxlan
tenant_network_types = vxlan
mechanism_drivers = midonet
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:10000
[quotas]
quota_network = -1
quota_port = -1
[midonet]
api_url = http://127.0.0.1:8181/midonet-api
journal_interval = 2
backoff_max = 5
{more}
"""


def missing():
    """Why a neutron-server cannot run here, or None."""
    for path, package in (
        ("/usr/bin/neutron-server", "neutron-common"),
        ("/usr/lib/python3/dist-packages/neutron/plugins/ml2/plugin.py", "python3-neutron"),
    ):
        if not os.path.exists(path):
            return f"there is no {path}; install {package}"
    return None


def site(directory):
    """A folder for PYTHONPATH with the package and its entry points, made by setuptools from its pyproject.toml."""
    source, target = os.path.join(directory, "source"), os.path.join(directory, "site")
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    run(
        "/usr/bin/python3",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--no-compile",
        "--no-cache-dir",
        "--root-user-action",
        "ignore",
        "--target",
        target,
        source,
    )
    return target


def add_recorder(site_directory):
    """Installs the mechanism driver `recorder` there; the file that it writes to."""
    shutil.copy(os.path.join(HERE, "ml2_recorder.py"), site_directory)
    info = os.path.join(site_directory, "ml2_recorder-1.dist-info")
    os.mkdir(info)
    for name, text in (
        ("METADATA", "Metadata-Version: 2.1\nName: ml2-recorder\nVersion: 1\n"),
        ("entry_points.txt", "[neutron.ml2.mechanism_drivers]\nrecorder = ml2_recorder:Recorder\n"),
    ):
        with open(os.path.join(info, name), "w", encoding="ascii") as file:
            file.write(text)
    return os.path.join(site_directory, "ml2_calls")


class Nova:
    """What Neutron tells Nova: the events of POST /os-server-external-events, in the order of their arrival."""

    def __init__(self, namespace):
        self.events = []
        nova = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                nova.events += [{**event, "at": time.time()} for event in body.get("events", [])]
                self.answer({"events": [{**event, "code": 200, "status": "completed"} for event in body.get("events", [])]})

            def do_GET(self):
                self.answer(
                    {"version": {"id": "v2.1", "status": "CURRENT", "version": "2.93", "min_version": "2.1", "links": []}}
                )

            def answer(self, body):
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        with namespace.entered():
            self.server = ThreadingHTTPServer(("127.0.0.1", 8774), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def told(self, name, port):
        return [event for event in self.events if event["name"] == name and event.get("tag") == port]


class Refusal(Exception):
    """Neutron said no."""


class NeutronServer:
    """`directory` is its own; several may share one database."""

    def __init__(self, namespace, directory, site_directory, database=None, port=9696, api_workers=0, debug=False, more=""):
        os.makedirs(directory)
        self.namespace, self.directory, self.site, self.port = namespace, directory, site_directory, port
        self.log = os.path.join(directory, "log")
        self.config = os.path.join(directory, "neutron.conf")
        self.database = database or f"sqlite:///{directory}/neutron.sqlite"
        self.process = None
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(
                CONFIG.format(
                    directory=directory, port=port, api_workers=api_workers, database=self.database, debug=debug, more=more
                )
            )

    def make_database(self):
        """Neutron's tables from its models, ours by the command that is documented."""
        script = (
            "import sys, sqlalchemy; from neutron.db.migration.models import head; "
            "head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))"
        )
        run("/usr/bin/python3", "-c", script, self.database)
        self.tool("midonet-neutron-db", "create")

    def migrate_database(self):
        """All of Neutron's migrations since 2015, and the driver's: slow, and not for SQLite."""
        self.tool("/usr/bin/neutron-db-manage", "upgrade", "head")

    def command(self, name, *arguments):
        """A command of the package, or of Neutron, with this server's configuration."""
        path = name if name.startswith("/") else os.path.join(self.site, "bin", name)
        return [
            "env",
            f"PYTHONPATH={self.site}",
            "PYTHONDONTWRITEBYTECODE=1",
            f"XDG_CACHE_HOME={self.directory}",
            "/usr/bin/python3",
            path,
            "--config-file",
            self.config,
            *arguments,
        ]

    def tool(self, name, *arguments, expect=(0,)):
        """Runs a command to its end; what it printed."""
        argv = self.namespace.command(*self.command(name, *arguments))
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode not in expect:
            raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}:\n{done.stdout[-4000:]}")
        return done.stdout

    def start(self):
        self.launch()
        self.wait_answering()

    def launch(self):
        """To be called by the main thread: a process ends with the thread that started it."""
        argv = self.command("/usr/bin/neutron-server")
        self.process = Process(self.namespace.command(*argv), self.log)

    def wait_answering(self):
        def answers():
            if not self.process.running():
                raise AssertionError(f"neutron-server ended:\n{self.process.output()[-4000:]}")
            try:
                return self.call("GET", "/networks?limit=1") is not None
            except OSError:
                return False

        wait_until(answers, 480, "neutron-server answers", interval=0.1)

    def close(self):
        """Ends the server and the workers it forked, which are told by it."""
        if self.process and self.process.running():
            try:
                self.process.end(signal.SIGTERM, 20)
            except AssertionError:
                pass

    def output(self):
        return self.process.output() if self.process else ""

    # ---- Neutron's API

    def call(self, method, path, body=None):
        """The answer's JSON; Refusal with its text when it is an error."""
        client = rest.Client.tcp(self.namespace, self.port, "/v2.0", timeout=300)
        try:
            answer = client.call(method, path, body)
        finally:
            client.close()
        if answer.status >= 300:
            raise Refusal(f"{method} {path} {body}: {answer!r}")
        return answer.json if answer.json is not None else {}

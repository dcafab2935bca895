"""The controller: MariaDB, RabbitMQ, Keystone, Placement, Glance, Neutron and Nova's services from Debian's packages, started as
their systemd units start them; ZooKeeper, our REST server and our Neutron driver; and a DHCP agent with ours beside it.

docs/openstack.md says of each of these settings what it is for; a setting here that is not there is for this test alone, and says so.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

from clients import PASSWORD, PORTS, MidoNet, OpenStack
from ini import Settings, merged
from machine import Machine
from midolman import Agent, install_programs
from process import wait_until
from progress import Progress
from zookeeper import ZooKeeper

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova_cell0", "nova", "neutron")
REGION = "RegionOne"
DRIVER_PASSWORD = "the driver's"
# Answers come when the machine has time.
SECONDS = 600


class Controller:
    """`split`: Neutron's API under uwsgi, its RPC server, and our driver's worker beside them, instead of neutron-server."""

    def __init__(self, machine: Machine, programs: str, driver: str, progress: Progress, split: bool = False) -> None:
        self.split = split
        self.machine, self.programs, self.driver, self.progress = machine, programs, driver, progress
        self.openstack = OpenStack(machine.namespace)
        self.midonet = MidoNet.of(machine.namespace, self.openstack)
        self.zookeeper = ZooKeeper(machine.namespace, machine.directory, [machine.address])
        self.agent = Agent(machine, self.zookeeper.uri())

    def close(self) -> None:
        self.openstack.close()
        self.midonet.close()
        self.zookeeper.close()

    @property
    def auth_url(self) -> str:
        return f"http://{self.machine.address}:5000/v3"

    def credentials(self) -> dict[str, object]:
        """Of every service: one user for all, which is for this test alone."""
        return {
            "auth_type": "password",
            "auth_url": self.auth_url,
            "username": "admin",
            "password": PASSWORD,
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": REGION,
        }

    def token_check(self) -> dict[str, object]:
        return {**self.credentials(), "www_authenticate_uri": self.auth_url}

    def database(self, name: str) -> str:
        return f"mysql+pymysql://openstack:{PASSWORD}@127.0.0.1/{name}?charset=utf8"

    @property
    def transport(self) -> str:
        return f"rabbit://guest:guest@{self.machine.address}:5672/"

    def configure(self, path: str, settings: Settings) -> None:
        configure(self.machine, path, settings)

    # -- from nothing to a cloud without hosts

    def start(self, hosts: str) -> None:
        machine = self.machine
        machine.write("/etc/hosts", hosts)
        install_programs(machine, self.programs)
        self._install_driver()
        self._start_database()
        self._start_rabbitmq()
        self.zookeeper.start()
        self._start_midonet_api()
        self.progress.step("MariaDB, RabbitMQ, ZooKeeper, midonet-api")
        self._configure()
        self._make_schemas()
        self.progress.step("schemas of the databases")
        self._start_keystone()
        self.progress.step("Keystone, with the catalog")
        self._start_services()
        self.progress.step("Placement, Glance, Neutron, Nova's services")

    def _install_driver(self) -> None:
        """As docs/openstack.md says; into /usr/local, which is the machine's own."""
        self.machine.run("cp", "-r", self.driver, "/tmp/midonet-neutron")
        self.machine.run(
            "pip3",
            "install",
            "--quiet",
            "--break-system-packages",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--root-user-action=ignore",
            "/tmp/midonet-neutron",
        )

    def _start_database(self) -> None:
        machine, data, socket = self.machine, "/var/lib/cloud-mysql", "/run/mysqld/mysqld.sock"
        machine.run(
            "mariadb-install-db",
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        )
        # Nothing here must survive a power cut.
        machine.start(
            "mariadb",
            "mariadbd",
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--socket={socket}",
            "--bind-address=127.0.0.1",
            "--max-connections=500",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-doublewrite=0",
            "--skip-log-bin",
            "--skip-name-resolve",
        )
        sql = "".join(
            f"create database {name} character set utf8; grant all on {name}.* to openstack@127.0.0.1 "
            f"identified by '{PASSWORD}';"
            for name in DATABASES
        )

        def answers() -> bool:
            machine.services["mariadb"].must_run()
            return "1" in machine.run(
                "mariadb", "--no-defaults", "-uroot", f"--socket={socket}", "-Nse", "select 1", check=False
            )

        wait_until(answers, SECONDS, "MariaDB answers", interval=0.1)
        machine.run("mariadb", "--no-defaults", "-uroot", f"--socket={socket}", "-e", sql)

    def query(self, database: str, sql: str) -> list[list[str]]:
        out = self.machine.run("mariadb", "--no-defaults", "-uroot", "--socket=/run/mysqld/mysqld.sock", "-Nse", sql, database)
        return [line.split("\t") for line in out.splitlines()]

    def _start_rabbitmq(self) -> None:
        machine, home = self.machine, "/var/lib/rabbitmq"
        machine.write("/etc/rabbitmq/rabbitmq.conf", "listeners.tcp.default = 0.0.0.0:5672\nloopback_users = none\n")
        machine.run("chown", "-R", "rabbitmq:rabbitmq", home)
        machine.start(
            "rabbitmq",
            "/usr/lib/rabbitmq/bin/rabbitmq-server",
            user="rabbitmq",
            environment={
                "HOME": home,
                "RABBITMQ_NODENAME": f"rabbit@{machine.name}",
                "RABBITMQ_LOGS": "-",
                "RABBITMQ_CONFIG_FILE": "/etc/rabbitmq/rabbitmq.conf",
            },
        )

    def _start_midonet_api(self) -> None:
        machine = self.machine
        machine.write(
            "/etc/midolman/midonet-api.conf",
            f"store = {self.zookeeper.uri()}\nauth = keystone\n" f"keystone-url = {self.auth_url}\n",
        )
        machine.start("midonet-api", "midonet-api", "--config", "/etc/midolman/midonet-api.conf")

        def answers() -> bool:
            machine.services["midonet-api"].must_run()
            return self.midonet.asks_who_is_there()

        wait_until(answers, SECONDS, "the REST API asks who is there", interval=0.05)

    # -- configuration

    def _configure(self) -> None:
        self.machine.run(
            "mkdir",
            "-p",
            *(
                f"/var/{kind}/{name}"
                for kind in ("lock", "log")
                for name in ("keystone", "glance", "placement", "nova", "neutron")
            ),
        )
        for name in ("keystone", "glance", "placement", "nova", "neutron"):
            self.machine.run("chown", "-R", f"{name}:{name}", f"/var/lock/{name}", f"/var/log/{name}", f"/var/lib/{name}")
        for name, uwsgi in (
            ("keystone", "keystone-uwsgi"),
            ("glance", "glance-api-uwsgi"),
            ("placement", "placement-api-uwsgi"),
            ("nova", "nova-api-uwsgi"),
        ):
            # Eight processes of 32 threads each are for a machine with many cores.
            path = f"/etc/{name}/{uwsgi}.ini"
            text = re.sub(r"(?m)^processes *=.*", "processes = 2", self.machine.read(path))
            self.machine.write(path, re.sub(r"(?m)^threads *=.*", "threads = 8", text))
        self.configure("/etc/keystone/keystone.conf", {"database": {"connection": self.database("keystone")}})
        self.configure(
            "/etc/placement/placement.conf",
            {
                "api": {"auth_strategy": "keystone"},
                "keystone_authtoken": self.token_check(),
                "placement_database": {"connection": self.database("placement")},
            },
        )
        self.configure(
            "/etc/glance/glance-api.conf",
            {
                "database": {"connection": self.database("glance")},
                "keystone_authtoken": self.token_check(),
                "glance_store": {
                    "stores": "file",
                    "default_store": "file",
                    "filesystem_store_datadir": "/var/lib/glance/images",
                },
                "DEFAULT": {"enabled_backends": ""},
                "paste_deploy": {"flavor": "keystone"},
            },
        )
        self.configure(
            "/etc/nova/nova.conf",
            {
                "DEFAULT": {
                    "my_ip": self.machine.address,
                    "transport_url": self.transport,
                    "osapi_compute_workers": 1,
                    "enabled_apis": "osapi_compute",
                },
                "api_database": {"connection": self.database("nova_api")},
                "database": {"connection": self.database("nova")},
                "conductor": {"workers": 1},
                "scheduler": {"workers": 1},
                **self.nova_common(),
            },
        )
        self._configure_neutron()

    def nova_common(self) -> dict[str, dict[str, object]]:
        """What Nova's services on the controller and on every compute host are told of the others."""
        return {
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": self.token_check(),
            "service_user": {"send_service_user_token": "true", **self.credentials()},
            "glance": self.credentials(),
            "neutron": self.credentials(),
            "placement": self.credentials(),
        }

    def _configure_neutron(self) -> None:
        self.machine.run("cp", "/tmp/midonet-neutron/etc/neutron/rootwrap.d/midonet.filters", "/etc/neutron/rootwrap.d/")
        self.configure(
            "/etc/neutron/neutron.conf",
            {
                "DEFAULT": {
                    "core_plugin": "ml2",
                    "service_plugins": "",
                    "transport_url": self.transport,
                    "api_workers": 2,
                    "rpc_workers": 1,
                    "debug": "true",
                    "notify_nova_on_port_status_changes": "true",
                    "notify_nova_on_port_data_changes": "true",
                    "send_events_interval": 1,
                    "interface_driver": "midonet",
                },
                "database": {"connection": self.database("neutron")},
                "keystone_authtoken": self.token_check(),
                "nova": self.credentials(),
                "placement": self.credentials(),
            },
        )
        self.configure(
            "/etc/neutron/plugins/ml2/ml2_conf.ini",
            {
                "ml2": {
                    "type_drivers": "vxlan",
                    "tenant_network_types": "vxlan",
                    "mechanism_drivers": "midonet",
                    "extension_drivers": "port_security",
                },
                "ml2_type_vxlan": {"vni_ranges": "1:100000"},
                "midonet": {
                    "api_url": "http://127.0.0.1:8181/midonet-api",
                    "username": "neutron",
                    "password": DRIVER_PASSWORD,
                    "project": "service",
                },
            },
        )
        self.configure(
            "/etc/neutron/dhcp_agent.ini",
            {"DEFAULT": {"interface_driver": "midonet", "enable_isolated_metadata": "false", "debug": "true"}},
        )

    # -- databases

    def _make_schemas(self) -> None:
        def run(user: str, *commands: list[str]) -> None:
            for command in commands:
                self.machine.run(*command, user=user)

        nova, ml2 = "nova-manage", "/etc/neutron/plugins/ml2/ml2_conf.ini"
        pool = ThreadPoolExecutor()  # most of it is Python that starts
        done = [
            pool.submit(run, user, *commands)
            for user, *commands in (
                (
                    "neutron",
                    [
                        "neutron-db-manage",
                        "--config-file",
                        "/etc/neutron/neutron.conf",
                        "--config-file",
                        ml2,
                        "upgrade",
                        "heads",
                    ],
                ),
                (
                    "nova",
                    [nova, "api_db", "sync"],
                    [nova, "cell_v2", "map_cell0", "--database_connection", self.database("nova_cell0")],
                    [nova, "cell_v2", "create_cell", "--name", "cell1"],
                    [nova, "db", "sync"],
                ),
                ("keystone", ["keystone-manage", "db_sync"]),
                ("placement", ["placement-manage", "db", "sync"]),
                ("glance", ["glance-manage", "db_sync"]),
            )
        ]
        try:
            for each in done:
                each.result()
        finally:
            # Not waited for when one failed or a signal came: they end with the machine.
            pool.shutdown(wait=False, cancel_futures=True)

    # -- services

    def _unit(self, name: str, user: str) -> None:
        """As the package's systemd unit does."""
        self.machine.start(name, f"/etc/init.d/{name}", "systemd-start", user=user)

    def _answers(self, kind: str, service: str) -> None:
        def answers() -> bool:
            self.machine.services[service].must_run()
            return self.openstack.answers(kind)

        wait_until(answers, SECONDS, f"{service} answers", interval=0.2)

    def _start_keystone(self) -> None:
        machine = self.machine
        for setup in ("fernet_setup", "credential_setup"):
            machine.run("keystone-manage", setup, "--keystone-user", "keystone", "--keystone-group", "keystone")
        urls = [word for kind in ("admin", "internal", "public") for word in (f"--bootstrap-{kind}-url", self.auth_url)]
        machine.run(
            "keystone-manage",
            "bootstrap",
            "--bootstrap-password",
            PASSWORD,
            "--bootstrap-region-id",
            REGION,
            *urls,
            user="keystone",
        )
        self._unit("keystone", "keystone")
        self._answers("identity", "keystone")
        call = self.openstack.call
        for name, kind in (("nova", "compute"), ("placement", "placement"), ("glance", "image"), ("neutron", "network")):
            service = call("identity", "POST", "/services", {"service": {"name": name, "type": kind}})["service"]["id"]
            port, root = PORTS[kind]
            # Glance and Neutron add their version themselves.
            url = f"http://{self.machine.address}:{port}" + (root if kind == "compute" else "")
            for interface in ("public", "internal", "admin"):
                call(
                    "identity",
                    "POST",
                    "/endpoints",
                    {"endpoint": {"service_id": service, "interface": interface, "url": url, "region_id": REGION}},
                )
        roles = {role["name"]: role["id"] for role in call("identity", "GET", "/roles")["roles"]}
        if "service" not in roles:
            call("identity", "POST", "/roles", {"role": {"name": "service"}})
        # Whom our driver logs in as at midonet-api.
        project = call("identity", "POST", "/projects", {"project": {"name": "service"}})["project"]["id"]
        neutron = call("identity", "POST", "/users", {"user": {"name": "neutron", "password": DRIVER_PASSWORD}})["user"]["id"]
        call("identity", "PUT", f"/projects/{project}/users/{neutron}/roles/{roles['admin']}")

    def _start_services(self) -> None:
        self._unit("placement-api", "placement")
        self._unit("glance-api", "glance")
        neutron = self.start_neutron()
        wait_until(
            lambda: "completed with" in self.machine.services["rabbitmq"].output(),
            SECONDS,
            "RabbitMQ has started",
            interval=0.2,
        )
        for name in ("nova-conductor", "nova-scheduler", "nova-api"):
            self._unit(name, "nova")
        for kind, service in (
            ("placement", "placement-api"),
            ("image", "glance-api"),
            ("network", neutron[0]),
            ("compute", "nova-api"),
        ):
            self._answers(kind, service)

    def start_neutron(self) -> tuple[str, ...]:
        """neutron-server, which runs drivers' own workers, too; Debian's neutron-rpc-server does not (Neutron 21). The names of
        the services, the one that answers requests first."""
        files = "--config-file", "/etc/neutron/neutron.conf", "--config-file", "/etc/neutron/plugins/ml2/ml2_conf.ini"
        if self.split:
            # Neutron 21 patches its API for eventlet, which hangs with more than one thread (docs/openstack.md).
            self.configure("/etc/neutron/neutron-api-uwsgi.ini", {"uwsgi": {"threads": 1}})
            self._unit("neutron-api", "neutron")
            self._unit("neutron-rpc-server", "neutron")
            self.machine.start("midonet-neutron-worker", "midonet-neutron-worker", *files, user="neutron")
            self._neutron = ("neutron-api", "neutron-rpc-server", "midonet-neutron-worker")
        else:
            self.machine.start("neutron-server", "neutron-server", *files, user="neutron")
            self._neutron = ("neutron-server",)
        return self._neutron

    def neutron_log(self) -> str:
        # Debian's units of the parts log to files.
        files = [
            path
            for path in (f"/var/log/neutron/{name}.log" for name in self._neutron)
            if os.path.exists(self.machine.path(path))
        ]
        return "".join(
            [self.machine.services[name].output() for name in self._neutron] + [self.machine.read(path) for path in files]
        )

    def start_dhcp(self) -> None:
        """The agent of the controller as a host of ours, and Neutron's DHCP agent on it."""
        self.agent.start()
        self.machine.run("mkdir", "-p", "/var/lib/neutron/dhcp")
        self._unit("neutron-dhcp-agent", "neutron")

    def discover_hosts(self) -> None:
        self.machine.run("nova-manage", "cell_v2", "discover_hosts", user="nova")


def configure(machine: Machine, path: str, settings: Settings) -> None:
    text = machine.read(path) if os.path.exists(machine.path(path)) else ""
    with open(machine.path(path), "w", encoding="utf-8") as file:
        file.write(merged(text, settings))

"""The bed of the unit tests: one ML2 plugin with our driver on a SQLite file, one fake REST server; fresh objects per test.

A test that has python3-neutron missing is skipped with that reason.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import tomllib
import unittest
from collections.abc import Callable
from typing import Any

from midonet_neutron.tests.fake_server import FakeServer

# Of this run. It is also where Python's stevedore keeps what it knows of entry points: it looks when it is imported.
DIRECTORY = tempfile.mkdtemp(prefix="midonet-unit-")
atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)
os.environ["XDG_CACHE_HOME"] = DIRECTORY

try:
    import neutron.plugins.ml2.plugin  # noqa: F401  (is it there?)

    MISSING = None
except ImportError as error:
    MISSING = f"python3-neutron is not installed: {error}"

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST_ID = "binding:host_id"
VM = {"device_owner": "compute:nova", "device_id": "7f0b2c9e-0000-4000-8000-00000000abcd"}


def entry_points(directory: str) -> None:
    """What an installed package would have, from pyproject.toml: Neutron finds drivers by their entry points."""
    with open(os.path.join(PACKAGE, "pyproject.toml"), "rb") as file:
        project = tomllib.load(file)["project"]
    with open(os.path.join(PACKAGE, "VERSION"), encoding="ascii") as file:
        version = file.read().strip()
    target = os.path.join(directory, f"midonet_neutron-{version}.dist-info")
    os.makedirs(target)
    with open(os.path.join(target, "METADATA"), "w", encoding="utf-8") as file:
        file.write(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n")
    with open(os.path.join(target, "entry_points.txt"), "w", encoding="utf-8") as file:
        for group, entries in project["entry-points"].items():
            file.write(f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in entries.items()))
    sys.path.insert(0, directory)


CONFIG = """
[DEFAULT]
transport_url = fake://
core_plugin = ml2
service_plugins =
state_path = {directory}
auth_strategy = noauth
dhcp_agent_notification = False
[database]
connection = sqlite:///{directory}/neutron.sqlite
sqlite_synchronous = False
[oslo_concurrency]
lock_path = {directory}
[ml2]
mechanism_drivers = midonet
type_drivers = vxlan,local
tenant_network_types = vxlan
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:10000
[quotas]
quota_network = -1
quota_port = -1
[midonet]
api_url = {url}
retries = 0
connect_timeout = 60
timeout = 60
"""


# A project's default security group, and what Neutron makes when it starts.
KEPT = {
    "default_security_group",
    "ml2_vxlan_allocations",
    "securitygrouprules",
    "securitygroups",
    "standardattributes",
}


class World:
    """What all tests of a process share: Neutron has its plugin once per process."""

    def __init__(self) -> None:
        self.directory = DIRECTORY
        # Before anything of Neutron is imported: entry points are read once.
        entry_points(self.directory)

        import sqlalchemy
        from neutron import manager
        from neutron.api import extensions
        from neutron.common import config as common_config
        from neutron.db.migration.models import head
        from neutron.notifiers import batch_notifier
        from neutron_lib.api import attributes
        from neutron_lib.plugins import directory as plugins
        from oslo_config import cfg

        from midonet_neutron import config
        from midonet_neutron.db import models

        self.fake = FakeServer()
        atexit.register(self.fake.close)
        file_name = os.path.join(self.directory, "neutron.conf")
        with open(file_name, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(directory=self.directory, url=self.fake.url))
        config.register()
        common_config.register_common_config_options()
        common_config.init(["--config-file", file_name])
        assert set(models.TABLES) <= set(head.get_metadata().sorted_tables)
        self.database = os.path.join(self.directory, "neutron.sqlite")
        self.tables = set(head.get_metadata().tables)
        engine = sqlalchemy.create_engine(f"sqlite:///{self.database}")
        head.get_metadata().create_all(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("pragma journal_mode = wal")  # kept in the file: readers do not stop the writer
        # There is no Nova: what it would be told is looked at where it is told.
        batch_notifier.BatchNotifier.queue_event = lambda *_arguments: None
        manager.init()
        extensions.PluginAwareExtensionManager.get_instance().extend_resources("2.0", attributes.RESOURCES)
        self.plugin, self.conf = plugins.get_plugin(), cfg.CONF

    def empty(self) -> None:
        """No network, no port, no journal. (Neutron's own way of deleting takes longer than a test.)"""
        with sqlite3.connect(self.database) as database:
            for table in self.tables - KEPT:
                database.execute(f"delete from {table}")
            database.execute("update ml2_vxlan_allocations set allocated = 0 where allocated")


_world: list[World] = []


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 180.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)
    return value


@unittest.skipIf(MISSING, MISSING or "")
class DriverTest(unittest.TestCase):
    """Neutron's plugin and the fake server, both empty."""

    def setUp(self) -> None:
        if not _world:
            _world.append(World())
        world = _world[0]
        self.fake, self.plugin, self.conf = world.fake, world.plugin, world.conf
        self.driver = self.plugin.mechanism_manager.mech_drivers["midonet"].obj
        world.empty()
        self.fake.clear()
        self.addCleanup(self.fake.end_streams)

    # ---- what a tenant does

    def network(self, **more: Any) -> dict[str, Any]:
        body = self._request("networks", {"name": "net", "tenant_id": "project", **more})
        return self.plugin.create_network(self._fresh(), {"network": body})

    def port(self, network: dict[str, Any], **more: Any) -> dict[str, Any]:
        body = self._request("ports", {"network_id": network["id"], "tenant_id": "project", **more})
        return self.plugin.create_port(self._fresh(), {"port": body})

    @staticmethod
    def _request(collection: str, body: dict[str, Any]) -> dict[str, Any]:
        """The body as Neutron's API hands it to the plugin: with all defaults."""
        from neutron_lib.api import attributes

        info = attributes.AttributeInfo(attributes.RESOURCES[collection])
        info.fill_post_defaults(body, check_allow_post=False)
        info.convert_values(body)
        return body

    def update_port(self, port: dict[str, Any], **fields: Any) -> dict[str, Any]:
        return self.plugin.update_port(self._fresh(), port["id"], {"port": fields})

    def get_port(self, port: dict[str, Any]) -> dict[str, Any]:
        return self.plugin.get_port(self._fresh(), port["id"])

    def delete_port(self, port: dict[str, Any]) -> None:
        self.plugin.delete_port(self._fresh(), port["id"])

    def delete_network(self, network: dict[str, Any]) -> None:
        self.plugin.delete_network(self._fresh(), network["id"])

    # ---- what is looked at

    def rows(self) -> list[Any]:
        from neutron_lib.db import api as db_api

        from midonet_neutron.db.models import JournalRow

        context = self._fresh()
        with db_api.CONTEXT_READER.using(context):
            return context.session.query(*JournalRow.__table__.columns).order_by(JournalRow.seqnum).all()

    def work_off(self) -> bool:
        """What the worker does: everything in the journal. Whether nothing is left."""
        from midonet_neutron import journal

        for what in journal.due(100, all_of_them=True):
            self.driver._reconciler.work_on(what)
        return not self.rows()

    @staticmethod
    def _fresh() -> Any:
        from neutron_lib import context as n_context

        return n_context.get_admin_context()

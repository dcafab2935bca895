"""Comparing Neutron's database with the REST server, both ways, and repairing the REST server.

`compare()` reads both and returns the differences. `enqueue()` writes journal rows for them, which are worked on like any
other. An object that only differed because a request changed it in between is right by then. So it can run at any time,
beside any number of servers.

A record at the REST server that Neutron does not have is deleted only if it is Neutron's: if the driver's tables remember its id
(`midonet_objects` keeps those of deleted networks and ports for `tombstone_days`). Bridges and ports of other clients are listed
as unknown and left alone, unless the operator says --delete-unknown.

"""

from __future__ import annotations

from dataclasses import dataclass, field

from neutron_lib import context as n_context
from neutron_lib.plugins import directory

from midonet_neutron import journal, records
from midonet_neutron.journal import Object
from midonet_neutron.records import NETWORK, PORT, Json
from midonet_neutron.rest import RestClient
from midonet_neutron.status import bound_ports

NOUN = {NETWORK: "bridge", PORT: "port"}


@dataclass
class Differences:
    """What a comparison found."""

    missing: list[Object] = field(default_factory=list)
    changed: list[tuple[Object, list[str]]] = field(default_factory=list)
    left_over: list[Object] = field(default_factory=list)
    unknown: list[Object] = field(default_factory=list)
    wrong_status: list[Object] = field(default_factory=list)

    def repairs(self) -> list[tuple[Object, str]]:
        """What to look at, networks first."""
        found = [(what, journal.RESYNC) for what in self.missing + [what for what, _ in self.changed] + self.left_over]
        found += [(what, journal.STATUS) for what in self.wrong_status]
        return sorted(found, key=lambda repair: repair[0].kind != NETWORK)

    def summary(self) -> str:
        """One line."""
        return (
            f"{len(self.missing)} missing there, {len(self.changed)} different, {len(self.left_over)} left over, "
            f"{len(self.wrong_status)} statuses wrong, {len(self.unknown)} not Neutron's"
        )

    def lines(self) -> list[str]:
        """All of it, for people."""
        return (
            [f"missing    {NOUN[what.kind]} {what.id}" for what in self.missing]
            + [f"different  {NOUN[what.kind]} {what.id}: {', '.join(names)}" for what, names in self.changed]
            + [f"left over  {NOUN[what.kind]} {what.id}" for what in self.left_over]
            + [f"status     {NOUN[what.kind]} {what.id}" for what in self.wrong_status]
            + [f"unknown    {NOUN[what.kind]} {what.id}: not Neutron's as far as is remembered" for what in self.unknown]
        )


def compare(client: RestClient) -> Differences:
    """Raises RestError when the REST server does not answer."""
    # Theirs first: what is made meanwhile then looks missing there, which a second look corrects, and not left over.
    bridges = _by_id(client.get("/bridges", is_list=True))
    ports = _by_id(client.get("/ports", is_list=True))
    hosts = {host["id"]: host.get("name") for host in client.get("/hosts", is_list=True) or []}
    plugin = directory.get_plugin()
    context = n_context.get_admin_context()
    found = Differences()
    networks = {network["id"]: records.bridge_of(network) for network in plugin.get_networks(context)}
    neutron_ports = {port["id"]: records.port_of(port) for port in plugin.get_ports(context)}
    _compare_kind(NETWORK, networks, bridges, found)
    _compare_kind(PORT, neutron_ports, ports, found)
    _compare_statuses(ports, hosts, found)
    return found


def enqueue(found: Differences) -> None:
    """Journals the differences."""
    for what, operation in found.repairs():
        journal.enqueue(what, operation)


def delete_unknown(client: RestClient, found: Differences) -> None:
    """Deletes what is not Neutron's, ports first."""
    for what in sorted(found.unknown, key=lambda unknown: unknown.kind == NETWORK):
        client.delete(("/bridges/" if what.kind == NETWORK else "/ports/") + what.id)


def _by_id(entries: list[Json] | None) -> dict[str, Json]:
    return {entry["id"]: entry for entry in entries or []}


def _compare_kind(kind: str, wanted: dict[str, Json], actual: dict[str, Json], found: Differences) -> None:
    known = journal.known(kind)
    for object_id, record in wanted.items():
        if object_id not in actual:
            found.missing.append(Object(kind, object_id))
        elif names := records.differences(kind, record, actual[object_id]):
            found.changed.append((Object(kind, object_id), names))
    for object_id in actual:
        if object_id not in wanted:
            (found.left_over if object_id in known else found.unknown).append(Object(kind, object_id))


def _compare_statuses(ports: dict[str, Json], hosts: dict[str, str | None], found: Differences) -> None:
    for port_id, port in bound_ports().items():
        record = ports.get(port_id) or {}
        here = hosts.get(record.get("hostId") or "") == port.host
        if not port.right(here and (record.get("status") or {}).get("state") == "active"):
            found.wrong_status.append(Object(PORT, port_id))

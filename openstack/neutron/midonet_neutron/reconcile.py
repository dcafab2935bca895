"""Making the REST server match Neutron, one object at a time.

`Reconciler.work_on(object)` is what a journal row asks for: take the object, read it in Neutron, make its record at the
REST server the same (or gone), drop the rows. It may be run any number of times, in any order, by anybody: what is
written depends on what Neutron says at that moment, never on the row. A port whose bridge is missing brings the bridge
about first; a bridge that goes takes its ports along, and deleting a port that went with it is a success.

Runs in the request that changed something, and in the worker for all that such a request could not finish. Never raises
for what the world can refuse: the row then says why, and when it is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from neutron_lib import context as n_context
from neutron_lib import exceptions as n_exc
from neutron_lib.plugins import directory
from oslo_log import log as logging

from midonet_neutron import journal, records
from midonet_neutron.journal import Object, Row
from midonet_neutron.records import NETWORK, Json
from midonet_neutron.rest import Refused, RestClient, Unavailable

LOG = logging.getLogger(__name__)

TRIES = 4


def neutron_network(network_id: str) -> Json | None:
    """The network as Neutron has it now."""
    try:
        return directory.get_plugin().get_network(n_context.get_admin_context(), network_id)
    except n_exc.NetworkNotFound:
        return None


def neutron_port(port_id: str) -> Json | None:
    """The port as Neutron has it now."""
    try:
        return directory.get_plugin().get_port(n_context.get_admin_context(), port_id)
    except n_exc.PortNotFound:
        return None


class Reconciler:
    """See the head of the file. `compare_status` is called, with the port's id, for rows that ask for it."""

    def __init__(self, client: RestClient, compare_status: Callable[[str], None]) -> None:
        self._client = client
        self._compare_status = compare_status

    def work_on(self, what: Object, patience: float = 0.0) -> bool:
        """True when nothing is left to do for the object. Waits up to `patience` seconds for one that another worker holds."""
        deadline = time.monotonic() + patience
        while True:
            token = journal.claim(what)
            if token is None:
                # The holder looks again after it lets go; so, with or without us, no row is overlooked.
                if time.monotonic() > deadline:
                    return not journal.rows_of(what)
                time.sleep(0.02)
            elif not self._work_as_owner(what, token):
                return False
            if not journal.rows_of(what):
                return True

    def _work_as_owner(self, what: Object, token: str) -> bool:
        rows: list[Row] = []
        try:
            rows = journal.rows_of(what)
            exists = self._match(what, {row.operation for row in rows}) if rows else True
            journal.finish(what, token, rows, exists)
            return True
        except (Unavailable, Refused) as error:
            wait = journal.give_up(what, token, rows, str(error))
            LOG.warning("%s %s: not at the REST server yet, tried again in %.1f s: %s", what.kind, what.id, wait, error)
        except Exception as error:
            LOG.exception("%s %s: could not be compared with the REST server", what.kind, what.id)
            journal.give_up(what, token, rows, f"{type(error).__name__}: {error}")
        return False

    def _match(self, what: Object, operations: set[str]) -> bool:
        """Makes them match; whether Neutron has the object."""
        if what.kind == NETWORK:
            return self._match_network(what.id, operations)
        exists = self._match_port(what.id, operations) if operations != {journal.STATUS} else True
        if exists and journal.STATUS in operations:
            self._compare_status(what.id)
        return exists

    def _match_network(self, network_id: str, operations: set[str]) -> bool:
        network = neutron_network(network_id)
        if network is None:
            self._client.delete("/bridges/" + network_id)
            return False
        self._write("/bridges", "/bridges/" + network_id, records.bridge_of(network), journal.CREATE in operations)
        return True

    def _match_port(self, port_id: str, operations: set[str]) -> bool:
        for _ in range(TRIES):
            port = neutron_port(port_id)
            if port is None:
                self._client.delete("/ports/" + port_id)
                return False
            network_id = port["network_id"]
            try:
                self._write(
                    f"/bridges/{network_id}/ports",
                    "/ports/" + port_id,
                    records.port_of(port),
                    journal.CREATE in operations,
                )
                return True
            except Refused as error:
                if error.status != 404:
                    raise
            bridge = Object(NETWORK, network_id)
            journal.enqueue(bridge, journal.RESYNC)
            if not self.work_on(bridge, patience=5.0):
                raise Unavailable(f"port {port_id}: its bridge {network_id} is not there yet")
        raise Unavailable(f"port {port_id}: its bridge {network_id} vanished {TRIES} times")

    def _write(self, collection: str, path: str, body: Json, new: bool) -> None:
        """POST or PUT, whichever it takes. Raises Refused with 404 when the collection does not exist."""
        for _ in range(TRIES):
            try:
                if new:
                    self._client.post(collection, body)
                else:
                    self._client.put(path, body)
                return
            except Refused as error:
                # POST: 409 it is there already (or a lost race). PUT: 404 it is not there.
                if error.status != (409 if new else 404):
                    raise
                new = not new
        raise Unavailable(f"{path}: made and deleted by others, {TRIES} times")

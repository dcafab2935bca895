"""Carrying the status of a port from the REST server into Neutron.

A bound port is ACTIVE in Neutron exactly when the record at the REST server is `active` on the host of the port's active
binding, and DOWN otherwise. `StatusKeeper.compare(port)` reads both and repairs Neutron's; then it reads again, until they
are the same. So the last writer has always read after its write, and any number of workers and requests may do this at
once and in any order.

A port turns ACTIVE by completing the provisioning block that the driver set when it was bound; Neutron then tells Nova
`network-vif-plugged`. During a live migration a second host has the port, with an inactive binding: when the port is active
there, Nova is told so directly, and Neutron's status is not touched.
"""

from __future__ import annotations

from typing import NamedTuple

from neutron.db import models_v2, provisioning_blocks
from neutron.plugins.ml2 import db as ml2_db
from neutron.plugins.ml2 import models as ml2_models
from neutron_lib import constants
from neutron_lib import context as n_context
from neutron_lib.callbacks import resources
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory
from oslo_config import cfg
from oslo_log import log as logging

from midonet_neutron.constants import VIF_TYPE
from midonet_neutron.records import Json
from midonet_neutron.rest import RestClient

LOG = logging.getLogger(__name__)

ROUNDS = 8


class Look(NamedTuple):
    """What of a port decides on its status, as Neutron has it."""

    status: str
    admin_state_up: bool
    host: str | None  # of the active binding, if that is ours
    others: set[str]  # the hosts of our inactive bindings: where the port is about to migrate to


def look(port_id: str) -> Look | None:
    """One small query; the whole port takes Neutron ten times as long."""
    context = n_context.get_admin_context()
    binding = ml2_models.PortBinding
    with db_api.CONTEXT_READER.using(context):
        query = context.session.query(
            models_v2.Port.status, models_v2.Port.admin_state_up, binding.host, binding.status, binding.vif_type
        )
        rows = query.outerjoin(binding, binding.port_id == models_v2.Port.id).filter(models_v2.Port.id == port_id).all()
    if not rows:
        return None
    ours = [(host, state) for _, _, host, state, vif_type in rows if vif_type == VIF_TYPE]
    return Look(
        status=rows[0][0],
        admin_state_up=rows[0][1],
        host=next((host for host, state in ours if state == constants.ACTIVE), None),
        others={host for host, state in ours if state == constants.INACTIVE},
    )


class StatusKeeper:
    """See the head of the file. Keeps nothing but the client."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    def compare(self, port_id: str) -> None:
        """Makes Neutron's status of the port what the REST server says. Raises RestError when it does not say."""
        for _ in range(ROUNDS):
            port = look(port_id)
            if not port or not port.host:
                return
            wanted = self._wanted(port_id, port.host, port.admin_state_up)
            if port.status == wanted:
                if wanted != constants.PORT_STATUS_ACTIVE:
                    # It may have been active for a moment while another block, such as the DHCP agent's, remained.
                    _block(port_id)
                return
            LOG.info("port %s on %s: %s -> %s", port_id, port.host, port.status, wanted)
            if wanted != constants.PORT_STATUS_ACTIVE:
                directory.get_plugin().update_port_status(n_context.get_admin_context(), port_id, wanted)
            elif not self._activate(port_id):
                return
        LOG.warning("port %s: its status changes faster than it can be carried into Neutron", port_id)

    def became_active(self, port_id: str, host: str) -> None:
        """The port is active on `host`: tells Nova when that is where the port is migrating to."""
        found = look(port_id)
        if not found or host not in found.others or not cfg.CONF.notify_nova_on_port_status_changes:
            return
        port = ml2_db.get_port(n_context.get_admin_context(), port_id)
        notifier = getattr(directory.get_plugin(), "nova_notifier", None)
        if notifier and port and port.device_owner.startswith(constants.DEVICE_OWNER_COMPUTE_PREFIX):
            LOG.info("port %s: active on %s, where it migrates to; telling Nova", port_id, host)
            notifier.notify_port_active_direct(port)

    def _wanted(self, port_id: str, host: str, admin_state_up: bool) -> str:
        record = self._client.port(port_id) if admin_state_up else None
        if record and self._active_on(record, host):
            return constants.PORT_STATUS_ACTIVE
        return constants.PORT_STATUS_DOWN

    def _active_on(self, record: Json, host: str) -> bool:
        """Whether the record says that the port is active on the host of that name."""
        if (record.get("status") or {}).get("state") != "active" or not record.get("hostId"):
            return False
        found = self._client.host(record["hostId"])
        return found is not None and found.get("name") == host

    @staticmethod
    def _activate(port_id: str) -> bool:
        """Whether the port is ACTIVE now; not when another block remains, such as the DHCP agent's."""
        provisioning_blocks.provisioning_complete(
            n_context.get_admin_context(), port_id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY
        )
        after = look(port_id)
        return after is not None and after.status == constants.PORT_STATUS_ACTIVE


def _block(port_id: str) -> None:
    """Idempotent."""
    provisioning_blocks.add_provisioning_component(
        n_context.get_admin_context(), port_id, resources.PORT, provisioning_blocks.L2_AGENT_ENTITY
    )


class BoundPort(NamedTuple):
    """A port with an active binding of ours, as Neutron has it."""

    host: str
    status: str
    admin_state_up: bool

    def right(self, active_there: bool) -> bool:
        """Whether the status is what it has to be, given whether the port is active on its host."""
        return (self.status == constants.PORT_STATUS_ACTIVE) == (active_there and self.admin_state_up)


def bound_ports() -> dict[str, BoundPort]:
    """All ports with an active binding of ours, by id."""
    context = n_context.get_admin_context()
    with db_api.CONTEXT_READER.using(context):
        columns = (ml2_models.PortBinding.host, models_v2.Port.status, models_v2.Port.admin_state_up)
        query = context.session.query(models_v2.Port.id, *columns)
        query = query.join(ml2_models.PortBinding, ml2_models.PortBinding.port_id == models_v2.Port.id)
        query = query.filter(ml2_models.PortBinding.vif_type == VIF_TYPE, ml2_models.PortBinding.status == constants.ACTIVE)
        return {port_id: BoundPort(*rest) for port_id, *rest in query}

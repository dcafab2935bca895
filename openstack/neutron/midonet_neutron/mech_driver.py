"""The ML2 mechanism driver `midonet`.

Neutron calls `*_precommit` inside its transaction and `*_postcommit` after it. Here a precommit only writes a journal row (and
the provisioning block of a bound port), so that what Neutron accepts is never forgotten; a postcommit works on that row at
once, so that the REST server usually knows the object before Neutron's own answer goes out. When it cannot, the row stays
for the worker, and the request succeeds all the same.

Subnets need nothing: fixed IPs stand in the port's record. Security groups: their ids stand there, too, and are not enforced
yet: VIF details say `port_filter: False`, and the status of a port that has groups says so at the REST server.

The driver keeps no state: several API processes and servers run at once.
"""

from __future__ import annotations

from neutron.db import provisioning_blocks
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import resources
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg
from oslo_log import log as logging

from midonet_neutron import config, journal, records
from midonet_neutron.constants import SEGMENT_TYPES, VIF_TYPE
from midonet_neutron.journal import Object
from midonet_neutron.reconcile import Reconciler
from midonet_neutron.records import NETWORK, PORT
from midonet_neutron.rest import RestClient, RestError
from midonet_neutron.status import StatusKeeper
from midonet_neutron.worker import MidonetWorker

LOG = logging.getLogger(__name__)

NOT_ENFORCED = (
    "midonet does not enforce security groups yet (port_filter is False): of a port with port security, "
    "guests send from their own addresses alone, and nothing else is filtered"
)

# How long a request waits for another worker that is busy with the same object.
PATIENCE = 5.0


class MidonetMechanismDriver(api.MechanismDriver):
    """See the head of the file."""

    def initialize(self) -> None:
        """Called once per process, before anything else."""
        config.register()
        self._client = RestClient()
        self._reconciler = Reconciler(self._client, StatusKeeper(self._client).compare)
        LOG.info("Mechanism driver midonet: the REST API is %s", cfg.CONF.midonet.api_url)
        LOG.warning("Mechanism driver midonet: %s", NOT_ENFORCED)

    @property
    def connectivity(self) -> str:
        """What kind of network a bound port gets."""
        return portbindings.CONNECTIVITY_L2

    def get_workers(self) -> list[MidonetWorker]:
        """One process of this server: the journal's leftovers, and the stream of statuses."""
        return [MidonetWorker()]

    # ---- networks

    def create_network_precommit(self, context: api.NetworkContext) -> None:
        """Journal."""
        self._write(context, NETWORK, journal.CREATE)

    def create_network_postcommit(self, context: api.NetworkContext) -> None:
        """Make the bridge."""
        self._work(NETWORK, context.current["id"])

    def update_network_precommit(self, context: api.NetworkContext) -> None:
        """Journal, if the bridge is to change."""
        if self._network_changed(context):
            self._write(context, NETWORK, journal.UPDATE)

    def update_network_postcommit(self, context: api.NetworkContext) -> None:
        """Change the bridge."""
        if self._network_changed(context):
            self._work(NETWORK, context.current["id"])

    def delete_network_precommit(self, context: api.NetworkContext) -> None:
        """Journal."""
        self._write(context, NETWORK, journal.DELETE)

    def delete_network_postcommit(self, context: api.NetworkContext) -> None:
        """Delete the bridge."""
        self._work(NETWORK, context.current["id"])

    # ---- ports

    def create_port_precommit(self, context: api.PortContext) -> None:
        """Journal."""
        self._write(context, PORT, journal.CREATE)
        self._keep_block(context)

    def create_port_postcommit(self, context: api.PortContext) -> None:
        """Make the port."""
        self._work(PORT, context.current["id"])

    def update_port_precommit(self, context: api.PortContext) -> None:
        """Journal, if the record is to change or its status has to be looked at; the provisioning block."""
        if self._port_changed(context):
            self._write(context, PORT, journal.UPDATE)
        if self._status_open(context):
            self._write(context, PORT, journal.STATUS)
        self._keep_block(context)

    def update_port_postcommit(self, context: api.PortContext) -> None:
        """Change the port; and if it is known to be plugged where it was just bound, complete it."""
        if self._port_changed(context) or self._status_open(context):
            self._work(PORT, context.current["id"])

    def delete_port_precommit(self, context: api.PortContext) -> None:
        """Journal."""
        self._write(context, PORT, journal.DELETE)

    def delete_port_postcommit(self, context: api.PortContext) -> None:
        """Delete the port."""
        self._work(PORT, context.current["id"])

    # ---- binding

    def bind_port(self, context: api.PortContext) -> None:
        """Binds a port of VNIC type normal to a host whose agent is alive. A refusal is logged with its reason; ML2 then goes
        on to the next driver, and to `binding_failed` when there is none."""
        port = context.current
        vnic = port.get(portbindings.VNIC_TYPE, portbindings.VNIC_NORMAL)
        if vnic != portbindings.VNIC_NORMAL:
            LOG.info("port %s: not bound by midonet: VNIC type %s, only normal is served", port["id"], vnic)
            return
        segments = [segment for segment in context.segments_to_bind if segment[api.NETWORK_TYPE] in SEGMENT_TYPES]
        if not segments:
            types = sorted({segment[api.NETWORK_TYPE] for segment in context.segments_to_bind})
            LOG.warning(
                "port %s: not bound by midonet: its network has segments of type %s, served are %s",
                port["id"],
                ", ".join(types) or "none",
                ", ".join(SEGMENT_TYPES),
            )
            return
        why_not = self._why_not_on(context.host)
        if why_not:
            LOG.warning("port %s: not bound by midonet on host %s: %s", port["id"], context.host, why_not)
            return
        details = {
            portbindings.CAP_PORT_FILTER: False,
            portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
        }
        if records.asks_for_groups(port):
            LOG.warning("port %s: bound on host %s without its groups: %s", port["id"], context.host, NOT_ENFORCED)
        context.set_binding(segments[0][api.ID], VIF_TYPE, details, constants.PORT_STATUS_DOWN)

    def _why_not_on(self, host: str) -> str | None:
        """Why no port can be bound on that host now; None when one can."""
        try:
            found = self._client.hosts_named(host)
        except RestError as error:
            return f"the REST server was asked for the host and did not say: {error}"
        if not found:
            return "the REST server knows no host of that name; was its agent ever started, and is it called so?"
        if not any(entry.get("alive") for entry in found):
            return "its agent is not alive: the REST server sees no session of it with the store"
        return None

    # ---- what an update is about; the same answer in precommit and postcommit

    @staticmethod
    def _network_changed(context: api.NetworkContext) -> bool:
        return records.bridge_of(context.original) != records.bridge_of(context.current)

    @staticmethod
    def _port_changed(context: api.PortContext) -> bool:
        return records.port_of(context.original) != records.port_of(context.current)

    @staticmethod
    def _status_open(context: api.PortContext) -> bool:
        """Whether this port's status may have to change without a further event: the port was bound, activated or switched on
        just now, perhaps on a host where it is plugged already; or it was switched off."""
        now, before = context.current, context.original
        if now[portbindings.VIF_TYPE] != VIF_TYPE:
            return False
        if now["admin_state_up"] != before["admin_state_up"]:
            return True
        if now["status"] == constants.PORT_STATUS_ACTIVE:
            return False
        bound_before = before[portbindings.VIF_TYPE] == VIF_TYPE
        same_host = before[portbindings.HOST_ID] == now[portbindings.HOST_ID]
        return not (bound_before and same_host and before["status"] == constants.PORT_STATUS_ACTIVE)

    @staticmethod
    def _keep_block(context: api.PortContext) -> None:
        """A port that is bound by us and not ACTIVE waits for our status; one that is no longer bound by us does not."""
        port = context.current
        arguments = (context._plugin_context, port["id"], resources.PORT, provisioning_blocks.L2_AGENT_ENTITY)
        if port[portbindings.VIF_TYPE] == VIF_TYPE:
            if port["status"] != constants.PORT_STATUS_ACTIVE:
                provisioning_blocks.add_provisioning_component(*arguments)
        elif context.original and context.original[portbindings.VIF_TYPE] == VIF_TYPE:
            provisioning_blocks.remove_provisioning_component(*arguments)

    # ---- the journal

    @staticmethod
    def _write(context: api.NetworkContext | api.PortContext, kind: str, operation: str) -> None:
        journal.write(context._plugin_context, Object(kind, context.current["id"]), operation)

    def _work(self, kind: str, object_id: str) -> None:
        """Neutron has committed: whatever happens here must not fail the request."""
        try:
            self._reconciler.work_on(Object(kind, object_id), PATIENCE)
        except Exception:
            LOG.exception("%s %s: left to the worker", kind, object_id)

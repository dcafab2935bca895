"""The commands `midonet-neutron-sync` and `midonet-neutron-db`.

    midonet-neutron-sync --config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini
        says what differs between Neutron and the REST server and changes nothing; exit 0 when nothing differs, 1 when
        something does, 2 when it could not be found out
    midonet-neutron-sync … --apply            repairs it; exit 0 when all of it is repaired
    midonet-neutron-sync … --apply --delete-unknown
        also deletes the bridges and ports that are not Neutron's
    midonet-neutron-db --config-file … create
        makes the driver's tables where they are missing, for databases that neutron-db-manage does not migrate (SQLite);
        otherwise `neutron-db-manage --subproject midonet-neutron upgrade head`
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
from neutron.common import config as common_config
from oslo_config import cfg
from oslo_log import log as logging

SYNC_OPTIONS = [
    cfg.BoolOpt("apply", default=False, help="Repair what differs. Without it nothing is changed."),
    cfg.BoolOpt("delete-unknown", default=False, help="With --apply: delete bridges and ports too that are not Neutron's."),
]


def _say(text: str) -> None:
    print(text, flush=True)


def sync_main() -> int:
    """midonet-neutron-sync."""
    from neutron import manager

    from midonet_neutron import journal, sync
    from midonet_neutron.reconcile import Reconciler
    from midonet_neutron.rest import RestClient, RestError
    from midonet_neutron.status import StatusKeeper

    conf = cfg.CONF
    conf.register_cli_opts(SYNC_OPTIONS)
    common_config.register_common_config_options()
    logging.register_options(conf)
    # What is said here is for people; of Neutron itself they want to hear only what is wrong.
    conf.set_default("default_log_levels", [f"{name}=ERROR" for name in ("neutron", "oslo_messaging", "midonet_neutron")])
    common_config.init(sys.argv[1:])
    logging.setup(conf, "midonet-neutron-sync")
    # The repairs are made here and now: no agent or Nova has to hear of them, and no service plugin takes part.
    conf.set_override("service_plugins", [])
    manager.init()

    client = RestClient()
    try:
        found = sync.compare(client)
        for line in found.lines():
            _say(line)
        _say(found.summary())
        if not conf.apply:
            return 1 if found.repairs() or found.unknown else 0
        sync.enqueue(found)
        if conf.delete_unknown:
            sync.delete_unknown(client, found)
    except RestError as error:
        _say(f"midonet-neutron-sync: {error}")
        return 2
    reconciler = Reconciler(client, StatusKeeper(client).compare)
    failed = [what for what in dict.fromkeys(what for what, _ in found.repairs()) if not reconciler.work_on(what, 5.0)]
    for what in failed:
        for row in journal.rows_of(what):
            _say(f"not repaired: {what.kind} {what.id}: journal row {row.seqnum}, {row.attempts} attempts; see last_error")
    _say(f"repaired: {len(found.repairs()) - len(failed)} of {len(found.repairs())}")
    return 1 if failed else 0


def db_main() -> int:
    """midonet-neutron-db."""
    from neutron_lib.db import model_base

    from midonet_neutron.db.models import TABLES

    conf = cfg.ConfigOpts()
    conf.register_cli_opt(cfg.StrOpt("command", positional=True, choices=["create"], help="create: make the tables."))
    conf.register_opt(cfg.StrOpt("connection", secret=True), group="database")
    conf(project="neutron")
    if not conf.database.connection:
        _say("midonet-neutron-db: no [database] connection in the configuration")
        return 2
    engine = sa.create_engine(conf.database.connection)
    model_base.BASEV2.metadata.create_all(engine, tables=list(TABLES), checkfirst=True)
    _say("midonet-neutron-db: there are " + " and ".join(table.name for table in TABLES))
    return 0

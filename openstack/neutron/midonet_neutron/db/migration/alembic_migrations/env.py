"""Run by alembic: connects to Neutron's database and migrates the driver's tables, with a version table of their own."""

from alembic import context
from neutron.db.migration.connection import DBConnection
from neutron_lib.db import model_base

from midonet_neutron.db import models

VERSION_TABLE = "midonet_neutron_alembic_version"
OURS = {table.name for table in models.TABLES}

config = context.config


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    return kind != "table" or name in OURS


def _configure(**kwargs: object) -> None:
    context.configure(version_table=VERSION_TABLE, include_object=_is_ours, **kwargs)
    with context.begin_transaction():
        context.run_migrations()


def _run() -> None:
    database = config.neutron_config.database
    if context.is_offline_mode():
        _configure(**({"url": database.connection} if database.connection else {"dialect_name": database.engine}))
        return
    with DBConnection(database.connection, config.attributes.get("connection")) as connection:
        _configure(connection=connection, target_metadata=model_base.BASEV2.metadata)


_run()

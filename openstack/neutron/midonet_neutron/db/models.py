"""The tables `midonet_journal` and `midonet_objects`.

midonet_journal   one row per accepted change that the REST server may not know yet. A row does not say what to write,
                  only which object to look at: Neutron's own tables are the intent.

    seqnum  object_type  object_id  operation  state    created_at  attempts  last_error  retry_at
    17      port         6f1c…      create     pending  12:00:01    0         null        12:00:01
    18      network      0a2e…      update     retry    12:00:02    3         PUT http…   12:00:10

midonet_objects   one row per network or port that Neutron has or had: the worker that works on it right now (`owner`, until
                  `leased_until`), and when it was deleted. It answers «was this bridge ever Neutron's?».

`operation` is create, update, delete, resync, or status (compare the port's status). `state` is pending or retry.
"""

from __future__ import annotations

import sqlalchemy as sa
from neutron_lib.db import model_base

PENDING = "pending"
RETRY = "retry"

ERROR_LENGTH = 1024


class JournalRow(model_base.BASEV2):
    """Look at this object."""

    __tablename__ = "midonet_journal"

    seqnum = sa.Column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True)
    object_type = sa.Column(sa.String(16), nullable=False)
    object_id = sa.Column(sa.String(36), nullable=False)
    operation = sa.Column(sa.String(16), nullable=False)
    state = sa.Column(sa.String(16), nullable=False)
    created_at = sa.Column(sa.DateTime, nullable=False)
    attempts = sa.Column(sa.Integer, nullable=False)
    last_error = sa.Column(sa.String(ERROR_LENGTH))
    retry_at = sa.Column(sa.DateTime, nullable=False)
    __table_args__ = (
        sa.Index("ix_midonet_journal_object", "object_type", "object_id"),
        sa.Index("ix_midonet_journal_retry_at", "retry_at"),
        model_base.BASEV2.__table_args__,
    )


class ObjectRow(model_base.BASEV2):
    """A network or port that Neutron has or had."""

    __tablename__ = "midonet_objects"

    object_type = sa.Column(sa.String(16), primary_key=True)
    object_id = sa.Column(sa.String(36), primary_key=True)
    owner = sa.Column(sa.String(36))
    leased_until = sa.Column(sa.DateTime)
    deleted_at = sa.Column(sa.DateTime, index=True)


TABLES = (JournalRow.__table__, ObjectRow.__table__)

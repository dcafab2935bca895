"""The journal: which objects have to be looked at, and which worker does it.

`write()` is called in the transaction of the change itself, so that a change and its row are committed both or not at
all. Everything else runs in short transactions of its own.

Any number of workers and servers may work the journal. One worker at a time works on an object: the one that changes `owner`
of its row in `midonet_objects` from empty (or from a lease that has run out) to a token of its own. The row count of that
UPDATE says whether it won, which every database can do. A worker reads the numbers of the rows, then the object, and deletes the
rows by these numbers. So a row that is written meanwhile stays for another look.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import sqlalchemy as sa
from neutron_lib import context as n_context
from neutron_lib.db import api as db_api
from oslo_config import cfg
from oslo_db import exception as db_exc
from oslo_utils import timeutils, uuidutils

from midonet_neutron.db.models import ERROR_LENGTH, PENDING, RETRY, JournalRow, ObjectRow

CREATE = "create"
UPDATE = "update"
DELETE = "delete"
RESYNC = "resync"
STATUS = "status"


class Row(NamedTuple):
    """What a worker needs of a journal row."""

    seqnum: int
    operation: str
    attempts: int


class Object(NamedTuple):
    """Which object."""

    kind: str
    id: str


def _seconds(count: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=count)


def write(context: n_context.Context, what: Object, operation: str) -> None:
    """Adds a row; in the caller's transaction if there is one."""
    now = timeutils.utcnow()
    with db_api.CONTEXT_WRITER.using(context):
        context.session.add(
            JournalRow(
                object_type=what.kind,
                object_id=what.id,
                operation=operation,
                state=PENDING,
                created_at=now,
                attempts=0,
                retry_at=now,
            )
        )


@db_api.retry_db_errors
def enqueue(what: Object, operation: str) -> None:
    """Adds a row in a transaction of its own."""
    write(n_context.get_admin_context(), what, operation)


@db_api.retry_db_errors
def rows_of(what: Object) -> list[Row]:
    """The rows of an object, oldest first."""
    context = n_context.get_admin_context()
    with db_api.CONTEXT_READER.using(context):
        query = context.session.query(JournalRow.seqnum, JournalRow.operation, JournalRow.attempts)
        query = query.filter_by(object_type=what.kind, object_id=what.id).order_by(JournalRow.seqnum)
        return [Row(*row) for row in query]


@db_api.retry_db_errors
def due(limit: int, older_than: float = 0.0, all_of_them: bool = False) -> list[Object]:
    """Objects with a row whose time has come, in the order of their oldest such row. `older_than` leaves out rows so young
    that the request which wrote them is surely still busy with them. `all_of_them` ignores the back-off."""
    context = n_context.get_admin_context()
    now = timeutils.utcnow()
    with db_api.CONTEXT_READER.using(context):
        first = sa.func.min(JournalRow.seqnum)
        query = context.session.query(JournalRow.object_type, JournalRow.object_id)
        query = query.filter(JournalRow.created_at <= now - _seconds(older_than))
        if not all_of_them:
            query = query.filter(JournalRow.retry_at <= now)
        query = query.group_by(JournalRow.object_type, JournalRow.object_id).order_by(first).limit(limit)
        return [Object(*row) for row in query]


@db_api.retry_db_errors
def claim(what: Object) -> str | None:
    """Takes an object to work on; the token to release it with, or None when another worker has it."""
    context = n_context.get_admin_context()
    token = uuidutils.generate_uuid()
    now = timeutils.utcnow()
    lease = {"owner": token, "leased_until": now + _seconds(cfg.CONF.midonet.lease)}
    with db_api.CONTEXT_WRITER.using(context):
        mine = context.session.query(ObjectRow).filter_by(object_type=what.kind, object_id=what.id)
        free = mine.filter(sa.or_(ObjectRow.owner.is_(None), ObjectRow.leased_until < now))
        if free.update(lease, synchronize_session=False):
            return token
        if mine.count():
            return None
    try:
        with db_api.CONTEXT_WRITER.using(context):
            context.session.add(ObjectRow(object_type=what.kind, object_id=what.id, **lease))
    except db_exc.DBDuplicateEntry:
        return None
    return token


@db_api.retry_db_errors
def finish(what: Object, token: str, rows: list[Row], exists: bool) -> None:
    """The object matches: its rows go and it is free again. `exists` says whether Neutron still has it. Does nothing when
    the lease was lost meanwhile: the rows then wait for another look."""
    context = n_context.get_admin_context()
    with db_api.CONTEXT_WRITER.using(context):
        values = {"owner": None, "leased_until": None, "deleted_at": None if exists else timeutils.utcnow()}
        if _owned(context, what, token).update(values, synchronize_session=False):
            context.session.query(JournalRow).filter(JournalRow.seqnum.in_([row.seqnum for row in rows])).delete(
                synchronize_session=False
            )


@db_api.retry_db_errors
def give_up(what: Object, token: str, rows: list[Row], error: str) -> float:
    """The object could not be made to match: its rows wait, longer each time, and it is free again. Returns the wait."""
    context = n_context.get_admin_context()
    conf = cfg.CONF.midonet
    attempts = max((row.attempts for row in rows), default=0)
    wait = min(conf.backoff_max, conf.backoff_min * 2 ** min(attempts, 16))
    with db_api.CONTEXT_WRITER.using(context):
        context.session.query(JournalRow).filter(JournalRow.seqnum.in_([row.seqnum for row in rows])).update(
            {
                "state": RETRY,
                "attempts": attempts + 1,
                "last_error": error[:ERROR_LENGTH],
                "retry_at": timeutils.utcnow() + _seconds(wait),
            },
            synchronize_session=False,
        )
        _owned(context, what, token).update({"owner": None, "leased_until": None}, synchronize_session=False)
    return wait


@db_api.retry_db_errors
def known(kind: str) -> set[str]:
    """The ids of all networks, or ports, that Neutron has or had as far as is remembered."""
    context = n_context.get_admin_context()
    with db_api.CONTEXT_READER.using(context):
        ids = {row[0] for row in context.session.query(ObjectRow.object_id).filter_by(object_type=kind)}
        return ids | {row[0] for row in context.session.query(JournalRow.object_id).filter_by(object_type=kind)}


@db_api.retry_db_errors
def forget_old() -> int:
    """Forgets objects deleted long ago; how many."""
    context = n_context.get_admin_context()
    before = timeutils.utcnow() - datetime.timedelta(days=cfg.CONF.midonet.tombstone_days)
    with db_api.CONTEXT_WRITER.using(context):
        old = context.session.query(ObjectRow).filter(ObjectRow.deleted_at < before, ObjectRow.owner.is_(None))
        # Most often there are none: then nothing is locked.
        return old.delete(synchronize_session=False) if old.first() else 0


def _owned(context: n_context.Context, what: Object, token: str) -> sa.orm.Query:
    return context.session.query(ObjectRow).filter_by(object_type=what.kind, object_id=what.id, owner=token)

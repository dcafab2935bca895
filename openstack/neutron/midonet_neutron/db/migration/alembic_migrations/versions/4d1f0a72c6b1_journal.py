"""The journal and the objects' table.

Revision ID: 4d1f0a72c6b1
Revises: None
"""

import sqlalchemy as sa
from alembic import op

revision = "4d1f0a72c6b1"
down_revision = None


def upgrade() -> None:
    """Makes both tables; what they are for stands in midonet_neutron/db/models.py."""
    op.create_table(
        "midonet_journal",
        sa.Column("seqnum", sa.BigInteger(), primary_key=True, autoincrement=True),
        sa.Column("object_type", sa.String(16), nullable=False),
        sa.Column("object_id", sa.String(36), nullable=False),
        sa.Column("operation", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(1024)),
        sa.Column("retry_at", sa.DateTime(), nullable=False),
        mysql_engine="InnoDB",
    )
    op.create_index("ix_midonet_journal_object", "midonet_journal", ["object_type", "object_id"])
    op.create_index("ix_midonet_journal_retry_at", "midonet_journal", ["retry_at"])
    op.create_table(
        "midonet_objects",
        sa.Column("object_type", sa.String(16), primary_key=True),
        sa.Column("object_id", sa.String(36), primary_key=True),
        sa.Column("owner", sa.String(36)),
        sa.Column("leased_until", sa.DateTime()),
        sa.Column("deleted_at", sa.DateTime()),
        mysql_engine="InnoDB",
    )
    op.create_index("ix_midonet_objects_deleted_at", "midonet_objects", ["deleted_at"])

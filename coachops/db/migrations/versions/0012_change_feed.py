"""the change feed: which rows changed, in order

Revision: 0012, after 0011.

The triggers that fill it are made by `coachops.db.capture` once the schema is at its head, since they
speak of all tables as this version has them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.core import ids
from coachops.db import capture
from coachops.db.models.base import Json, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _change() -> list[sa.Column[object]]:
    return [
        sa.Column("entity", sa.String(length=20), nullable=False),
        sa.Column("entity_id", sa.Uuid(), nullable=False),
        sa.Column("op", sa.String(length=1), nullable=False),
        sa.Column("coach_old", sa.Uuid(), nullable=True),
        sa.Column("coach_new", sa.Uuid(), nullable=True),
        sa.Column("client_old", sa.Uuid(), nullable=True),
        sa.Column("client_new", sa.Uuid(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
    ]


def upgrade() -> None:
    """Apply."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "change_log",
        sa.Column("pos", big, nullable=False),
        *_change(),
        sa.CheckConstraint("op IN ('U', 'D')", name=op.f("ck_change_log_op_known")),
        sa.PrimaryKeyConstraint("pos", name=op.f("pk_change_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_change_log_entity_pos", "change_log", ["entity", "pos"])
    op.create_table(
        "change_inbox",
        sa.Column("seq", big, sa.Identity(), nullable=False),
        *_change(),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_change_inbox")),
    )
    meta = op.create_table(
        "feed_meta",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("head_pos", sa.BigInteger(), nullable=False),
        sa.Column("floor_pos", sa.BigInteger(), nullable=False),
        sa.Column("versions", Json, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_feed_meta_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_meta")),
    )
    row = {"id": 1, "epoch": ids.new_id(), "generation": 1, "head_pos": 0, "floor_pos": 0}
    op.bulk_insert(meta, [row | {"versions": {}}])
    # a session that moves takes its action items along
    op.create_index("ix_action_items_session_id", "action_items", ["session_id"])


def downgrade() -> None:
    """Take back."""
    capture.remove(op.get_bind())
    op.drop_index("ix_action_items_session_id", "action_items")
    for table in ("feed_meta", "change_inbox", "change_log"):
        op.drop_table(table)

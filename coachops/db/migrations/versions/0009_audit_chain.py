"""the audit record as a hash chain; which gate runs a kernel

Revision: 0009, after 0008. Rows of before are sealed in the order of their ids.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COLUMNS = ("digest", "prev", "hash")
_EVENTS = sa.table(
    "audit_events",
    sa.column("id", sa.Uuid()),
    sa.column("at", UtcDateTime()),
    sa.column("actor_id", sa.Uuid()),
    sa.column("action", sa.String()),
    sa.column("subject_type", sa.String()),
    sa.column("subject_id", sa.String()),
    sa.column("details", Json),
    sa.column("digest", sa.String()),
    sa.column("seq", sa.BigInteger()),
    sa.column("prev", sa.String()),
    sa.column("hash", sa.String()),
)
_HEAD = sa.table(
    "audit_head",
    sa.column("id", sa.Integer()),
    sa.column("seq", sa.BigInteger()),
    sa.column("hash", sa.String()),
)


def upgrade() -> None:
    """Apply."""
    for name in _COLUMNS:
        op.add_column("audit_events", sa.Column(name, sa.String(64), nullable=True))
    op.add_column("audit_events", sa.Column("seq", sa.BigInteger(), nullable=True))
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    _seal_all()
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.alter_column("digest", existing_type=sa.String(64), nullable=False)
        batch_op.create_index("ix_audit_events_seq", ["seq"], unique=True)
    op.add_column("kernel_bindings", sa.Column("gate", sa.String(64), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("kernel_bindings", schema=None) as batch_op:
        batch_op.drop_column("gate")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_events_seq")
        for name in (*_COLUMNS, "seq"):
            batch_op.drop_column(name)
    op.drop_table("audit_head")


def _seal_all() -> None:
    """Digest and chain what is there, a thousand rows at a time."""
    connection = op.get_bind()
    seq, last, after = 0, "0" * 64, None
    change = (
        sa.update(_EVENTS)
        .where(_EVENTS.c.id == sa.bindparam("key"))
        .values({name: sa.bindparam(f"new_{name}") for name in (*_COLUMNS, "seq")})
    )
    while True:
        query = sa.select(_EVENTS).order_by(_EVENTS.c.id).limit(1000)
        rows = connection.execute(
            query if after is None else query.where(_EVENTS.c.id > after)
        ).all()
        if not rows:
            break
        sealed = []
        for row in rows:
            seq, prev, digest = seq + 1, last, _digest(row)
            last = hashlib.sha256(f"{prev}:{seq}:{digest}".encode("ascii")).hexdigest()
            sealed.append(
                {"key": row.id, "new_digest": digest, "new_seq": seq, "new_prev": prev,
                 "new_hash": last}
            )  # fmt: skip
        connection.execute(change, sealed)
        after = rows[-1].id
    connection.execute(sa.insert(_HEAD), {"id": 1, "seq": seq, "hash": last})


def _digest(row: sa.Row[Any]) -> str:
    """As `coachops.audit.recording.digest_of` of this version."""
    content = [
        1,
        str(row.id),
        row.at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        None if row.actor_id is None else str(row.actor_id),
        row.action,
        row.subject_type,
        row.subject_id,
        dict(row.details),
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()

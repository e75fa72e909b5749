"""heartbeats, backups and drills

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "heartbeats",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heartbeats")),
    )
    op.create_index(op.f("ix_heartbeats_at"), "heartbeats", ["at"])
    op.create_table(
        "backups",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("engine", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=500), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.String(length=100), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=True),
        sa.Column("recipients", Json, nullable=False),
        sa.Column("error_code", sa.String(length=20), nullable=True),
        sa.Column("proven_at", UtcDateTime(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "state <> 'good' OR manifest_sha256 IS NOT NULL",
            name=op.f("ck_backups_good_has_manifest"),
        ),
        sa.CheckConstraint(
            "state IN ('good', 'failed', 'expired')",
            name=op.f("ck_backups_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backups")),
        sa.UniqueConstraint("name", name=op.f("uq_backups_name")),
    )
    op.create_index("ix_backups_state_made_at", "backups", ["state", "made_at"])
    op.create_table(
        "drills",
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("backup_name", sa.String(length=40), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("escrow", sa.Boolean(), nullable=False),
        sa.Column("rpo_seconds", sa.Double(), nullable=True),
        sa.Column("rto_seconds", sa.Double(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("tables", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drills")),
    )
    op.create_index("ix_drills_at", "drills", ["at"])
    op.create_table(
        "key_escrows",
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_escrows")),
    )
    op.create_index(op.f("ix_key_escrows_fingerprint"), "key_escrows", ["fingerprint"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("key_escrows")
    op.drop_table("drills")
    op.drop_table("backups")
    op.drop_table("heartbeats")

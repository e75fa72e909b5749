"""exports that were asked for, and their parts

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "issued_exports",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("request", Json, nullable=False),
        sa.Column("client_ids", Json, nullable=True),
        sa.Column("datasets", Json, nullable=False),
        sa.Column("formats", Json, nullable=False),
        sa.Column("privacy", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=1000), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("idempotency_key_hash", sa.String(length=64), nullable=True),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("plan", Json, nullable=True),
        sa.Column("moment", sa.String(length=100), nullable=True),
        sa.Column("token", sa.String(length=500), nullable=True),
        sa.Column("rows_expected", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("parts_done", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("files", Json, nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("snapshot_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("files_deleted_at", UtcDateTime(), nullable=True),
        sa.Column("error_code", sa.String(length=20), nullable=True),
        sa.Column("error_details", Json, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "privacy IN ('full', 'pseudonymous')", name=op.f("ck_issued_exports_privacy_known")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'ready', 'failed', 'cancelled', 'expired')",
            name=op.f("ck_issued_exports_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_exports")),
        sa.UniqueConstraint("key", name=op.f("uq_issued_exports_key")),
        sa.UniqueConstraint(
            "owner",
            "idempotency_key_hash",
            name=op.f("uq_issued_exports_owner_idempotency_key_hash"),
        ),
    )
    with op.batch_alter_table("issued_exports", schema=None) as batch_op:
        batch_op.create_index("ix_issued_exports_owner_id", ["owner", "id"], unique=False)
        batch_op.create_index(
            "ix_issued_exports_state_expires_at", ["state", "expires_at"], unique=False
        )

    op.create_table(
        "issued_export_parts",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("result", Json, nullable=True),
        sa.Column("error_code", sa.String(length=20), nullable=True),
        sa.Column("error_details", Json, nullable=True),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"],
            ["issued_exports.id"],
            name=op.f("fk_issued_export_parts_export_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "export_id", "generation", "number", name=op.f("pk_issued_export_parts")
        ),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("issued_export_parts")
    with op.batch_alter_table("issued_exports", schema=None) as batch_op:
        batch_op.drop_index("ix_issued_exports_state_expires_at")
        batch_op.drop_index("ix_issued_exports_owner_id")

    op.drop_table("issued_exports")

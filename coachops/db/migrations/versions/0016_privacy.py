"""erasures, legal holds, retention periods

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json, UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "erasures",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("erased_by", sa.Uuid(), nullable=True),
        sa.Column("born_at", UtcDateTime(), nullable=False),
        sa.Column("coach_ids", Json, nullable=False),
        sa.Column("external_hash", sa.String(length=32), nullable=False),
        sa.Column("email_hash", sa.String(length=32), nullable=True),
        sa.Column("address_hash", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("counts", Json, nullable=False),
        sa.Column("remaining", Json, nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("readmitted_at", UtcDateTime(), nullable=True),
        sa.Column("readmitted_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "reason IN ('request', 'consent_withdrawn', 'unlawful', 'duty', 'no_longer_needed')",
            name=op.f("ck_erasures_reason_known"),
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_erasures")),
    )
    op.create_index("ix_erasures_email_hash", "erasures", ["email_hash"])
    op.create_index("ix_erasures_external_hash", "erasures", ["external_hash"])
    op.create_table(
        "legal_holds",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=True),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("length(reason) <= 500", name=op.f("ck_legal_holds_reason_at_most")),
        sa.CheckConstraint(
            "length(trim(reason)) > 0", name=op.f("ck_legal_holds_reason_not_blank")
        ),
        sa.CheckConstraint(
            "released_at IS NOT NULL OR released_by IS NULL",
            name=op.f("ck_legal_holds_released_when"),
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_legal_holds_client_id")
        ),
        sa.ForeignKeyConstraint(["placed_by"], ["users.id"], name=op.f("fk_legal_holds_placed_by")),
        sa.ForeignKeyConstraint(
            ["released_by"], ["users.id"], name=op.f("fk_legal_holds_released_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
    )
    op.create_index(op.f("ix_legal_holds_client_id"), "legal_holds", ["client_id"])
    op.create_table(
        "retention_periods",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('transcripts', 'analyses', 'messages', 'activity', 'exports', 'reports', 'outbox', 'mail_reports')",
            name=op.f("ck_retention_periods_kind_known"),
        ),
        sa.CheckConstraint("days >= 1", name=op.f("ck_retention_periods_days_positive")),
        sa.ForeignKeyConstraint(["set_by"], ["users.id"], name=op.f("fk_retention_periods_set_by")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_retention_periods")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("retention_periods")
    op.drop_table("legal_holds")
    op.drop_table("erasures")

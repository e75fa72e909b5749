"""addresses that are never written to

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "suppressions",
        sa.Column("address_hash", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("lifted_at", UtcDateTime(), nullable=True),
        sa.Column("lifted_by", sa.String(length=20), nullable=True),
        sa.Column("lifted_by_user", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('bounce', 'complaint', 'opt_out')",
            name=op.f("ck_suppressions_reason_known"),
        ),
        sa.CheckConstraint(
            "source IN ('smtp', 'report', 'api', 'link')",
            name=op.f("ck_suppressions_source_known"),
        ),
        sa.CheckConstraint(
            "lifted_by IN ('person', 'client')", name=op.f("ck_suppressions_lifted_by_known")
        ),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL)",
            name=op.f("ck_suppressions_lifted_by_whom"),
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
            name=op.f("fk_suppressions_message_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["lifted_by_user"], ["users.id"], name=op.f("fk_suppressions_lifted_by_user")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index(
        "uq_suppressions_standing",
        "suppressions",
        ["address_hash", "reason"],
        unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_index(op.f("ix_suppressions_message_id"), "suppressions", ["message_id"])
    op.create_table(
        "mail_events",
        sa.Column("event_key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("address_hash", sa.String(length=32), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('delivered', 'delayed', 'bounced', 'complained')",
            name=op.f("ck_mail_events_kind_known"),
        ),
        sa.CheckConstraint(
            "source IN ('smtp', 'report', 'api')", name=op.f("ck_mail_events_source_known")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
            name=op.f("fk_mail_events_message_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_events")),
        sa.UniqueConstraint("event_key", name=op.f("uq_mail_events_event_key")),
    )
    op.create_index(op.f("ix_mail_events_message_id"), "mail_events", ["message_id"])
    op.create_index(
        op.f("ix_mail_events_address_hash_occurred_at"),
        "mail_events",
        ["address_hash", "occurred_at"],
    )
    op.add_column(
        "messages",
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("messages", sa.Column("retry_at", UtcDateTime(), nullable=True))
    op.add_column("messages", sa.Column("delivery_at", UtcDateTime(), nullable=True))
    # in plain SQL: as a column's own rule, SQLite can add it without copying the table
    op.execute(
        "ALTER TABLE messages ADD COLUMN delivery VARCHAR(20) CONSTRAINT"
        " ck_messages_delivery_known CHECK (delivery IN ('delivered', 'bounced', 'complained'))"
    )


def downgrade() -> None:
    """Take back."""
    for column in ("delivery", "delivery_at", "retry_at", "attempts"):
        op.drop_column("messages", column)
    op.drop_table("mail_events")
    op.drop_table("suppressions")

"""the limits of tokens, what other systems last wrote, kept replies

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("datasets", Json, nullable=True))
        batch_op.add_column(sa.Column("coaches", Json, nullable=True))
        batch_op.add_column(sa.Column("clients", Json, nullable=True))
        batch_op.add_column(
            sa.Column("privacy", sa.String(length=20), server_default="full", nullable=False)
        )
        batch_op.create_check_constraint(
            op.f("ck_api_tokens_privacy_known"), "privacy IN ('full', 'pseudonymous')"
        )
    op.create_table(
        "inbound_rows",
        sa.Column("row_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("digests", Json, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('coach', 'client', 'engagement', 'session')",
            name=op.f("ck_inbound_rows_kind_known"),
        ),
        sa.PrimaryKeyConstraint("row_id", "source", name=op.f("pk_inbound_rows")),
    )
    op.create_table(
        "kept_replies",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reply", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_replies")),
    )
    op.create_index(op.f("ix_kept_replies_at"), "kept_replies", ["at"])


def downgrade() -> None:
    """Take back: tokens with limits are revoked, they would be wider without."""
    tokens = sa.table(
        "api_tokens",
        sa.column("revoked_at"),
        sa.column("created_at"),
        sa.column("datasets"),
        sa.column("coaches"),
        sa.column("clients"),
        sa.column("privacy"),
    )
    limited = sa.or_(
        tokens.c.datasets.is_not(None),
        tokens.c.coaches.is_not(None),
        tokens.c.clients.is_not(None),
        tokens.c.privacy != "full",
    )
    op.execute(
        sa.update(tokens)
        .where(limited, tokens.c.revoked_at.is_(None))
        .values(revoked_at=tokens.c.created_at)
    )
    op.drop_index(op.f("ix_kept_replies_at"), table_name="kept_replies")
    op.drop_table("kept_replies")
    op.drop_table("inbound_rows")
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_api_tokens_privacy_known"), type_="check")
        batch_op.drop_column("privacy")
        batch_op.drop_column("clients")
        batch_op.drop_column("coaches")
        batch_op.drop_column("datasets")

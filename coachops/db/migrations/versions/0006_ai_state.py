"""circuit breakers, budgets and kept replies of the AI services

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "ai_circuits",
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("rest_seconds", sa.Double(), nullable=False),
        sa.Column("probe_at", UtcDateTime(), nullable=True),
        sa.Column("last_code", sa.String(length=20), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_ai_circuits_failures_positive")),
        sa.CheckConstraint("rest_seconds >= 0", name=op.f("ck_ai_circuits_rest_positive")),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_ai_circuits")),
    )
    op.create_table(
        "ai_budgets",
        sa.Column("target", sa.String(length=300), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("filled_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("tokens >= 0", name=op.f("ck_ai_budgets_tokens_positive")),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_ai_budgets")),
    )
    op.create_table(
        "ai_spend",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spent_microusd", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.CheckConstraint("spent_microusd >= 0", name=op.f("ck_ai_spend_spent_positive")),
        sa.CheckConstraint("calls >= 0", name=op.f("ck_ai_spend_calls_positive")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_ai_spend")),
    )
    op.create_table(
        "ai_replies",
        sa.Column("transcript_id", sa.Uuid(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("utterances", sa.Integer(), nullable=False),
        sa.Column("request_bytes", sa.Integer(), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("cached_tokens", sa.Integer(), nullable=False),
        sa.Column("logged", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transcript_id"],
            ["transcripts.id"],
            name=op.f("fk_ai_replies_transcript_id_transcripts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("transcript_id", "key_sha256", name=op.f("pk_ai_replies")),
    )
    op.create_index(op.f("ix_ai_replies_expires_at"), "ai_replies", ["expires_at"])
    with op.batch_alter_table("analyses", schema=None) as batch_op:
        batch_op.add_column(sa.Column("retry_at", UtcDateTime(), nullable=True))
        batch_op.create_index("ix_analyses_status_retry_at", ["status", "retry_at"])
    # what the local engine had stood in for until now is due as well
    op.execute(
        "UPDATE analyses SET retry_at = created_at WHERE status = 'degraded' AND NOT EXISTS ("
        "SELECT 1 FROM analyses newer WHERE newer.transcript_id = analyses.transcript_id "
        "AND newer.status <> 'failed' AND newer.created_at > analyses.created_at)"
    )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("analyses", schema=None) as batch_op:
        batch_op.drop_index("ix_analyses_status_retry_at")
        batch_op.drop_column("retry_at")
    op.drop_index(op.f("ix_ai_replies_expires_at"), table_name="ai_replies")
    op.drop_table("ai_replies")
    op.drop_table("ai_spend")
    op.drop_table("ai_budgets")
    op.drop_table("ai_circuits")

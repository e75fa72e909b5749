"""the limits of tokens

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json

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
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_api_tokens_privacy_known"), type_="check")
        batch_op.drop_column("privacy")
        batch_op.drop_column("clients")
        batch_op.drop_column("coaches")
        batch_op.drop_column("datasets")

"""findings held back after a cut or a redaction

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = ("insights", "action_items")


def upgrade() -> None:
    """Apply."""
    for table in _TABLES:
        op.add_column(
            table,
            sa.Column("held_back", sa.Boolean(), server_default=sa.false(), nullable=False),
        )


def downgrade() -> None:
    """Take back."""
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("held_back")

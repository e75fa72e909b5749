"""indexes of the rows that are in no export: utterances that were cut, what cites them

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_utterances_cut", "utterances", ["transcript_id", "position"], "is_cut"),
    ("ix_insights_held_back", "insights", ["id"], "held_back"),
    ("ix_action_items_held_back", "action_items", ["id"], "held_back"),
)


def upgrade() -> None:
    """Apply."""
    for name, table, columns, flag in _INDEXES:
        op.create_index(
            name,
            table,
            columns,
            sqlite_where=sa.text(f"{flag} IS NOT 0"),
            postgresql_where=sa.text(f"{flag} IS NOT false"),
        )


def downgrade() -> None:
    """Take back."""
    for name, table, _, _ in reversed(_INDEXES):
        op.drop_index(name, table)

"""an index of the utterances that were cut

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_NAME, _TABLE = "ix_utterances_cut", "utterances"


def upgrade() -> None:
    """Apply."""
    op.create_index(
        _NAME,
        _TABLE,
        ["transcript_id", "position"],
        sqlite_where=sa.text("is_cut IS NOT 0"),
        postgresql_where=sa.text("is_cut IS NOT false"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index(_NAME, _TABLE)

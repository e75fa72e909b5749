"""the day that the feed counts from: engagements that end by then run no more

Revision: 0019, after 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: the first reader moves the day to today, and followers learn what ended before."""
    op.add_column(
        "feed_meta", sa.Column("day", sa.Date(), server_default="1970-01-01", nullable=False)
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column("feed_meta", "day")

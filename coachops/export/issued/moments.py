"""Whether the data are still those of another moment: told by the change feed."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.db import change_feed
from coachops.db.models import ChangeInbox


def mark_of(connection: Connection) -> str:
    """Equal for two moments of the same history between which no row of a dataset changed.

    Changes with a place and those that wait for one are counted together, so giving them places
    changes nothing.
    """
    waiting = connection.scalar(sa.select(sa.func.count()).select_from(ChangeInbox)) or 0
    return f"{change_feed.epoch(connection)}/{change_feed.head(connection) + waiting}"

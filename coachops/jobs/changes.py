"""The change feed as webhooks see it: where it stands, and which datasets moved on."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from coachops.core.grants import Grant
from coachops.db import Database, change_feed
from coachops.db.models import ChangeLog
from coachops.export.datasets import DATASETS
from coachops.export.feed import Seen


class FeedChanges:
    """What `data.changed` is read from. The sweeper gives new changes their places."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> int | None:
        """The newest place; None where nothing ever changed."""
        with self._database.connect() as connection:
            return change_feed.head(connection) or None

    def changed_since(self, position: int, grant: Grant) -> Sequence[str]:
        """The datasets with a change behind `position` that a follower with this grant would see."""
        with self._database.connect() as connection:
            return [
                name
                for name in DATASETS
                if grant.allows_dataset(name) and connection.scalar(_seen(name, position, grant))
            ]


def _seen(name: str, position: int, grant: Grant) -> sa.Select[tuple[bool]]:
    seen = Seen(DATASETS[name], grant.coaches, grant.clients)
    return sa.select(sa.exists().where(ChangeLog.pos > position, seen.changes()))

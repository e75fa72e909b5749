"""Collecting rows of all tables in wire form, written table by table in the order of their keys."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy.engine import Connection

from coachops.core.ids import uuid7_from
from coachops.db.bulk import insert_rows
from coachops.db.models import (
    ActionItem,
    Activity,
    Analysis,
    Base,
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Feedback,
    Goal,
    GoalRating,
    Insight,
    Message,
    Transcript,
    User,
    Utterance,
)

ORDER: tuple[type[Base], ...] = (
    Coach, Client, User, Engagement, Consent, CoachingSession, Transcript, Utterance, Analysis,
    Insight, ActionItem, Goal, GoalRating, Message, Feedback, Activity,
)  # fmt: skip
"""Parents before children, so that foreign keys hold at every moment."""


@dataclass
class Rows:
    """Rows waiting to be written, by table. `retell` gives what is written down for a sentence."""

    rng: Random
    retell: Callable[[str], str]
    waiting: dict[type[Base], list[tuple[Any, ...]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    columns: dict[type[Base], tuple[str, ...]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def new_id(self, at: dt.datetime) -> str:
        """A reproducible UUIDv7 of the instant, as 32 hex digits."""
        return uuid7_from(int(at.timestamp() * 1000), self.rng.getrandbits(74)).hex

    def add(self, table: type[Base], **values: Any) -> None:
        """Add a row; every row of a table names the same columns in the same order."""
        self.columns.setdefault(table, tuple(values))
        self.waiting[table].append(tuple(values.values()))

    def add_many(
        self, table: type[Base], columns: tuple[str, ...], rows: list[tuple[Any, ...]]
    ) -> None:
        """Add many rows at once."""
        self.columns.setdefault(table, columns)
        self.waiting[table].extend(rows)

    def flush(self, connection: Connection) -> None:
        """Write what waits."""
        for table in ORDER:
            rows = self.waiting[table]
            if rows:
                insert_rows(connection, table.__table__, self.columns[table], rows)
                self.written[table.__tablename__] += len(rows)
                rows.clear()


def as_json(value: object) -> str:
    """The wire form of a JSON document."""
    return json.dumps(value, ensure_ascii=False)

"""Whose client somebody is now: of the coaches of engagements that run; where none runs, of all.

An engagement ends on a day, and no row changes when that day comes. So that followers can be told,
the feed counts from a day that is written down (`feed_meta.day`). Whoever reads has it moved to today
first, and moving it notes the clients whose engagements ended: what is read never depends on a clock.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from coachops.core.errors import CoachError, Kind
from coachops.db.capture import note_ended
from coachops.db.models import Engagement, FeedMeta
from coachops.db.transaction import Database

_ALONE = sa.text("LOCK TABLE engagements, consents IN SHARE ROW EXCLUSIVE MODE")
"""Who writes one now, and commits before the day moves, would be noted by nobody."""

_SOON = sa.text("SET LOCAL lock_timeout = '200ms'")

_DAY = sa.select(FeedMeta.day).scalar_subquery()


def clients_of(coaches: Collection[uuid.UUID]) -> sa.Select[uuid.UUID]:
    """Ids of the clients of the coaches."""
    own = aliased(Engagement)
    return sa.select(own.client_id).where(own.coach_id.in_(coaches), _counts(own, _DAY))


def coaches_of(client_id: uuid.UUID, day: dt.date) -> sa.Select[uuid.UUID]:
    """Ids of the coaches whose client it is on a day; none where nobody ever coached the client."""
    own = aliased(Engagement)
    return sa.select(own.coach_id).where(own.client_id == client_id, _counts(own, day))


def keep_day(database: Database, *, patient: bool = False) -> None:
    """Let the feed count from today; where nothing can be written now, from the day it had.

    A day that was reached is not gone back from.

    Parameters:
        patient: wait for writers as a write does; a reader only tries, for the next one tries again.
    """
    today = database.today()
    with database.connect() as connection:
        if connection.scalars(sa.select(FeedMeta.day)).one() >= today:
            return
    if not patient:
        database.aside(lambda session: move_day(session.connection(), today, tries=True))
        return
    try:
        with database.connect(write=True) as connection:
            move_day(connection, today)
    except CoachError as error:
        if error.kind is not Kind.UNAVAILABLE:
            raise


def move_day(connection: Connection, day: dt.date, *, tries: bool = False) -> None:
    """Count from `day`, and note the clients and consents that other coaches see from then on.

    Parameters:
        tries: give up soon where others write: who waits for a table has new writers wait, too.
    """
    if connection.dialect.name != "sqlite":
        if tries:
            connection.execute(_SOON)
        connection.execute(_ALONE)
    before = connection.scalars(sa.select(FeedMeta.day)).one()
    if before >= day:
        return
    note_ended(connection, before, day)
    connection.execute(sa.update(FeedMeta).values(day=day))


def _counts(own: Any, day: Any) -> sa.ColumnElement[bool]:
    another = aliased(Engagement)
    running = sa.select(another.id).where(another.client_id == own.client_id, _runs(another, day))
    return sa.or_(_runs(own, day), ~running.exists())


def _runs(engagement: Any, day: Any) -> sa.ColumnElement[bool]:
    """One that is to begin runs, so that who will coach can prepare; not one that never begins."""
    end = engagement.ended_on
    return sa.or_(end.is_(None), sa.and_(end > day, end > engagement.started_on))

"""What the overview shows of the organisation: the figures of monitoring, and how they went by week.

Headline figures and their definitions are those of `monitoring.overview`, for the period and for
the span before it. The weeks are read here and add up to them. Counts of the organisation only:
nothing is per coach or client, and durations of fewer than `SMALL_GROUP` things are not given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from coachops import monitoring
from coachops.dashboards.overview_period import Period
from coachops.db.models import Analysis, Client, Coach, CoachingSession, Transcript, User
from coachops.monitoring.figures import quantile

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from coachops.core.actor import Actor
    from coachops.db import Database

SMALL_GROUP: Final = 5
"""Fewer things than this are not broken down: a person could be told from them."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Durations in seconds; median and p90 are None under `SMALL_GROUP` of them."""

    n: int
    median: float | None
    p90: float | None


@dataclass(frozen=True, slots=True)
class Weeks:
    """What happened in each week of the period.

    Attributes:
        by_engine: analyses by (engine, status).
        waits: from a transcript's upload to its first analysis that did not fail, by upload.
        cost: micro-dollars paid for analyses.
    """

    by_engine: dict[tuple[str, str], list[int]]
    waits: list[Waits]
    cost: list[int]

    def failed(self) -> list[int]:
        """Analyses that failed, by week."""
        rows = [weeks for (_, status), weeks in self.by_engine.items() if status == "failed"]
        return [sum(row[place] for row in rows) for place in range(len(self.cost))]


@dataclass(frozen=True, slots=True)
class Standing:
    """How many there are now, whatever the period; `first_session` is the day of the first."""

    coaches: int
    clients: int
    users: int
    first_session: dt.date | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the overview counts; `before` is None where no session was held by then."""

    period: Period
    now: monitoring.Overview
    before: monitoring.Overview | None
    weeks: Weeks
    standing: Standing

    @property
    def newest_transcript(self) -> dt.datetime | None:
        """When the newest transcript was uploaded."""
        return next(f.newest for f in self.now.freshness if f.dataset == "transcripts")


def load(database: Database, actor: Actor, period: Period, known: Figures | None = None) -> Figures:
    """The figures of a period and of the span before it.

    Parameters:
        known: an earlier answer; of the same period, its span before is taken over.

    Raises:
        CoachError: COACH-IDN-003 for coaches.
    """

    def read(span: Period) -> monitoring.Overview:
        return monitoring.overview(
            database, actor, span.since, span.until, zone=span.zone, failures_shown=0
        )

    now = read(period)
    with database.read() as session:
        standing = _standing(session)
        weeks = _weeks(session, period)
    earlier = period.before()
    comparable = standing.first_session is not None and standing.first_session <= earlier.since
    if not comparable:
        before = None
    elif known is not None and known.period == period and known.before is not None:
        before = known.before
    else:
        before = read(earlier)
    return Figures(period, now, before, weeks, standing)


def _standing(session: Session) -> Standing:
    def number(key: sa.orm.InstrumentedAttribute[object]) -> int:
        return session.scalar(sa.select(sa.func.count(key))) or 0

    return Standing(
        coaches=number(Coach.id),
        clients=number(Client.id),
        users=number(User.id),
        first_session=session.scalar(sa.select(sa.func.min(CoachingSession.held_on))),
    )


def _weeks(session: Session, period: Period) -> Weeks:
    def within(column: sa.orm.InstrumentedAttribute[dt.datetime]) -> sa.ColumnElement[bool]:
        return sa.and_(column >= period.start, column < period.end)

    by_engine: dict[tuple[str, str], list[int]] = {}
    cost = [0] * period.weeks
    runs = sa.select(
        Analysis.created_at, Analysis.engine, Analysis.status, Analysis.cost_microusd
    ).where(within(Analysis.created_at))
    for at, engine, status, paid in session.execute(runs):
        place = period.week_of(at)
        by_engine.setdefault((engine, status), [0] * period.weeks)[place] += 1
        cost[place] += paid
    waited: list[list[float]] = [[] for _ in range(period.weeks)]
    uploads = (
        sa.select(Transcript.created_at, sa.func.min(Analysis.created_at))
        .join(Analysis, Analysis.transcript_id == Transcript.id)
        .where(within(Transcript.created_at), Analysis.status != "failed")
        .group_by(Transcript.id, Transcript.created_at)
    )
    for uploaded, analysed in session.execute(uploads):
        waited[period.week_of(uploaded)].append((analysed - uploaded).total_seconds())
    return Weeks(by_engine, [waits(week) for week in waited], cost)


def waits(seconds: Sequence[float]) -> Waits:
    """Median and p90 of durations, withheld for small groups."""
    if len(seconds) < SMALL_GROUP:
        return Waits(len(seconds), None, None)
    ordered = sorted(seconds)
    return Waits(len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.9))

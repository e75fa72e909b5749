"""The figures of the overview, read in one consistent moment of the database.

Organisation-wide counts only: nothing here is per coach or client, and a distribution or a
percentile over fewer than `SMALL_GROUP` things is not given.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from coachops.dashboards.overview_period import Period
from coachops.db.models import (
    Analysis,
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Feedback,
    Message,
    Transcript,
    User,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

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
class Span:
    """What one period counted.

    Attributes:
        sessions, transcripts, analyses, failed: how many, by the week they happened in.
        by_engine: analyses by (engine, status), by week.
        external: analyses that an external engine did.
        waits: from a transcript's upload to its first analysis that did not fail.
        wait_weeks: the same by the week of the upload.
        approvals: from a follow-up's draft to its approval.
        sent: follow-ups sent, by week.
        follow_ups: follow-ups drafted in the period by their state now.
        answers: client answers by helpfulness, 1 to 5.
        cost: micro-dollars paid for analyses, by week.
        active_coaches: coaches with a session in the period.
    """

    sessions: list[int]
    transcripts: list[int]
    analyses: list[int]
    failed: list[int]
    by_engine: dict[tuple[str, str], list[int]]
    external: int
    waits: Waits
    wait_weeks: list[Waits]
    waiting: int
    approvals: Waits
    sent: list[int]
    follow_ups: dict[str, int]
    answers: list[int]
    cost: list[int]
    active_coaches: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is so now, whatever the period.

    Attributes:
        coaches: who have not left.
        clients: with a running engagement.
        consented: of them, by kind of consent in force.
        first_session: the first day on which a session was held.
        newest_transcript: when the newest one was uploaded.
        transcripts, all_clients, users: how many rows there are in all.
    """

    coaches: int
    clients: int
    consented: dict[str, int]
    first_session: dt.date | None
    newest_transcript: dt.datetime | None
    transcripts: int
    all_clients: int
    users: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the overview counts, at one moment."""

    period: Period
    now: Span
    before: Span | None
    standing: Standing


def load(database: Database, period: Period) -> Figures:
    """The figures of a period and of the span before it.

    `before` is None where the organisation held no session yet when that span began.
    """
    with database.read() as session:
        standing = _standing(session, period)
        earlier = period.before()
        comparable = (
            standing.first_session is not None and standing.first_session <= earlier.first_day
        )
        return Figures(
            period=period,
            now=_span(session, period),
            before=_span(session, earlier) if comparable else None,
            standing=standing,
        )


def _standing(session: Session, period: Period) -> Standing:
    today = period.today
    running = sa.and_(
        Engagement.started_on <= today,
        sa.or_(Engagement.ended_on.is_(None), Engagement.ended_on > today),
    )
    clients = (
        sa.select(Client.id)
        .join(Engagement, Engagement.client_id == Client.id)
        .where(running, sa.or_(Client.left_on.is_(None), Client.left_on > today))
        .distinct()
        .subquery()
    )
    newest = sa.select(
        Consent.client_id,
        Consent.kind,
        Consent.granted,
        sa.func.row_number()
        .over(
            partition_by=(Consent.client_id, Consent.kind),
            order_by=(Consent.recorded_at.desc(), Consent.id.desc()),
        )
        .label("place"),
    ).subquery()
    consented = session.execute(
        sa.select(newest.c.kind, sa.func.count())
        .join(clients, clients.c.id == newest.c.client_id)
        .where(newest.c.place == 1, newest.c.granted)
        .group_by(newest.c.kind)
    ).tuples()
    return Standing(
        coaches=session.scalar(
            sa.select(sa.func.count()).where(sa.or_(Coach.left_on.is_(None), Coach.left_on > today))
        )
        or 0,
        clients=session.scalar(sa.select(sa.func.count()).select_from(clients)) or 0,
        consented=dict(consented.all()),
        first_session=session.scalar(sa.select(sa.func.min(CoachingSession.held_on))),
        newest_transcript=session.scalar(sa.select(sa.func.max(Transcript.created_at))),
        transcripts=session.scalar(sa.select(sa.func.count(Transcript.id))) or 0,
        all_clients=session.scalar(sa.select(sa.func.count(Client.id))) or 0,
        users=session.scalar(sa.select(sa.func.count(User.id))) or 0,
    )


def _span(session: Session, period: Period) -> Span:
    edges = period.edges()
    start, end = period.start, period.now

    def within(column: sa.ColumnElement[dt.datetime]) -> sa.ColumnElement[bool]:
        return sa.and_(column >= start, column <= end)

    in_days = CoachingSession.held_on.between(period.first_day, period.today)
    sessions = [0] * period.weeks
    held = sa.select(CoachingSession.held_on, sa.func.count()).where(in_days)
    for day, number in session.execute(held.group_by(CoachingSession.held_on)).tuples():
        sessions[(day - period.first_day).days // 7] += number
    done = session.execute(
        sa.select(
            Analysis.created_at, Analysis.engine, Analysis.status, Analysis.cost_microusd
        ).where(within(Analysis.created_at))
    ).all()
    by_engine: dict[tuple[str, str], list[int]] = {}
    cost = [0] * period.weeks
    for at, engine, status, paid in done:
        place = _place(edges, at)
        by_engine.setdefault((engine, status), [0] * period.weeks)[place] += 1
        cost[place] += paid
    uploads = session.execute(
        sa.select(Transcript.created_at, sa.func.min(Analysis.created_at))
        .outerjoin(
            Analysis,
            sa.and_(Analysis.transcript_id == Transcript.id, Analysis.status != "failed"),
        )
        .where(within(Transcript.created_at))
        .group_by(Transcript.id, Transcript.created_at)
    ).all()
    waited: list[list[float]] = [[] for _ in range(period.weeks)]
    transcripts = [0] * period.weeks
    for uploaded, analysed in uploads:
        place = _place(edges, uploaded)
        transcripts[place] += 1
        if analysed is not None:
            waited[place].append(max(0.0, (analysed - uploaded).total_seconds()))
    approvals = session.execute(
        sa.select(Message.created_at, Message.approved_at).where(within(Message.approved_at))
    ).all()
    sent_at = session.scalars(sa.select(Message.sent_at).where(within(Message.sent_at))).all()
    states = session.execute(
        sa.select(Message.state, sa.func.count())
        .where(within(Message.created_at))
        .group_by(Message.state)
    ).tuples()
    answers = Counter(
        session.scalars(sa.select(Feedback.helpfulness).where(within(Feedback.received_at)))
    )
    flat = [seconds for week in waited for seconds in week]
    failed = _sum(weeks for (_, status), weeks in by_engine.items() if status == "failed")
    return Span(
        sessions=sessions,
        transcripts=transcripts,
        analyses=_sum(by_engine.values()) or [0] * period.weeks,
        failed=failed or [0] * period.weeks,
        by_engine=by_engine,
        external=sum(sum(w) for (engine, _), w in by_engine.items() if engine != "local"),
        waits=waits(flat),
        wait_weeks=[waits(week) for week in waited],
        waiting=len(uploads) - len(flat),
        approvals=waits([(b - a).total_seconds() for a, b in approvals]),
        sent=_weekly(edges, sent_at, period.weeks),
        follow_ups=dict(states.all()),
        answers=[answers[level] for level in range(1, 6)],
        cost=cost,
        active_coaches=session.scalar(
            sa.select(sa.func.count(CoachingSession.coach_id.distinct())).where(in_days)
        )
        or 0,
    )


def waits(seconds: Sequence[float]) -> Waits:
    """Median and p90 of durations (nearest rank), withheld for small groups."""
    if len(seconds) < SMALL_GROUP:
        return Waits(len(seconds), None, None)
    ordered = sorted(seconds)
    return Waits(len(ordered), _rank(ordered, 0.5), _rank(ordered, 0.9))


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]


def _place(edges: Sequence[dt.datetime], at: dt.datetime) -> int:
    """The week that holds `at`; a straight division would be wrong across a clock change."""
    guess = min(len(edges) - 2, max(0, int((at - edges[0]).total_seconds() // 604_800)))
    while guess > 0 and at < edges[guess]:
        guess -= 1
    while guess < len(edges) - 2 and at >= edges[guess + 1]:
        guess += 1
    return guess


def _weekly(
    edges: Sequence[dt.datetime], moments: Iterable[dt.datetime | None], weeks: int
) -> list[int]:
    counted = [0] * weeks
    for at in moments:
        if at is not None:
            counted[_place(edges, at)] += 1
    return counted


def _sum(rows: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]

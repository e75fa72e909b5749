"""The figures one by one: each reads what it needs and says what it counted."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.db.models import (
    Activity,
    Analysis,
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Feedback,
    Message,
    Transcript,
)
from coachops.monitoring.model import CoachRow, Count, Figure, Fresh, Week


@dataclass(frozen=True, slots=True)
class Span:
    """Days of the organisation's calendar, `until` exclusive, and the current day."""

    since: dt.date
    until: dt.date
    today: dt.date
    zone: dt.tzinfo

    def start(self, day: dt.date) -> dt.datetime:
        """The first instant of `day`."""
        return dt.datetime.combine(day, dt.time(0), self.zone)

    def holds(self, column: Any) -> sa.ColumnElement[bool]:
        """The instant lies in the span."""
        return sa.and_(column >= self.start(self.since), column < self.start(self.until))


def weeks(session: Session, span: Span) -> tuple[Week, ...]:
    """Transcripts uploaded and sessions held in each week."""
    start = span.since - dt.timedelta(days=span.since.weekday())
    mondays = []
    while start < span.until:
        mondays.append(start)
        start += dt.timedelta(days=7)
    uploaded: dict[dt.date, int] = dict.fromkeys(mondays, 0)
    for at in session.scalars(
        sa.select(Transcript.created_at).where(span.holds(Transcript.created_at))
    ):
        day = at.astimezone(span.zone).date()
        uploaded[day - dt.timedelta(days=day.weekday())] += 1
    held: dict[dt.date, int] = dict.fromkeys(mondays, 0)
    days = session.execute(
        sa.select(CoachingSession.held_on, sa.func.count())
        .where(CoachingSession.held_on >= span.since, CoachingSession.held_on < span.until)
        .group_by(CoachingSession.held_on)
    )
    for day, n in days:
        held[day - dt.timedelta(days=day.weekday())] += n
    return tuple(
        Week(
            monday,
            uploaded[monday],
            held[monday],
            complete=span.since <= monday
            and monday + dt.timedelta(days=7) <= min(span.today, span.until),
        )
        for monday in mondays
    )


def uploads(session: Session, span: Span) -> Figure:
    """Transcripts of the span."""
    n = session.scalar(
        sa.select(sa.func.count()).select_from(Transcript).where(span.holds(Transcript.created_at))
    )
    return Figure(
        "transcripts", "Transcripts", n or 0, n or 0, "transcripts",
        "Transcripts uploaded or typed in the span. The same file twice for a client counts once.",
    )  # fmt: skip


def time_to_analysis(session: Session, span: Span) -> tuple[Figure, Figure]:
    """Median and 90th percentile of the time from upload to the first usable analysis."""
    first = (
        sa.select(Analysis.transcript_id, sa.func.min(Analysis.created_at).label("at"))
        .join(Transcript, Transcript.id == Analysis.transcript_id)
        .where(Analysis.status != "failed", span.holds(Transcript.created_at))
        .group_by(Analysis.transcript_id)
        .subquery()
    )
    pairs = session.execute(
        sa.select(Transcript.created_at, first.c.at).join(
            first, first.c.transcript_id == Transcript.id
        )
    )
    seconds = sorted((at - uploaded).total_seconds() for uploaded, at in pairs)
    definition = (
        "From upload to the end of the first analysis that did not fail, for transcripts uploaded "
        "in the span; those without an analysis are not in it."
    )
    return (
        Figure("analysis_median", "Upload to analysis, median", quantile(seconds, 0.5),
               len(seconds), "s", definition),
        Figure("analysis_p90", "Upload to analysis, 90 % within", quantile(seconds, 0.9),
               len(seconds), "s", definition + " Nearest-rank percentile."),
    )  # fmt: skip


def approval_lag(session: Session, span: Span) -> Figure:
    """How long drafts wait for their coach."""
    pairs = session.execute(
        sa.select(Message.created_at, Message.approved_at).where(
            span.holds(Message.created_at), Message.approved_at.is_not(None)
        )
    )
    hours = sorted((approved - made).total_seconds() / 3600 for made, approved in pairs if approved)
    return Figure(
        "approval_lag", "Draft to approval, median", quantile(hours, 0.5), len(hours), "h",
        "From the draft of a follow-up to its coach's approval, for follow-ups drafted in the span "
        "and approved since; drafts still waiting are not in it.",
    )  # fmt: skip


def active_coaches(session: Session, span: Span) -> Figure:
    """Coaches who did something, of those who are there."""
    active = session.scalar(
        sa.select(sa.func.count(sa.distinct(Activity.coach_id))).where(
            span.holds(Activity.at), Activity.coach_id.is_not(None),
            Activity.kind.in_(("transcript.imported", "message.sent")),
        )
    )  # fmt: skip
    there = session.scalar(
        sa.select(sa.func.count())
        .select_from(Coach)
        .where(sa.or_(Coach.left_on.is_(None), Coach.left_on > span.since))
    )
    return Figure(
        "active_coaches", "Active coaches", active or 0, there or 0, "coaches",
        "Coaches for whom a transcript was uploaded or a follow-up sent in the span; n is the "
        "number of coaches with the organisation for at least a day of it.",
    )  # fmt: skip


def consent_coverage(session: Session, span: Span) -> tuple[Figure, Figure]:
    """Share of current clients whose newest consent entry of a kind says yes."""
    current = (
        sa.select(Client.id)
        .where(
            sa.or_(Client.left_on.is_(None), Client.left_on > span.today),
            Client.id.in_(
                sa.select(Engagement.client_id).where(
                    Engagement.started_on <= span.today,
                    sa.or_(Engagement.ended_on.is_(None), Engagement.ended_on > span.today),
                )
            ),
        )
        .subquery()
    )
    clients = session.scalar(sa.select(sa.func.count()).select_from(current)) or 0
    newest: dict[tuple[object, str], bool] = {}
    rows = session.execute(
        sa.select(Consent.client_id, Consent.kind, Consent.granted)
        .join(current, current.c.id == Consent.client_id)
        .order_by(Consent.recorded_at, Consent.id)
    )
    for client_id, kind, granted in rows:
        newest[client_id, kind] = granted
    made = []
    for kind, label in (
        ("processing", "Consent to analysis"),
        ("external_ai", "Consent to external AI"),
    ):
        granted_n = sum(granted for (_, k), granted in newest.items() if k == kind)
        made.append(
            Figure(
                f"consent_{kind}", label, 100 * granted_n / clients if clients else None, clients,
                "%",
                f"Share of clients in a running engagement today whose newest '{kind}' entry says "
                "yes; no entry counts as no.",
            )
        )  # fmt: skip
    return made[0], made[1]


def helpfulness(session: Session, span: Span) -> tuple[Figure, tuple[Count, ...]]:
    """Clients' answers: mean and distribution."""
    answers = session.execute(
        sa.select(Feedback.helpfulness, sa.func.count())
        .where(span.holds(Feedback.received_at))
        .group_by(Feedback.helpfulness)
    )
    counted = {score: k for score, k in answers}  # noqa: C416 rows are not pairs to the type checker
    n = sum(counted.values())
    mean = sum(score * k for score, k in counted.items()) / n if n else None
    sent = session.scalar(
        sa.select(sa.func.count()).select_from(Message).where(span.holds(Message.sent_at))
    )
    figure = Figure(
        "helpfulness", "Helpfulness, mean", mean, n, "of 5",
        "Mean of clients' answers from 1 to 5 received in the span. Clients choose whether to "
        f"answer: {n} answers while {sent or 0} follow-ups were sent.",
    )  # fmt: skip
    return figure, tuple(Count((str(score),), counted.get(score, 0)) for score in range(1, 6))


def spend(session: Session, span: Span) -> Figure:
    """What the AI service cost."""
    micro, n = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(Analysis.cost_microusd), 0), sa.func.count()).where(
            span.holds(Analysis.created_at)
        )
    ).one()
    return Figure(
        "spend", "AI spend", int(micro) / 1_000_000, n, "USD",
        "Sum of the recorded cost of every analysis run in the span, failed ones included; the "
        "local engine costs nothing.",
    )  # fmt: skip


def analyses(session: Session, span: Span) -> tuple[Count, ...]:
    """Runs by engine and status."""
    rows = session.execute(
        sa.select(Analysis.engine, Analysis.status, sa.func.count())
        .where(span.holds(Analysis.created_at))
        .group_by(Analysis.engine, Analysis.status)
        .order_by(Analysis.engine, Analysis.status)
    )
    return tuple(Count((engine, status), n) for engine, status, n in rows)


def follow_ups(session: Session, span: Span) -> tuple[Count, ...]:
    """Messages drafted in the span, by the state they are in now."""
    rows = session.execute(
        sa.select(Message.state, sa.func.count())
        .where(span.holds(Message.created_at))
        .group_by(Message.state)
        .order_by(Message.state)
    )
    return tuple(Count((state,), n) for state, n in rows)


def by_coach(session: Session, span: Span) -> tuple[CoachRow, ...]:
    """Sessions, transcripts and sent follow-ups of each coach who had any, by name."""
    held = sa.and_(CoachingSession.held_on >= span.since, CoachingSession.held_on < span.until)
    queries = (
        sa.select(CoachingSession.coach_id, sa.func.count())
        .where(held)
        .group_by(CoachingSession.coach_id),
        sa.select(CoachingSession.coach_id, sa.func.count())
        .join(Transcript, Transcript.session_id == CoachingSession.id)
        .where(span.holds(Transcript.created_at))
        .group_by(CoachingSession.coach_id),
        sa.select(Message.coach_id, sa.func.count())
        .where(span.holds(Message.sent_at))
        .group_by(Message.coach_id),
    )
    counts = [{coach: n for coach, n in session.execute(query)} for query in queries]  # noqa: C416 as in helpfulness
    names = session.execute(sa.select(Coach.id, Coach.name).order_by(Coach.name, Coach.id))
    return tuple(
        CoachRow(str(coach), name, *(count.get(coach, 0) for count in counts))
        for coach, name in names
        if any(coach in count for count in counts)
    )


def freshness(session: Session) -> tuple[Fresh, ...]:
    """The newest row of the tables that a working day changes."""
    newest = (
        ("transcripts", sa.select(sa.func.max(Transcript.created_at))),
        ("analyses", sa.select(sa.func.max(Analysis.created_at))),
        ("messages", sa.select(sa.func.max(Message.updated_at))),
        ("feedback", sa.select(sa.func.max(Feedback.received_at))),
    )
    return tuple(Fresh(name, session.scalar(query)) for name, query in newest)


def quantile(ordered: Sequence[float], q: float) -> float | None:
    """The nearest-rank quantile of ascending values; the middle of two for an even median."""
    if not ordered:
        return None
    if q == 0.5:
        return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]

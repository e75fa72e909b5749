"""The thirty-second read before the next session: what was, what is open, where the goals stand."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching.actions import may_show
from coachops.coaching.insights import version_of
from coachops.coaching.review import ReviewInsight, load_review
from coachops.coaching.scope import open_client
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Analysis,
    Client,
    CoachingSession,
    Feedback,
    Goal,
    GoalRating,
    Transcript,
)


@dataclass(frozen=True, slots=True)
class OpenStep:
    """An open next step; `since` is the day it was said, `overdue` whether its day has passed."""

    id: uuid.UUID
    text: str
    modality: str
    due_date: dt.date | None
    due_phrase: str | None
    overdue: bool
    since: dt.date
    version: str


@dataclass(frozen=True, slots=True)
class GoalBrief:
    """A goal with its newest rating (-2 to +2), or None where it was never rated."""

    id: uuid.UUID
    title: str
    level: int | None
    level_text: str | None
    rated_on: dt.date | None
    rated_by: str | None


@dataclass(frozen=True, slots=True)
class Answers:
    """What the client answered to the newest follow-up that was answered."""

    helpfulness: int
    next_focus: str
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Brief:
    """Before the next session.

    Attributes:
        last_held_on: None where there was no session yet.
        transcript_id: of the newest analysed transcript; None where there is none.
        engine_label: who made that analysis.
        summary, themes: of it, in the coach's words where there are any.
        client_steps, coach_steps, proposals: what is open, by who promised it, the nearest date
            first; proposals are what nobody promised.
    """

    client_id: uuid.UUID
    client_name: str
    sessions: int
    last_held_on: dt.date | None
    transcript_id: uuid.UUID | None
    engine_label: str | None
    summary: tuple[ReviewInsight, ...]
    themes: tuple[ReviewInsight, ...]
    client_steps: tuple[OpenStep, ...]
    coach_steps: tuple[OpenStep, ...]
    proposals: tuple[OpenStep, ...]
    goals: tuple[GoalBrief, ...]
    last_answers: Answers | None


def brief(database: Database, actor: Actor, client_id: uuid.UUID) -> Brief:
    """The brief on a client, from the sessions this actor may see.

    Raises:
        CoachError: COACH-CCH-001.
    """
    with database.read() as session:
        client = open_client(session, actor, client_id)
        made = _load(session, actor, client, database.today())
        newest = _newest_analysed(session, actor, client_id)
    if newest is None:
        return made
    try:
        review = load_review(database, actor, newest)
    except CoachError:  # removed between the two reads
        return made
    return replace(
        made,
        transcript_id=newest,
        engine_label=review.analysis.label if review.analysis else None,
        summary=review.of_kind("summary"),
        themes=review.of_kind("theme"),
    )


def _load(session: Session, actor: Actor, client: Client, today: dt.date) -> Brief:
    number, last = session.execute(
        sa.select(sa.func.count(), sa.func.max(CoachingSession.held_on)).where(
            *_visible(actor, client.id)
        )
    ).one()
    steps = _open_steps(session, actor, client.id, today)
    return Brief(
        client_id=client.id,
        client_name=client.name,
        sessions=number,
        last_held_on=last,
        transcript_id=None,
        engine_label=None,
        summary=(),
        themes=(),
        client_steps=steps["client"],
        coach_steps=steps["coach"],
        proposals=steps["proposal"],
        goals=_goals(session, actor, client.id),
        last_answers=_answers(session, actor, client.id),
    )


def _visible(actor: Actor, client_id: uuid.UUID) -> list[sa.ColumnElement[bool]]:
    own = [CoachingSession.client_id == client_id]
    return own if actor.sees_all else [*own, CoachingSession.coach_id == actor.coach_id]


def _newest_analysed(session: Session, actor: Actor, client_id: uuid.UUID) -> uuid.UUID | None:
    return session.scalars(
        sa.select(Transcript.id)
        .join(CoachingSession, CoachingSession.id == Transcript.session_id)
        .where(
            *_visible(actor, client_id),
            sa.exists().where(Analysis.transcript_id == Transcript.id, Analysis.status != "failed"),
        )
        .order_by(CoachingSession.held_on.desc(), Transcript.id.desc())
        .limit(1)
    ).first()


def _open_steps(
    session: Session, actor: Actor, client_id: uuid.UUID, today: dt.date
) -> dict[str, tuple[OpenStep, ...]]:
    query = (
        sa.select(ActionItem, CoachingSession.held_on)
        .join(CoachingSession, CoachingSession.id == ActionItem.session_id)
        .where(*_visible(actor, client_id), ActionItem.status == "open")
        .order_by(ActionItem.due_date.asc().nulls_last(), CoachingSession.held_on, ActionItem.id)
    )
    groups: dict[str, list[OpenStep]] = {"client": [], "coach": [], "proposal": []}
    rows = session.execute(query).all()
    for row, held_on in rows:
        if not may_show(row):
            continue
        promised = row.modality == "commitment" and row.owner != "unassigned"
        groups[row.owner if promised else "proposal"].append(
            OpenStep(
                id=row.id,
                text=row.text,
                modality=row.modality,
                due_date=row.due_date,
                due_phrase=None if row.held_back else row.due_phrase,
                overdue=row.due_date is not None and row.due_date < today,
                since=held_on,
                version=version_of(row),
            )
        )
    return {name: tuple(steps) for name, steps in groups.items()}


def _goals(session: Session, actor: Actor, client_id: uuid.UUID) -> tuple[GoalBrief, ...]:
    newest = (
        sa.select(GoalRating.id)
        .where(GoalRating.goal_id == Goal.id)
        .order_by(GoalRating.rated_on.desc(), GoalRating.created_at.desc(), GoalRating.id.desc())
        .limit(1)
        .correlate(Goal)
        .scalar_subquery()
    )
    query = (
        sa.select(Goal, GoalRating)
        .outerjoin(GoalRating, GoalRating.id == newest)
        .where(Goal.client_id == client_id, Goal.status == "open")
        .order_by(Goal.created_at, Goal.id)
    )
    if not actor.sees_all:
        query = query.where(Goal.coach_id == actor.coach_id)
    return tuple(_goal(goal, rating) for goal, rating in session.execute(query))


def _goal(goal: Goal, rating: GoalRating | None) -> GoalBrief:
    if rating is None:
        return GoalBrief(goal.id, goal.title, None, None, None, None)
    return GoalBrief(
        id=goal.id,
        title=goal.title,
        level=rating.level,
        level_text=_level_text(goal.levels, rating.level),
        rated_on=rating.rated_on,
        rated_by=rating.rated_by,
    )


def _level_text(levels: object, level: int) -> str | None:
    """The description of a level; levels are kept by their number as text, or in order from -2."""
    if isinstance(levels, dict):
        found = levels.get(str(level))
        return str(found) if found else None
    if isinstance(levels, list) and len(levels) == 5:
        return str(levels[level + 2]) or None
    return None


def _answers(session: Session, actor: Actor, client_id: uuid.UUID) -> Answers | None:
    row = session.scalars(
        sa.select(Feedback)
        .join(CoachingSession, CoachingSession.id == Feedback.session_id)
        .where(*_visible(actor, client_id))
        .order_by(Feedback.received_at.desc(), Feedback.id.desc())
        .limit(1)
    ).first()
    return Answers(row.helpfulness, row.next_focus, row.received_at) if row else None

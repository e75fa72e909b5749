"""Goals on a Goal Attainment Scale, and where they stand.

Source: Kiresuk, T. J. and Sherman, R. E. (1968), Goal attainment scaling: a general method for
evaluating comprehensive community mental health programs, Community Mental Health Journal 4(6),
443-453. Coach and client describe five levels of each goal beforehand, from -2 (much less than
expected) over 0 (the expected outcome) to +2 (much more than expected).
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.scope import open_client, require_change
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line, clean_text, is_blank
from coachops.db import Database
from coachops.db.models import CoachingSession, Engagement, Goal, GoalRating
from coachops.db.models.outcomes import GOAL_STATES
from coachops.telemetry import record_activity

LEVELS = (-2, -1, 0, 1, 2)
LEVEL_LIMIT = 500
TITLE_LIMIT = 200
NOTE_LIMIT = 2_000
ASSUMED_CORRELATION = 0.3
"""Of the attainment of a person's goals with each other (Kiresuk & Sherman 1968)."""


@dataclass(frozen=True, slots=True)
class RatingRow:
    """A rating; `rated_by` is coach or client."""

    id: uuid.UUID
    level: int
    rated_by: str
    rated_on: dt.date
    note: str


@dataclass(frozen=True, slots=True)
class GoalRow:
    """A goal with its ratings, oldest first; `latest` is None where it was never rated."""

    id: uuid.UUID
    client_id: uuid.UUID
    coach_id: uuid.UUID
    engagement_id: uuid.UUID
    title: str
    levels: dict[int, str]
    weight: int
    status: str
    ratings: tuple[RatingRow, ...]
    latest: RatingRow | None
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Attainment:
    """Where a client's goals stand together.

    Attributes:
        t_score: see `t_score`, over the latest rating of each goal; None where none was rated.
        rated: goals in it.
        goals: goals that are not dropped.
    """

    t_score: float | None
    rated: int
    goals: int


def t_score(ratings: Iterable[tuple[int, int]]) -> float | None:
    """The attainment of several goals as one number: 50 when they came out as expected.

    T = 50 + 10 * sum(w*x) / sqrt((1 - r) * sum(w^2) + r * sum(w)^2), with weights w, levels x and
    r = 0.3 (Kiresuk & Sherman 1968). It describes goals that a client set, it
    does not compare people: the levels are different for everybody.

    Parameters:
        ratings: weight (1..5) and level (-2..+2) of each goal.
    """
    rated = list(ratings)
    if not rated:
        return None
    weights = [weight for weight, _ in rated]
    squares = sum(weight * weight for weight in weights)
    variance = (1 - ASSUMED_CORRELATION) * squares + ASSUMED_CORRELATION * sum(weights) ** 2
    return 50 + 10 * sum(weight * level for weight, level in rated) / math.sqrt(variance)


def attainment(goals: Iterable[GoalRow]) -> Attainment:
    """Where these goals stand together; dropped ones do not count."""
    kept = [goal for goal in goals if goal.status != "dropped"]
    rated = [(goal.weight, goal.latest.level) for goal in kept if goal.latest is not None]
    return Attainment(t_score(rated), len(rated), len(kept))


def list_goals(database: Database, actor: Actor, client_id: uuid.UUID) -> list[GoalRow]:
    """The goals of a client with their ratings, oldest first.

    Raises:
        CoachError: COACH-CCH-001 where the actor may not see the client.
    """
    with database.read() as session:
        open_client(session, actor, client_id)
        goals = [
            goal
            for goal in session.scalars(
                sa.select(Goal)
                .where(Goal.client_id == client_id)
                .order_by(Goal.created_at, Goal.id)
            )
            if actor.may_read(goal.coach_id)
        ]
        ratings = _ratings(session, [goal.id for goal in goals])
        return [_row(goal, ratings[goal.id]) for goal in goals]


def add_goal(
    database: Database,
    actor: Actor,
    client_id: uuid.UUID,
    title: str,
    levels: Mapping[int, str],
    weight: int = 1,
) -> GoalRow:
    """Add a goal to the engagement that runs (else the newest one) of the client.

    Parameters:
        levels: a description of each level from -2 to +2.
        weight: importance among the client's goals, 1 to 5.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-CCH-005 for a value; COACH-CCH-006 where
            the actor has no engagement with the client.
    """
    values = _checked(title, levels, weight)

    def work(session: Session) -> GoalRow:
        client = open_client(session, actor, client_id, change=True)
        engagement = session.scalars(
            sa.select(Engagement)
            .where(Engagement.client_id == client_id, *_mine(actor))
            .order_by(Engagement.ended_on.is_not(None), Engagement.started_on.desc(), Engagement.id)
            .limit(1)
        ).first()
        if engagement is None:
            raise CoachError("COACH-CCH-006", coach=actor.name, client=client.external_id)
        goal = Goal(
            id=ids.new_id(),
            client_id=client_id,
            coach_id=engagement.coach_id,
            engagement_id=engagement.id,
            **values,
        )
        session.add(goal)
        session.flush()
        _record(session, actor, "goal.added", goal)
        return _row(goal, _ratings(session, [goal.id])[goal.id])

    return database.run(work)


def edit_goal(
    database: Database,
    actor: Actor,
    goal_id: uuid.UUID,
    *,
    title: str | None = None,
    levels: Mapping[int, str] | None = None,
    weight: int | None = None,
    status: str | None = None,
) -> GoalRow:
    """Change what is given; levels of a goal that was rated stay, so that ratings keep their meaning.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-CCH-005 for a value, or for new levels of a
            rated goal.
    """
    if status is not None and status not in GOAL_STATES:
        raise CoachError("COACH-CCH-005", field="status", reason=f"use {', '.join(GOAL_STATES)}")

    def work(session: Session) -> GoalRow:
        goal = _open(session, actor, goal_id)
        old_levels = {int(level): text for level, text in goal.levels.items()}
        values = _checked(
            goal.title if title is None else title,
            old_levels if levels is None else levels,
            goal.weight if weight is None else weight,
        )
        if values["levels"] != goal.levels and _ratings(session, [goal.id])[goal.id]:
            raise CoachError(
                "COACH-CCH-005",
                field="levels",
                reason="the goal was rated on its levels; add a new goal instead",
            )
        for name, value in (values | ({"status": status} if status else {})).items():
            setattr(goal, name, value)
        session.flush()
        _record(session, actor, "goal.edited", goal)
        return _row(goal, _ratings(session, [goal.id])[goal.id])

    return database.run(work)


def rate_goal(
    database: Database,
    actor: Actor,
    goal_id: uuid.UUID,
    level: int,
    *,
    rated_by: str = "coach",
    rated_on: dt.date | None = None,
    session_id: uuid.UUID | None = None,
    note: str = "",
) -> GoalRow:
    """Record where the goal stands; a second rating of a rater on a day replaces the first.

    Parameters:
        level: -2 to +2.
        rated_by: whose view it is, `coach` or `client`.
        rated_on: day of the organisation's calendar; None for today.

    Raises:
        CoachError: COACH-CCH-001 unknown goal or session, COACH-IDN-003, COACH-CCH-005 for a value.
    """
    day = rated_on or database.today()
    note = clean_text(note)
    if isinstance(level, bool) or level not in LEVELS:
        raise CoachError("COACH-CCH-005", field="level", reason="choose -2, -1, 0, 1 or 2")
    if rated_by not in {"coach", "client"}:
        raise CoachError("COACH-CCH-005", field="rated_by", reason="use coach or client")
    if day > database.today() + dt.timedelta(days=1):  # east of here it may be tomorrow already
        raise CoachError("COACH-CCH-005", field="rated_on", reason="it lies in the future")
    if len(note) > NOTE_LIMIT:
        raise CoachError(
            "COACH-CCH-005", field="note", reason=f"it is longer than {NOTE_LIMIT} characters"
        )

    def work(session: Session) -> GoalRow:
        goal = _open(session, actor, goal_id)
        if session_id is not None:
            meeting = session.get(CoachingSession, session_id)
            of_both = (goal.client_id, goal.coach_id)
            if meeting is None or (meeting.client_id, meeting.coach_id) != of_both:
                raise CoachError("COACH-CCH-001", what="session", ref=session_id)
        known = session.scalars(
            sa.select(GoalRating).where(
                GoalRating.goal_id == goal.id,
                GoalRating.rated_by == rated_by,
                GoalRating.rated_on == day,
            )
        ).first()
        rating = known or GoalRating(goal_id=goal.id, rated_by=rated_by, rated_on=day)
        rating.level, rating.note, rating.session_id = level, note, session_id
        session.add(rating)
        session.flush()
        _record(session, actor, "goal.rated", goal)
        return _row(goal, _ratings(session, [goal.id])[goal.id])

    return database.run(work)


def _checked(title: str, levels: Mapping[int, str], weight: int) -> dict[str, Any]:
    title = clean_line(title)
    if is_blank(title) or len(title) > TITLE_LIMIT:
        raise CoachError(
            "COACH-CCH-005", field="title", reason=f"use 1 to {TITLE_LIMIT} characters"
        )
    if isinstance(weight, bool) or not 1 <= weight <= 5:
        raise CoachError("COACH-CCH-005", field="weight", reason="choose 1 to 5")
    if set(levels) != set(LEVELS):
        raise CoachError("COACH-CCH-005", field="levels", reason="describe each level, -2 to +2")
    texts = {str(level): clean_text(levels[level]) for level in LEVELS}
    for level, text in texts.items():
        if is_blank(text) or len(text) > LEVEL_LIMIT:
            raise CoachError(
                "COACH-CCH-005",
                field="levels",
                reason=f"level {level} needs 1 to {LEVEL_LIMIT} characters",
            )
    return {"title": title, "levels": texts, "weight": weight}


def _open(session: Session, actor: Actor, goal_id: uuid.UUID) -> Goal:
    goal = session.scalars(
        sa.select(Goal).where(Goal.id == goal_id).with_for_update()
    ).one_or_none()
    if goal is None or not actor.may_read(goal.coach_id):
        raise CoachError("COACH-CCH-001", what="goal", ref=goal_id)
    require_change(actor, goal.coach_id)
    return goal


def _mine(actor: Actor) -> list[sa.ColumnElement[bool]]:
    return [] if actor.sees_all else [Engagement.coach_id == actor.coach_id]


def _ratings(
    session: Session, goal_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[RatingRow, ...]]:
    """The ratings of each of these goals, oldest first."""
    found: dict[uuid.UUID, list[RatingRow]] = {goal_id: [] for goal_id in goal_ids}
    for each in session.scalars(
        sa.select(GoalRating)
        .where(GoalRating.goal_id.in_(goal_ids))
        .order_by(GoalRating.rated_on, GoalRating.created_at, GoalRating.id)
    ):
        found[each.goal_id].append(
            RatingRow(each.id, each.level, each.rated_by, each.rated_on, each.note)
        )
    return {goal_id: tuple(rows) for goal_id, rows in found.items()}


def _row(goal: Goal, ratings: tuple[RatingRow, ...]) -> GoalRow:
    return GoalRow(
        id=goal.id,
        client_id=goal.client_id,
        coach_id=goal.coach_id,
        engagement_id=goal.engagement_id,
        title=goal.title,
        levels={int(level): text for level, text in goal.levels.items()},
        weight=goal.weight,
        status=goal.status,
        ratings=ratings,
        latest=ratings[-1] if ratings else None,
        updated_at=goal.updated_at,
    )


def _record(session: Session, actor: Actor, done: str, goal: Goal) -> None:
    audit.record(session, actor, done, "goal", goal.id)
    record_activity(session, actor, done, coach_id=goal.coach_id, subject_id=goal.id)

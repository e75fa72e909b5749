"""A coach who leaves: running engagements go on with a successor, what was held stays as it was.

Engagements end on the day and new ones with the successor begin; sessions from that day on move,
unless they left a transcript: those took place. Past sessions, their findings, goals and letters stay
with the coach who held them, so the successor reads what comes, not what was said to somebody else.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.messages import states
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.models import (
    Coach,
    CoachingSession,
    Engagement,
    Message,
    Transcript,
)


@dataclass(frozen=True, slots=True)
class Moved:
    """An engagement that ended with the coach, and the one with the successor that follows it."""

    ended: str
    begun: str
    sessions: int


@dataclass(frozen=True, slots=True)
class Reassigned:
    """What changed for the clients of a coach who leaves."""

    coach_id: uuid.UUID
    coach: str
    successor: str
    on: dt.date
    engagements: tuple[Moved, ...]


def reassign(
    session: Session, actor: Actor, coach: Coach, successor: Coach, on: dt.date
) -> Reassigned:
    """Hand the coach's running work over from the day `on`; the same again finds what came since.

    Raises:
        CoachError: COACH-IDN-003, COACH-CCH-008 where this cannot be.
    """
    actor.require_role("admin", "service", what="writing the roster")
    locked = sa.select(Coach.id).where(Coach.id.in_([coach.id, successor.id])).order_by(Coach.id)
    session.execute(locked.with_for_update())
    session.refresh(coach)
    session.refresh(successor)
    if coach.id == successor.id:
        raise _refused(coach, "the successor must be another coach")
    if successor.left_on is not None:
        raise _refused(coach, f"the successor leaves on {successor.left_on} too")
    if coach.left_on not in {None, on}:
        raise _refused(coach, f"they leave on {coach.left_on} already")
    first = coach.left_on is None
    coach.left_on = on
    moved = tuple(
        _hand_over(session, engagement, successor, on)
        for engagement in session.scalars(
            sa.select(Engagement)
            .where(
                Engagement.coach_id == coach.id,
                sa.or_(Engagement.ended_on.is_(None), Engagement.ended_on > on),
                sa.or_(  # one that ended before it began was handed over already
                    Engagement.ended_on.is_(None), Engagement.ended_on > Engagement.started_on
                ),
            )
            .order_by(Engagement.external_id)
        ).all()
    )
    session.flush()
    if first or moved:
        audit.record(
            session, actor, "coach.leaving", "coach", coach.id, successor_id=str(successor.id),
            on=on.isoformat(), engagements=len(moved), sessions=sum(each.sessions for each in moved),
        )  # fmt: skip
    return Reassigned(coach.id, coach.external_id, successor.external_id, on, moved)


def hold_letters(session: Session, actor: Actor, coach_id: uuid.UUID) -> tuple[uuid.UUID, ...]:
    """Take the approval of every unsent letter of the coach back; the ids of all that are unsent.

    Nothing goes out in the name of somebody who has left, unless an admin approves it again.
    """
    unsent = session.execute(
        sa.select(Message.id, Message.version, Message.state)
        .where(Message.coach_id == coach_id, Message.state.in_(("draft", "approved", "failed")))
        .order_by(Message.id)
    ).all()
    for message_id, version, state in unsent:
        if state == "approved" and states.move(
            session, message_id, "withdraw", version=version, new_version=version + 1,
            approved_version=None, error_code=None, retry_at=None,
        ):  # fmt: skip
            audit.record(
                session, actor, "message.withdrawn", "message", message_id, version=version
            )
    return tuple(row.id for row in unsent)


def coaches_gone(session: Session, today: dt.date) -> list[uuid.UUID]:
    """Ids of the coaches who have left by today."""
    return list(session.scalars(sa.select(Coach.id).where(Coach.left_on <= today)))


def with_approved_letters(session: Session, coach_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the coaches in whose name a letter would still be sent."""
    query = sa.select(Message.coach_id).where(
        Message.coach_id.in_(list(coach_ids)), Message.state == "approved"
    )
    return set(session.scalars(query))


def _hand_over(session: Session, old: Engagement, successor: Coach, on: dt.date) -> Moved:
    day = max(on, old.started_on)
    new = Engagement(
        id=ids.new_id(),
        external_id=_free_id(session, old.external_id, on),
        coach_id=successor.id,
        client_id=old.client_id,
        title=old.title,
        started_on=day,
        ended_on=old.ended_on,
    )
    session.add(new)
    session.flush()
    old.ended_on = day
    took_place = sa.select(Transcript.id).where(Transcript.session_id == CoachingSession.id)
    meetings = session.scalars(
        sa.select(CoachingSession)
        .where(
            CoachingSession.engagement_id == old.id,
            CoachingSession.held_on >= day,
            ~took_place.exists(),
        )
        .with_for_update()
    ).all()
    for meeting in meetings:
        meeting.engagement_id, meeting.coach_id = new.id, successor.id
    return Moved(old.external_id, new.external_id, len(meetings))


def _free_id(session: Session, old: str, on: dt.date) -> str:
    """An external id that tells where the engagement comes from."""
    stem = f"{old[:180]}~{on.isoformat()}"
    taken = set(
        session.scalars(
            sa.select(Engagement.external_id).where(Engagement.external_id.startswith(stem))
        )
    )
    names = (stem, *(f"{stem}.{number}" for number in range(2, len(taken) + 2)))
    return next(name for name in names if name not in taken)


def _refused(coach: Coach, reason: str) -> CoachError:
    return CoachError("COACH-CCH-008", ref=coach.external_id, reason=reason)

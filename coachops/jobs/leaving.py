"""A coach leaves: clients, sign-in and letters in one transaction; on the day itself where it is later."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching import people
from coachops.coaching.directory import leaving
from coachops.coaching.directory.leaving import Moved
from coachops.core.actor import SYSTEM, Actor
from coachops.db import Database
from coachops.db.models import User
from coachops.identity import shut_out_coaches


@dataclass(frozen=True, slots=True)
class Leave:
    """What follows from a coach's leaving.

    Attributes:
        coach, successor: external ids.
        engagements: each that ended, and the one that follows.
        signed_out: whether the coach's user is shut out by now; a day to come does it then.
        letters: unsent ones of the coach, held for an admin.
    """

    coach: str
    successor: str
    on: dt.date
    engagements: tuple[Moved, ...]
    signed_out: bool
    letters: tuple[uuid.UUID, ...]


def leave(database: Database, actor: Actor, coach: str, successor: str, on: dt.date) -> Leave:
    """Hand the coach's clients over from the day `on`, and shut the coach out from that day.

    Parameters:
        coach, successor: REFs.

    Raises:
        CoachError: COACH-CCH-001 unknown, COACH-CCH-008 where this cannot be, COACH-IDN-003.
    """
    today = database.today()

    def work(session: Session) -> Leave:
        going = people.find_coach(session, actor, coach)
        staying = people.find_coach(session, actor, successor)
        done = leaving.reassign(session, actor, going, staying, on)
        letters: tuple[uuid.UUID, ...] = ()
        if on <= today:
            shut_out_coaches(session, actor, [going.id])
            letters = leaving.hold_letters(session, actor, going.id)
        return Leave(
            done.coach, done.successor, done.on, done.engagements, not _may_sign_in(session, going.id),
            letters,
        )  # fmt: skip

    return database.run(work)


def settle(database: Database) -> int:
    """Shut out whoever has left by today, and hold their letters; returns how many coaches."""
    today = database.today()
    with database.read() as session:
        gone = leaving.coaches_gone(session, today)
        late = set(
            session.scalars(
                sa.select(User.coach_id).where(User.coach_id.in_(gone), User.disabled_at.is_(None))
            )
        ) | leaving.with_approved_letters(session, gone)
    if not late:
        return 0

    def work(session: Session) -> int:
        shut_out_coaches(session, SYSTEM, [each for each in late if each is not None])
        for coach_id in late:
            if coach_id is not None:
                leaving.hold_letters(session, SYSTEM, coach_id)
        return len(late)

    return database.run(work)


def _may_sign_in(session: Session, coach_id: uuid.UUID) -> bool:
    query = sa.select(User.id).where(User.coach_id == coach_id, User.disabled_at.is_(None))
    return session.scalar(query) is not None

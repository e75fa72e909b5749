"""What waits for a person: failed work, and work that only a person can move on."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.errors import CATALOGUE
from coachops.db.models import Coach, CoachingSession, Message, Transcript
from coachops.monitoring.model import Failure

_STUCK_TRANSCRIPTS = ("failed", "waiting_roles", "waiting_consent")
_STUCK_MESSAGES = ("failed", "uncertain")

_WAITING = {
    "waiting_roles": "COACH-CCH-003",
    "waiting_consent": "COACH-CCH-002",
    "uncertain": "COACH-MSG-004",
}
"""State -> the code whose next step tells what moves it on, where no error was recorded."""


def stuck(session: Session, limit: int) -> tuple[tuple[Failure, ...], int]:
    """The oldest `limit` of them, and how many there are."""
    transcripts = (
        sa.select(
            sa.literal("transcript").label("kind"),
            Transcript.id,
            Transcript.state,
            Coach.name,
            Transcript.updated_at.label("at"),
            Transcript.error_code,
        )
        .join(CoachingSession, CoachingSession.id == Transcript.session_id)
        .join(Coach, Coach.id == CoachingSession.coach_id)
        .where(Transcript.state.in_(_STUCK_TRANSCRIPTS))
    )
    messages = (
        sa.select(
            sa.literal("message").label("kind"),
            Message.id,
            Message.state,
            Coach.name,
            Message.updated_at.label("at"),
            Message.error_code,
        )
        .join(Coach, Coach.id == Message.coach_id)
        .where(Message.state.in_(_STUCK_MESSAGES))
    )
    both = sa.union_all(transcripts, messages).subquery()
    total = session.scalar(sa.select(sa.func.count()).select_from(both)) or 0
    rows = session.execute(sa.select(both).order_by(both.c.at, both.c.id).limit(limit))
    return tuple(_failure(*row) for row in rows), total


def _failure(
    kind: str, identifier: object, state: str, coach: str, at: dt.datetime, code: str | None
) -> Failure:
    spec = CATALOGUE.get(code or _WAITING.get(state, ""))
    return Failure(
        kind=kind,
        id=str(identifier),
        state=state,
        coach_name=coach,
        at=at,
        code=code,
        next_step=spec.next_step
        if spec and "{" not in spec.next_step
        else "Open it and try again.",
        who=spec.who if spec else "you",
    )

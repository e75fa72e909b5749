"""What waits for a person: the coach's to-do list, and how far background work has come.

Read only. Each row names the one thing that a person has to decide; the surfaces say it in words.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Analysis,
    Client,
    CoachingSession,
    Message,
    Transcript,
)

NeedKind = Literal[
    "roles", "consent", "analysis_failed", "stuck", "draft", "uncertain", "send_failed", "returned"
]

_TRANSCRIPTS: dict[str, NeedKind] = {
    "waiting_roles": "roles",
    "waiting_consent": "consent",
    "failed": "analysis_failed",
    "imported": "stuck",
    "analysing": "stuck",
}
_MESSAGES: dict[str, NeedKind] = {
    "draft": "draft",
    "uncertain": "uncertain",
    "failed": "send_failed",
    "approved": "stuck",
    "sending": "stuck",
    "returned": "returned",
}
_ORDER: tuple[NeedKind, ...] = (
    "uncertain", "send_failed", "returned", "roles", "consent", "analysis_failed", "stuck", "draft",
)  # fmt: skip
STUCK_AFTER = dt.timedelta(minutes=10)
"""Background work that has not moved for so long is shown to the person."""
RETURNED_FOR = dt.timedelta(days=30)
"""A letter that came back waits so long for a decision; then it has been left so."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for a person.

    Attributes:
        kind: what it is; `stuck` is background work that has not moved for `STUCK_AFTER`.
        message_id: set where it is about the follow-up of the session.
        error_code: of the failure, where one was recorded.
        updated_at: since when.
    """

    kind: NeedKind
    session_id: uuid.UUID
    transcript_id: uuid.UUID | None
    message_id: uuid.UUID | None
    client_id: uuid.UUID
    client_name: str
    held_on: dt.date
    error_code: str | None
    updated_at: dt.datetime


def needs(database: Database, actor: Actor, limit: int = 200) -> list[Need]:
    """What waits for the actor, the most pressing kind first and the newest session first in it."""
    now = clock.now()
    before = now - STUCK_AFTER
    returned = sa.and_(
        Message.state == "sent",
        Message.delivery == "bounced",
        Message.delivery_at >= now - RETURNED_FOR,
    )
    transcripts = (
        sa.select(
            Transcript.state, CoachingSession.id, Transcript.id, sa.null(), Client.id, Client.name,
            CoachingSession.held_on, Transcript.error_code, Transcript.updated_at,
        )
        .join(CoachingSession, CoachingSession.id == Transcript.session_id)
        .join(Client, Client.id == CoachingSession.client_id)
        .where(
            Transcript.state.in_(_TRANSCRIPTS),
            sa.or_(
                Transcript.state.not_in(("imported", "analysing")), Transcript.updated_at < before
            ),
            *_of_actor(actor, CoachingSession.coach_id),
        )
        .order_by(CoachingSession.held_on.desc(), Transcript.id)
        .limit(limit)
    )  # fmt: skip
    messages = (
        sa.select(
            sa.case((returned, "returned"), else_=Message.state),
            CoachingSession.id, Message.transcript_id, Message.id, Client.id,
            Client.name, CoachingSession.held_on, Message.error_code, Message.updated_at,
        )
        .join(CoachingSession, CoachingSession.id == Message.session_id)
        .join(Client, Client.id == CoachingSession.client_id)
        .where(
            sa.or_(
                returned,
                Message.state.in_(_MESSAGES.keys() - {"approved", "sending", "returned"}),
                sa.and_(
                    Message.state.in_(("approved", "sending")),
                    Message.updated_at < before,
                    # what a mail server put off moves again by itself
                    sa.or_(Message.retry_at.is_(None), Message.retry_at < before),
                ),
            ),
            *_of_actor(actor, Message.coach_id),
        )
        .order_by(CoachingSession.held_on.desc(), Message.id)
        .limit(limit)
    )  # fmt: skip
    with database.read() as session:
        found = [Need(_TRANSCRIPTS[row[0]], *row[1:]) for row in session.execute(transcripts)]
        found += [Need(_MESSAGES[row[0]], *row[1:]) for row in session.execute(messages)]
    return sorted(found, key=lambda need: (_ORDER.index(need.kind), -need.held_on.toordinal()))


def open_commitments(database: Database, actor: Actor) -> dict[uuid.UUID, int]:
    """How many commitments are open, by client; clients without any are not in it."""
    with database.read() as session:
        rows = session.execute(
            sa.select(ActionItem.client_id, sa.func.count())
            .where(
                ActionItem.status == "open",
                ActionItem.modality == "commitment",
                *_of_actor(actor, ActionItem.coach_id),
            )
            .group_by(ActionItem.client_id)
        ).all()
    return dict(rows)


def transcript_states(
    database: Database, actor: Actor, transcript_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """The state of each of these transcripts that the actor may see."""
    wanted = list(transcript_ids)
    if not wanted:
        return {}
    with database.read() as session:
        rows = session.execute(
            sa.select(Transcript.id, Transcript.state)
            .join(CoachingSession, CoachingSession.id == Transcript.session_id)
            .where(Transcript.id.in_(wanted), *_of_actor(actor, CoachingSession.coach_id))
        ).all()
    return dict(rows)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a transcript and its follow-up stand; two that are equal show the same page."""

    state: str
    analysis_id: uuid.UUID | None
    message_state: str | None
    message_version: int | None


def progress(database: Database, actor: Actor, transcript_id: uuid.UUID) -> Progress | None:
    """What background work may have changed; cheap enough to ask every second. None: not to be seen."""
    newest = (
        sa.select(Analysis.id)
        .where(Analysis.transcript_id == transcript_id, Analysis.status != "failed")
        .order_by(Analysis.created_at.desc(), Analysis.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    with database.read() as session:
        row = session.execute(
            sa.select(Transcript.state, newest, Message.state, Message.version)
            .join(CoachingSession, CoachingSession.id == Transcript.session_id)
            .outerjoin(Message, Message.transcript_id == Transcript.id)
            .where(Transcript.id == transcript_id, *_of_actor(actor, CoachingSession.coach_id))
        ).one_or_none()
    return Progress(*row) if row is not None else None


def _of_actor(
    actor: Actor, coach_id: sa.orm.InstrumentedAttribute[uuid.UUID]
) -> list[sa.ColumnElement[bool]]:
    if actor.sees_all:
        return []
    return [coach_id == actor.coach_id] if actor.coach_id is not None else [sa.false()]

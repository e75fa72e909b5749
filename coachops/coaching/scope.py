"""Opening a transcript, an action item or a client for an actor: the ownership checks in one place.

What the actor may not see is answered as not found; what may be seen but not changed is refused.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.models import ActionItem, Client, CoachingSession, Engagement, Transcript


@dataclass(frozen=True, slots=True)
class TranscriptScope:
    """A transcript with the session it belongs to (live rows of the open transaction)."""

    transcript: Transcript
    meeting: CoachingSession


def open_transcript(
    session: Session, actor: Actor, transcript_id: uuid.UUID, *, change: bool = False
) -> TranscriptScope:
    """The transcript, locked until the end of the transaction where it will be changed.

    Raises:
        CoachError: COACH-CCH-001 not to be seen, COACH-IDN-003 to be read only.
    """
    query = sa.select(Transcript).where(Transcript.id == transcript_id)
    if change:
        query = query.with_for_update()
    transcript = session.scalars(query).one_or_none()
    meeting = session.get(CoachingSession, transcript.session_id) if transcript else None
    if transcript is None or meeting is None or not actor.may_read(meeting.coach_id):
        raise CoachError("COACH-CCH-001", what="transcript", ref=transcript_id)
    if change:
        require_change(actor, meeting.coach_id)
    return TranscriptScope(transcript, meeting)


def open_action(session: Session, actor: Actor, action_id: uuid.UUID) -> ActionItem:
    """The action item, locked for a change.

    Raises:
        CoachError: COACH-CCH-001 not to be seen, COACH-IDN-003 to be read only.
    """
    item = session.scalars(
        sa.select(ActionItem).where(ActionItem.id == action_id).with_for_update()
    ).one_or_none()
    if item is None or not actor.may_read(item.coach_id):
        raise CoachError("COACH-CCH-001", what="action item", ref=action_id)
    require_change(actor, item.coach_id)
    return item


def open_client(
    session: Session, actor: Actor, client_id: uuid.UUID, *, change: bool = False
) -> Client:
    """The client, for whoever coaches them now or did.

    Raises:
        CoachError: COACH-CCH-001 not to be seen, COACH-IDN-003 to be read only.
    """
    client = session.get(Client, client_id)
    coaches = set(
        session.scalars(sa.select(Engagement.coach_id).where(Engagement.client_id == client_id))
    )
    if client is None or not (actor.sees_all or any(map(actor.may_read, coaches))):
        raise CoachError("COACH-CCH-001", what="client", ref=client_id)
    if change and not (actor.role in {"admin", "service"} or any(map(actor.may_change, coaches))):
        raise CoachError("COACH-IDN-003", what="changing data of clients")
    return client


def require_change(actor: Actor, coach_id: uuid.UUID) -> None:
    """Refuse those who may only read.

    Raises:
        CoachError: COACH-IDN-003.
    """
    if not actor.may_change(coach_id):
        raise CoachError("COACH-IDN-003", what="changing data of clients")

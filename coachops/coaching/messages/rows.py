"""Reading messages: what lists and the preview show, for whoever may see it."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Coach, CoachingSession, Message


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message as surfaces show it.

    Attributes:
        version: counts changes of recipient, subject or text; give it back with a change.
        engine_body: what the engine would write from the newest analysis.
        edited: the coach changed the engine's words.
        stale: a later analysis would say something else than this text.
        approved_version: the only version that may be sent; None where nothing is approved.
        error_code: of the last failure; next steps are in the catalogue.
        attempts: how often this version was put off; each try has a job of its own.
        retry_at: the mail server put the letter off; not tried before.
        delivery: what mail servers reported after it was sent: delivered, bounced, complained.
        client_email: the client's address by now; the letter keeps the one it was written to.
    """

    id: uuid.UUID
    transcript_id: uuid.UUID | None
    session_id: uuid.UUID
    held_on: dt.date
    client_id: uuid.UUID
    client_name: str
    coach_id: uuid.UUID
    coach_name: str
    coach_email: str
    recipient_name: str
    recipient_email: str
    subject: str
    body: str
    engine_body: str
    state: str
    version: int
    edited: bool
    stale: bool
    approved_version: int | None
    approved_at: dt.datetime | None
    sending_at: dt.datetime | None
    sent_at: dt.datetime | None
    mail_id: str | None
    error_code: str | None
    created_at: dt.datetime
    updated_at: dt.datetime
    attempts: int = 0
    retry_at: dt.datetime | None = None
    delivery: str | None = None
    delivery_at: dt.datetime | None = None
    client_email: str = ""

    @property
    def standing(self) -> str:
        """The state, or `returned` for a sent letter that a mail server returned."""
        return "returned" if self.state == "sent" and self.delivery == "bounced" else self.state

    @property
    def has_moved(self) -> bool:
        """Whether the client has another address by now."""
        return bool(self.client_email) and self.client_email != self.recipient_email


def get(database: Database, actor: Actor, message_id: uuid.UUID) -> MessageRow:
    """One message.

    Raises:
        CoachError: COACH-CCH-001 where there is none that the actor may see.
    """
    with database.read() as session:
        return load(session, actor, message_id)


def list_messages(
    database: Database,
    actor: Actor,
    *,
    state: str | None = None,
    client_id: uuid.UUID | None = None,
    transcript_id: uuid.UUID | None = None,
    limit: int = 200,
) -> list[MessageRow]:
    """Messages that the actor may see, the newest first, at most `limit`."""
    query = _query().order_by(Message.created_at.desc(), Message.id.desc()).limit(limit)
    if not actor.sees_all:
        if actor.coach_id is None:
            return []
        query = query.where(Message.coach_id == actor.coach_id)
    if state is not None:
        query = query.where(Message.state == state)
    if client_id is not None:
        query = query.where(Message.client_id == client_id)
    if transcript_id is not None:
        query = query.where(Message.transcript_id == transcript_id)
    with database.read() as session:
        return [_shown(*row) for row in session.execute(query)]


def load(session: Session, actor: Actor, message_id: uuid.UUID) -> MessageRow:
    """As `get`, in an open transaction."""
    session.expire_all()  # moves bypass the identity map
    found = session.execute(_query().where(Message.id == message_id)).first()
    if found is None or not actor.may_read(found[0].coach_id):
        raise CoachError("COACH-CCH-001", what="message", ref=message_id)
    return _shown(*found)


def open_message(session: Session, actor: Actor, message_id: uuid.UUID) -> Message:
    """The row for a change by `actor`, locked until the end of the transaction.

    Raises:
        CoachError: COACH-CCH-001 not to be seen, COACH-IDN-003 to be read only.
    """
    message = session.scalars(
        sa.select(Message).where(Message.id == message_id).with_for_update()
    ).one_or_none()
    if message is None or not actor.may_read(message.coach_id):
        raise CoachError("COACH-CCH-001", what="message", ref=message_id)
    if not actor.may_change(message.coach_id):
        raise CoachError("COACH-IDN-003", what="changing follow-ups")
    return message


def _query() -> sa.Select[Message, Client, Coach, dt.date]:
    return (
        sa.select(Message, Client, Coach, CoachingSession.held_on)
        .join(Client, Client.id == Message.client_id)
        .join(Coach, Coach.id == Message.coach_id)
        .join(CoachingSession, CoachingSession.id == Message.session_id)
    )


def _shown(message: Message, client: Client, coach: Coach, held_on: dt.date) -> MessageRow:
    return MessageRow(
        id=message.id,
        transcript_id=message.transcript_id,
        session_id=message.session_id,
        held_on=held_on,
        client_id=client.id,
        client_name=client.name,
        coach_id=coach.id,
        coach_name=coach.name,
        coach_email=coach.email,
        recipient_name=message.recipient_name,
        recipient_email=message.recipient_email,
        subject=message.subject,
        body=message.body,
        engine_body=message.engine_body,
        state=message.state,
        version=message.version,
        edited=message.edited,
        stale=message.stale,
        approved_version=message.approved_version,
        approved_at=message.approved_at,
        sending_at=message.sending_at,
        sent_at=message.sent_at,
        mail_id=message.mail_id,
        error_code=message.error_code,
        created_at=message.created_at,
        updated_at=message.updated_at,
        attempts=message.attempts,
        retry_at=message.retry_at,
        delivery=message.delivery,
        delivery_at=message.delivery_at,
        client_email=(client.email or "").strip(),
    )

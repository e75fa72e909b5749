"""What a client answers to a follow-up: how useful the session was, and what to look at next.

The link in the letter carries a signed token of the message and nothing else, so the client needs no
sign-in. It works from sending on for `LINK_DAYS`. There is one answer for a message; the client may
change it for `CHANGE_DAYS` after the first one, then it stands. The newest answer replaces the one
before, so every figure counts each message once.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_text
from coachops.db import Database
from coachops.db.models import Client, Coach, CoachingSession, Feedback, Message
from coachops.telemetry import record_activity

LINK_DAYS = 120
CHANGE_DAYS = 7
FOCUS_LIMIT = 2_000
_SALT = "coachops.feedback"
_CLIENT = Actor(None, "service", "client")
"""Who the records name: somebody who holds the link, not a user."""


@dataclass(frozen=True, slots=True)
class FeedbackForm:
    """What the page behind the link shows; the words of the session are not among it."""

    message_id: uuid.UUID
    client_name: str
    coach_name: str
    held_on: dt.date
    helpfulness: int | None
    next_focus: str
    may_answer: bool


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """An answer as the coach reads it."""

    message_id: uuid.UUID
    session_id: uuid.UUID
    client_id: uuid.UUID
    client_name: str
    held_on: dt.date
    helpfulness: int
    next_focus: str
    received_at: dt.datetime


def feedback_token(secret: bytes, message_id: uuid.UUID) -> str:
    """The token of a message's feedback link, always the same for the same message."""
    return str(URLSafeSerializer(secret, salt=_SALT).dumps(message_id.hex))


def read_token(secret: bytes, token: str) -> uuid.UUID:
    """The message that a token was made for.

    Raises:
        CoachError: COACH-MSG-007 where it was not made by this installation.
    """
    try:
        identifier = ids.parse_id(str(URLSafeSerializer(secret, salt=_SALT).loads(token)))
    except (BadSignature, UnicodeEncodeError):
        raise CoachError("COACH-MSG-007") from None
    if identifier is None:
        raise CoachError("COACH-MSG-007")
    return identifier


def open_form(database: Database, secret: bytes, token: str) -> FeedbackForm:
    """What to show to who opens the link.

    Raises:
        CoachError: COACH-MSG-007.
    """
    message_id = read_token(secret, token)
    with database.read() as session:
        message = _sent(session, message_id)
        answer = session.scalars(
            sa.select(Feedback).where(Feedback.message_id == message_id)
        ).one_or_none()
        return FeedbackForm(
            message_id=message_id,
            client_name=session.get_one(Client, message.client_id).name,
            coach_name=session.get_one(Coach, message.coach_id).name,
            held_on=session.get_one(CoachingSession, message.session_id).held_on,
            helpfulness=answer.helpfulness if answer else None,
            next_focus=answer.next_focus if answer else "",
            may_answer=answer is None or _may_change(answer),
        )


def record(
    database: Database, secret: bytes, token: str, helpfulness: int, next_focus: str = ""
) -> None:
    """Keep the client's answer, or change it within `CHANGE_DAYS` of the first one.

    Parameters:
        helpfulness: 1 (not at all) to 5 (very).
        next_focus: the client's words, at most `FOCUS_LIMIT` characters.

    Raises:
        CoachError: COACH-MSG-007 for the link, COACH-CCH-005 for a value, COACH-MSG-008 too late.
    """
    message_id = read_token(secret, token)
    if isinstance(helpfulness, bool) or not 1 <= helpfulness <= 5:
        raise CoachError("COACH-CCH-005", field="helpfulness", reason="choose 1 to 5")
    focus = _cleaned(next_focus)

    def work(session: Session) -> None:
        message = _sent(session, message_id, lock=True)
        answer = session.scalars(
            sa.select(Feedback).where(Feedback.message_id == message_id)
        ).one_or_none()
        if answer is None:
            session.add(
                Feedback(
                    message_id=message_id,
                    session_id=message.session_id,
                    client_id=message.client_id,
                    helpfulness=helpfulness,
                    next_focus=focus,
                    received_at=clock.now(),
                )
            )
            record_activity(
                session, _CLIENT, "feedback.received",
                coach_id=message.coach_id, subject_id=message_id,
            )  # fmt: skip
            done = "feedback.received"
        elif (answer.helpfulness, answer.next_focus) == (helpfulness, focus):
            return  # the same form sent twice
        elif not _may_change(answer):
            raise CoachError("COACH-MSG-008", days=CHANGE_DAYS)
        else:
            answer.helpfulness, answer.next_focus = helpfulness, focus
            done = "feedback.changed"
        audit.record(session, _CLIENT, done, "message", message_id)

    database.run(work)


def list_feedback(
    database: Database, actor: Actor, client_id: uuid.UUID | None = None, limit: int = 50
) -> list[FeedbackRow]:
    """Answers of the actor's clients, the newest first."""
    query = (
        sa.select(Feedback, Client.name, CoachingSession.held_on)
        .join(Client, Client.id == Feedback.client_id)
        .join(CoachingSession, CoachingSession.id == Feedback.session_id)
        .order_by(Feedback.received_at.desc(), Feedback.id.desc())
        .limit(limit)
    )
    if not actor.sees_all:
        if actor.coach_id is None:
            return []
        query = query.where(CoachingSession.coach_id == actor.coach_id)
    if client_id is not None:
        query = query.where(Feedback.client_id == client_id)
    with database.read() as session:
        return [
            FeedbackRow(
                message_id=answer.message_id,
                session_id=answer.session_id,
                client_id=answer.client_id,
                client_name=name,
                held_on=held_on,
                helpfulness=answer.helpfulness,
                next_focus=answer.next_focus,
                received_at=answer.received_at,
            )
            for answer, name, held_on in session.execute(query)
        ]


def _sent(session: Session, message_id: uuid.UUID, *, lock: bool = False) -> Message:
    """The message, if its link works now: it may have reached the client, not too long ago."""
    query = sa.select(Message).where(Message.id == message_id)
    message = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if message is None or message.state not in {"sending", "sent", "uncertain"}:
        raise CoachError("COACH-MSG-007")
    left = message.sent_at or message.sending_at
    if left is None or clock.now() > left + dt.timedelta(days=LINK_DAYS):
        raise CoachError("COACH-MSG-007")
    return message


def _may_change(answer: Feedback) -> bool:
    return clock.now() <= answer.received_at + dt.timedelta(days=CHANGE_DAYS)


def _cleaned(text: str) -> str:
    """The client's words, cleaned and trimmed."""
    kept = clean_text(text)
    if len(kept) > FOCUS_LIMIT:
        raise CoachError(
            "COACH-CCH-005",
            field="next_focus",
            reason=f"it is longer than {FOCUS_LIMIT} characters",
        )
    return kept

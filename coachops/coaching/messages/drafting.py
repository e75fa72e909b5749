"""Drafting: the engine's suggested sentences and the next steps, in the coach's name.

What goes in: follow-up sentences with the coach's edits over them, and open next steps by owner;
a date only where one was said, proposals labelled as such. What never goes in: counts, shares,
behaviours, anything that judges a person.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import behaviours
from coachops.coaching.actions import may_show
from coachops.coaching.messages import rows, states
from coachops.coaching.messages.checks import BODY_LIMIT, checked_body, one_line
from coachops.coaching.messages.rendering import day, render
from coachops.coaching.messages.rows import MessageRow
from coachops.coaching.scope import TranscriptScope, open_transcript
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Analysis,
    Client,
    Coach,
    CoachingSession,
    Insight,
    InsightEdit,
    Message,
    Transcript,
)
from coachops.telemetry import record_activity


@dataclass(frozen=True, slots=True)
class _Text:
    """What the engine would write now, and to whom."""

    subject: str
    body: str
    recipient_name: str
    recipient_email: str


def draft(database: Database, actor: Actor, transcript_id: uuid.UUID) -> MessageRow:
    """The follow-up of a transcript, made at the first call and kept fresh by later ones.

    A draft nobody edited takes over what the newest analysis says. Words of the coach, and an
    approved version, stay as they are: such a message is marked `stale` instead. A message that is
    on its way or sent does not change. A client without an address gets a draft that cannot be
    approved yet.

    Raises:
        CoachError: COACH-CCH-001 and COACH-IDN-003 as everywhere, COACH-MSG-005 without an analysis.
    """

    def work(session: Session) -> MessageRow:
        scope = open_transcript(session, actor, transcript_id, change=True)
        text = _write(session, scope)
        message = session.scalars(
            sa.select(Message).where(Message.transcript_id == transcript_id).with_for_update()
        ).one_or_none()
        if message is None:
            message_id = _insert(session, actor, scope, text)
        else:
            message_id = message.id
            _refresh(session, message, text)
        return rows.load(session, actor, message_id)

    return database.run(work)


def take_words_back(session: Session, transcript: Transcript) -> None:
    """After a cut, a redaction or its undoing: a draft nobody edited loses the words at once.

    An approval that was not carried out yet is taken back, since it was given to the words of then.
    The coach's own words stay and are marked `stale`. Does nothing where there is no message;
    ownership is checked by the caller.
    """
    messages = sa.select(Message).where(Message.transcript_id == transcript.id).with_for_update()
    message = session.scalars(messages).one_or_none()
    meeting = session.get_one(CoachingSession, transcript.session_id)
    if message is None:
        return
    if states.move(
        session, message.id, "unsay", new_version=message.version + 1,
        approved_version=None, error_code=None, retry_at=None,
    ):  # fmt: skip
        audit.record(
            session, SYSTEM, "message.withdrawn", "message", message.id, version=message.version
        )
        session.refresh(message)
    if behaviours.newest(session, transcript.id) is not None:
        _refresh(session, message, _write(session, TranscriptScope(transcript, meeting)))


def use_engine_draft(
    database: Database, actor: Actor, message_id: uuid.UUID, version: int
) -> MessageRow:
    """Give the coach's words up for what the newest analysis suggests.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003; COACH-MSG-001 not in this state; COACH-CCH-004
            another version by now.
    """

    def work(session: Session) -> MessageRow:
        message = rows.open_message(session, actor, message_id)
        states.require_move(
            session, message_id, "edit", version=version,
            body=message.engine_body, new_version=version + 1, edited=False, stale=False,
            approved_version=None, error_code=None,
        )  # fmt: skip
        audit.record(session, actor, "message.restored", "message", message_id, version=version + 1)
        return rows.load(session, actor, message_id)

    return database.run(work)


def _insert(session: Session, actor: Actor, scope: TranscriptScope, text: _Text) -> uuid.UUID:
    message = Message(
        id=ids.new_id(),
        session_id=scope.meeting.id,
        transcript_id=scope.transcript.id,
        client_id=scope.meeting.client_id,
        coach_id=scope.meeting.coach_id,
        recipient_name=text.recipient_name,
        recipient_email=text.recipient_email,
        subject=text.subject,
        body=text.body,
        engine_body=text.body,
    )
    session.add(message)
    session.flush()
    audit.record(session, actor, "message.drafted", "message", message.id)
    record_activity(
        session, actor, "message.drafted", coach_id=message.coach_id, subject_id=message.id
    )
    return message.id


def _refresh(session: Session, message: Message, text: _Text) -> None:
    """Take over what changed, as far as the state of the message and the coach's words allow."""
    to = {"recipient_name": text.recipient_name, "recipient_email": text.recipient_email}
    if message.state == "draft":
        values: dict[str, object] = dict(to)
        if not message.edited:
            values |= {"subject": text.subject, "body": text.body}
        changed = {name: value for name, value in values.items() if getattr(message, name) != value}
        if changed:
            states.require_move(
                session, message.id, "refresh", version=message.version,
                new_version=message.version + 1, **changed,
            )  # fmt: skip
    if message.state in {"draft", "approved", "failed"} and message.engine_body != text.body:
        keeps_old_words = message.edited or message.state != "draft"
        session.execute(
            sa.update(Message)
            .where(Message.id == message.id)
            .values(engine_body=text.body, stale=keeps_old_words, updated_at=clock.now())
            .execution_options(synchronize_session=False)
        )


def _write(session: Session, scope: TranscriptScope) -> _Text:
    analysis = behaviours.newest(session, scope.transcript.id)
    if analysis is None:
        raise CoachError("COACH-MSG-005")
    client = session.get_one(Client, scope.meeting.client_id)
    coach = session.get_one(Coach, scope.meeting.coach_id)
    steps = _steps(session, scope)
    body = render(
        "draft.txt.j2",
        greeting=_first_name(client.name),
        held_on=day(scope.meeting.held_on),
        sentences=_sentences(session, analysis, steps),
        client_items=[_step(s) for s in steps if s.owner == "client" and _promised(s)],
        coach_items=[_step(s) for s in steps if s.owner == "coach" and _promised(s)],
        open_items=[_step(s) for s in steps if s.owner == "unassigned" and _promised(s)],
        proposals=[_proposal(s) for s in steps if not _promised(s)],
        coach=one_line(coach.name),
    )
    return _Text(
        subject=f"After our session on {day(scope.meeting.held_on)}",
        body=checked_body(body[: BODY_LIMIT - 1]),
        recipient_name=one_line(client.name),
        recipient_email=(client.email or "").strip(),
    )


def _sentences(session: Session, analysis: Analysis, steps: list[ActionItem]) -> list[str]:
    """The suggested sentences, each in the coach's wording where there is one, removed ones left out.

    A suggestion that says nothing beyond the next steps is left out too: the letter lists those.
    """
    edited = InsightEdit.id.is_not(None)
    rows = session.execute(
        sa.select(
            sa.case((edited, InsightEdit.text), else_=Insight.text), edited, Insight.citations
        )
        .outerjoin(
            InsightEdit,
            sa.and_(
                InsightEdit.transcript_id == Insight.transcript_id,
                InsightEdit.kind == Insight.kind,
                InsightEdit.anchor == Insight.anchor,
            ),
        )
        .where(
            Insight.analysis_id == analysis.id,
            Insight.kind == "follow_up",
            Insight.held_back.is_(False),
        )
        .order_by(Insight.ordinal)
    )
    listed = {entry["quote"] for step in steps for entry in step.citations}
    return [
        one_line(text)
        for text, is_mine, citations in rows
        if text and (is_mine or not citations or {e["quote"] for e in citations} - listed)
    ]


def _steps(session: Session, scope: TranscriptScope) -> list[ActionItem]:
    """Open next steps that were said, or taken up again, in this session."""
    found = session.scalars(
        sa.select(ActionItem)
        .where(
            ActionItem.client_id == scope.meeting.client_id,
            ActionItem.status == "open",
            sa.or_(
                ActionItem.transcript_id == scope.transcript.id,
                ActionItem.last_session_id == scope.meeting.id,
            ),
        )
        .order_by(ActionItem.due_date.asc().nulls_last(), ActionItem.id)
    )
    return [item for item in found if may_show(item)]


def _promised(item: ActionItem) -> bool:
    return item.modality == "commitment"


def _step(item: ActionItem) -> str:
    text = one_line(item.text).rstrip(".")
    if item.due_date is not None:
        return f"{text} (by {day(item.due_date)})"
    said = item.due_phrase if not item.held_back else None
    return f"{text} (“{one_line(said)}”)" if said else text


def _proposal(item: ActionItem) -> str:
    whose = {"client": "suggested for you", "coach": "suggested for me"}.get(item.owner)
    return f"{_step(item)} ({whose})" if whose else _step(item)


def _first_name(name: str) -> str:
    """The first name, or the whole name where it starts with a title ("Dr. Kim Lee")."""
    words = one_line(name).split()
    return one_line(name) if not words or words[0].endswith(".") else words[0]

"""Which rows of the database are about a client, and their removal in an order that keys allow.

One list serves counting (`privacy show`, dry runs) and erasing, so what is shown is what goes. Every
row is deleted by a statement of its own table, never by a cascade alone: the change feed tells each.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.db.models import (
    ActionItem,
    Activity,
    AiReply,
    Analysis,
    Base,
    Client,
    CoachingSession,
    Consent,
    Engagement,
    Feedback,
    Goal,
    GoalRating,
    InboundRow,
    Insight,
    InsightEdit,
    LegalHold,
    MailEvent,
    Message,
    OutboundRecord,
    QuarantineItem,
    Suppression,
    Transcript,
    TranscriptEdit,
    Utterance,
)

_QUIET = {"synchronize_session": False}
Condition = Callable[[uuid.UUID], sa.ColumnElement[bool]]


def _sessions(client: uuid.UUID) -> sa.Select[uuid.UUID]:
    return sa.select(CoachingSession.id).where(CoachingSession.client_id == client)


def _transcripts(client: uuid.UUID) -> sa.Select[uuid.UUID]:
    return sa.select(Transcript.id).where(
        sa.or_(Transcript.client_id == client, Transcript.session_id.in_(_sessions(client)))
    )


def _analyses(client: uuid.UUID) -> sa.Select[uuid.UUID]:
    return sa.select(Analysis.id).where(Analysis.transcript_id.in_(_transcripts(client)))


def _messages(client: uuid.UUID) -> sa.Select[uuid.UUID]:
    return sa.select(Message.id).where(
        sa.or_(Message.client_id == client, Message.session_id.in_(_sessions(client)))
    )


def _goals(client: uuid.UUID) -> sa.Select[uuid.UUID]:
    return sa.select(Goal.id).where(Goal.client_id == client)


@dataclass(frozen=True, slots=True)
class Part:
    """A table and which of its rows are about a client."""

    model: type[Base]
    about: Condition

    @property
    def name(self) -> str:
        """Of the table."""
        return str(self.model.__tablename__)


def _written(client: uuid.UUID) -> sa.ColumnElement[bool]:
    """What other systems last wrote of the client, their engagements and sessions."""
    engagements = sa.select(Engagement.id).where(Engagement.client_id == client)
    return sa.or_(
        InboundRow.row_id == client,
        InboundRow.row_id.in_(engagements),
        InboundRow.row_id.in_(_sessions(client)),
    )


PARTS: tuple[Part, ...] = (
    Part(InboundRow, _written),
    Part(
        Feedback, lambda c: sa.or_(Feedback.client_id == c, Feedback.message_id.in_(_messages(c)))
    ),
    Part(MailEvent, lambda c: MailEvent.message_id.in_(_messages(c))),
    Part(Message, lambda c: Message.id.in_(_messages(c))),
    Part(
        GoalRating,
        lambda c: sa.or_(
            GoalRating.goal_id.in_(_goals(c)), GoalRating.session_id.in_(_sessions(c))
        ),
    ),
    Part(
        ActionItem,
        lambda c: sa.or_(
            ActionItem.client_id == c,
            ActionItem.session_id.in_(_sessions(c)),
            ActionItem.last_session_id.in_(_sessions(c)),
        ),
    ),
    Part(InsightEdit, lambda c: InsightEdit.transcript_id.in_(_transcripts(c))),
    Part(Insight, lambda c: Insight.transcript_id.in_(_transcripts(c))),
    Part(OutboundRecord, lambda c: OutboundRecord.analysis_id.in_(_analyses(c))),
    Part(AiReply, lambda c: AiReply.transcript_id.in_(_transcripts(c))),
    Part(Analysis, lambda c: Analysis.transcript_id.in_(_transcripts(c))),
    Part(TranscriptEdit, lambda c: TranscriptEdit.transcript_id.in_(_transcripts(c))),
    Part(
        QuarantineItem,
        lambda c: sa.or_(
            QuarantineItem.client_id == c, QuarantineItem.transcript_id.in_(_transcripts(c))
        ),
    ),
    Part(Utterance, lambda c: Utterance.transcript_id.in_(_transcripts(c))),
    Part(Transcript, lambda c: Transcript.id.in_(_transcripts(c))),
    Part(Goal, lambda c: Goal.client_id == c),
    Part(CoachingSession, lambda c: CoachingSession.client_id == c),
    Part(Consent, lambda c: Consent.client_id == c),
    Part(Engagement, lambda c: Engagement.client_id == c),
    Part(LegalHold, lambda c: LegalHold.client_id == c),
    Part(Client, lambda c: Client.id == c),
)
"""In the order in which they can be deleted."""

_SUBJECTS: tuple[tuple[Any, Condition], ...] = (
    (Client.id, lambda c: Client.id == c),
    (CoachingSession.id, lambda c: CoachingSession.client_id == c),
    (Transcript.id, lambda c: Transcript.id.in_(_transcripts(c))),
    (Analysis.id, lambda c: Analysis.id.in_(_analyses(c))),
    (Message.id, lambda c: Message.id.in_(_messages(c))),
    (Goal.id, lambda c: Goal.client_id == c),
    (ActionItem.id, lambda c: ActionItem.client_id == c),
    (QuarantineItem.id, lambda c: QuarantineItem.client_id == c),
)
"""What entries of the activity may name."""


def count(session: Session, client_id: uuid.UUID) -> dict[str, int]:
    """Rows about a client, by table; tables without any are left out."""
    found = {
        part.name: session.scalar(
            sa.select(sa.func.count()).select_from(part.model).where(part.about(client_id))
        )
        or 0
        for part in PARTS
    }
    return {name: rows for name, rows in found.items() if rows}


def delete(session: Session, client_id: uuid.UUID, address_hash: str | None) -> dict[str, int]:
    """Delete every row about a client; returns how many, by table.

    Parameters:
        address_hash: of the client's address in the list of those never written to.

    Entries of the activity stay as counts: they name no row of the client any more. A reason not to
    write to the address stays as keyed hash, without what somebody noted.
    """
    session.execute(
        sa.update(Suppression)
        .where(
            sa.or_(
                Suppression.message_id.in_(_messages(client_id)),
                Suppression.address_hash == (address_hash or ""),
            )
        )
        .values(message_id=None, note="")
        .execution_options(**_QUIET)
    )
    named = sa.or_(
        *(
            Activity.subject_id.in_(sa.select(column).where(about(client_id)))
            for column, about in _SUBJECTS
        )
    )
    session.execute(
        sa.update(Activity).where(named).values(subject_id=None).execution_options(**_QUIET)
    )
    gone = {}
    for part in PARTS:
        done = session.execute(
            sa.delete(part.model).where(part.about(client_id)).execution_options(**_QUIET)
        )
        if done.rowcount:  # type: ignore[attr-defined]  # of a DELETE
            gone[part.name] = int(done.rowcount)  # type: ignore[attr-defined]  # as above
    return gone

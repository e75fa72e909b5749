"""Goals with their ratings, follow-up messages, and what clients answer."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import (
    Base,
    Changing,
    Identified,
    Instant,
    JsonDocument,
    ShortText,
    Text,
    at_most,
    between,
    not_blank,
    one_of,
)

GOAL_STATES = ("open", "reached", "dropped")
MESSAGE_STATES = ("draft", "approved", "sending", "sent", "uncertain", "failed")
DELIVERIES = ("delivered", "bounced", "complained")


class Goal(Changing, Base):
    """A goal on a Goal Attainment Scale (Kiresuk & Sherman 1968): five described levels, -2..+2."""

    __tablename__ = "goals"
    __table_args__ = (
        one_of("status", *GOAL_STATES),
        between("weight", 1, 5),
        not_blank("title"),
        at_most("title", 200),
    )

    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    coach_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("coaches.id"))
    engagement_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("engagements.id"), index=True)
    title: Mapped[ShortText]
    levels: Mapped[JsonDocument]
    weight: Mapped[int] = mapped_column(default=1)
    status: Mapped[str] = mapped_column(sa.String(20), default="open")


class GoalRating(Identified, Base):
    """Where a goal stands on a day, as the coach or the client sees it."""

    __tablename__ = "goal_ratings"
    __table_args__ = (
        between("level", -2, 2),
        one_of("rated_by", "coach", "client"),
        at_most("note", 2000),
    )

    goal_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("goals.id", ondelete="CASCADE"), index=True
    )
    session_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("sessions.id"))
    level: Mapped[int]
    rated_by: Mapped[str] = mapped_column(sa.String(10))
    rated_on: Mapped[dt.date]
    note: Mapped[Text] = mapped_column(default="")


class Message(Changing, Base):
    """A follow-up e-mail. `version` counts edits; an approval holds for one version only.

    `edited`: the coach changed the engine's words, so no new analysis overwrites them. `stale`: a
    later analysis would say something else (it stands in `engine_body`). `attempts`: how often the
    mail server put this version off; `retry_at`: not before. `delivery`: what mail servers reported
    after it was sent.
    """

    __tablename__ = "messages"
    __table_args__ = (
        one_of("state", *MESSAGE_STATES),
        one_of("delivery", *DELIVERIES),
        not_blank("subject"),
        at_most("subject", 200),
        at_most("recipient_name", 200),
        at_most("recipient_email", 200),
        sa.CheckConstraint("NOT edited OR length(body) <= 20001", name="edited_body_at_most"),
        sa.CheckConstraint(
            "state = 'draft' OR approved_at IS NOT NULL", name="approved_before_sending"
        ),
        sa.CheckConstraint("state <> 'sent' OR sent_at IS NOT NULL", name="sent_has_time"),
        sa.Index("ix_messages_coach_id_state", "coach_id", "state"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("sessions.id"), index=True)
    transcript_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("transcripts.id", ondelete="SET NULL"), unique=True
    )
    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    coach_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("coaches.id"))
    recipient_name: Mapped[ShortText]
    recipient_email: Mapped[ShortText]
    subject: Mapped[ShortText]
    body: Mapped[Text]
    engine_body: Mapped[Text]
    state: Mapped[str] = mapped_column(sa.String(20), default="draft")
    version: Mapped[int] = mapped_column(default=1)
    edited: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    stale: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    approved_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    approved_at: Mapped[dt.datetime | None]
    approved_version: Mapped[int | None]
    sending_at: Mapped[dt.datetime | None]
    sent_at: Mapped[dt.datetime | None]
    mail_id: Mapped[str | None] = mapped_column(sa.String(200))
    error_code: Mapped[str | None] = mapped_column(sa.String(20))
    attempts: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    retry_at: Mapped[dt.datetime | None]
    delivery: Mapped[str | None] = mapped_column(sa.String(20))
    delivery_at: Mapped[dt.datetime | None]


class Feedback(Identified, Base):
    """A client's two answers to a follow-up: how useful the session was, what to do next."""

    __tablename__ = "feedback"
    __table_args__ = (between("helpfulness", 1, 5), at_most("next_focus", 2000))

    message_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("messages.id"), unique=True)
    session_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("sessions.id"), index=True)
    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"))
    helpfulness: Mapped[int]
    next_focus: Mapped[Text] = mapped_column(default="")
    received_at: Mapped[Instant]

"""Coaches, clients, the engagements that join them, and what clients consented to."""

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
    ShortText,
    at_most,
    not_blank,
    one_of,
)

CONSENT_KINDS = ("processing", "external_ai")


class Coach(Changing, Base):
    """A coach of the organisation. `left_on` is the first day without them."""

    __tablename__ = "coaches"
    __table_args__ = (
        not_blank("name"),
        not_blank("external_id"),
        not_blank("email"),
        at_most("name", 200),
        at_most("external_id", 200),
        at_most("email", 200),
    )

    external_id: Mapped[ShortText] = mapped_column(unique=True)
    name: Mapped[ShortText]
    email: Mapped[ShortText] = mapped_column(unique=True)
    left_on: Mapped[dt.date | None]


class Client(Changing, Base):
    """A client; without `email` no follow-up can be sent."""

    __tablename__ = "clients"
    __table_args__ = (
        not_blank("name"),
        not_blank("external_id"),
        not_blank("email"),
        at_most("name", 200),
        at_most("external_id", 200),
        at_most("email", 200),
    )

    external_id: Mapped[ShortText] = mapped_column(unique=True)
    name: Mapped[ShortText]
    email: Mapped[str | None] = mapped_column(sa.String(200), index=True)
    left_on: Mapped[dt.date | None]


class Engagement(Changing, Base):
    """A coach works with a client, from `started_on` until `ended_on` (exclusive)."""

    __tablename__ = "engagements"
    __table_args__ = (
        sa.CheckConstraint("ended_on IS NULL OR ended_on >= started_on", name="ends_after_start"),
        not_blank("external_id"),
        at_most("external_id", 200),
        at_most("title", 200),
        sa.Index("ix_engagements_coach_id_client_id", "coach_id", "client_id"),
    )

    external_id: Mapped[ShortText] = mapped_column(unique=True)
    coach_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("coaches.id"))
    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    title: Mapped[ShortText] = mapped_column(default="")
    started_on: Mapped[dt.date]
    ended_on: Mapped[dt.date | None]


class Consent(Identified, Base):
    """A consent given or withdrawn; the newest row of a client and kind is in force.

    Kinds: `processing` (analysis on this machine), `external_ai` (anything that leaves it).
    """

    __tablename__ = "consents"
    __table_args__ = (
        one_of("kind", *CONSENT_KINDS),
        at_most("note", 200),
        sa.Index("ix_consents_client_id_kind_recorded_at", "client_id", "kind", "recorded_at"),
    )

    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"))
    kind: Mapped[str] = mapped_column(sa.String(20))
    granted: Mapped[bool]
    recorded_at: Mapped[Instant]
    recorded_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    note: Mapped[ShortText] = mapped_column(default="")

"""Whom the suite has forgotten, what may not be forgotten yet, and how long things are kept."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import (
    Base,
    Identified,
    Instant,
    JsonDocument,
    at_most,
    not_blank,
    one_of,
)

ERASURE_REASONS = ("request", "consent_withdrawn", "unlawful", "duty", "no_longer_needed")
"""Grounds of Art. 17 (1) GDPR; a code, since words of a reason would be kept about the person."""
RETENTION_KINDS = (
    "transcripts",
    "analyses",
    "messages",
    "activity",
    "exports",
    "reports",
    "outbox",
    "mail_reports",
)
KeyedHash = sa.String(32)


class Erasure(Base):
    """A client who was erased: the id that nothing leads to any more, and keyed hashes.

    By the hashes an import knows whom it must not bring back (`coachops.db.erasures`); `key_id` names
    their key; `address_hash` is that of the list of addresses never written to. `born_at` and `coach_ids` tell which exports held the client. `remaining` lists what could
    not be cleaned yet; `finished_at` is when nothing was left. `readmitted_at`: a person said that
    the same external id may come again; it then is another client.
    """

    __tablename__ = "erasures"
    __table_args__ = (
        one_of("reason", *ERASURE_REASONS),
        sa.Index("ix_erasures_external_hash", "external_hash"),
        sa.Index("ix_erasures_email_hash", "email_hash"),
    )

    client_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[Instant]
    reason: Mapped[str] = mapped_column(sa.String(20))
    erased_by: Mapped[uuid.UUID | None]
    born_at: Mapped[Instant]
    coach_ids: Mapped[JsonDocument]
    external_hash: Mapped[str] = mapped_column(KeyedHash)
    email_hash: Mapped[str | None] = mapped_column(KeyedHash)
    address_hash: Mapped[str | None] = mapped_column(KeyedHash)
    key_id: Mapped[str] = mapped_column(sa.String(16))
    counts: Mapped[JsonDocument]
    remaining: Mapped[JsonDocument]
    finished_at: Mapped[dt.datetime | None]
    readmitted_at: Mapped[dt.datetime | None]
    readmitted_by: Mapped[uuid.UUID | None]


class LegalHold(Identified, Base):
    """A duty to keep what is held about a client, until somebody ends it."""

    __tablename__ = "legal_holds"
    __table_args__ = (
        not_blank("reason"),
        at_most("reason", 500),
        sa.CheckConstraint("released_at IS NOT NULL OR released_by IS NULL", name="released_when"),
    )

    client_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    reason: Mapped[str] = mapped_column(sa.String(500))
    placed_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    released_at: Mapped[dt.datetime | None]
    released_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))


class RetentionPeriod(Base):
    """How many days a kind of data is kept; without a row it is kept."""

    __tablename__ = "retention_periods"
    __table_args__ = (
        one_of("kind", *RETENTION_KINDS),
        sa.CheckConstraint("days >= 1", name="days_positive"),
    )

    kind: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    days: Mapped[int]
    set_at: Mapped[Instant]
    set_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))

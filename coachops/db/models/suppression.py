"""Addresses that are never written to, and what mail servers reported about letters.

Addresses are kept as keyed hashes only (the key is derived from a secret of the installation), so
the list can outlive a client without holding whom it was about.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import Base, Identified, Instant, ShortText, one_of

SUPPRESSION_REASONS = ("bounce", "complaint", "opt_out")
SUPPRESSION_SOURCES = ("smtp", "report", "api", "link")
LIFTED_BY = ("person", "client")
MAIL_EVENT_KINDS = ("delivered", "delayed", "bounced", "complained")
MAIL_EVENT_SOURCES = ("smtp", "report", "api")
AddressHash = sa.String(32)


class Suppression(Identified, Base):
    """A reason not to write to an address; it holds from `since` until `lifted_at`.

    `key_id` names the key of the hash: with another key the list could not be read, and nothing may
    be sent. A lifted row stays, so that what happened can be told.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        one_of("reason", *SUPPRESSION_REASONS),
        one_of("source", *SUPPRESSION_SOURCES),
        one_of("lifted_by", *LIFTED_BY),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted_by_whom"),
        sa.Index(
            "uq_suppressions_standing",
            "address_hash",
            "reason",
            unique=True,
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        ),
    )

    address_hash: Mapped[str] = mapped_column(AddressHash)
    key_id: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str] = mapped_column(sa.String(20))
    source: Mapped[str] = mapped_column(sa.String(20))
    status: Mapped[str] = mapped_column(sa.String(20), default="")
    message_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("messages.id", ondelete="SET NULL"), index=True
    )
    since: Mapped[Instant]
    lifted_at: Mapped[dt.datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(sa.String(20))
    lifted_by_user: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("users.id"))
    note: Mapped[ShortText] = mapped_column(default="")


class MailEvent(Identified, Base):
    """What a mail server reported about a letter; `event_key` makes a repeated report one row.

    `message_id` is empty where the report names no letter of ours. `hard`: the address itself is
    refused for good.
    """

    __tablename__ = "mail_events"
    __table_args__ = (
        one_of("kind", *MAIL_EVENT_KINDS),
        one_of("source", *MAIL_EVENT_SOURCES),
        sa.Index("ix_mail_events_address_hash_occurred_at", "address_hash", "occurred_at"),
    )

    event_key: Mapped[str] = mapped_column(sa.String(64), unique=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    source: Mapped[str] = mapped_column(sa.String(20))
    status: Mapped[str] = mapped_column(sa.String(20), default="")
    hard: Mapped[bool] = mapped_column(default=False)
    message_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("messages.id", ondelete="SET NULL"), index=True
    )
    address_hash: Mapped[str | None] = mapped_column(AddressHash)
    occurred_at: Mapped[Instant]

"""Webhooks: who is told of what, what happened, and what became of each delivery.

Events hold ids, counts and links only. Secrets are sealed with a key that is not in the database.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.db.models.base import (
    Base,
    Identified,
    Instant,
    Json,
    JsonDocument,
    ShortText,
    Text,
    at_most,
    one_of,
)

DISABLED_REASONS = ("gone", "exhausted", "restored")
"""Its receiver said so, it accepted nothing, or the row came back with a backup."""
DELIVERY_STATES = ("waiting", "delivered", "exhausted", "dropped")


class WebhookEndpoint(Identified, Base):
    """An address that is told of events.

    `secret` and `previous_secret` are sealed with the key named `key_id`; the previous one signs
    beside the new one until `previous_until`. `datasets`, `coaches`, `clients` limit what it is told
    of, as a token's grant does. `busy_until` is the lease of the worker that delivers to it: one
    delivery at a time. `told_position` is the change that it was last told of.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        one_of("disabled_reason", *DISABLED_REASONS),
        at_most("url", 2000),
        at_most("description", 200),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_reason IS NULL)", name="disabled_why"
        ),
        sa.CheckConstraint(
            "(previous_secret IS NULL) = (previous_until IS NULL)", name="previous_until_when"
        ),
    )

    url: Mapped[Text]
    description: Mapped[ShortText] = mapped_column(default="")
    event_types: Mapped[JsonDocument]
    datasets: Mapped[list[str] | None] = mapped_column(Json)
    coaches: Mapped[list[str] | None] = mapped_column(Json)
    clients: Mapped[list[str] | None] = mapped_column(Json)
    secret: Mapped[Text]
    previous_secret: Mapped[str | None] = mapped_column(sa.Text())
    previous_until: Mapped[dt.datetime | None]
    key_id: Mapped[str] = mapped_column(sa.String(16))
    created_by: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    disabled_at: Mapped[dt.datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(sa.String(20))
    failing_since: Mapped[dt.datetime | None]
    exhausted_in_a_row: Mapped[int] = mapped_column(default=0)
    busy_until: Mapped[dt.datetime | None]
    told_position: Mapped[int | None] = mapped_column(sa.BigInteger())
    told_at: Mapped[dt.datetime | None]


class WebhookEvent(Identified, Base):
    """Something that happened. `key` makes it one event, however often it is emitted."""

    __tablename__ = "webhook_events"

    key: Mapped[ShortText] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(sa.String(50))
    data: Mapped[JsonDocument]
    occurred_at: Mapped[Instant] = mapped_column(index=True)


class WebhookDelivery(Identified, Base):
    """An event on its way to an endpoint: the outbox.

    `attempts` counts those that were begun, also one whose worker died. `last_failure` is a word of
    `webhooks.sending`, never what the receiver answered.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("state", *DELIVERY_STATES),
        sa.UniqueConstraint("event_id", "endpoint_id"),
        sa.Index(
            "ix_webhook_deliveries_due",
            "next_at",
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        ),
        sa.Index("ix_webhook_deliveries_endpoint_id_created_at", "endpoint_id", "created_at"),
    )

    event_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("webhook_events.id", ondelete="CASCADE")
    )
    endpoint_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("webhook_endpoints.id", ondelete="CASCADE")
    )
    state: Mapped[str] = mapped_column(sa.String(20), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[Instant]
    last_attempt_at: Mapped[dt.datetime | None]
    last_status: Mapped[int | None]
    last_failure: Mapped[str | None] = mapped_column(sa.String(20))
    finished_at: Mapped[dt.datetime | None] = mapped_column(index=True)

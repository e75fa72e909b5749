"""Webhooks and deliveries as surfaces show them: never a secret."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import Grant
from coachops.db.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.webhooks.delivering import message_id
from coachops.webhooks.outbox import grant_of

FAILING_AFTER = dt.timedelta(hours=1)
"""A receiver that fails for less may just be restarting."""
STATES = ("waiting", "delivered", "exhausted", "dropped")
"""Of a delivery: on its way, accepted, given up after the last attempt, or never to be sent."""


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """An endpoint.

    Attributes:
        state: `on`, `failing` (its newest attempts failed) or `off`.
        previous_until: until when the secret before the newest one signs, too.
        waiting: deliveries on their way.
    """

    id: uuid.UUID
    url: str
    description: str
    event_types: tuple[str, ...]
    datasets: tuple[str, ...] | None
    coaches: tuple[str, ...] | None
    clients: tuple[str, ...] | None
    state: str
    disabled_reason: str | None
    failing_since: dt.datetime | None
    previous_until: dt.datetime | None
    waiting: int
    created_by: uuid.UUID | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Health:
    """How webhooks fare: ids of endpoints that are off, that fail for longer than an hour, and whose
    secret cannot be opened; how many there are, and deliveries on their way."""

    total: int
    waiting: int
    off: tuple[uuid.UUID, ...]
    failing: tuple[uuid.UUID, ...]
    unreadable: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery. `event_id` is the `webhook-id` that the receiver sees; `failure` of `FAILURES`."""

    id: uuid.UUID
    webhook_id: uuid.UUID
    event_id: str
    event_type: str
    state: str
    attempts: int
    next_at: dt.datetime | None
    last_attempt_at: dt.datetime | None
    last_status: int | None
    failure: str | None
    occurred_at: dt.datetime


def webhook_row(endpoint: WebhookEndpoint, waiting: int, now: dt.datetime) -> WebhookRow:
    """The row of an endpoint."""

    def known(listed: list[str] | None) -> tuple[str, ...] | None:
        return None if listed is None else tuple(sorted(listed))

    state = "off" if endpoint.disabled_at else "failing" if endpoint.failing_since else "on"
    until = endpoint.previous_until
    return WebhookRow(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        event_types=tuple(endpoint.event_types),
        datasets=known(endpoint.datasets),
        coaches=known(endpoint.coaches),
        clients=known(endpoint.clients),
        state=state,
        disabled_reason=endpoint.disabled_reason,
        failing_since=endpoint.failing_since,
        previous_until=until if until is not None and until > now else None,
        waiting=waiting,
        created_by=endpoint.created_by,
        created_at=endpoint.created_at,
    )


def delivery_row(delivery: WebhookDelivery, event: WebhookEvent) -> DeliveryRow:
    """The row of a delivery."""
    return DeliveryRow(
        id=delivery.id,
        webhook_id=delivery.endpoint_id,
        event_id=message_id(event.id),
        event_type=event.type,
        state=delivery.state,
        attempts=delivery.attempts,
        next_at=delivery.next_at if delivery.state == "waiting" else None,
        last_attempt_at=delivery.last_attempt_at,
        last_status=delivery.last_status,
        failure=delivery.last_failure,
        occurred_at=event.occurred_at,
    )


def require_manager(actor: Actor) -> None:
    """Refuse everybody but admins and services. Raises COACH-IDN-003."""
    actor.require_role("admin", "service", what="webhooks")


def may_manage(actor: Actor, grant: Grant, endpoint: WebhookEndpoint) -> bool:
    """Whether it is theirs: an admin's is everything; a service's, what it made within its grant."""
    if actor.role != "admin" and endpoint.created_by != actor.user_id:
        return False
    return within(grant_of(endpoint), grant)


def within(limits: Grant, grant: Grant) -> bool:
    """Whether `limits` let through nothing that `grant` does not."""
    pairs = (
        (limits.datasets, grant.datasets),
        (limits.coaches, grant.coaches),
        (limits.clients, grant.clients),
    )
    return all(
        whole is None or (part is not None and set(part) <= set(whole)) for part, whole in pairs
    )


def unknown(ref: object) -> CoachError:
    """The error of an id that is none of theirs."""
    return CoachError("COACH-WHK-001", ref=ref)

"""Taking what is due, one delivery of an endpoint at a time, and writing down what came of it.

An attempt is counted and the endpoint leased before anything is sent. Who dies in between leaves the
lease to run out; then the same event is sent again under the same id. So each event arrives at least
once while its receiver lives, and a receiver that hangs holds up nobody but itself.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record as record_act
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.webhooks.events import TEST
from coachops.webhooks.outbox import served
from coachops.webhooks.secrets import Seal
from coachops.webhooks.sending import Answer, Letter

WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds after each failed attempt, about three days in all; up to a tenth longer by chance."""
LONGEST_WAIT = dt.timedelta(seconds=86_400 * 1.1)
"""Also of a receiver that asks to be left alone."""
LEASE = dt.timedelta(seconds=60)
"""Much longer than an attempt: after it the worker that took a delivery is taken for dead."""
GIVE_UP_AFTER = 3
"""Deliveries in a row that no attempt brought home, after which an endpoint is switched off."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that this process has taken on.

    Attributes:
        attempt: its number, from 1.
        lease: until when the endpoint is ours.
        keys: the sealed secrets that sign, the newest first, and the id of their key.
    """

    delivery_id: uuid.UUID
    endpoint_id: uuid.UUID
    attempt: int
    lease: dt.datetime
    url: str
    event_id: uuid.UUID
    event_type: str
    body: str
    keys: tuple[str, ...]
    key_id: str

    @property
    def message_id(self) -> str:
        """The id of the event as receivers see it."""
        return message_id(self.event_id)

    def letter(self, seal: Seal) -> Letter:
        """What to post.

        Raises:
            CoachError: COACH-WHK-005.
        """
        secrets = tuple(seal.open(each, self.endpoint_id, self.key_id) for each in self.keys)
        return Letter(self.url, self.message_id, self.body, secrets)


def message_id(event_id: uuid.UUID) -> str:
    """The id of an event as receivers see it."""
    return f"msg_{event_id.hex}"


def body_of(event: WebhookEvent, origin: str) -> str:
    """The body: the same text at each attempt.

    Parameters:
        origin: of this installation, put before links.
    """
    data: dict[str, Any] = dict(event.data)
    if data.get("url"):
        data["url"] = origin + data["url"]
    timestamp = event.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    document = {"type": event.type, "timestamp": timestamp, "data": data}
    return json.dumps(document, separators=(",", ":"), sort_keys=False)


def due_endpoints(database: Database, limit: int, key_id: str) -> list[tuple[uuid.UUID, bool]]:
    """Endpoints with something due that nobody delivers to now, and whether they fail at present.

    Those that work come first, then those that wait longest.

    Parameters:
        key_id: of the key that this process has. What is sealed with another one waits for a worker
            that has that key, or for a rotation; no attempt is lost over it.
    """
    now = clock.now()
    failing = WebhookEndpoint.failing_since.is_not(None)
    query = (
        sa.select(WebhookEndpoint.id, failing)
        .join(WebhookDelivery, WebhookDelivery.endpoint_id == WebhookEndpoint.id)
        .where(
            *served(),
            WebhookEndpoint.key_id == key_id,
            _free(now),
            *_due(now),
        )
        .group_by(WebhookEndpoint.id)
        .order_by(failing, sa.func.min(WebhookDelivery.next_at))
        .limit(limit)
    )
    with database.read() as session:
        return [(endpoint_id, bool(fails)) for endpoint_id, fails in session.execute(query)]


def take(
    database: Database, endpoint_id: uuid.UUID, origin: str, delivery_id: uuid.UUID | None = None
) -> Taken | None:
    """Take on the oldest due delivery of an endpoint; None where there is none, or another has it.

    Parameters:
        delivery_id: this one only, due or not.
    """

    def work(session: Session) -> Taken | None:
        now = clock.now()
        lease = now + LEASE
        endpoint = session.scalar(
            sa.update(WebhookEndpoint)
            .where(
                WebhookEndpoint.id == endpoint_id,
                WebhookEndpoint.disabled_at.is_(None),
                _free(now),
            )
            .values(busy_until=lease)
            .returning(WebhookEndpoint)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        if endpoint is None:
            return None
        chosen = _due(now) if delivery_id is None else [WebhookDelivery.id == delivery_id]
        found = session.execute(
            sa.select(WebhookDelivery, WebhookEvent)
            .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
            .where(
                WebhookDelivery.endpoint_id == endpoint_id,
                WebhookDelivery.state == "waiting",
                *chosen,
            )
            .order_by(WebhookDelivery.next_at, WebhookDelivery.id)
            .limit(1)
        ).one_or_none()
        if found is None:
            endpoint.busy_until = None
            return None
        delivery, event = found
        delivery.attempts += 1
        delivery.last_attempt_at = now
        previous = endpoint.previous_secret
        both = previous is not None and (endpoint.previous_until or now) > now
        return Taken(
            delivery_id=delivery.id,
            endpoint_id=endpoint_id,
            attempt=delivery.attempts,
            lease=lease,
            url=endpoint.url,
            event_id=event.id,
            event_type=event.type,
            body=body_of(event, origin),
            keys=(endpoint.secret, previous) if both and previous else (endpoint.secret,),
            key_id=endpoint.key_id,
        )

    return database.run(work)


def note(database: Database, taken: Taken, answer: Answer) -> str:
    """Write down what came of an attempt; returns the state of the delivery.

    A success counts whoever reports it. A failure of an attempt that was taken for dead, after which
    another began, changes nothing.
    """

    def work(session: Session) -> str:
        # not FOR UPDATE: that would wait for every transaction that has emitted an event to it
        lock = {"key_share": True}
        endpoint = session.get(WebhookEndpoint, taken.endpoint_id, with_for_update=lock)
        delivery = session.get(WebhookDelivery, taken.delivery_id, with_for_update=lock)
        if endpoint is None or delivery is None:
            return "dropped"  # the endpoint was removed meanwhile
        if endpoint.busy_until == taken.lease:
            endpoint.busy_until = None
        if delivery.state != "waiting":
            return delivery.state
        now = clock.now()
        if not answer.failure:
            endpoint.failing_since, endpoint.exhausted_in_a_row = None, 0
            _end(delivery, "delivered", now)
        elif delivery.attempts != taken.attempt:
            return delivery.state
        else:
            _failed(session, endpoint, delivery, taken, answer, now)
        delivery.last_status = answer.status
        delivery.last_failure = answer.failure or None
        return delivery.state

    return database.run(work)


def wait_after(attempt: int, retry_after: float | None = None) -> dt.timedelta:
    """How long to wait after the attempt of that number (from 1)."""
    wait = WAITS[attempt - 1] * random.uniform(1.0, 1.1)  # noqa: S311 spreads load, keeps no secret
    return min(dt.timedelta(seconds=max(wait, min(retry_after or 0.0, 1e6))), LONGEST_WAIT)


def switch_off(session: Session, endpoint: WebhookEndpoint, reason: str, now: dt.datetime) -> None:
    """Send nothing more to an endpoint; what waits for it is dropped and can be delivered again."""
    endpoint.disabled_at, endpoint.disabled_reason = now, reason
    session.flush()
    session.execute(
        sa.update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.state == "waiting")
        .values(state="dropped", finished_at=now)
    )
    record_act(session, SYSTEM, "webhook.disabled", "webhook", endpoint.id, reason=reason)


def switch_all_off(session: Session, reason: str, now: dt.datetime) -> int:
    """As `switch_off`, every endpoint that is on; returns how many."""
    found = session.scalars(
        sa.select(WebhookEndpoint)
        .where(WebhookEndpoint.disabled_at.is_(None))
        .order_by(WebhookEndpoint.id)
    ).all()
    for endpoint in found:
        switch_off(session, endpoint, reason, now)
    return len(found)


def open_letter(taken: Taken, seal: Seal) -> Letter | None:
    """What to post; None where the secret cannot be opened."""
    try:
        return taken.letter(seal)
    except CoachError:
        return None


def _failed(
    session: Session,
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
    taken: Taken,
    answer: Answer,
    now: dt.datetime,
) -> None:
    if answer.failure == "stopped":  # our own doing: the same attempt is made again
        delivery.attempts -= 1
        delivery.next_at = now
        return
    test = taken.event_type == TEST
    if not test:
        endpoint.failing_since = endpoint.failing_since or now
    if answer.failure == "gone":
        switch_off(session, endpoint, "gone", now)
        _end(delivery, "dropped", now)
    elif test or taken.attempt > len(WAITS):
        _end(delivery, "exhausted", now)
        endpoint.exhausted_in_a_row += 0 if test else 1
        if endpoint.exhausted_in_a_row >= GIVE_UP_AFTER:
            switch_off(session, endpoint, "exhausted", now)
    else:
        delivery.next_at = now + wait_after(taken.attempt, answer.retry_after)


def _end(delivery: WebhookDelivery, state: str, now: dt.datetime) -> None:
    delivery.state, delivery.finished_at = state, now


def _due(now: dt.datetime) -> list[sa.ColumnElement[bool]]:
    # later than any wait: written before the clock was set back
    ahead = now + LONGEST_WAIT + clock.AHEAD
    return [
        WebhookDelivery.state == "waiting",
        sa.or_(WebhookDelivery.next_at <= now, WebhookDelivery.next_at > ahead),
    ]


def _free(now: dt.datetime) -> sa.ColumnElement[bool]:
    return sa.or_(
        WebhookEndpoint.busy_until.is_(None),
        WebhookEndpoint.busy_until <= now,
        WebhookEndpoint.busy_until > now + LEASE + clock.AHEAD,
    )

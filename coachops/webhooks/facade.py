"""`Webhooks`: what surfaces call to manage endpoints and to look after deliveries."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.core.settings import Settings
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.webhooks import delivering
from coachops.webhooks.addresses import Rules, parse
from coachops.webhooks.events import CHOICES, ERASED, TEST
from coachops.webhooks.outbox import emit_to, grant_of
from coachops.webhooks.rows import (
    FAILING_AFTER,
    STATES,
    DeliveryRow,
    Health,
    WebhookRow,
    delivery_row,
    may_manage,
    require_manager,
    unknown,
    webhook_row,
    within,
)
from coachops.webhooks.secrets import Seal, new_secret
from coachops.webhooks.sending import Answer, send

BOTH = dt.timedelta(days=1)
"""How long the secret before the newest one signs, too, so that a receiver can change over."""
MOST = 200
"""Endpoints of an installation."""


class Webhooks:
    """The webhooks of an installation.

    Parameters:
        database: where everything is kept.
        settings: where they may go, and the address of this installation.
        secret: from which the key is derived that seals the signing secrets.
    """

    def __init__(self, database: Database, settings: Settings, secret: bytes) -> None:
        self._database = database
        self.rules = Rules.of(settings)
        self.origin = settings.public_url
        self.seal = Seal(secret)

    def add(
        self,
        actor: Actor,
        url: str,
        event_types: Sequence[str],
        description: str = "",
        *,
        limits: Grant = EVERYTHING,
        grant: Grant = EVERYTHING,
        operation_id: uuid.UUID | None = None,
    ) -> tuple[str, WebhookRow]:
        """A new endpoint and its secret, which is shown this once.

        Parameters:
            limits: what it is told of; nothing wider than the caller's own `grant`.
            operation_id: a call that is repeated with it answers as the first one did.

        Raises:
            CoachError: COACH-IDN-003, COACH-WHK-002 a bad address, COACH-WHK-003 another bad value,
                COACH-WHK-006 the operation was another one.
        """
        require_manager(actor)
        parse(url, self.rules)
        types = _known_types(event_types)
        text = clean_line(description)
        if len(text) > 200:
            raise _refused("Description", "at most 200 characters")
        if not within(limits, grant):
            raise _refused("Limits", "wider than what the token may see")
        if grant.privacy != "full" and ERASED in types:
            raise _refused(
                "Event type", f"{ERASED} names a client; the token may see pseudonyms only"
            )
        endpoint_id = operation_id or ids.new_id()
        secret = new_secret()

        def work(session: Session) -> tuple[str, WebhookRow]:
            if (session.scalar(sa.select(sa.func.count(WebhookEndpoint.id))) or 0) >= MOST:
                raise _refused("Webhooks", f"there are {MOST} already")
            endpoint = WebhookEndpoint(
                id=endpoint_id,
                url=url,
                description=text,
                event_types=types,
                datasets=_listed(limits.datasets),
                coaches=_listed(limits.coaches),
                clients=_listed(limits.clients),
                secret=self.seal.close(secret, endpoint_id),
                key_id=self.seal.key_id,
                created_by=actor.user_id,
            )
            session.add(endpoint)
            session.flush()
            record(session, actor, "webhook.added", "webhook", endpoint_id)
            return secret, webhook_row(endpoint, 0, clock.now())

        def repeated(session: Session) -> tuple[str, WebhookRow]:
            endpoint = session.get(WebhookEndpoint, endpoint_id)
            if endpoint is None or not (
                (endpoint.url, endpoint.event_types, endpoint.description) == (url, types, text)
                and grant_of(endpoint) == Grant(limits.datasets, limits.coaches, limits.clients)
                and endpoint.created_by == actor.user_id
            ):
                raise CoachError("COACH-WHK-006")
            first = self.seal.open(endpoint.secret, endpoint_id, endpoint.key_id)
            return first, webhook_row(endpoint, _waiting(session, endpoint_id), clock.now())

        return self._database.run(work, operation_id=operation_id, repeated=repeated)

    def list_all(self, actor: Actor, *, grant: Grant = EVERYTHING) -> Sequence[WebhookRow]:
        """The endpoints that `actor` may manage, newest first. Raises COACH-IDN-003."""
        require_manager(actor)
        with self._database.read() as session:
            found = session.scalars(
                sa.select(WebhookEndpoint).order_by(
                    WebhookEndpoint.created_at.desc(), WebhookEndpoint.id
                )
            )
            return [
                webhook_row(each, _waiting(session, each.id), clock.now())
                for each in found
                if may_manage(actor, grant, each)
            ]

    def get(self, actor: Actor, webhook_id: uuid.UUID, *, grant: Grant = EVERYTHING) -> WebhookRow:
        """One endpoint. Raises COACH-IDN-003, COACH-WHK-001."""
        with self._database.read() as session:
            endpoint = _theirs(session, actor, webhook_id, grant)
            return webhook_row(endpoint, _waiting(session, endpoint.id), clock.now())

    def remove(self, actor: Actor, webhook_id: uuid.UUID, *, grant: Grant = EVERYTHING) -> None:
        """Remove an endpoint with its deliveries. Raises COACH-IDN-003, COACH-WHK-001."""

        def work(session: Session) -> None:
            endpoint = _theirs(session, actor, webhook_id, grant)
            session.delete(endpoint)
            record(session, actor, "webhook.removed", "webhook", webhook_id)

        self._database.run(work)

    def rotate(
        self,
        actor: Actor,
        webhook_id: uuid.UUID,
        *,
        grant: Grant = EVERYTHING,
        operation_id: uuid.UUID | None = None,
    ) -> tuple[str, WebhookRow]:
        """A new secret, shown this once. The one before it signs, too, for a day.

        Raises:
            CoachError: COACH-IDN-003, COACH-WHK-001.
        """
        secret = new_secret()

        def work(session: Session) -> tuple[str, WebhookRow]:
            endpoint = _theirs(session, actor, webhook_id, grant)
            now = clock.now()
            if endpoint.key_id == self.seal.key_id:
                endpoint.previous_secret, endpoint.previous_until = endpoint.secret, now + BOTH
            else:  # nobody can open it any more
                endpoint.previous_secret = endpoint.previous_until = None
            endpoint.secret = self.seal.close(secret, endpoint.id)
            endpoint.key_id = self.seal.key_id
            record(session, actor, "webhook.rotated", "webhook", webhook_id)
            return secret, webhook_row(endpoint, _waiting(session, webhook_id), now)

        def repeated(session: Session) -> tuple[str, WebhookRow]:
            endpoint = _theirs(session, actor, webhook_id, grant)
            first = self.seal.open(endpoint.secret, endpoint.id, endpoint.key_id)
            return first, webhook_row(endpoint, _waiting(session, webhook_id), clock.now())

        return self._database.run(work, operation_id=operation_id, repeated=repeated)

    def enable(
        self, actor: Actor, webhook_id: uuid.UUID, *, grant: Grant = EVERYTHING
    ) -> WebhookRow:
        """Send to an endpoint again that was switched off. Raises COACH-IDN-003, COACH-WHK-001."""

        def work(session: Session) -> WebhookRow:
            endpoint = _theirs(session, actor, webhook_id, grant)
            if endpoint.disabled_at is not None:
                endpoint.disabled_at = endpoint.disabled_reason = None
                endpoint.failing_since, endpoint.exhausted_in_a_row = None, 0
                record(session, actor, "webhook.enabled", "webhook", webhook_id)
            return webhook_row(endpoint, _waiting(session, webhook_id), clock.now())

        return self._database.run(work)

    def test(
        self,
        actor: Actor,
        webhook_id: uuid.UUID,
        *,
        grant: Grant = EVERYTHING,
        operation_id: uuid.UUID | None = None,
    ) -> DeliveryRow:
        """Queue an event that says nothing but that it is a test; it is tried once.

        Raises:
            CoachError: COACH-IDN-003, COACH-WHK-001, COACH-WHK-004.
        """
        key = f"{TEST}/{webhook_id}/{operation_id or ids.new_id()}"

        def work(session: Session) -> DeliveryRow:
            endpoint = _theirs(session, actor, webhook_id, grant)
            _require_on(endpoint)
            emit_to(session, webhook_id, TEST, {"webhook_id": webhook_id}, key=key)
            session.flush()
            event = session.scalars(sa.select(WebhookEvent).where(WebhookEvent.key == key)).one()
            query = sa.select(WebhookDelivery).where(WebhookDelivery.event_id == event.id)
            return delivery_row(session.scalars(query).one(), event)

        return self._database.run(work)

    def deliveries(
        self,
        actor: Actor,
        webhook_id: uuid.UUID,
        *,
        grant: Grant = EVERYTHING,
        states: Collection[str] = (),
        limit: int = 50,
    ) -> Sequence[DeliveryRow]:
        """The newest deliveries to an endpoint.

        Parameters:
            states: those only; empty: all.

        Raises:
            CoachError: COACH-IDN-003, COACH-WHK-001, COACH-WHK-003 an unknown state.
        """
        if not set(states) <= set(STATES):
            raise _refused("State", f"one of {', '.join(STATES)}")
        with self._database.read() as session:
            _theirs(session, actor, webhook_id, grant)
            query = (
                sa.select(WebhookDelivery, WebhookEvent)
                .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
                .where(WebhookDelivery.endpoint_id == webhook_id)
                .order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
                .limit(limit)
            )
            if states:
                query = query.where(WebhookDelivery.state.in_(states))
            return [delivery_row(*each) for each in session.execute(query)]

    def redeliver(
        self,
        actor: Actor,
        webhook_id: uuid.UUID,
        delivery_id: uuid.UUID,
        *,
        grant: Grant = EVERYTHING,
        operation_id: uuid.UUID | None = None,
    ) -> DeliveryRow:
        """Send a delivery once more, from now on; the receiver sees the same `webhook-id`.

        Raises:
            CoachError: COACH-IDN-003, COACH-WHK-001, COACH-WHK-004, COACH-WHK-007.
        """

        def found(session: Session) -> tuple[WebhookDelivery, WebhookEvent]:
            _require_on(_theirs(session, actor, webhook_id, grant))
            delivery = session.get(WebhookDelivery, delivery_id, with_for_update=True)
            if delivery is None or delivery.endpoint_id != webhook_id:
                raise CoachError("COACH-WHK-007", ref=delivery_id)
            return delivery, session.get_one(WebhookEvent, delivery.event_id)

        def work(session: Session) -> DeliveryRow:
            delivery, event = found(session)
            if delivery.state != "waiting":
                delivery.state, delivery.attempts, delivery.finished_at = "waiting", 0, None
            delivery.next_at = clock.now()
            record(
                session, actor, "webhook.redelivered", "webhook", webhook_id,
                delivery_id=str(delivery_id),
            )  # fmt: skip
            return delivery_row(delivery, event)

        return self._database.run(
            work, operation_id=operation_id, repeated=lambda session: delivery_row(*found(session))
        )

    def health(self, actor: Actor) -> Health:
        """How they fare. Raises COACH-IDN-003."""
        require_manager(actor)
        late = clock.now() - FAILING_AFTER
        with self._database.read() as session:
            found = session.scalars(sa.select(WebhookEndpoint).order_by(WebhookEndpoint.id)).all()
            query = sa.select(sa.func.count(WebhookDelivery.id))
            waiting = session.scalar(query.where(WebhookDelivery.state == "waiting")) or 0
        on = [each for each in found if each.disabled_at is None]
        return Health(
            total=len(found),
            waiting=waiting,
            off=tuple(each.id for each in found if each.disabled_at is not None),
            failing=tuple(e.id for e in on if e.failing_since and e.failing_since < late),
            unreadable=tuple(each.id for each in on if each.key_id != self.seal.key_id),
        )

    def deliver_now(self, actor: Actor, row: DeliveryRow) -> DeliveryRow:
        """Make an attempt in this process; the row afterwards.

        Where a worker is just delivering to this endpoint, it is left to it.

        Raises:
            CoachError: COACH-IDN-003, COACH-WHK-001, COACH-WHK-005.
        """
        taken = delivering.take(self._database, row.webhook_id, self.origin, row.id)
        if taken is not None:
            try:
                letter = taken.letter(self.seal)
            except CoachError:
                delivering.note(self._database, taken, Answer(failure="key"))
                raise
            delivering.note(self._database, taken, asyncio.run(send(letter, self.rules)))
        with self._database.read() as session:
            _theirs(session, actor, row.webhook_id, EVERYTHING)
            delivery = session.get_one(WebhookDelivery, row.id)
            return delivery_row(delivery, session.get_one(WebhookEvent, delivery.event_id))


def _theirs(session: Session, actor: Actor, webhook_id: uuid.UUID, grant: Grant) -> WebhookEndpoint:
    require_manager(actor)
    endpoint = session.get(WebhookEndpoint, webhook_id)
    if endpoint is None or not may_manage(actor, grant, endpoint):
        raise unknown(webhook_id)
    return endpoint


def _require_on(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise CoachError("COACH-WHK-004", ref=endpoint.id, reason=endpoint.disabled_reason)


def _waiting(session: Session, endpoint_id: uuid.UUID) -> int:
    query = sa.select(sa.func.count(WebhookDelivery.id)).where(
        WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.state == "waiting"
    )
    return session.scalar(query) or 0


def _known_types(event_types: Sequence[str]) -> list[str]:
    wanted = sorted(set(event_types))
    if not wanted or not set(wanted) <= set(CHOICES):
        raise _refused("Event type", f"one or several of {', '.join(CHOICES)}")
    return wanted


def _listed(values: Collection[object] | None) -> list[str] | None:
    return None if values is None else sorted(map(str, values))


def _refused(field: str, reason: str) -> CoachError:
    return CoachError("COACH-WHK-003", field=field, reason=reason)

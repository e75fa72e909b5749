"""Events are written where they happen: in the transaction of the act, with a row for each receiver.

So an event is told if and only if its act was committed, and nobody waits for a receiver.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from coachops.core import clock, ids
from coachops.core.grants import EVERYTHING, Grant
from coachops.db import Database
from coachops.db.models import User, WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.webhooks.events import EVENTS, checked

LONGEST_KEY = 200


def emit(
    session: Session,
    event_type: str,
    data: dict[str, Any],
    *,
    key: str,
    about: Grant = EVERYTHING,
) -> uuid.UUID | None:
    """Tell every endpoint that asked for this type of event, once this transaction is committed.

    Parameters:
        session: the transaction of what happened; rolled back, nothing is told.
        data: the fields of the type's model in `events`; ids, counts and links.
        key: of what happened, such as `export.ready/<id>`; a second event with it is none.
        about: whose data it is about. An endpoint with limits hears only of what lies within them;
            an empty set of datasets means that it is about no rows in particular.

    Returns:
        the id of the event; None where there was one with this key.
    """
    return _write(session, event_type, data, key, _listeners(session, event_type, about))


def emit_to(
    session: Session, endpoint_id: uuid.UUID, event_type: str, data: dict[str, Any], *, key: str
) -> uuid.UUID | None:
    """As `emit`, for one endpoint only, whatever it asked for."""
    return _write(session, event_type, data, key, [endpoint_id])


def grant_of(endpoint: WebhookEndpoint) -> Grant:
    """What an endpoint may be told of."""

    def people(listed: list[str] | None) -> frozenset[uuid.UUID] | None:
        return None if listed is None else frozenset(uuid.UUID(each) for each in listed)

    datasets = None if endpoint.datasets is None else frozenset(endpoint.datasets)
    return Grant(datasets, people(endpoint.coaches), people(endpoint.clients))


def served() -> tuple[sa.ColumnElement[bool], ...]:
    """Endpoints that are told of events: those that are on, unless the service that added them is
    disabled. What an admin added is the installation's, and stays when the admin goes."""
    shut_out = sa.exists().where(
        User.id == WebhookEndpoint.created_by,
        User.role == "service",
        User.disabled_at.is_not(None),
    )
    return WebhookEndpoint.disabled_at.is_(None), ~shut_out.correlate(WebhookEndpoint)


def forget(database: Database, before: dt.datetime) -> int:
    """Remove deliveries that ended before an instant, and events that none is left of; how many."""
    with database.connect(write=True) as connection:
        off = sa.select(WebhookEndpoint.id).where(WebhookEndpoint.disabled_at.is_not(None))
        never = sa.and_(WebhookDelivery.created_at < before, WebhookDelivery.endpoint_id.in_(off))
        gone = connection.execute(
            sa.delete(WebhookDelivery).where(sa.or_(WebhookDelivery.finished_at < before, never))
        ).rowcount
        left = sa.exists().where(WebhookDelivery.event_id == WebhookEvent.id)
        connection.execute(sa.delete(WebhookEvent).where(WebhookEvent.occurred_at < before, ~left))
    return gone


def _listeners(session: Session, event_type: str, about: Grant) -> list[uuid.UUID]:
    # held until the end: one that is removed meanwhile must not fail the act itself
    enabled = session.scalars(
        sa.select(WebhookEndpoint)
        .where(*served())
        .order_by(WebhookEndpoint.id)
        .with_for_update(read=True, key_share=True)
    )
    return [
        each.id
        for each in enabled
        if event_type in each.event_types and _covers(grant_of(each), about, event_type)
    ]


def _covers(limits: Grant, about: Grant, event_type: str) -> bool:
    coaches = about.coaches
    if EVENTS[event_type].any_coach and coaches and limits.coaches:
        coaches = (coaches & limits.coaches) or coaches
    return (
        _within(about.datasets, limits.datasets)
        and _within(coaches, limits.coaches)
        and _within(about.clients, limits.clients)
    )


def _within(part: Collection[object] | None, whole: Collection[object] | None) -> bool:
    return whole is None or (part is not None and set(part) <= set(whole))


def _write(
    session: Session,
    event_type: str,
    data: dict[str, Any],
    key: str,
    endpoints: Collection[uuid.UUID],
) -> uuid.UUID | None:
    if not 0 < len(key) <= LONGEST_KEY:
        raise ValueError("the key of an event has 1 to 200 characters")
    stored, now = checked(event_type, data), clock.now()
    embedded = session.get_bind().dialect.name == "sqlite"
    insert: Any = sqlite.insert if embedded else postgresql.insert
    event_id = session.scalar(
        insert(WebhookEvent)
        .values(id=ids.new_id(), key=key, type=event_type, data=stored, occurred_at=now)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(WebhookEvent.id)
    )
    if event_id is None:
        return None
    session.add_all(
        WebhookDelivery(event_id=event_id, endpoint_id=each, next_at=now) for each in endpoints
    )
    found: uuid.UUID = event_id
    return found

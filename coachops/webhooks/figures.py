"""What becomes of deliveries, in figures: counts only, so anybody may see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from coachops.core import clock
from coachops.db import Database
from coachops.db.models import WebhookDelivery, WebhookEndpoint
from coachops.webhooks.rows import STATES

RECENTLY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many.

    Attributes:
        off: endpoints that are switched off.
        waiting, oldest_seconds: deliveries on their way, and the age of the oldest.
        ended: outcome -> deliveries that ended within a day.
    """

    off: int
    waiting: int
    oldest_seconds: float
    ended: dict[str, int]


def traffic(database: Database) -> Traffic:
    """The figures of now. Raises COACH-DB-… where the database does not answer."""
    row, endpoint, now = WebhookDelivery, WebhookEndpoint, clock.now()
    on_their_way = row.state == "waiting"
    with database.read() as session:
        off = session.scalar(
            sa.select(sa.func.count(endpoint.id)).where(endpoint.disabled_at.is_not(None))
        )
        waiting = session.scalar(sa.select(sa.func.count(row.id)).where(on_their_way))
        oldest = session.scalar(sa.select(sa.func.min(row.created_at)).where(on_their_way))
        ended = session.execute(
            sa.select(row.state, sa.func.count(row.id))
            .where(row.finished_at >= now - RECENTLY, ~on_their_way)
            .group_by(row.state)
        )
        counts = dict.fromkeys(STATES[1:], 0)
        counts.update((state, count) for state, count in ended)
    age = 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
    return Traffic(off or 0, waiting or 0, age, counts)

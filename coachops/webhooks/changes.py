"""Telling that data changed: where the change feed stands, never what changed.

Level-triggered: what an endpoint was last told is kept at the endpoint, so a missed round costs
nothing and a burst of changes is one event. While one such event is under way, no further one is
added: its receiver reads the feed from its own cursor anyway.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.grants import Grant
from coachops.db import Database
from coachops.db.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from coachops.webhooks.events import CHANGED
from coachops.webhooks.outbox import emit_to, grant_of, served

FEED = "/v1/changes"


class ChangeSource(Protocol):
    """Where changes are read from: the change feed."""

    def head(self) -> int | None:
        """The position of the newest change; None where nothing ever changed."""

    def changed_since(self, position: int, grant: Grant) -> Sequence[str]:
        """The datasets with a change after `position` that may be told of under `grant`."""


def tell_changes(database: Database, source: ChangeSource, every: float) -> int:
    """Tell the endpoints that asked for it and were not told yet; returns how many are told.

    Parameters:
        every: seconds between two such events to one endpoint.
    """
    with database.read() as session:
        waiting = _interested(session, clock.now() - dt.timedelta(seconds=every))
    if not waiting:
        return 0
    head = source.head()
    if head is None:
        return 0
    told = 0
    for endpoint_id, position, grant in waiting:
        if position == head:
            continue
        # a position beyond the head was of a feed that is no more: everything may have changed
        since = position if position is not None and position < head else 0
        datasets = [
            each for each in source.changed_since(since, grant) if grant.allows_dataset(each)
        ]
        told += _tell(database, endpoint_id, position, head, sorted(set(datasets)))
    return told


def _interested(session: Session, before: dt.datetime) -> list[tuple[uuid.UUID, int | None, Grant]]:
    under_way = (
        sa.exists()
        .where(
            WebhookDelivery.endpoint_id == WebhookEndpoint.id,
            WebhookDelivery.state == "waiting",
            WebhookDelivery.event_id == WebhookEvent.id,
            WebhookEvent.type == CHANGED,
        )
        .correlate(WebhookEndpoint)
    )
    rows = session.scalars(
        sa.select(WebhookEndpoint).where(
            *served(),
            sa.or_(
                WebhookEndpoint.told_at.is_(None),
                WebhookEndpoint.told_at <= before,
                WebhookEndpoint.told_at > clock.now() + clock.AHEAD,
            ),
            ~under_way,
        )
    )
    return [
        (each.id, each.told_position, grant_of(each))
        for each in rows
        if CHANGED in each.event_types
    ]


def _tell(
    database: Database,
    endpoint_id: uuid.UUID,
    before: int | None,
    head: int,
    datasets: list[str],
) -> bool:
    def work(session: Session) -> bool:
        now = clock.now()
        same = (
            WebhookEndpoint.told_position.is_(None)
            if before is None
            else WebhookEndpoint.told_position == before
        )
        values: dict[str, object] = {"told_position": head}
        if datasets:
            values["told_at"] = now
        claimed = session.scalar(
            sa.update(WebhookEndpoint)
            .where(WebhookEndpoint.id == endpoint_id, same)
            .values(values)
            .returning(WebhookEndpoint.id)
            .execution_options(synchronize_session=False)
        )
        if claimed is None or not datasets:  # another worker was faster, or nothing for its eyes
            return False
        data = {"datasets": datasets, "position": head, "url": FEED}
        key = f"{CHANGED}/{endpoint_id}/{head}/{now:%Y%m%dT%H%M%S.%f}"
        return emit_to(session, endpoint_id, CHANGED, data, key=key) is not None

    return database.run(work)

"""Webhooks of an installation on both kinds of database, and a receiver for them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.db.models import WebhookDelivery, WebhookEndpoint
from coachops.webhooks import emit
from coachops.webhooks.delivering import due_endpoints, note, open_letter, take
from coachops.webhooks.rows import DeliveryRow, WebhookRow
from coachops.webhooks.sending import Answer, send
from tests.support.receiver import Receiver

EVENTS = ("export.ready", "data.changed", "client.erased")


def ready(export_id: str) -> dict[str, Any]:
    """What an `export.ready` tells."""
    return {
        "export_id": export_id, "datasets": ["sessions"], "files": 2, "rows": 7, "bytes": 900,
        "url": f"/v1/exports/{export_id}",
    }  # fmt: skip


@dataclass
class House:
    """An installation with webhooks. `secrets` are those that adding showed."""

    services: Services

    def add(self, url: str, types: tuple[str, ...] = EVENTS, **more: Any) -> tuple[str, WebhookRow]:
        return self.services.webhooks.add(SYSTEM, url, types, **more)

    def emit(self, export_id: str = "", **more: Any) -> uuid.UUID | None:
        """Emit `export.ready` in a transaction of its own."""
        name = export_id or ids.new_id().hex
        return self.services.database.run(
            lambda session: emit(
                session, "export.ready", ready(name), key=f"export.ready/{name}", **more
            )
        )

    def work_off(self) -> list[Answer]:
        """Deliver what is due now, one after the other, as a worker does; the answers."""
        services, answers = self.services, []
        while due := due_endpoints(services.database, 10, services.webhooks.seal.key_id):
            for endpoint_id, _ in due:
                taken = take(services.database, endpoint_id, services.webhooks.origin)
                if taken is None:
                    continue
                letter = open_letter(taken, services.webhooks.seal)
                answer = (
                    Answer(failure="key")
                    if letter is None
                    else asyncio.run(send(letter, services.webhooks.rules))
                )
                note(services.database, taken, answer)
                answers.append(answer)
        return answers

    def deliveries(self, hook: WebhookRow, **more: Any) -> list[DeliveryRow]:
        return list(self.services.webhooks.deliveries(SYSTEM, hook.id, **more))

    def get(self, hook: WebhookRow) -> WebhookRow:
        return self.services.webhooks.get(SYSTEM, hook.id)

    def change(self, hook: WebhookRow, **values: object) -> None:
        """Write columns of an endpoint past the facade."""
        with self.services.database.connect(write=True) as connection:
            connection.execute(
                sa.update(WebhookEndpoint).where(WebhookEndpoint.id == hook.id).values(**values)
            )

    def count(self) -> int:
        with self.services.database.read() as session:
            return session.scalar(sa.select(sa.func.count(WebhookDelivery.id))) or 0


@pytest.fixture
def house(home: Path, backend: str, new_database_url: Callable[..., str]) -> Iterator[House]:
    from coachops.bootstrap import services as open_services

    opened = open_services(load_settings(home=home, database_url=new_database_url(backend)))
    yield House(opened)
    opened.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver

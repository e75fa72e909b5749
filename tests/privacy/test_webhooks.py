"""An erasure is told to other systems, so that they erase their copies, too: if it happened, once."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.grants import Grant
from coachops.db.models import Client, Coach, WebhookDelivery, WebhookEvent
from coachops.jobs.privacy import erase_client
from coachops.privacy import holds
from tests.support.subjects import Subject


def _told(services: Services) -> tuple[list[object], set[uuid.UUID]]:
    with services.database.read() as session:
        events = session.scalars(sa.select(WebhookEvent.data)).all()
        return list(events), set(session.scalars(sa.select(WebhookDelivery.endpoint_id)))


def test_whoever_may_hold_copies_is_told_by_id_and_nobody_else(
    services: Services, gone: Subject
) -> None:
    another = uuid.UUID(int=7)
    wanted, limits = set(), {
        True: (
            Grant(),
            Grant(datasets=frozenset({"sessions"})),
            Grant(coaches=frozenset({gone.pair.coach_id, another})),
            Grant(clients=frozenset({gone.client_id})),
        ),
        False: (
            Grant(coaches=frozenset({another})),
            Grant(clients=frozenset({another})),
        ),
    }  # fmt: skip
    for told, grants in limits.items():
        for grant in grants:
            _, hook = services.webhooks.add(
                SYSTEM, "http://127.0.0.1:1/", ["client.erased"], limits=grant
            )
            wanted |= {hook.id} if told else set()
    erased = erase_client(services, SYSTEM, str(gone.client_id))
    events, endpoints = _told(services)
    assert events == [{"client_id": str(gone.client_id), "exports": len(erased.exports)}]
    assert endpoints == wanted
    with services.database.read() as session:
        assert session.get(Coach, gone.pair.coach_id) is not None


def test_of_a_client_whom_nobody_coaches_no_limit_to_coaches_lets_anything_through(
    services: Services,
) -> None:
    client_id = ids.new_id()
    with services.database.write() as session:
        session.add(Client(id=client_id, external_id="k-1", name="Noor"))
    hooks = [
        services.webhooks.add(SYSTEM, "http://127.0.0.1:1/", ["client.erased"], limits=limits)[1].id
        for limits in (Grant(), Grant(coaches=frozenset({uuid.UUID(int=7)})))
    ]
    erase_client(services, SYSTEM, str(client_id))
    assert _told(services)[1] == {hooks[0]}


def test_one_that_is_refused_is_not_told(services: Services, gone: Subject) -> None:
    services.webhooks.add(SYSTEM, "http://127.0.0.1:1/", ["client.erased"])
    holds.add(services.database, SYSTEM, gone.client_id, "a case")
    with pytest.raises(CoachError) as refused:
        erase_client(services, SYSTEM, str(gone.client_id))
    assert refused.value.code == "COACH-PRV-001"
    assert _told(services) == ([], set())

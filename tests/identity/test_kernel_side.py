"""The kernel's side: it redeems its ticket over a real socket, waits in a real queue, and fails closed."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from coachops.api.gate.claims import listening
from coachops.bootstrap import Services
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.dashboards import identity as kernel
from coachops.db import Database
from tests.support.patience import PATIENCE

KERNEL = str(ids.new_id())
ANNA = Actor(ids.new_id(), "coach", "Anna", ids.new_id(), frozenset({"rollout"}))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    kernel.current_actor.cache_clear()
    kernel.kernel_services.cache_clear()


@pytest.fixture
def listener() -> Iterator[Path]:
    """A private listener that knows the ticket `good`, once."""
    left = ["good"]

    async def claim(ticket: str, kernel_id: str) -> Actor:
        if kernel_id != KERNEL or ticket not in left:
            raise CoachError("COACH-IDN-013")
        left.remove(ticket)
        return ANNA

    with tempfile.TemporaryDirectory(prefix="co-") as folder, _serving(Path(folder), claim) as path:
        yield path


@contextmanager
def _serving(folder: Path, claim: object) -> Iterator[Path]:
    path = folder / "claim.sock"
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with listening(path, claim):  # type: ignore[arg-type]
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield path
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        loop.close()


def test_a_claim_gives_exactly_the_actor_of_the_ticket_once(listener: Path) -> None:
    assert kernel.claim(listener, "good", KERNEL) == ANNA
    for ticket, kernel_id in (("good", KERNEL), ("bad", KERNEL), ("", KERNEL), ("good", "other")):
        with pytest.raises(CoachError) as caught:
            kernel.claim(listener, ticket, kernel_id)
        assert caught.value.code == "COACH-IDN-013"


def test_a_kernel_outside_the_gate_has_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOILA_KERNEL_ID", kernel.CLAIM_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CoachError) as caught:
        kernel.current_actor()
    assert caught.value.code == "COACH-IDN-013"


def test_a_kernel_started_on_demand_finds_its_ticket_in_its_environment(
    listener: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOILA_KERNEL_ID", KERNEL)
    monkeypatch.setenv("VOILA_PREHEAT", "False")
    monkeypatch.setenv(kernel.CLAIM_VARIABLE, str(listener))
    monkeypatch.setenv(kernel.TICKET_VARIABLE, "good")
    assert kernel.current_actor() == ANNA
    assert kernel.TICKET_VARIABLE not in os.environ
    assert kernel.current_actor() == ANNA  # asked once


def test_a_warm_kernel_waits_over_lost_connections_until_its_request_comes(
    listener: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[str] = []

    def voila(connection: ServerConnection) -> None:
        paths.append(connection.request.path if connection.request else "")
        if len(paths) > 1:  # the first connection is dropped without a word
            connection.send(json.dumps({kernel.TICKET_VARIABLE: "good", "QUERY_STRING": ""}))

    monkeypatch.setattr(kernel, "_RETRY_SECONDS", 0.01)
    with serve(voila, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("VOILA_KERNEL_ID", KERNEL)
        monkeypatch.setenv("VOILA_PREHEAT", "True")
        monkeypatch.setenv("VOILA_APP_PORT", str(server.socket.getsockname()[1]))
        monkeypatch.setenv("VOILA_SERVER_URL", "/app/")
        monkeypatch.setenv(kernel.CLAIM_VARIABLE, str(listener))
        assert kernel.current_actor() == ANNA
        server.shutdown()
        thread.join(PATIENCE)
    assert paths == [f"/app/voila/query/{KERNEL}"] * 2


def test_a_page_that_gets_no_user_shows_what_to_do_and_builds_nothing(
    settings: Settings, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VOILA_KERNEL_ID", raising=False)
    built: list[Actor] = []
    services = Services(settings, sqlite_database)

    def build(actor: Actor, _services: Services) -> str:
        built.append(actor)
        return "page"

    card = kernel.shown(build, wired=services)
    assert built == []
    assert "COACH-IDN-013" in repr(_texts(card))
    assert kernel.shown(build, ANNA, services) == "page"
    assert built == [ANNA]


def test_a_gate_that_restarts_is_waited_for(
    listener: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "_CLAIM_SECONDS", 0.05)
    monkeypatch.setattr(kernel, "_RETRY_SECONDS", 0.01)
    with pytest.raises(CoachError):
        kernel.claim(listener.parent / "absent.sock", "good", KERNEL)
    monkeypatch.setattr(kernel, "_CLAIM_SECONDS", PATIENCE)
    late = listener.parent / "late.sock"
    threading.Timer(0.1, lambda: late.symlink_to(listener)).start()
    assert kernel.claim(late, "good", KERNEL) == ANNA


def test_actors_travel_whole(listener: Path) -> None:
    actor = kernel.claim(listener, "good", KERNEL)
    assert isinstance(actor.user_id, uuid.UUID)
    assert actor.permissions == {"rollout"}


def _texts(widget: object) -> list[object]:
    """Everything a widget holds, children included."""
    state = getattr(widget, "get_state", dict)()
    children = getattr(widget, "children", ())
    return [state, *[_texts(child) for child in children]]

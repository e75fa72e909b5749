"""Fault 6: both database servers down; what was queued before and what comes after goes on."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from coachops.api import create_app
from coachops.bootstrap import Services, services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.identity.runtime import Runtime
from coachops.jobs import Jobs
from tests.coaching.builders import make_pair
from tests.support.patience import until
from tests.support.postgres_pair import PostgresPair
from tests.support.worker import start_worker

pytestmark = pytest.mark.postgres
PASSWORD = "four words make one"
VTT = (
    b"WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v Ada Reyes>What would help most today?\n\n"
    b"00:00:05.000 --> 00:00:09.000\n<v Maya Okafor>I will write the list of tasks by Friday.\n"
)


@pytest.fixture
def opened(postgres_pair: PostgresPair, home: Path) -> Iterator[Services]:
    url = postgres_pair.url(postgres_pair.create("template_coachops"))
    opened = services(load_settings(home=home, database_url=url, database_wait=5))
    yield opened
    opened.close()


@pytest.mark.faults(6)
def test_both_servers_down_is_a_503_and_the_queue_goes_on_afterwards(
    opened: Services,
    postgres_pair: PostgresPair,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    pair = postgres_pair
    people = make_pair(opened.database)
    token, _ = _token(opened)
    refs = {"coach": str(people.coach_id), "client": str(people.client_id)}
    runtime = Runtime(tmp_path, 1, "unused", tmp_path / "pages", tmp_path / "site")
    jobs = Jobs(opened.settings, opened)
    client = TestClient(
        create_app(opened, runtime, jobs), base_url="http://localhost:8000", headers=token,
        raise_server_exceptions=False,
    )  # fmt: skip
    queued = [_upload(client, refs, "2026-03-02")]
    assert queued[0].status_code == 201, queued[0].text
    for node in (pair.standby, pair.primary):
        node.stop("fast")
    time.sleep(fault_runs(0, 60))
    for answer in (client.get("/v1/me"), _upload(client, refs, "2026-03-03")):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "COACH-DB-001"
        assert int(answer.headers["retry-after"]) >= 1
    assert opened.database.state().mode == "down"
    pair.primary.start()
    pair.standby.start()
    assert client.get("/v1/me").json()["name"] == "Robot"
    queued.append(_upload(client, refs, "2026-03-04"))
    assert queued[1].status_code == 201, queued[1].text
    assert opened.database.state().mode == "read_write"
    worker = start_worker(opened.settings)
    try:
        addresses = [f"/v1/transcripts/{answer.json()['transcript_id']}" for answer in queued]
        until(lambda: all(_state(client, address) == "analysed" for address in addresses))
    finally:
        worker.terminate()
        worker.communicate()
    client.close()
    jobs.stop()


def _token(opened: Services) -> tuple[dict[str, str], str]:
    identity = opened.identity
    identity.add_user(SYSTEM, "robot@example.org", "Robot", "service")
    scopes = ("transcripts:write", "transcripts:read")
    secret, _ = identity.create_token(SYSTEM, "robot@example.org", "test", scopes)
    return {"Authorization": f"Bearer {secret}"}, secret


def _upload(client: TestClient, refs: dict[str, str], day: str) -> httpx.Response:
    data = VTT.replace(b"today", day.encode())
    answer: httpx.Response = client.post(
        "/v1/transcripts", data={"held_on": day, **refs}, files={"file": ("talk.vtt", data)}
    )
    return answer


def _state(client: TestClient, address: str) -> str:
    body = client.get(address).json()
    return str(body.get("state") or json.dumps(body))


@pytest.mark.faults(1, 6)
def test_without_a_primary_people_stay_signed_in_and_read_on(
    opened: Services, postgres_pair: PostgresPair, tmp_path: Path
) -> None:
    people = make_pair(opened.database)
    token, _ = _token(opened)
    identity = opened.identity
    invited = identity.add_user(SYSTEM, "eve@example.org", "Eve", "admin", password=PASSWORD)
    session_id = identity.sign_in("eve@example.org", PASSWORD)
    refs = {"coach": str(people.coach_id), "client": str(people.client_id)}
    runtime = Runtime(tmp_path, 1, "unused", tmp_path / "pages", tmp_path / "site")
    jobs = Jobs(opened.settings, opened)
    client = TestClient(
        create_app(opened, runtime, jobs), base_url="http://localhost:8000", headers=token,
        raise_server_exceptions=False,
    )  # fmt: skip
    postgres_pair.wait_for_replay()
    postgres_pair.kill_primary()
    with clock.frozen(clock.now() + dt.timedelta(minutes=5)):  # "last seen" is due to be written
        assert identity.actor_of(session_id).user_id == invited.id
        assert client.get("/v1/me").status_code == 200
    refused = _upload(client, refs, "2026-03-05")
    assert (refused.status_code, refused.json()["code"]) == (503, "COACH-DB-007")
    assert refused.headers["retry-after"] == "5"
    assert opened.database.state().mode == "read_only"
    postgres_pair.promote()
    assert _upload(client, refs, "2026-03-05").status_code == 201
    client.close()
    jobs.stop()

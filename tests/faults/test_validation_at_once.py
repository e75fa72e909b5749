"""The same upload many times at once: by threads, by processes, by function and over HTTP."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from coachops.api import create_app
from coachops.bootstrap import Services
from coachops.coaching import quarantine
from coachops.coaching.importing import import_transcript
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import CoachingSession, QuarantineItem, Transcript, Utterance
from coachops.identity import Identity
from tests.coaching.builders import Pair, make_pair
from tests.support.patience import PATIENCE, WHOLE

ROOT = Path(__file__).parents[2]
DATA = (
    b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ada Reyes>How are you?\n\n"
    b"00:09.000 --> 00:03.000\n<v Maya Okafor>bad\n\n"
    b"00:04.000 --> 00:05.000\n<v Maya Okafor>Good.\n"
)

BROKEN = b"PK\x03\x04 no zip"
AT_ONCE = 20


def at_once(act: Callable[[], object]) -> list[object]:
    """What `AT_ONCE` threads got that began together."""
    got: list[object] = []
    gate = threading.Barrier(AT_ONCE)

    def run() -> None:
        gate.wait(PATIENCE)
        try:
            got.append(act())
        except CoachError as error:
            got.append(error)

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(got) == AT_ONCE
    return got


def counted(database: Database, *tables: type) -> list[int]:
    with database.read() as session:
        return [session.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in tables]


@pytest.mark.faults(38)
def test_threads_make_one_record(database: Database) -> None:
    pair = make_pair(database)

    def act() -> tuple[uuid.UUID, bool, int, int]:
        done = import_transcript(
            database, pair.actor, DATA, "a.vtt", coach=str(pair.coach_id),
            client=str(pair.client_id), held_on=dt.date(2026, 3, 2),
        )  # fmt: skip
        return done.transcript_id, done.duplicate, done.cues, len(done.unparsed)

    got = at_once(act)
    assert not any(isinstance(each, CoachError) for each in got), got
    answers = [each for each in got if isinstance(each, tuple)]
    assert len({each[0] for each in answers}) == 1
    assert sorted(each[1] for each in answers) == [False] + [True] * (AT_ONCE - 1)
    assert {each[2:] for each in answers} == {(2, 1)}
    assert counted(database, Transcript, CoachingSession, Utterance, QuarantineItem) == [1, 1, 2, 1]


@pytest.mark.faults(38)
def test_threads_that_are_refused_share_one_item(database: Database) -> None:
    pair = make_pair(database)
    got = at_once(
        lambda: import_transcript(
            database, pair.actor, BROKEN, "a.docx", coach=str(pair.coach_id),
            client=str(pair.client_id),
        )
    )  # fmt: skip
    assert {each.code for each in got if isinstance(each, CoachError)} == {"COACH-TRN-007"}
    assert (
        len({str(each.details["quarantine_id"]) for each in got if isinstance(each, CoachError)})
        == 1
    )
    (row,) = quarantine.list_items(database, SYSTEM)
    assert row.seen == AT_ONCE


_PROCESS = """
import datetime, json, sys, threading
from coachops.coaching.importing import import_transcript
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.db import Database
url, coach, client, threads = sys.argv[1:5]
database = Database(url)
data = sys.stdin.buffer.read(int(sys.argv[5]))
print("ready", flush=True)
sys.stdin.buffer.read(1)
got = []
def act():
    done = import_transcript(database, SYSTEM, data, "a.vtt", coach=coach, client=client,
                             held_on=datetime.date(2026, 3, 2))
    got.append([str(done.transcript_id), done.duplicate])
runs = [threading.Thread(target=act) for _ in range(int(threads))]
for each in runs: each.start()
for each in runs: each.join()
print(json.dumps(got))
"""


@pytest.mark.faults(38)
def test_processes_make_one_record(
    database: Database, fault_runs: Callable[[int, int], int]
) -> None:
    pair = make_pair(database)
    number = fault_runs(3, 10)
    threads = AT_ONCE // number
    command = [
        sys.executable, "-c", _PROCESS, database.url, str(pair.coach_id), str(pair.client_id),
        str(threads), str(len(DATA)),
    ]  # fmt: skip
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        for _ in range(number)
    ]
    for each in processes:  # all are loaded before any begins
        assert each.stdin is not None
        assert each.stdout is not None
        each.stdin.write(DATA)
        each.stdin.flush()
        assert each.stdout.readline() == b"ready\n"
    for each in processes:
        assert each.stdin is not None
        each.stdin.write(b"!")
        each.stdin.flush()
    got = [row for each in processes for row in json.loads(each.communicate(timeout=WHOLE)[0])]
    assert all(each.returncode == 0 for each in processes)
    assert len(got) == number * threads
    assert len({row[0] for row in got}) == 1
    assert sum(not row[1] for row in got) == 1
    assert counted(database, Transcript, CoachingSession, Utterance) == [1, 1, 2]


@pytest.mark.faults(38)
def test_requests_make_one_record_and_every_answer_is_right(database: Database, home: Path) -> None:
    pair = make_pair(database)
    services = Services(load_settings(home=home, database_url=database.url), database)
    header = _token(services, pair)

    class Queue:
        taken: list[uuid.UUID] = []  # noqa: RUF012 one for the test

        def enqueue_pipeline(self, transcript_id: uuid.UUID) -> object:
            self.taken.append(transcript_id)
            return None

    app = create_app(services, None, Queue())
    with TestClient(app, base_url=services.settings.public_url) as client:
        got = at_once(
            lambda: client.post(
                "/v1/transcripts", headers=header, data={"client": str(pair.client_id)},
                files={"file": ("a.vtt", DATA)},
            )
        )  # fmt: skip
        answers = [(each.status_code, each.json()) for each in got]  # type: ignore[attr-defined]
        assert sorted(status for status, _ in answers) == [200] * (AT_ONCE - 1) + [201]
        assert len({body["transcript_id"] for _, body in answers}) == 1
        assert {body["unparsed"][0]["line"] for _, body in answers} == {6}
        assert counted(database, Transcript, QuarantineItem) == [1, 1]
        refused = client.post(
            "/v1/transcripts", headers=header, data={"client": str(pair.client_id)},
            files={"file": ("b\u202e.docx", BROKEN)},
        )  # fmt: skip
        assert refused.status_code == 422
        item = uuid.UUID(refused.json()["quarantine_id"])
        assert quarantine.get(database, pair.actor, item).row.source == "api"


def _token(services: Services, pair: Pair) -> dict[str, str]:
    identity: Identity = services.identity
    assert pair.actor.user_id is not None
    secret, _ = identity.create_token(SYSTEM, pair.actor.user_id, "test", ["transcripts:write"])
    return {"Authorization": f"Bearer {secret}"}

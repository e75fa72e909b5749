"""Several real processes and one AI service: a dead one is spared, a killed one pays nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.coaching.analysis import analyse
from coachops.coaching.review import load_review
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from coachops.db.models import AiReply, Analysis
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.support.ai_caller import callers, run_callers
from tests.support.ai_server import AiServer, ai_server
from tests.support.patience import PATIENCE
from tests.support.worker import ROOT

ai = pytest.fixture(ai_server)

PARTS = 3
LONG_TALK = [
    (("coach", f"What about item {n:04}?") if n % 2 else ("client", f"Thing {n:04} went well."))
    for n in range(1, 400 * PARTS)
]
CHILD = """
import os, signal, sys, uuid
from coachops.ai.gateway import Gateway
from coachops.coaching import analysis
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.db import Database
if sys.argv[2] == "before-writing":
    analysis._write = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
settings = load_settings()
database = Database(settings.database_url)
analysis.analyse(database, Gateway(settings, database), SYSTEM, uuid.UUID(sys.argv[1]))
"""


@pytest.fixture
def asked(database: Database, home: Path, ai: AiServer) -> Settings:
    return load_settings(
        home=home,
        database_url=database.url,
        openai_api_key="sk-test",
        openai_base_url=ai.url,
        openai_model="gpt-4.1-mini",
        openai_timeout=PATIENCE,
    )


@pytest.fixture
def pair(database: Database) -> Pair:
    return make_pair(database, consents=("processing", "external_ai"))


def child(settings: Settings, transcript_id: uuid.UUID, how: str = "") -> subprocess.Popen[bytes]:
    """A process that analyses the transcript."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "COACHOPS_HOME": str(settings.home),
        "COACHOPS_DATABASE_URL": settings.database_url,
        "COACHOPS_OPENAI_API_KEY": "sk-test",
        "COACHOPS_OPENAI_BASE_URL": settings.openai_base_url,
        "COACHOPS_OPENAI_MODEL": "gpt-4.1-mini",
        "COACHOPS_OPENAI_TIMEOUT": str(PATIENCE),
    }
    command = [sys.executable, "-c", CHILD, str(transcript_id), how]
    return subprocess.Popen(command, env=environment)


def kept(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(AiReply)) or 0


def analyses(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Analysis)) or 0


def finished(database: Database, settings: Settings, pair: Pair, transcript_id: uuid.UUID) -> None:
    """Resume in this process; the log names every request whose answer was used, each once."""
    outcome = analyse(database, Gateway(settings, database), SYSTEM, transcript_id)
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    review = load_review(database, pair.actor, transcript_id)
    assert len(review.outbound) == PARTS
    assert len({each.request_sha256 for each in review.outbound}) == PARTS
    assert sum(each.behaviour is not None for each in review.utterances) == len(LONG_TALK) // 2 + 1
    assert analyses(database) == 1
    assert kept(database) == 0  # stored, so nothing of it is kept beside


@pytest.mark.faults(27)
def test_a_process_killed_between_the_answers_and_the_analysis_pays_nothing_twice(
    database: Database, asked: Settings, pair: Pair, ai: AiServer
) -> None:
    transcript_id = make_transcript(database, pair, LONG_TALK)
    assert child(asked, transcript_id, "before-writing").wait(PATIENCE) == -signal.SIGKILL
    assert len(ai.requests) == kept(database) == PARTS
    assert analyses(database) == 0
    finished(database, asked, pair, transcript_id)
    assert len(ai.requests) == PARTS


@pytest.mark.faults(27)
def test_a_process_killed_at_any_moment_repeats_no_finished_call(
    sqlite_database: Database,
    home: Path,
    ai: AiServer,
    fault_runs: Callable[[int, int], int],
) -> None:
    pair = make_pair(sqlite_database, consents=("processing", "external_ai"))
    settings = load_settings(
        home=home,
        database_url=sqlite_database.url,
        openai_api_key="sk-test",
        openai_base_url=ai.url,
        openai_model="gpt-4.1-mini",
        openai_timeout=PATIENCE,
    )
    chance = random.Random(7)
    for _ in range(fault_runs(1, 20)):
        transcript_id = make_transcript(sqlite_database, pair, LONG_TALK)
        victim, at = chance.randint(1, PARTS), len(ai.requests)
        process = child(settings, transcript_id)

        def kill(number: int, at: int = at, victim: int = victim, pid: int = process.pid) -> None:
            if number == at + victim:
                os.kill(pid, signal.SIGKILL)

        ai.on_request = kill
        assert process.wait(PATIENCE) == -signal.SIGKILL
        ai.on_request = lambda _: None
        done = kept(sqlite_database)
        assert done == victim - 1
        before = len(ai.requests)
        outcome = analyse(
            sqlite_database, Gateway(settings, sqlite_database), SYSTEM, transcript_id
        )
        assert outcome.status == "complete"
        assert len(ai.requests) - before == PARTS - done
        assert kept(sqlite_database) == 0


@pytest.mark.faults(17)
def test_four_processes_send_few_requests_into_a_dead_service(
    database: Database, home: Path, ai: AiServer, fault_runs: Callable[[int, int], int]
) -> None:
    ai.always = "broken"
    processes = 4 if database.is_sqlite else fault_runs(2, 4)
    with callers(processes, "guarded", 5, database.url, ai.url, home) as started:
        found = run_callers(started)
    assert len(ai.requests) == sum(each["sent"] for each in found)
    assert 4 <= len(ai.requests) <= 10
    assert sum(each["well"] for each in found) == 0
    assert sum(each["calls"] for each in found) > 40


def test_in_health_there_is_hardly_more_than_one_request_for_a_call(
    sqlite_database: Database, home: Path, ai: AiServer
) -> None:
    def sometimes(number: int) -> None:
        if number % 25 == 0:
            ai.script.append("broken")

    ai.on_request = sometimes
    with callers(2, "guarded", 3, sqlite_database.url, ai.url, home) as started:
        found = run_callers(started)
    calls = sum(each["calls"] for each in found)
    assert sum(each["well"] for each in found) == calls
    assert len(ai.requests) <= 1.1 * calls

"""Workers that lose their place, their database or their queue: everything ends, nothing is doubled."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.cli.process_table import Process
from coachops.cli.supervisor import Supervisor
from coachops.coaching import messages
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings, load_settings
from coachops.db.engine import parsed_url
from coachops.db.models import Analysis, Message, Transcript
from coachops.jobs import Jobs, queue_health, worker_status
from tests.coaching.builders import make_pair, make_transcript
from tests.jobs.parts import approved_message
from tests.support import patience
from tests.support.faults import long_too
from tests.support.patience import PATIENCE
from tests.support.postgres_pair import PostgresPair
from tests.support.worker import environment

WORKER = (str(Path(sys.executable).parent / "coachops"), "worker")


@contextmanager
def supervised(settings: Settings, log: list[str]) -> Iterator[None]:
    """`coachops worker` under the supervisor of `coachops serve`."""
    supervisor = Supervisor(
        (Process("worker", WORKER, environment(settings), vital=False),), log.append
    )
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join()


def until(holds: Callable[[], bool], log: list[str], seconds: float = PATIENCE) -> None:
    """Wait for what other processes bring about; a failure shows the end of the log."""
    patience.until(holds, seconds=seconds, said=lambda: "\n".join(log[-60:]))


def count(services: Services, table: type[Analysis] | type[Message]) -> int:
    with services.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def all_drafted(services: Services, number: int) -> bool:
    with services.database.read() as session:
        analysed = session.scalar(
            sa.select(sa.func.count()).select_from(Transcript).where(Transcript.state == "analysed")
        )
    return analysed == number and count(services, Message) >= number


def _end_lock_session(url: str) -> int:
    """pg_terminate_backend for the session that holds the place of a worker; how many there were."""
    parsed = parsed_url(url)
    with psycopg.connect(
        host=parsed.host, port=parsed.port, user=parsed.username, dbname=parsed.database,
        autocommit=True,
    ) as connection:  # fmt: skip
        row = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name LIKE 'coachops worker-%' AND datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.faults(27)
def test_a_worker_that_loses_its_lock_ends_is_started_again_and_doubles_nothing(
    home: Path, new_database_url: Callable[..., str]
) -> None:
    settings = load_settings(home=home, database_url=new_database_url("postgres"))
    services = open_services(settings)
    pair = make_pair(services.database)
    log: list[str] = []
    with supervised(settings, log):
        until(lambda: worker_status(services.database).running, log)
        transcripts = [make_transcript(services.database, pair) for _ in range(5)]
        message = approved_message(services, pair)
        with Jobs(settings, services) as jobs:
            for each in transcripts:
                jobs.enqueue_pipeline(each)
        assert _end_lock_session(settings.database_url) == 1
        until(lambda: any("ended with 70" in line for line in log), log)
        until(lambda: all_drafted(services, 6), log)
        until(lambda: messages.get(services.database, SYSTEM, message.id).state == "sent", log)
    assert count(services, Analysis) == 6  # the approved message's is one of them
    assert count(services, Message) == 6
    assert len(list(settings.outbox.glob("*.eml"))) == 1
    assert "Traceback" not in "\n".join(log)
    services.close()


@pytest.mark.postgres
@pytest.mark.faults(1, 27)
def test_work_goes_on_after_a_failover(postgres_pair: PostgresPair, home: Path) -> None:
    name = postgres_pair.create("template_coachops")
    settings = load_settings(home=home, database_url=postgres_pair.url(name))
    services = open_services(settings)
    pair = make_pair(services.database)
    log: list[str] = []
    with supervised(settings, log):
        until(lambda: worker_status(services.database).running, log)
        transcripts = [make_transcript(services.database, pair) for _ in range(12)]
        with Jobs(settings, services) as jobs:
            for each in transcripts:
                jobs.enqueue_pipeline(each)
        until(lambda: count(services, Analysis) >= 2, log)
        postgres_pair.kill_primary()
        postgres_pair.promote()
        until(lambda: all_drafted(services, 12), log)
    with services.database.read() as session:
        rows = session.execute(
            sa.select(
                Analysis.transcript_id, Analysis.status, Analysis.error_code, Analysis.created_at
            )
        ).all()
    made = [(each.transcript_id, each.status, each.error_code) for each in rows]
    assert sorted(made) == sorted((each, "complete", None) for each in transcripts), (rows, log)
    assert count(services, Message) == 12
    services.close()


@pytest.mark.postgres
@pytest.mark.faults(6)
def test_a_worker_waits_for_a_database_that_is_away_and_then_works(
    postgres_pair: PostgresPair, home: Path
) -> None:
    name = postgres_pair.create("template_coachops")
    settings = load_settings(home=home, database_url=postgres_pair.url(name))
    services = open_services(settings)
    transcript_id = make_transcript(services.database, make_pair(services.database))
    services.close()
    postgres_pair.standby.stop()
    postgres_pair.primary.stop()
    log: list[str] = []
    with supervised(settings, log):
        until(lambda: any("the worker waits" in line for line in log), log)
        postgres_pair.heal()
        services = open_services(settings)
        until(lambda: all_drafted(services, 1), log)
    assert not any("ended with" in line for line in log)
    assert transcript_id is not None
    services.close()


@pytest.mark.long
@pytest.mark.faults(27)
@pytest.mark.parametrize("how", long_too(["damaged"], ["deleted"]))
def test_a_queue_that_is_lost_under_a_worker_is_begun_anew_from_the_data(
    home: Path, new_database_url: Callable[..., str], how: str
) -> None:
    """Letters approved and transcripts waiting when jobs.db goes: all end once, none twice."""
    settings = load_settings(home=home, database_url=new_database_url("sqlite"))
    services = open_services(settings)
    pair = make_pair(services.database)
    log: list[str] = []
    with supervised(settings, log):
        until(lambda: worker_status(services.database).running, log)
        approved = [approved_message(services, pair) for _ in range(4)]
        for _ in range(4):
            make_transcript(services.database, pair)
        path = settings.home / "jobs.db"
        if how == "deleted":
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
        else:
            with path.open("r+b") as file:
                file.write(b"\xa5" * path.stat().st_size)
        until(lambda: any("ended with 70" in line for line in log), log)
        until(lambda: all_drafted(services, 8), log)
        until(
            lambda: all(
                messages.get(services.database, SYSTEM, each.id).state in {"sent", "uncertain"}
                for each in approved
            ),
            log,
            seconds=2 * PATIENCE,
        )
    letters = [file.name for file in settings.outbox.glob("*.eml")]
    assert len(letters) == len(set(letters)) <= 4
    assert count(services, Analysis) == 8
    assert count(services, Message) == 8
    health = queue_health(settings, services.database)
    assert (health.waiting, health.running) == (0, 0)
    if how == "damaged":
        assert len(list(home.glob("jobs.db.corrupt-*Z"))) == 1
    services.close()


@pytest.mark.faults(27)
def test_a_killed_worker_is_started_again_and_the_analysis_it_was_at_does_not_wait_long(
    home: Path, new_database_url: Callable[..., str]
) -> None:
    settings = load_settings(home=home, database_url=new_database_url("sqlite"))
    services = open_services(settings)
    pair = make_pair(services.database)
    log: list[str] = []
    with supervised(settings, log):
        until(lambda: worker_status(services.database).running, log)
        alike = [
            each
            for each in patience.descendants()
            if patience.command_line(each)[-1:] == ["worker"]
        ]
        worker = min(alike, key=psutil.Process.create_time)  # a child of it looks alike until exec
        for _ in range(6):
            make_transcript(services.database, pair)
        os.kill(worker.pid, signal.SIGKILL)
        with services.database.write() as session:  # as one that it was reading
            session.execute(sa.update(Transcript).values(state="analysing", updated_at=clock.now()))
        until(lambda: all_drafted(services, 6), log)
    assert (count(services, Analysis), count(services, Message)) == (6, 6)
    services.close()

"""Every long work, killed in the middle, goes on at the last finished item and ends as if nothing was."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.coaching import messages
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings, load_settings
from coachops.db.models import (
    ActionItem,
    Analysis,
    Client,
    Coach,
    Message,
    Transcript,
    Utterance,
    WorkerHeartbeat,
)
from coachops.export import require_intact, run_export, verify_export
from coachops.jobs import Jobs
from coachops.reporting import due_reports, list_runs
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.jobs.parts import NOTHING, approved_message
from tests.support import patience
from tests.support.ai_server import AiServer, Json, ai_server, transcript_lines
from tests.support.faults import long_too
from tests.support.forks import ForkedWorkers
from tests.support.patience import PATIENCE
from tests.support.smtp import SmtpTestServer
from tests.support.worker import environment, run_command

COACHOPS = str(Path(sys.executable).parent / "coachops")


@pytest.fixture
def ai() -> Iterator[AiServer]:
    yield from ai_server()


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.toml"
    path.write_text(NOTHING)
    return path


@pytest.fixture
def make_settings(home: Path, new_database_url: Callable[..., str]) -> Callable[..., Settings]:
    url = new_database_url("sqlite")
    return lambda **more: load_settings(
        home=home, database_url=url, mail_from="coaching@example.org", **more
    )


def until(holds: Callable[[], bool], log: Path) -> None:
    """Wait for what other processes bring about; a failure shows the end of their log."""
    patience.until(holds, seconds=2 * PATIENCE, said=lambda: log.read_text()[-4000:])


def rows(services: Services, table: type, *conditions: sa.ColumnElement[bool]) -> int:
    with services.database.read() as session:
        query = sa.select(sa.func.count()).select_from(table).where(*conditions)
        return session.scalar(query) or 0


@pytest.mark.faults(27)
@pytest.mark.timeout(3000)
def test_a_worker_killed_in_the_middle_of_a_backlog_does_the_rest_and_pays_nothing_twice(
    make_settings: Callable[..., Settings],
    ai: AiServer,
    schedule: Path,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    """Item 37 of 100 in the long form; the kill comes while that request is being answered."""
    items, at = fault_runs(14, 100), fault_runs(6, 37)
    settings = make_settings(openai_api_key="sk-test", openai_base_url=ai.url)
    services = open_services(settings)
    coach = make_pair(services.database, consents=("processing", "external_ai"))
    marks = {_one_of_many(services, coach, number) for number in range(items)}
    reached, go_on = threading.Event(), threading.Event()

    def stop_at(_request: Json, answer: Json) -> Json:
        if len(ai.requests) >= at and not go_on.is_set():
            reached.set()
            go_on.wait(PATIENCE)
        return answer

    ai.change = stop_at
    log = tmp_path / "worker.log"
    with ForkedWorkers(settings, schedule, log) as workers, Jobs(settings, services) as jobs:
        for transcript_id, _ in sorted(marks):
            jobs.enqueue_pipeline(transcript_id)
        workers.start()
        assert reached.wait(PATIENCE), log.read_text()
        assert workers.kill() == -signal.SIGKILL
        finished = rows(services, Analysis, Analysis.status == "complete")
        before = _calls(ai)
        done = _analysed(services)
        go_on.set()
        workers.start()
        until(lambda: rows(services, Message) == items, log)
    assert 0 < finished < items
    assert len(done) == finished
    calls = _calls(ai)
    by_id = dict(marks)
    assert all(calls[by_id[each]] == before[by_id[each]] == 1 for each in done)
    assert sum(calls.values()) <= items + settings.worker_analyses  # those that were cut off
    assert rows(services, Analysis) == items
    assert rows(services, ActionItem) == 2 * items
    services.close()


def _one_of_many(services: Services, coach: Pair, number: int) -> tuple[uuid.UUID, str]:
    mark = f"mark{number:03}"
    pair = make_pair(services.database, consents=("processing", "external_ai"), coach_of=coach)
    lines = (
        ("coach", f"What about {mark}?"),
        ("client", f"I will write a list of all that belongs to {mark} by Friday."),
        ("coach", f"I will send you an article on {mark} tomorrow."),
    )
    return make_transcript(services.database, pair, lines), mark


def _calls(ai: AiServer) -> Counter[str]:
    return Counter(str(transcript_lines(x)[0]["t"]).split()[2].rstrip("?") for x in ai.requests)


def _analysed(services: Services) -> set[uuid.UUID]:
    with services.database.read() as session:
        return set(
            session.scalars(sa.select(Analysis.transcript_id).where(Analysis.status == "complete"))
        )


@pytest.mark.faults(27)
def test_a_backlog_analysed_by_hand_goes_on_where_it_was_killed(
    make_settings: Callable[..., Settings], ai: AiServer, fault_runs: Callable[[int, int], int]
) -> None:
    items, at = fault_runs(6, 40), fault_runs(3, 15)
    settings = make_settings(openai_api_key="sk-test", openai_base_url=ai.url)
    services = open_services(settings)
    coach = make_pair(services.database, consents=("processing", "external_ai"))
    marks = dict(_one_of_many(services, coach, number) for number in range(items))
    process: list[subprocess.Popen[bytes]] = []

    def kill_at(_request: Json, answer: Json) -> Json:
        if len(ai.requests) == at and process[0].poll() is None:
            os.kill(process[0].pid, signal.SIGKILL)
        return answer

    ai.change = kill_at
    command = [COACHOPS, "transcript", "analyse", "--pending"]
    process.append(subprocess.Popen(command, env=environment(settings)))
    assert process[0].wait(PATIENCE) == -signal.SIGKILL
    done = _analysed(services)
    assert len(done) == at - 1
    again = run_command(settings, "transcript", "analyse", "--pending")
    assert again.returncode == 0, again.stderr
    calls = _calls(ai)
    assert [calls[marks[each]] for each in done] == [1] * len(done)
    assert sum(calls.values()) == items + 1  # the one that was cut off
    assert rows(services, Analysis, Analysis.status == "complete") == items
    services.close()


@pytest.mark.faults(13)
@pytest.mark.timeout(3000)
def test_an_import_of_a_folder_that_is_killed_is_whole_when_it_is_run_again(
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    """A killed import leaves each file whole or absent; the next one tells what was there."""
    settings = make_settings()
    services = open_services(settings)
    pair = make_pair(services.database)
    with services.database.read() as session:
        coach = session.get_one(Coach, pair.coach_id).external_id
        client = session.get_one(Client, pair.client_id).external_id
    folder = tmp_path / "recordings"
    folder.mkdir()
    cues = 300
    files = fault_runs(10, 60)
    for number in range(files):
        folder.joinpath(f"{number:03}.vtt").write_text(_vtt(number, cues))
    command = [
        COACHOPS, "transcript", "import", str(folder), "--coach", coach, "--client", client,
        "--date", "2026-11-02",
    ]  # fmt: skip
    chance = random.Random(13)
    for _ in range(fault_runs(2, 12)):
        known = rows(services, Transcript)
        process = subprocess.Popen(
            command, env=environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while rows(services, Transcript) == known and process.poll() is None:
            time.sleep(0.01)  # another process brings it about; it has no other signal
        time.sleep(chance.uniform(0, 0.08))  # the moment itself is what is random
        process.kill()
        process.wait()
        _require_whole(services, cues)
    kept = rows(services, Transcript)
    assert kept > 0
    again = run_command(settings, *command[1:], "--json")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count('"duplicate": true') == kept
    assert rows(services, Transcript) == files
    _require_whole(services, cues)
    assert services.database.check_integrity(full=True) == []
    services.close()


def _vtt(number: int, cues: int) -> str:
    lines = ["WEBVTT", ""]
    for cue in range(cues):
        at = f"{cue // 60:02}:{cue % 60:02}"
        lines += [f"00:{at}.000 --> 00:{at}.900", f"<v Ada Reyes>Line {cue} of {number}.", ""]
    return "\n".join(lines)


def _require_whole(services: Services, cues: int) -> None:
    with services.database.read() as session:
        counts = session.execute(
            sa.select(Transcript.id, sa.func.count(Utterance.id))
            .outerjoin(Utterance, Utterance.transcript_id == Transcript.id)
            .group_by(Transcript.id)
        ).all()
    assert {count for _, count in counts} <= {cues}


@pytest.mark.faults(13)
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("way", long_too(["smtp"], ["outbox"]))
def test_no_letter_leaves_twice_though_workers_are_killed_while_they_send(
    make_settings: Callable[..., Settings],
    schedule: Path,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
    way: str,
) -> None:
    kills, letters = fault_runs(2, 40), fault_runs(8, 80)
    chance = random.Random(41)
    with SmtpTestServer() as server:
        settings = make_settings(smtp_url=server.url if way == "smtp" else "")
        services = open_services(settings)
        pair = make_pair(services.database)
        approved = [approved_message(services, pair) for _ in range(letters)]
        log = tmp_path / "worker.log"
        with ForkedWorkers(settings, schedule, log) as workers:
            workers.start()
            for _ in range(kills):
                before = rows(services, Message, Message.state != "approved")
                until(
                    lambda before=before: (
                        rows(services, Message, Message.state != "approved")  # type: ignore[misc] # a loop variable
                        > before
                        or rows(services, Message, Message.state == "approved") == 0
                    ),
                    log,
                )
                time.sleep(chance.uniform(0, 0.05))  # the moment itself is what is random
                workers.kill()
                workers.start()
            until(
                lambda: rows(services, Message, Message.state.in_(("approved", "sending"))) == 0,
                log,
            )
    left = _letters_of(server, settings)
    assert max(left.values()) == 1
    for row in approved:
        state = messages.get(services.database, SYSTEM, row.id).state
        assert state in {"sent", "uncertain"}
        if state == "sent":
            assert left[str(row.id)] == 1
    services.close()


def _letters_of(server: SmtpTestServer, settings: Settings) -> Counter[str]:
    """How often the letter of each message left, by the id in its Message-ID or its file's name."""
    if server.taken:
        return Counter(
            str(letter["Message-ID"]).strip("<>").split(".")[0] for letter in server.taken
        )
    return Counter(path.name.split(".")[0] for path in settings.outbox.glob("*.eml"))


@pytest.mark.faults(13)
@pytest.mark.timeout(3000)
def test_an_export_that_is_killed_never_looks_complete_and_ends_equal(
    make_settings: Callable[..., Settings],
    schedule: Path,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    settings = make_settings()
    assert run_command(
        settings, "seed", "--coaches", 3, "--clients", 10, "--sessions", 150,
        "--utterances-per-session", 100, "--seed", 5,
    ).returncode == 0  # fmt: skip
    services = open_services(settings)
    with services.database.write() as session:  # else workers analyse it while the export runs
        session.execute(sa.update(Transcript).values(state="analysed"))
    chance = random.Random(7)
    log = tmp_path / "worker.log"
    with ForkedWorkers(settings, schedule, log) as workers, Jobs(settings, services) as jobs:
        queued = jobs.enqueue_export(SYSTEM, formats=["jsonl", "csv"])
        folder = Path(jobs.export_of(queued).place)
        workers.start()
        for _ in range(fault_runs(2, 20)):
            until(lambda: folder.exists() or any(folder.parent.glob(".*.partial-*")), log)
            time.sleep(chance.uniform(0, 0.4))  # the moment itself is what is random
            workers.kill()
            if folder.exists():
                require_intact(folder, verify_export(folder))
            workers.start()
        until(lambda: not jobs.get(queued).active, log)
        assert jobs.get(queued).state == "done"
    require_intact(folder, verify_export(folder))
    assert list(folder.parent.glob(".*")) == []  # nothing half is left beside it
    whole = run_export(
        services.database, SYSTEM, tmp_path / "whole", ["jsonl"], zone=settings.zone,
        datasets=["utterances", "sessions", "transcripts"],
    )  # fmt: skip
    killed = _digests(folder)
    assert {row["name"]: row["digest"] for row in whole["datasets"]}.items() <= killed.items()
    services.close()


def _digests(folder: Path) -> dict[str, str]:
    manifest = json.loads((folder / "manifest.json").read_text())
    return {row["name"]: row["digest"] for row in manifest["datasets"]}


BAD = """
[[schedule]]
report = "weekly_operations"
cron = "0 0 1 1 *"
parameters = { week_start = "2035-01-01" } # has not begun: the notebook stops in a cell

"""
GOOD = """
[[schedule]]
report = "weekly_operations"
cron = "0 0 1 1 *"
parameters = {{ weeks = {weeks} }}

"""


@pytest.mark.notebook
@pytest.mark.faults(28)
@pytest.mark.timeout(3000)
def test_a_notebook_that_fails_in_a_batch_stops_no_other_report_and_a_kill_repeats_none(
    make_settings: Callable[..., Settings],
    schedule: Path,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    settings = make_settings()
    services = open_services(settings)
    good = [4, 6, 8][: fault_runs(1, 3)]
    schedule.write_text(BAD + "".join(GOOD.format(weeks=weeks) for weeks in good) + NOTHING)
    with services.database.write() as session:
        _ran_long_ago(session)
    assert len(due_reports(settings, schedule)) == 1 + len(good)
    log = tmp_path / "worker.log"
    with ForkedWorkers(settings, schedule, log) as workers, Jobs(settings, services) as jobs:
        workers.start()
        if fault_runs(0, 1):
            until(lambda: len(list_runs(settings, "weekly_operations")) == 1, log)
            workers.kill()
            workers.start()
        until(lambda: _ended(jobs) == 1 + len(good), log)
        states = Counter((row.state, row.error_code) for row in jobs.list_jobs(kind="report"))
    assert states == {("done", None): len(good), ("failed", "COACH-REP-003"): 1}
    delivered = list_runs(settings, "weekly_operations")
    assert sorted(run.parameters["weeks"] for run in delivered) == good
    assert all(run.html_path.stat().st_size > 10_000 for run in delivered)
    (owed,) = due_reports(settings, schedule)  # 'report due' repeats what is missing, no more
    assert owed.parameters == {"week_start": "2035-01-01"}
    services.close()


def _ended(jobs: Jobs) -> int:
    return sum(not row.active for row in jobs.list_jobs(kind="report"))


def _ran_long_ago(session: Session) -> None:
    at = clock.now() - dt.timedelta(days=800)
    session.add(
        WorkerHeartbeat(
            name="worker-9", first_started_at=at, started_at=at, seen_at=at, stopped=True
        )
    )

"""Whoever waits for an export sees rows of how many, bytes, and the time that is left."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.cli import export as export_commands
from coachops.cli import export_progress, exports_issued, main
from coachops.cli.export_progress import in_words
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.export.parts import write_part
from coachops.export.plan import FileEntry, PartResult
from coachops.export.planning import make_plan
from coachops.export.progress import Far, Meter
from coachops.jobs import Jobs
from coachops.jobs.exports import SUITE
from tests.coaching.builders import make_pair, make_transcript


class Bars:
    """Notes what a terminal would show."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []

    def add_task(self, description: str, total: int | None) -> int:
        self.shown.append({"description": description, "total": total, "completed": 0})
        return 0

    def update(self, _task: int, **now: Any) -> None:
        self.shown.append(now)


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> Bars:
    bars = Bars()

    @contextlib.contextmanager
    def progress() -> Iterator[Bars]:
        yield bars

    for module in (export_commands, exports_issued):
        monkeypatch.setattr(module, "progress", progress)
    return bars


@pytest.fixture
def installation(
    home: Path, new_database_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    monkeypatch.setenv("COACHOPS_DATABASE_URL", new_database_url("sqlite"))
    return load_settings()


@pytest.fixture
def services(installation: Settings) -> Iterator[Services]:
    opened = open_services(installation)
    make_transcript(opened.database, make_pair(opened.database))
    yield opened
    opened.close()


def test_an_export_into_a_folder_shows_rows_of_all_bytes_and_time(
    services: Services, bars: Bars, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main.run(["export", "run", "--out", str(tmp_path / "out"), "--format", "jsonl", "--json"])
    manifest = json.loads(capsys.readouterr().out)
    rows = sum(listed["rows"] for listed in manifest["datasets"])
    size = sum(entry["bytes"] for entry in manifest["files"] if "dataset" in entry)
    last = bars.shown[-1]
    assert (last["completed"], last["total"]) == (rows, rows)
    assert last["description"] == in_words(rows, rows, size, 0.0)
    assert "bytes" in last["description"] or "kB" in last["description"]
    assert bars.shown[1]["total"] == rows  # from the first time on


def test_an_export_as_a_job_of_this_process_shows_them_while_it_is_made(
    services: Services, installation: Settings, bars: Bars, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def slowly(*arguments: Any, **named: Any) -> PartResult:
        time.sleep(0.05)
        return write_part(*arguments, **named)

    monkeypatch.setattr("coachops.jobs.coordinating.write_part", slowly)
    monkeypatch.setattr(export_progress, "_LOOK_EVERY", 0.01)
    with Jobs(installation, services) as jobs:
        export, _ = jobs.exports.start(SUITE, out=str(tmp_path / "out"), formats=["jsonl"])
        manifest = export_commands._run_as_job(jobs, export)
        done = jobs.exports.get(SUITE, str(export.id))
    rows = sum(listed["rows"] for listed in manifest["datasets"])
    assert (bars.shown[-1]["completed"], bars.shown[-1]["total"]) == (done.rows, rows)
    between = [each for each in bars.shown if 0 < each["completed"] < rows]
    assert {each["total"] for each in between} == {rows}
    assert any(
        re.fullmatch(
            rf"running: part \d+ of 16, \d+ of {rows} rows, \S+ (bytes|kB), about \d+ s to go",
            each["description"],
        )
        for each in between
    )


def test_the_status_that_waits_shows_bytes_too(
    services: Services, installation: Settings, bars: Bars, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with Jobs(installation, services) as jobs:
        export, _ = jobs.exports.start(SUITE, formats=["jsonl"])
        registry = jobs.exports.registry
        registry.begin(export.id, 1)
        plan = make_plan(services.database, export.request.spec("UTC"), export_id=str(export.id))
        generation = registry.replan(export.id, plan, "now")
        entry = FileEntry("data/coaches-0001.jsonl", 1_536_000, "0" * 64, "coaches", "jsonl", 1, 1)
        registry.add_part(export.id, generation, 0, PartResult(0, 1, (entry,)))

        def ended(_seconds: float) -> None:
            registry.fail(export.id, CoachError("COACH-EXP-052"))

        monkeypatch.setattr("coachops.cli.exports_issued.time.sleep", ended)
        with pytest.raises(SystemExit):
            main.run(["export", "status", export.key, "--watch", "--json"])
    rows = sum(part.rows for part in plan.parts)
    shown = bars.shown[-1]
    assert (shown["completed"], shown["total"]) == (1, rows)
    assert f"part 1 of 16, 1 of {rows} rows, 1.5 MB, about " in shown["description"]
    assert json.loads(capsys.readouterr().out)["progress"]["bytes"] == 1_536_000


def test_the_time_that_is_left_is_reckoned_by_the_rows(
    tmp_path: Path, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Far] = []
    now = 100.0
    monkeypatch.setattr("coachops.core.clock.monotonic", lambda: now)
    meter = Meter(tmp_path, seen.append)
    meter.add(1)
    assert seen == [Far(1, 0, None, None)]  # nobody has counted, and nothing is there
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".half.partial").write_bytes(b"x" * 7)
    with Jobs(services.settings, services) as jobs:
        export, _ = jobs.exports.start(SUITE, formats=["jsonl"], datasets=["coaches", "clients"])
    meter.expect(make_plan(services.database, export.request.spec("UTC")))
    now = 104.0
    meter.tell()
    assert seen[-1] == Far(1, 7, 2, 4.0)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0, None, 0, None), "0 rows, 0 bytes"),
        ((1_000, 2_000_000, 999, 61.4), "1,000 of 2,000,000 rows, 999 bytes, about 61 s to go"),
        ((5, 5, 1_500, 0.0), "5 of 5 rows, 1.5 kB, about 0 s to go"),
        ((5, 5, 2_340_000_000, None), "5 of 5 rows, 2.3 GB"),
    ],
)
def test_how_far_it_is_in_words(numbers: tuple[Any, ...], words: str) -> None:
    assert in_words(*numbers) == words

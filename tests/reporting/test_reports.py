"""Reports run in a process of their own and come out as one file that needs nothing else."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from coachops.coaching.seed import seed_organisation
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from coachops.reporting import catalog, due_reports, list_runs, read_schedule, run_report, runner
from coachops.reporting.execute import failure
from tests.support.patience import running, until

URL = re.compile(r"""(?:https?:)?//[\w.-]+\.\w+""")
LOADS = re.compile(
    r"""<(?:script|link|iframe|img|object|embed|video|audio|source)\b[^>]*?"""
    r"""(?:src|href|data)\s*=\s*["']?(?!data:|\#)[^"'>\s]+|@import|url\(\s*["']?(?!data:|\#)""",
    re.IGNORECASE,
)


@pytest.fixture
def seeded(home: Path, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Settings:
    seed_organisation(
        sqlite_database, coaches=4, clients=10, sessions=150, utterances_per_session=6, seed=3,
        until=dt.date(2026, 11, 22),
    )  # fmt: skip
    settings = load_settings(home=home, database_url=sqlite_database.url, organisation="A & B")
    monkeypatch.setenv("COACHOPS_DATABASE_URL", sqlite_database.url)
    return settings


@pytest.fixture
def small_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a notebook of one cell in the place of the report."""

    def make(source: str) -> None:
        import nbformat

        folder = tmp_path / "reports"
        folder.mkdir(exist_ok=True)
        cell = nbformat.v4.new_code_cell(source)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        nbformat.write(notebook, folder / "weekly_operations.ipynb")
        monkeypatch.setattr(catalog, "FOLDER", folder)

    return make


@pytest.mark.notebook
def test_the_weekly_report_is_one_self_contained_file(
    seeded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACHOPS_SMTP_URL", "smtp://u:SECRET@localhost")
    done = run_report(seeded, "weekly_operations", {"week_start": "2026-11-09"})
    text = done.html_path.read_text(encoding="utf-8")
    assert "Weekly operations" in text
    assert "9 November 2026 to 15 November 2026" in text
    assert "A &amp; B" in text
    assert "<svg" in text
    assert "not over yet" not in text
    assert not LOADS.findall(text)
    assert not URL.findall(text)
    assert "<script" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "week_start" not in text  # no code
    for path in done.html_path.parent.iterdir():
        assert b"SECRET" not in path.read_bytes()
        assert seeded.database_url.encode() not in path.read_bytes()
    assert sorted(p.name for p in done.html_path.parent.iterdir()) == [
        "run.json", "weekly_operations.html", "weekly_operations.ipynb",
    ]  # fmt: skip
    assert list_runs(seeded, "weekly_operations") == [done]
    assert done.parameters == {"week_start": "2026-11-09", "weeks": 12}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"weekstart": "2026-11-09"}, "weekstart"),
        ({"week_start": "2026-11-10"}, "not a Monday"),
        ({"week_start": "last week"}, "week_start"),
        ({"weeks": "many"}, "weeks"),
        ({"weeks": 1}, "weeks"),
    ],
)
def test_bad_parameters_are_refused_before_anything_runs(
    settings: Settings, given: dict[str, object], reason: str
) -> None:
    with pytest.raises(CoachError, match=reason) as caught:
        run_report(settings, "weekly_operations", given)
    assert caught.value.code == "COACH-REP-002"
    assert not (settings.home / "reports").exists()


def test_unknown_reports_are_refused(settings: Settings) -> None:
    with pytest.raises(CoachError) as caught:
        run_report(settings, "nothing")
    assert caught.value.code == "COACH-REP-001"


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    (settings.home / "reports").write_text("a file where the folder should be")
    with pytest.raises(CoachError) as caught:
        run_report(settings, "weekly_operations")
    assert caught.value.code == "COACH-REP-005"
    assert caught.value.spec.retryable


@pytest.mark.notebook
def test_a_notebook_that_fails_is_kept_with_its_cell_and_without_foreign_words(
    seeded: Settings, small_report: Callable[[str], None]
) -> None:
    small_report("week_start, weeks = '', 12\nraise ValueError('words of a client')")
    with pytest.raises(CoachError) as caught:
        run_report(seeded, "weekly_operations")
    error = caught.value
    assert error.code == "COACH-REP-003"
    assert "ValueError" in error.message
    assert "words of a client" not in str(error)
    kept = Path(str(error.details["path"]))
    assert kept.name.endswith("-failed")
    assert (kept / "weekly_operations.ipynb").is_file()
    page = (kept / "failed.html").read_text()
    assert "COACH-REP-003" in page
    assert f"{seeded.public_url}/guide/reference/errors/coach-rep-003/" in page
    assert "words of a client" not in page
    assert list_runs(seeded, "weekly_operations") == []


@pytest.mark.notebook
def test_a_notebook_that_hangs_is_ended(
    seeded: Settings, small_report: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_report("import threading\nthreading.Event().wait()")
    monkeypatch.setattr(runner, "_START_SECONDS", 120.0)
    with pytest.raises(CoachError) as caught:
        run_report(seeded, "weekly_operations", timeout=1)
    assert caught.value.code == "COACH-REP-004"


_STARTER = """
import subprocess, sys, time
code = "import os, time; from coachops.reporting.execute import end_with; end_with(os.getppid()); print(os.getpid(), flush=True); time.sleep(1000)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
time.sleep(1000)
"""


def test_a_report_ends_with_the_worker_that_ran_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STARTER], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        child = psutil.Process(int(worker.stdout.readline()))
        worker.kill()
    until(lambda: not running(child))


def test_errors_of_the_catalog_keep_their_words_others_only_their_name() -> None:
    from papermill.exceptions import PapermillExecutionError

    own = PapermillExecutionError(3, 2, "", "CoachError", "COACH-DB-005: not set up", [])
    assert failure(own)["reason"] == "COACH-DB-005: not set up"
    assert failure(own)["cell"] == 3
    other = PapermillExecutionError(3, 2, "", "KeyError", "words of a client", [])
    assert failure(other)["reason"] == "KeyError"
    assert failure(ValueError("words"))["reason"] == "ValueError"


def test_due_reports_follow_the_schedule_and_the_runs(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text('[[schedule]]\nreport = "weekly_operations"\ncron = "0 7 * * 1"\n')
    monday = dt.datetime(2026, 11, 23, 7, 0, tzinfo=settings.zone)
    with clock.frozen(monday + dt.timedelta(hours=1)):
        due = due_reports(settings, path)
        assert [(d.report, d.due_at) for d in due] == [("weekly_operations", monday)]
    folder = settings.home / "reports" / "weekly_operations" / "20261123T070500Z-1"
    folder.mkdir(parents=True)
    run = {
        "name": "weekly_operations", "parameters": {"week_start": "", "weeks": 12},
        "notebook_path": "", "html_path": "", "seconds": 3.0,
        "started_at": (monday + dt.timedelta(minutes=5)).isoformat(),
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run))
    with clock.frozen(monday + dt.timedelta(hours=1)):
        assert due_reports(settings, path) == []
    with clock.frozen(monday + dt.timedelta(days=7, minutes=1)):
        assert len(due_reports(settings, path)) == 1
    shutil.copytree(folder, folder.with_name(".20261130T070100Z-1.partial"))
    with clock.frozen(monday + dt.timedelta(days=7, minutes=1)):
        assert len(due_reports(settings, path)) == 1  # an unfinished run does not count


def test_the_shipped_schedule_is_valid_and_bad_ones_are_refused(tmp_path: Path) -> None:
    assert [row.report for row in read_schedule()] == ["weekly_operations"]
    path = tmp_path / "schedule.toml"
    for text, code in [
        ("[[schedule]", "COACH-REP-006"),
        ("[[schedule]]\ncron = '* * * * *'", "COACH-REP-006"),
        ("[[schedule]]\nreport = 'weekly_operations'\ncron = 'monday'", "COACH-REP-006"),
        ("[[schedule]]\nreport = 'nothing'", "COACH-REP-001"),
        (
            "[[schedule]]\nreport = 'weekly_operations'\nparameters = {week = 1}",
            "COACH-REP-002",
        ),
    ]:
        path.write_text(text)
        with pytest.raises(CoachError) as caught:
            read_schedule(path)
        assert caught.value.code == code, text

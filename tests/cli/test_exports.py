"""`coachops export`: every export is on record, followed, cancelled, and made in the background."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coachops.bootstrap import services as open_services
from coachops.cli import main
from coachops.core.settings import Settings, load_settings
from coachops.jobs import Jobs
from coachops.jobs.exports import SUITE
from tests.coaching.builders import make_pair, make_transcript

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def installation(
    home: Path, new_database_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    monkeypatch.setenv("COACHOPS_DATABASE_URL", new_database_url("sqlite"))
    settings = load_settings()
    services = open_services(settings)
    make_transcript(services.database, make_pair(services.database))
    services.close()
    return settings


@pytest.fixture
def run(installation: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    def execute(*words: object) -> tuple[int, Any]:
        capsys.readouterr()
        try:
            main.run([*map(str, words), "--json"])
        except SystemExit as end:
            code = int(end.code or 0)
        else:
            code = 0
        printed = capsys.readouterr()
        found = json.loads(printed.out)
        return code, found.get("error") or found

    return execute


def work(settings: Settings) -> None:
    services = open_services(settings)
    with Jobs(settings, services) as jobs:
        waiting = [each for each in jobs.exports.page(SUITE) if each.open]
        jobs.run_inline([jobs.exports.enqueue(each) for each in waiting])
    services.close()


def test_an_export_of_the_command_line_is_on_record(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "today"
    code, manifest = run("export", "run", "--out", out, "--format", "jsonl,parquet")
    assert code == 0, manifest
    code, listed = run("export", "list")
    (row,) = listed["exports"]
    assert row["export_id"] == manifest["export_id"]
    assert (row["state"], row["place"], row["expires_at"]) == ("ready", str(out), None)
    assert row["progress"]["rows"] == sum(each["rows"] for each in manifest["datasets"])
    assert run("export", "verify", out)[0] == 0


def test_one_that_fails_is_on_record_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "today").mkdir()
    (tmp_path / "today" / "in the way").write_text("x")
    code, problem = run("export", "run", "--out", tmp_path / "today")
    assert (code, problem["code"]) == (1, "COACH-EXP-003")
    (row,) = run("export", "list")[1]["exports"]
    assert (row["state"], row["error"]["code"]) == ("failed", "COACH-EXP-003")


def test_an_export_in_the_background_is_followed_until_its_files_are_deleted(
    run: Run, installation: Settings
) -> None:
    code, asked = run("export", "run", "--background", "--dataset", "clients", "--privacy",
                      "pseudonymous", "--compression", "gzip", "--format", "csv")  # fmt: skip
    assert (code, asked["state"]) == (0, "queued")
    assert run("export", "status", asked["key"])[1]["state"] == "queued"
    work(installation)
    code, done = run("export", "status", asked["export_id"], "--watch")
    assert (code, done["state"], done["progress"]["parts_done"]) == (0, "ready", 1)
    paths = [entry["path"] for entry in done["files"]]
    assert "data/clients-0001.csv.gz" in paths
    assert run("export", "verify", done["place"])[0] == 0
    code, gone = run("export", "cancel", asked["key"])
    assert (code, gone["state"]) == (0, "expired")
    assert gone["files_deleted_at"] is not None
    assert not Path(done["place"]).exists()
    assert run("export", "cancel", asked["key"])[1]["code"] == "COACH-EXP-044"


def test_one_that_waits_is_cancelled_and_nothing_is_made_of_it(
    run: Run, installation: Settings
) -> None:
    _, asked = run("export", "run", "--background")
    assert run("export", "cancel", asked["key"])[1]["state"] == "cancelled"
    work(installation)
    assert run("export", "status", asked["key"])[1]["state"] == "cancelled"
    assert not Path(asked["place"]).exists()


def test_what_does_not_exist_is_told_with_a_next_step(run: Run) -> None:
    code, problem = run("export", "status", "2026-01-01T000000Z-00000000")
    assert (code, problem["code"]) == (1, "COACH-EXP-040")
    assert "export list" in problem["next_step"]
    assert run("export", "run")[1]["code"] == "COACH-SYS-002"

"""`coachops privacy`: what each command prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coachops.bootstrap import Services
from coachops.cli.main import run
from tests.privacy.conftest import GONE, SQLITE, STAYS
from tests.support.subjects import Subject, files_with, tables_with

pytestmark = SQLITE


@pytest.fixture
def call(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs the command line in this process; returns exit code, stdout and stderr."""
    monkeypatch.setenv("COACHOPS_DATABASE_URL", services.settings.database_url)
    monkeypatch.setenv("COACHOPS_HOME", str(services.settings.home))
    monkeypatch.setenv("COACHOPS_STORAGE_URL", services.settings.storage_url)

    def invoke(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run(list(arguments))
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return invoke


def test_without_yes_nothing_goes_and_all_is_listed_by_place(
    call: Any, services: Services, gone: Subject
) -> None:
    before = (tables_with(services, GONE), files_with(services.settings.home, GONE))
    code, stdout, _ = call("privacy", "erase", f"ext-{GONE}", "--json")
    document = json.loads(stdout)
    assert code == 0
    assert document["dry_run"] is True
    assert document["places"].keys() >= {
        "client", "sessions", "analyses", "letters", "goals", "quarantine", "ai_replies", "outbox",
        "mail_reports", "reports",
    }  # fmt: skip
    assert len(document["exports"]) == 1
    assert call("privacy", "show", f"ext-{GONE}", "--json")[0] == 0
    code, stdout, _ = call("privacy", "erase", f"ext-{GONE}")
    assert code == 0
    assert "Nothing was changed" in stdout
    assert (tables_with(services, GONE), files_with(services.settings.home, GONE)) == before


def test_erase_says_what_went_and_who_was_given_an_export(
    call: Any, services: Services, gone: Subject, stays: Subject, tmp_path: Path
) -> None:
    call("export", "run", "--out", str(tmp_path / "given away"), "--format", "csv")
    code, stdout, _ = call("privacy", "erase", f"ext-{GONE}", "--yes")
    assert code == 0
    assert "whoever was given one must be told" in stdout
    assert "deleted" in stdout
    assert "none here" in stdout
    assert tables_with(services, GONE) == []
    assert tables_with(services, STAYS) != []
    code, stdout, _ = call("privacy", "erased", "--json")
    (row,) = json.loads(stdout)["erased"]
    assert row["client_id"] == str(gone.client_id)
    assert GONE not in stdout
    assert call("privacy", "readmit", f"ext-{GONE}")[0] == 0
    code, _, stderr = call("privacy", "readmit", f"ext-{GONE}")
    assert code == 1
    assert "COACH-PRV-006" in stderr


def test_what_could_not_be_cleaned_is_exit_1_with_the_place(
    call: Any, services: Services, gone: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.privacy.compacting.compact_file", lambda *_: False)
    code, stdout, stderr = call("privacy", "erase", f"ext-{GONE}", "--yes")
    assert code == 1
    assert "Erased:" in stdout
    assert "COACH-PRV-007" in stderr
    assert "database" in stderr
    code, stdout, _ = call("doctor", "--json")
    (check,) = (each for each in json.loads(stdout)["checks"] if each["name"] == "erasures")
    assert (check["status"], "retention run" in check["next_step"]) == ("warn", True)


def test_a_hold_is_placed_seen_and_released(call: Any, gone: Subject) -> None:
    code, stdout, _ = call("privacy", "hold", "add", f"ext-{GONE}", "--reason", "claim", "--json")
    assert code == 0
    hold = json.loads(stdout)["hold_id"]
    code, _, stderr = call("privacy", "erase", f"ext-{GONE}", "--yes")
    assert code == 1
    assert "COACH-PRV-001" in stderr
    code, stdout, _ = call("privacy", "hold", "list")
    assert code == 0
    assert "claim" in stdout
    assert call("privacy", "hold", "release", hold)[0] == 0
    assert call("privacy", "erase", f"ext-{GONE}", "--yes", "--json")[0] == 0


def test_periods_are_shown_set_and_tried(call: Any, gone: Subject) -> None:
    assert call("privacy", "retention", "set", "outbox", "30")[0] == 0
    code, stdout, _ = call("privacy", "retention", "show", "--json")
    periods = {each["kind"]: each["days"] for each in json.loads(stdout)["periods"]}
    assert (periods["outbox"], periods["messages"]) == (30, None)
    code, stdout, _ = call("privacy", "retention", "run", "--dry-run", "--json")
    assert (code, json.loads(stdout)["ran"]) == (0, [{"kind": "outbox", "days": 30, "count": 0}])
    assert call("privacy", "retention", "set", "outbox", "keep")[0] == 0
    for wrong, expected in (("soon", "COACH-SYS-002"), ("0", "COACH-PRV-004")):
        code, _, stderr = call("privacy", "retention", "set", "outbox", wrong)
        assert code == 2
        assert expected in stderr


def test_a_package_is_one_folder(call: Any, gone: Subject, tmp_path: Path) -> None:
    out = tmp_path / "package"
    code, stdout, _ = call("privacy", "package", f"ext-{GONE}", "--out", str(out), "--json")
    assert code == 0
    assert json.loads(stdout)["folder"] == str(out)
    assert {path.name for path in out.iterdir()} == {
        "READ-ME.html", "SHA256SUMS", "data", "transcripts",
    }  # fmt: skip

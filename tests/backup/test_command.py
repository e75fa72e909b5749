"""The command line: exit codes, one document with --json, and what a person reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coachops.bootstrap import Services
from coachops.cli import main
from coachops.core.settings import Settings


@pytest.fixture
def command(
    installation: Settings,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Runs `coachops` in that installation: exit code, stdout, stderr."""
    services.close()
    monkeypatch.setenv("COACHOPS_HOME", str(installation.home))
    monkeypatch.setenv("COACHOPS_STORAGE_URL", installation.storage_url)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run(list(words))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


Command = Callable[..., tuple[int, str, str]]


def _json(command: Command, *words: str, code: int = 0) -> Any:
    found, out, _ = command(*words, "--json")
    assert found == code
    return json.loads(out)


def test_the_round_in_json(command: Command, tmp_path: Path) -> None:
    assert _json(command, "backup", "list")["backups"] == []
    assert _json(command, "backup", "status", code=1)["ok"] is False
    made = _json(command, "backup", "run")
    assert made["bytes"] > 0
    assert len(made["manifest_sha256"]) == 64
    assert _json(command, "backup", "list")["backups"][0]["id"] == made["id"]
    assert _json(command, "backup", "verify", made["id"])["ok"] is True
    drill = _json(command, "backup", "drill")
    assert drill["passed"]
    assert drill["rpo_seconds"] >= 0
    assert drill["rto_seconds"] > 0
    assert _json(command, "backup", "status")["last_drill"]["passed"] is True
    done = _json(command, "backup", "restore", "--into", str(tmp_path / "new"))
    assert done["backup_id"] == made["id"]
    copy = str(tmp_path / "key.txt")
    name = _json(command, "backup", "key-export", copy)["key"]
    assert _json(command, "backup", "key-confirm", copy) == {"key": name, "opened": made["id"]}
    assert _json(command, "backup", "key-import", copy) == {"key": name}
    assert _json(command, "backup", "key-new")["key"] != name


def test_a_person_reads_what_happened_and_what_to_do(command: Command, tmp_path: Path) -> None:
    assert "No backup in" in command("backup", "list")[1]
    assert "rows" in command("backup", "run")[1]
    assert "every byte is as it was written" in command("backup", "verify")[1]
    code, out, _ = command("backup", "drill")
    assert code == 0
    assert "passed" in out
    assert "(RPO)" in out
    assert "(RTO)" in out
    assert "good" in command("backup", "list")[1]
    code, out, _ = command("backup", "status")
    assert code == 0
    assert "COACH-BKP-016" in out
    assert "key-export" in out
    code, out, _ = command("backup", "restore", "--into", str(tmp_path / "new"))
    assert code == 0
    assert "is not in it" in out
    code, _, err = command("backup", "restore")
    assert code == 1
    assert "COACH-BKP-010" in err


def test_times_are_those_of_the_organisation(command: Command, tmp_path: Path) -> None:
    command("backup", "run")
    code, _, err = command("backup", "restore", "--at", "1999-12-31 23:59")
    assert code == 1
    assert "COACH-BKP-010" in err  # the home holds a database: nothing is asked of the place
    code, _, err = command(
        "backup", "restore", "--into", str(tmp_path / "x"), "--at", "1999-12-31 23:59"
    )
    assert code == 1
    assert "COACH-BKP-006" in err
    assert "1999-12-31 23:59:00 GMT" in err
    code, _, err = command("backup", "restore", "--at", "tomorrow")
    assert code == 2
    assert "COACH-SYS-002" in err


def test_a_lost_database_needs_no_database(
    command: Command, installation: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("backup", "run")
    for path in installation.home.glob("*.db*"):
        path.unlink()
    assert command("backup", "list")[0] == 0
    assert command("backup", "verify")[0] == 0
    code, out, _ = command("backup", "restore")
    assert code == 0
    assert "Restored backup" in out
    assert command("backup", "run")[0] == 0
    assert command("backup", "drill")[0] == 0


def test_a_place_that_is_away_is_exit_code_3_or_4(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACHOPS_STORAGE_URL", str(tmp_path / "not mounted"))
    code, _, err = command("backup", "run")
    assert code == 3
    assert "COACH-BKP-003" in err
    assert "COACHOPS_STORAGE_URL" in err

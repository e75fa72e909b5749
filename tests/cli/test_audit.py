"""`coachops audit` from the shell: the record listed, an edited row named, a cut chain found by backups."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops import audit
from coachops.cli import main
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.db import Database


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, as the shell does in one of its own."""
    monkeypatch.setenv("COACHOPS_HOME", str(home))

    def run(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main.run(list(arguments))
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def database(home: Path, run: Run) -> Database:
    """A fresh installation with some acts."""
    run("init")
    for name in ("ada", "ben"):
        run("user", "add", "--email", f"{name}@example.org", "--role", "admin")
    return Database(load_settings(home=home).database_url)


def change(database: Database, statement: str) -> None:
    with database.connect(write=True) as connection:
        connection.execute(sa.text(statement))


@pytest.mark.faults(44)
def test_an_edited_row_is_named_with_a_code_and_a_next_step(run: Run, database: Database) -> None:
    before = run("audit", "verify")
    assert before.returncode == 0, before.stdout + before.stderr
    assert "none changed" in before.stdout
    change(database, "UPDATE audit_events SET details = '{}' WHERE seq = 2")
    after = run("audit", "verify")
    assert after.returncode == 1
    assert "COACH-SYS-009" in after.stdout
    assert "row 2 was edited" in after.stdout
    assert "Next:" in after.stdout
    found = json.loads(run("audit", "verify", "--json").stdout)
    assert (found["intact"], found["breaks"][0]["seq"]) == (False, 2)
    doctor = {
        check["name"]: check for check in json.loads(run("doctor", "--json").stdout)["checks"]
    }
    assert doctor["audit record"]["code"] == "COACH-SYS-009"
    database.close()


@pytest.mark.faults(44)
def test_a_chain_cut_off_with_its_end_is_found_by_the_newest_backup(
    run: Run, database: Database
) -> None:
    made = run("backup", "run")
    assert made.returncode == 0, made.stderr
    change(database, "DELETE FROM audit_events WHERE seq > 2")
    change(
        database,
        "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_events WHERE seq = 2)",
    )
    alone = run("audit", "verify", "--no-backups")
    assert alone.returncode == 0  # nothing inside the database can know
    compared = run("audit", "verify")
    assert compared.returncode == 1
    assert "is in a backup" in compared.stdout
    database.close()


def test_after_a_restore_the_backups_of_the_lost_time_are_not_missed(
    run: Run, database: Database
) -> None:
    first = json.loads(run("backup", "run", "--json").stdout)
    run("user", "add", "--email", "cleo@example.org", "--role", "admin")
    assert run("backup", "run").returncode == 0
    database.close()
    name = first.get("id") or first["backup"]["id"]
    restored = run("backup", "restore", "--backup", name, "--replace")
    assert restored.returncode == 0, restored.stdout + restored.stderr
    run("user", "add", "--email", "dora@example.org", "--role", "admin")
    verified = run("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "compared with 1 heads" in verified.stdout
    assert f"backup {name} was restored on" in verified.stdout


def test_a_restore_that_nobody_made_is_listed_since_it_would_hide_a_cut(
    run: Run, database: Database
) -> None:
    """Who can write to the database can also write that an old backup was restored."""
    assert run("backup", "run").returncode == 0
    change(database, "DELETE FROM audit_events WHERE seq > 2")
    change(
        database,
        "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit_events WHERE seq = 2)",
    )
    with database.write() as session:
        audit.record(session, SYSTEM, "backup.restored", "backup", "20200101T000000Z-000000000000")
    verified = run("audit", "verify")
    assert "20200101T000000Z-000000000000 was restored" in verified.stdout
    assert "Was it you?" in verified.stdout
    (restore,) = json.loads(run("audit", "verify", "--json").stdout)["restores"]
    assert restore["backup"] == "20200101T000000Z-000000000000"
    database.close()


def test_the_record_is_listed_by_action_user_and_day(run: Run, database: Database) -> None:
    rows = json.loads(run("audit", "list", "--json").stdout)["events"]
    assert {row["action"] for row in rows} == {"user.added", "link.made"}
    assert all(row["actor"] == "coachops" for row in rows)
    some = json.loads(run("audit", "list", "--action", "user.", "--limit", "1", "--json").stdout)
    assert len(some["events"]) == 1
    assert run("audit", "list", "--since", "soon").returncode == 2
    assert run("audit", "list", "--user", "nobody@example.org").returncode == 1
    assert "user.added" in run("audit", "list", "--since", "2026-01-01").stdout
    wrong = run("audit", "verify", "--against", "1:2")
    assert (wrong.returncode, "COACH-SYS-002" in wrong.stderr) == (2, True)
    database.close()

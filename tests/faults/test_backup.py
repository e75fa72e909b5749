"""Backups that were changed, killed, or sealed for a key that is lost: found before the disaster."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.backup import Backups
from coachops.backup.sealing import new_identity
from coachops.bootstrap import Services, recovery
from coachops.bootstrap import services as open_services
from coachops.cli import main
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from tests.support.backups import content, seeded
from tests.support.worker import environment

Runs = Callable[[int, int], int]


@pytest.fixture
def installation(tmp_path: Path) -> Settings:
    (tmp_path / "place").mkdir()
    settings = load_settings(home=tmp_path / "home", storage_url=str(tmp_path / "place"))
    seeded(settings)
    return settings


@pytest.fixture
def services(installation: Settings) -> Iterator[Services]:
    opened = open_services(installation)
    yield opened
    opened.close()


@pytest.fixture
def backups(services: Services) -> Backups:
    return services.backups


@pytest.fixture
def command(
    installation: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `coachops` in that installation: exit code, stdout, stderr."""
    monkeypatch.setenv("COACHOPS_HOME", str(installation.home))
    monkeypatch.setenv("COACHOPS_STORAGE_URL", installation.storage_url)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run(list(words))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.mark.faults(40)
def test_a_flipped_byte_in_any_file_is_found_and_the_older_backup_is_whole(
    backups: Backups, installation: Settings, tmp_path: Path, fault_runs: Runs
) -> None:
    older, newer = backups.run().id, backups.run().id
    folder = Path(installation.storage_url) / "backups" / newer
    chance = random.Random(40)
    files = sorted(folder.iterdir())
    assert len(files) == 4  # database, queue, secrets and letters, manifest
    for path in files:
        whole = path.read_bytes()
        for position in {0, len(whole) - 1, *chance.sample(range(len(whole)), fault_runs(4, 400))}:
            changed = bytearray(whole)
            changed[position] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            row, problems = backups.verify()
            assert row.id == newer
            assert problems, f"{path.name} at {position}"
        assert not backups.drill().passed
        path.write_bytes(whole)
    assert backups.verify()[1] == []
    assert backups.verify(older)[1] == []
    assert backups.drill().passed


@pytest.mark.faults(40)
@pytest.mark.parametrize("part", ["coachops.db", "jobs.db", "home.tar", "manifest"])
def test_a_person_sees_the_failed_drill_and_can_use_the_older_one(
    part: str,
    backups: Backups,
    installation: Settings,
    command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    older, newer = backups.run().id, backups.run().id
    [path] = (Path(installation.storage_url) / "backups" / newer).glob(f"{part}*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, out, err = command("backup", "drill")
    assert code == 1
    assert "COACH-BKP-013" in err
    assert "COACH-BKP-007" in out
    code, out, _ = command("backup", "status", "--json")
    assert code == 1
    assert {p["code"] for p in json.loads(out)["problems"]} >= {"COACH-BKP-013", "COACH-BKP-015"}
    code, _, err = command("backup", "verify")
    assert code == 1
    assert "COACH-BKP-007" in err
    code, _, err = command("backup", "restore", "--into", str(tmp_path / "a"), "--backup", newer)
    assert code == 1
    assert "COACH-BKP-007" in err
    assert not (tmp_path / "a" / "coachops.db").exists()
    code, out, _ = command("backup", "restore", "--into", str(tmp_path / "b"), "--backup", older)
    assert code == 0
    assert older in out


_RUN = """
import sys
from coachops.bootstrap import services, recovery
from coachops.backup import facade, making, restoring, sqlite
from coachops.core.settings import load_settings
from coachops.coaching.seed import seed_organisation
import pyrage, zstandard
settings = load_settings(storage_url=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
{act}
print("done", flush=True)
"""
_BACKUP = "services(settings).backups.run()"
_RESTORE = "recovery(settings).restore(replace=True)"


def _killed(settings: Settings, act: str, after: float) -> bool:
    """Do `act` in a process that is killed after that many seconds; whether it had ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN.replace("{act}", act), settings.storage_url],
        env=environment(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(after)  # the moment of the kill is what is varied
    process.send_signal(signal.SIGKILL)
    out, err = process.communicate()
    assert "Traceback" not in err, err
    return "done" in out


@pytest.mark.faults(41)
def test_a_backup_killed_at_any_moment_is_never_listed_and_hurts_no_other(
    backups: Backups, services: Services, installation: Settings, fault_runs: Runs
) -> None:
    first = backups.run().id
    began = time.monotonic()
    backups.run()
    length = 1.5 * (time.monotonic() - began)
    chance = random.Random(41)
    runs = fault_runs(3, 40)
    half_way = 0
    for number in itertools.count():
        if number >= runs and half_way:
            break  # more than `runs` where the machine stood still until all had ended
        known = {row.id for row in backups.list()}
        ended = _killed(installation, _BACKUP, length * (number % runs + chance.random()) / runs)
        half_way += not ended
        after = backups.list()
        assert known <= {row.id for row in after}
        for row in after:
            assert row.state == "good"
            if row.id not in known:
                assert backups.verify(row.id)[1] == []
    backups.run()
    assert backups.drill().passed
    assert backups.verify(first)[1] == []
    assert not (installation.home / "backup-work").exists()


@pytest.mark.faults(41)
def test_a_restore_killed_at_any_moment_leaves_one_whole_database(
    backups: Backups, services: Services, installation: Settings, fault_runs: Runs
) -> None:
    path = installation.home / "coachops.db"
    settled = ("change_log", "feed_meta", "web_sessions", "audit_events", "audit_head", "worker_heartbeats", "backups",
               "operations", "sign_in_links")  # fmt: skip
    backups.run()
    new = content(path, without=settled)
    with services.database.connect(write=True) as connection:
        connection.exec_driver_sql("UPDATE clients SET name = 'changed since'")
    services.database.close()
    old = content(path, without=settled)
    assert old != new
    before = path.read_bytes()
    began = time.monotonic()
    recovery(installation).restore(replace=True)
    length = 1.5 * (time.monotonic() - began)
    chance = random.Random(6)
    runs = fault_runs(3, 40)
    outcomes = set()
    for number in itertools.count():
        if number >= runs and "old" in outcomes:
            break  # more than `runs` where the machine stood still until all had ended
        for stale in installation.home.glob("coachops.db*"):
            stale.unlink()
        path.write_bytes(before)
        # the first as it begins, whatever the machine's speed; the others anywhere
        after = length * (number % runs + chance.random()) / runs if number % runs else 0.0
        _killed(installation, _RESTORE, after)
        database = Database(installation.database_url)
        assert database.check_integrity(full=True) == []
        database.close()
        found = content(path, without=settled)
        assert found in (old, new)
        outcomes.add("old" if found == old else "new")
    for stale in installation.home.glob("coachops.db*"):
        stale.unlink()
    recovery(installation).restore()
    assert content(path, without=settled) == new
    assert not list(installation.home.glob(".restore-*"))


@pytest.mark.faults(43)
@pytest.mark.parametrize("how", ["removed", "cut", "of another installation"])
def test_a_lost_key_turns_the_drill_red_while_the_data_still_live(
    how: str,
    backups: Backups,
    installation: Settings,
    command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy.txt"
    assert command("backup", "run")[0] == 0
    assert command("backup", "key-export", str(copy))[0] == 0
    assert command("backup", "key-confirm", str(copy))[0] == 0
    assert command("backup", "drill")[0] == 0
    assert command("backup", "status")[0] == 0
    key = installation.home / "secrets" / "backup.key"
    if how == "removed":
        key.unlink()
    elif how == "cut":
        key.write_text(key.read_text()[:-5])
    else:
        key.write_text(new_identity() + "\n")
    assert command("backup", "run")[0] == 0  # the public half is enough: no backup is missed
    code, out, err = command("backup", "drill")
    assert code == 1
    assert "COACH-BKP-013" in err
    assert ("COACH-BKP-009" if how == "of another installation" else "COACH-BKP-008") in out
    assert command("backup", "status")[0] == 1
    assert command("backup", "key-import", str(copy))[0] == 0
    assert command("backup", "drill")[0] == 0
    assert command("backup", "status")[0] == 0


@pytest.mark.faults(43)
@pytest.mark.parametrize("how", ["removed", "of another installation", "empty"])
def test_a_lost_copy_in_escrow_turns_the_drill_red_though_the_key_is_here(
    how: str,
    command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "safe" / "copy.txt"
    copy.parent.mkdir()
    monkeypatch.setenv("COACHOPS_BACKUP_ESCROW", str(copy))
    assert command("backup", "run")[0] == 0
    assert command("backup", "key-export", str(copy))[0] == 0
    code, out, _ = command("backup", "drill", "--json")
    assert code == 0
    assert json.loads(out)["escrow"] is True
    if how == "removed":
        copy.unlink()
    else:
        copy.write_text("" if how == "empty" else new_identity())
    code, out, err = command("backup", "drill")
    assert code == 1
    assert "COACH-BKP-013" in err
    assert ("COACH-BKP-009" if how == "of another installation" else "COACH-BKP-008") in out


@pytest.mark.faults(43)
def test_a_key_that_was_changed_after_its_copy_was_shown_turns_the_drill_red(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.txt"
    command("backup", "run")
    command("backup", "key-export", str(copy))
    command("backup", "key-confirm", str(copy))
    assert command("backup", "key-new")[0] == 0
    assert command("backup", "run")[0] == 0
    code, out, _ = command("backup", "drill")
    assert code == 1
    assert "COACH-BKP-016" in out
    code, _, err = command("backup", "key-confirm", str(copy))
    assert code == 1
    assert "COACH-BKP-019" in err
    fresh = tmp_path / "fresh.txt"
    assert command("backup", "key-export", str(fresh))[0] == 0
    assert command("backup", "key-confirm", str(fresh))[0] == 0
    assert command("backup", "drill")[0] == 0

"""Backups of PostgreSQL under faults: flipped bytes, killed backups, deleted rows, lost keys and logs."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from coachops.backup import Backups
from coachops.backup.model import Manifest
from coachops.backup.postgres import digests, pgbackrest
from coachops.backup.postgres.archive import Archive
from coachops.backup.sealing import new_identity
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.privacy.replaying import Erasures
from tests.support.faults import long_too
from tests.support.postgres_backup import (
    BackedUpCluster,
    EngineName,
    Installation,
    backed_up_cluster,
    installation,
)

pytestmark = pytest.mark.postgres
Flip = Callable[..., None]
SETTLED = {
    "audit_events", "audit_head", "heartbeats", "messages", "operations",
    "change_inbox", "change_log", "feed_meta",
}  # fmt: skip
"""Tables that a restore itself writes to; the change feed begins anew."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[BackedUpCluster]:
    with backed_up_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module", params=long_too(["basebackup"], ["pgbackrest"]))
def site(cluster: BackedUpCluster, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """An installation with a good backup."""
    with installation(cluster, cast(EngineName, request.param)) as site:
        site.backups.run()
        yield site


@pytest.fixture
def flip(site: Installation) -> Iterator[Flip]:
    """Flips a byte of a file at the place (the one in the middle), and gives the file back in the end."""
    kept: dict[Path, bytes] = {}

    def change(name: str, at: int | None = None) -> None:
        path = site.place.root / name
        kept.setdefault(path, path.read_bytes())
        data = bytearray(path.read_bytes())
        data[len(data) // 2 if at is None else at] ^= 0x20
        path.write_bytes(data)

    yield change
    for path, data in kept.items():
        path.write_bytes(data)


def backups_with(site: Installation, **changes: object) -> Backups:
    settings = site.settings.model_copy(update=changes)
    erasures = Erasures(settings.home, site.database)
    return Backups(settings, site.database, settings.home / "secrets", site.place, erasures)


@pytest.mark.faults(40)
def test_every_flipped_byte_of_a_listed_file_is_found_by_verify(
    site: Installation,
    flip: Flip,
    fault_runs: Callable[[int, int], int],
) -> None:
    chance = random.Random(40)
    manifest = site.newest
    assert site.backups.verify()[1] == []
    for _ in range(fault_runs(4, 60)):
        file = chance.choice(manifest.files)
        at = chance.randrange(file.bytes)
        flip(file.name, at)
        assert any(file.name in problem for problem in site.backups.verify()[1]), file.name
        flip(file.name, at)


@pytest.mark.faults(40)
@pytest.mark.parametrize("what", ["copy", "log"])
def test_a_flipped_byte_of_what_a_restore_reads_fails_the_drill(
    site: Installation, flip: Flip, what: str
) -> None:
    flip(read_by_a_restore(site.newest, what))
    result = site.backups.drill()
    assert not result.passed
    assert result.reasons[0].startswith(("COACH-BKP-0", "COACH-DB-")), result.reasons
    codes = {problem.code for problem in site.backups.status().problems}
    assert "COACH-BKP-013" in codes


@pytest.mark.faults(40)
def test_a_damaged_log_behind_the_backup_is_never_taken_for_its_end(
    site: Installation, flip: Flip
) -> None:
    for _ in range(2):
        site.backups.beat()
        site.cluster.node.query("SELECT pg_switch_wal()")
        site.backups.beat()
    site.wait_until(lambda: len(log_behind(site)) > 1)
    flip(log_behind(site)[0])
    result = site.backups.drill()
    assert not result.passed
    assert result.reasons[0].startswith("COACH-BKP-025")


@pytest.mark.faults(41)
def test_a_backup_that_is_killed_is_never_listed_and_the_next_one_is_good(
    site: Installation, fault_runs: Callable[[int, int], int], tmp_path: Path
) -> None:
    chance = random.Random(41)
    before = [row.id for row in site.backups.list()]
    for _ in range(fault_runs(2, 20)):
        process = run_in_background(site)
        try:
            process.wait(timeout=chance.uniform(0.8, 3.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        done = process.wait()
        now = [row.id for row in site.backups.list()]
        if done == 0:
            before = now
        assert all(row.state == "good" for row in site.backups.list())
        assert done == 0 or now == before or now[1:] == before  # killed after it was published
        before = now
    site.wait_until(lambda: no_backup_runs(site))
    row = site.backups.run()
    assert row.state == "good"
    assert site.backups.verify(row.id)[1] == []


@pytest.mark.faults(42)
def test_rows_deleted_by_mistake_come_back_as_they_were(site: Installation) -> None:
    site.execute("UPDATE utterances SET text = text || ' (corrected)' WHERE position = 3")
    before = site.snapshot()
    at = clock.now()
    site.backups.beat()
    site.execute("DELETE FROM utterances WHERE position > 2")
    site.backups.beat()
    site.archived(at)
    into = site.folder / "restored"
    done = site.without_database().restore(into, at)
    assert done.lost_seconds == 0
    assert any("Start it with" in note for note in done.notes)
    with site.started(into) as restored, restored.connect() as connection:
        after = digests.take(connection)
    compared = before.tables.keys() - SETTLED
    assert {name: after.tables[name] for name in compared} == {
        name: before.tables[name] for name in compared
    }


@pytest.mark.faults(42)
def test_a_moment_that_the_log_does_not_reach_is_refused_with_the_one_that_it_reaches(
    site: Installation,
) -> None:
    with pytest.raises(CoachError) as caught:
        site.without_database().restore(site.folder / "future", clock.now() + dt.timedelta(days=1))
    assert caught.value.code == "COACH-BKP-025"
    assert not (site.folder / "future" / "pgdata").exists()


@pytest.mark.faults(43)
def test_a_lost_or_wrong_escrow_copy_turns_the_drill_red(site: Installation) -> None:
    copy = site.folder / "escrow.txt"
    site.backups.export_key(copy)
    right = copy.read_text()
    copy.write_text(new_identity() + "\n")
    wrong = backups_with(site, backup_escrow=str(copy)).drill()
    copy.unlink()
    lost = backups_with(site, backup_escrow=str(copy)).drill()
    assert [result.reasons[0].split(":")[0] for result in (wrong, lost)] == [
        "COACH-BKP-009",
        "COACH-BKP-008",
    ]
    copy.write_text(right)  # the copy alone opens all: the machine's own secrets are not needed
    secrets = site.settings.home / "secrets"
    aside = secrets.rename(site.folder / "aside")
    try:
        secrets.mkdir()
        (secrets / "backup-installation").write_text((aside / "backup-installation").read_text())
        (secrets / "backup.pub").write_text((aside / "backup.pub").read_text())
        drilled = backups_with(site, backup_escrow=str(copy)).drill()
    finally:
        for path in secrets.iterdir():
            path.unlink()
        secrets.rmdir()
        aside.rename(secrets)
        copy.unlink()
    assert drilled.passed, drilled.reasons


def test_a_gap_in_the_log_is_named_and_closed_by_the_next_backup(site: Installation) -> None:
    for _ in range(3):
        site.backups.beat()
        site.cluster.node.query("SELECT pg_switch_wal()")
    site.backups.beat()
    site.wait_until(lambda: len(log_behind(site)) > 2)
    (site.place.root / log_behind(site)[0]).unlink()
    problems = {problem.code: problem for problem in site.backups.status().problems}
    assert "backup run" in problems["COACH-BKP-024"].next_step
    site.backups.run()
    assert "COACH-BKP-024" not in {problem.code for problem in site.backups.status().problems}


def test_a_log_that_does_not_leave_the_server_is_seen_before_it_is_missed(
    site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    if site.engine_name == "basebackup":
        the_worker_cannot_ship_it(site)
        return
    good = site.cluster.node.query("SHOW archive_command")
    site.cluster.archive_with("/bin/false")
    try:
        site.backups.beat()
        failed = (
            "SELECT last_failed_time > coalesce(last_archived_time, 'epoch') FROM pg_stat_archiver"
        )
        site.wait_until(lambda: site.cluster.node.query(failed))
        assert "COACH-BKP-023" in {problem.code for problem in site.backups.status().problems}
        monkeypatch.setattr(pgbackrest, "RETRY_SECONDS", 0.5)
        with pytest.raises(CoachError) as caught:
            site.backups.run()
        assert caught.value.code == "COACH-BKP-023"
        with clock.frozen(clock.now() + dt.timedelta(minutes=5)):
            later = site.backups.status()
        assert later.rpo_seconds is not None
        assert later.rpo_seconds > 60
        assert "COACH-BKP-014" in {problem.code for problem in later.problems}
    finally:
        site.cluster.archive_with(good)


def the_worker_cannot_ship_it(site: Installation) -> None:
    """Without an archive command the failure is the worker's own, and the server keeps the log."""
    away = site.place.root.rename(site.folder / "away")
    try:
        with pytest.raises(CoachError) as caught:
            site.backups.beat()
        assert caught.value.code == "COACH-BKP-003"
        assert "COACH-BKP-003" in {problem.code for problem in site.backups.status().problems}
    finally:
        away.rename(site.place.root)
    at = site.backups.beat()
    site.archived(at)


def test_a_disaster_loses_less_than_a_minute(site: Installation) -> None:
    """The figure "RPO <= 60 s": measured by the newest heartbeat that a restore brings back."""
    at = site.backups.beat()
    site.archived(at)
    result = site.backups.drill()
    assert result.passed, result.reasons
    assert result.rpo_seconds is not None
    assert result.rpo_seconds <= 60


def read_by_a_restore(manifest: Manifest, what: str) -> str:
    """The largest file of the copy, or the file of the log that holds the snapshot's moment."""
    if what == "log":
        wanted = manifest.engine_data["segment"]
        return next(file.name for file in manifest.files if wanted in file.name)
    copies = [
        file for file in manifest.files if "/archive/" not in file.name and "wal/" not in file.name
    ]
    return max(copies, key=lambda file: file.bytes).name


def log_behind(site: Installation) -> list[str]:
    """Names of the whole files of the log that are younger than the newest backup, oldest first."""
    prefix = "wal/" if site.engine_name == "basebackup" else "pgbackrest/archive/"
    entries = Archive.of(site.place.entries(prefix)).files
    last = site.newest.engine_data["segment"]
    return [one.file for one in entries if one.segment > last and ".partial" not in one.file]


def run_in_background(site: Installation) -> subprocess.Popen[bytes]:
    settings = site.settings
    env = os.environ | {
        "COACHOPS_HOME": str(settings.home),
        "COACHOPS_DATABASE_URL": settings.database_url,
        "COACHOPS_STORAGE_URL": settings.storage_url,
        "COACHOPS_BACKUP_ENGINE": settings.backup_engine,
    }
    command = [str(Path(sys.executable).parent / "coachops"), "backup", "run"]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def no_backup_runs(site: Installation) -> bool:
    """The killed process's programs end by themselves; the server lets go of its connections."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
        "(backend_type = 'walsender' OR application_name LIKE 'pgBackRest%')"
    )
    return bool(site.cluster.node.query(query) == 0)

"""Making backups: what is in them, what a failure leaves, what is deleted and what never."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.backup import Backups
from coachops.backup import turn as turns
from coachops.backup.fetching import fetch
from coachops.backup.home import ARCHIVE
from coachops.backup.keys import KeyRing
from coachops.backup.sealing import file_sha256
from coachops.backup.shelf import GRACE, look
from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.db.models import Backup, Heartbeat
from tests.support.backups import content
from tests.support.patience import PATIENCE


def test_a_backup_lists_its_files_with_their_digests_and_the_tables_with_theirs(
    backups: Backups, place: Path, installation: Settings
) -> None:
    row = backups.run()
    [manifest] = look(backups.place).good()
    assert manifest.id == row.id == backups.list()[0].id
    assert {file.name.rpartition("/")[2] for file in manifest.files} == {
        "coachops.db.zst.age", "jobs.db.zst.age", "home.tar.zst.age",
    }  # fmt: skip
    for file in manifest.files:
        path = place / file.name
        assert (path.stat().st_size, file_sha256(path)) == (file.bytes, file.sha256)
    tables = manifest.snapshot.tables
    assert tables["utterances"].rows > 50
    assert "jobs.workflow_status" in tables
    assert manifest.snapshot.heartbeat is not None
    assert manifest.snapshot.audit is not None
    assert {one.what for one in manifest.left_out} >= {"exports", "reports"}
    assert manifest.tools.keys() >= {"coachops", "python", "sqlite"}


def test_no_word_of_a_person_lies_at_the_place_in_the_clear(
    backups: Backups, place: Path, services: Services
) -> None:
    with services.database.connect() as connection:
        names = connection.scalars(sa.text("SELECT name FROM clients")).all()
    backups.run()
    for path in place.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [name for name in names if name.encode() in data]


def test_secrets_and_letters_are_in_it_and_the_key_of_the_backups_is_not(
    backups: Backups, installation: Settings, tmp_path: Path
) -> None:
    backups.run()
    [manifest] = look(backups.place).good()
    keys = KeyRing(installation, installation.home / "secrets").for_restore(None)
    parts = fetch(backups.place, manifest, keys, tmp_path)
    with tarfile.open(parts[ARCHIVE]) as tar:
        names = set(tar.getnames())
    assert names >= {"outbox/letter-1.eml", "outbox/letter-2.eml", "secrets/cookie"}
    assert not [name for name in names if name.endswith(".key")]


def test_a_copy_made_while_others_write_is_one_moment(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    """Writers keep two tables equal in each transaction; a copy of two moments would differ."""
    with services.database.connect(write=True) as connection:
        connection.exec_driver_sql("CREATE TABLE left_hand (n INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("CREATE TABLE right_hand (n INTEGER PRIMARY KEY)")
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        other = Database(services.settings.database_url)
        for n in range(100_000):
            with other.connect(write=True) as connection:
                connection.exec_driver_sql("INSERT INTO left_hand VALUES (?)", (n,))
                connection.exec_driver_sql("INSERT INTO right_hand VALUES (?)", (n,))
            written.set()
            if stop.is_set():
                break
        other.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(PATIENCE)
        backups.run()
        assert backups.drill().passed
    finally:
        stop.set()
        writer.join()
    [manifest] = look(backups.place).good()
    tables = manifest.snapshot.tables
    assert tables["left_hand"].rows == tables["right_hand"].rows > 0
    assert tables["left_hand"].digest == tables["right_hand"].digest


def test_only_one_act_runs_at_a_time(backups: Backups, installation: Settings) -> None:
    with turns.turn(installation.home, None, "drill"):
        assert "drill since" in (turns.running(installation.home) or "")
        with pytest.raises(CoachError) as caught:
            backups.run()
        assert caught.value.code == "COACH-BKP-005"
        assert "drill since" in caught.value.message
    assert turns.running(installation.home) is None
    backups.run()


def test_looking_at_backups_disturbs_none_that_runs(
    backups: Backups, installation: Settings, tmp_path: Path
) -> None:
    backups.run()
    backups.export_key(tmp_path / "key.txt")
    busy = installation.home / "backup-work" / "of the running one"
    with turns.turn(installation.home, None, "backup"):
        busy.mkdir(parents=True)
        assert backups.verify()[1] == []
        backups.confirm_key(tmp_path / "key.txt")
        backups.status(thorough=True)
        assert busy.is_dir()
    assert not list(installation.home.glob(".backup-*"))


def test_a_failed_backup_leaves_nothing_at_the_place_and_is_remembered(
    at: Callable[..., Backups], backups: Backups, place: Path, services: Services
) -> None:
    backups.run()
    before = sorted(path for path in place.rglob("*") if path.is_file())
    with pytest.raises(CoachError) as caught:
        at(backup_recipients="age1nonsense").run()
    assert caught.value.code == "COACH-BKP-008"
    assert sorted(path for path in place.rglob("*") if path.is_file()) == before
    assert not (services.settings.home / "backup-work").exists()
    assert "COACH-BKP-008" in {problem.code for problem in backups.status().problems}
    backups.run()
    assert "COACH-BKP-008" not in {problem.code for problem in backups.status().problems}


def test_a_damaged_database_is_not_backed_up_as_if_it_were_good(
    backups: Backups, services: Services
) -> None:
    services.database.close()
    path = services.settings.home / "coachops.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 200_000)
    with pytest.raises(CoachError) as caught:
        backups.run()
    assert caught.value.code in {"COACH-DB-008", "COACH-DB-001"}
    assert backups.list() == []


def test_a_backup_without_a_database_is_refused(backups: Backups, services: Services) -> None:
    services.database.close()
    for path in services.settings.home.glob("coachops.db*"):
        path.unlink()
    with pytest.raises(CoachError) as caught:
        backups.run()
    assert caught.value.code.startswith("COACH-DB-")


def test_what_a_dead_backup_left_is_deleted_after_a_grace_and_never_listed(
    backups: Backups, place: Path
) -> None:
    half = place / "backups" / "20261101T000000Z-000000000000" / "coachops.db.zst.age"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    backups.run()
    assert half.exists()
    assert len(backups.list()) == 1
    with clock.frozen(clock.now() + GRACE + dt.timedelta(minutes=1)):
        backups.run()
    assert not half.parent.exists()
    assert len(backups.list()) == 2


def test_old_backups_go_and_the_last_proven_one_stays(
    at: Callable[..., Backups], place: Path, services: Services
) -> None:
    backups = at(backup_keep="2d 0w 0m")
    start = clock.now()
    with clock.frozen(start):
        proven = backups.run().id
        assert backups.drill().passed
    for day in range(1, 6):
        with clock.frozen(start + dt.timedelta(days=day)):
            newest = backups.run().id
    kept = [row.id for row in backups.list()]
    assert len(kept) == 3
    assert kept[0] == newest
    assert kept[-1] == proven
    assert {path.name for path in (place / "backups").iterdir()} == set(kept)
    with services.database.read() as session:
        states = dict(session.execute(sa.select(Backup.name, Backup.state)).all())
    assert [name for name, state in states.items() if state == "good"] == sorted(kept)
    assert list(states.values()).count("expired") == 3


def test_backups_of_another_installation_are_left_alone(
    at: Callable[..., Backups], backups: Backups, place: Path, installation: Settings
) -> None:
    other = backups.run().id
    (installation.home / "secrets" / "backup-installation").unlink()
    with clock.frozen(clock.now() + dt.timedelta(days=900)):
        at(backup_keep="1d 0w 0m").run()
    assert other in {row.id for row in backups.list()}


def test_an_empty_place_where_backups_were_is_taken_for_a_disk_that_is_not_mounted(
    backups: Backups, place: Path
) -> None:
    backups.run()
    for path in sorted(place.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with pytest.raises(CoachError) as caught:
        backups.run()
    assert caught.value.code == "COACH-BKP-003"
    assert "--new-place" in caught.value.message
    backups.run(new_place=True)
    backups.run()
    assert len(backups.list()) == 2


def test_heartbeats_measure_and_old_ones_go(backups: Backups, services: Services) -> None:
    with clock.frozen(clock.now() - dt.timedelta(days=10)):
        backups.beat()
    newest = backups.beat()
    with services.database.read() as session:
        assert session.scalars(sa.select(Heartbeat.at)).all() == [newest]


def test_the_manifest_holds_no_path_outside_the_place(backups: Backups) -> None:
    backups.run()
    [manifest] = look(backups.place).good()
    for bad in ("/etc/passwd", "../x", "a/../../x", "a//b", "a\\b", "a\nb"):
        document = json.loads(manifest.model_dump_json())
        document["files"][0]["name"] = bad
        with pytest.raises(ValueError, match="path below"):
            type(manifest).model_validate(document)


def test_the_copy_equals_the_database(
    backups: Backups, installation: Settings, tmp_path: Path
) -> None:
    backups.run()
    [manifest] = look(backups.place).good()
    keys = KeyRing(installation, installation.home / "secrets").for_restore(None)
    parts = fetch(backups.place, manifest, keys, tmp_path)
    later = ("backups",)  # the catalogue row follows the copy
    assert content(parts["coachops.db"], without=later) == content(
        installation.home / "coachops.db", without=later
    )

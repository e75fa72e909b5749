"""Faults 8 and 10 to 13: no connection free, a lock held elsewhere, a full disk, damage, kill -9."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import services
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database, Limits
from coachops.db.models import Coach
from coachops.identity import Identity
from tests.support.postgres import PostgresServer
from tests.support.worker import run_command

ROOT = Path(__file__).resolve().parents[2]


def coach(number: int) -> Coach:
    return Coach(external_id=f"c{number}", name="Ada", email=f"c{number}@example.org")


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Coach)) or 0


@pytest.mark.faults(8)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_who_finds_no_free_connection_is_told_within_the_limit(
    new_database_url: Callable[..., str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(pool=1, overflow=1, pool_wait=0.5, wait=30.0)
    database = Database(new_database_url(kind), limits=limits)
    assert Limits().pool_wait <= 5
    with contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(database.read())
        waited: list[int] = []
        connect = database.engine.pool.connect

        def counted() -> object:
            waited.append(1)
            return connect()

        monkeypatch.setattr(database.engine.pool, "connect", counted)
        with pytest.raises(CoachError) as caught, database.read():
            pass
        with pytest.raises(CoachError) as written:
            database.run(lambda session: session.add(coach(1)))
        assert len(waited) == 2  # each waited once: what is told is not waited for again
    for error in (caught.value, written.value):
        assert (error.code, error.details["size"]) == ("COACH-DB-003", 2)
    database.run(lambda session: session.add(coach(1)))
    assert count(database) == 1
    database.close()


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


@contextlib.contextmanager
def locked(database: Database) -> Iterator[None]:
    """Another process holds the write lock inside the block."""
    file = str(database.engine.url.database)
    with subprocess.Popen(
        [sys.executable, "-c", LOCKER, file],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.communicate()


@pytest.mark.faults(10)
def test_a_write_waits_for_a_lock_and_then_says_so(sqlite_database: Database) -> None:
    database = Database(sqlite_database.url, limits=Limits(wait=1.0))
    identity = Identity(database, b"x" * 32, 12)
    with locked(database):
        with pytest.raises(CoachError) as caught:
            database.run(lambda session: session.add(coach(1)))
        with pytest.raises(CoachError) as signing:
            identity.sign_in("ada@example.org", "four words make one")
        assert database.aside(lambda session: session.add(coach(2))) is False
        assert count(database) == 0  # reading goes on
        assert database.state().mode == "read_write"
    assert caught.value.code == signing.value.code == "COACH-DB-002"
    database.run(lambda session: session.add(coach(1)))
    assert count(database) == 1
    database.close()


def test_a_person_waits_for_a_locked_database_no_longer_than_the_setting_says() -> None:
    assert Limits().wait == load_settings().database_wait == 10


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder on a file system of 3 MB; skipped where this user may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="coachops-disk-"))  # any user may enter, unlike tmp_path
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0777", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(database: Database) -> int:
    """Write until the disk refuses; returns how many writes were acknowledged."""
    for done in range(10_000):
        row = coach(done)
        row.name = "A" * 190
        rows = [row, *(_other(done, number) for number in range(40))]
        try:
            database.run(lambda session, rows=rows: session.add_all(rows))  # type: ignore[misc]
        except CoachError as error:
            refused = error
            break
    else:
        raise AssertionError("the disk is larger than it should be")
    assert refused.code == "COACH-DB-009", refused
    assert "space" in refused.next_step
    return done


def _other(batch: int, number: int) -> Coach:
    return Coach(
        external_id=f"c{batch}-{number}", name="B" * 190, email=f"c{batch}-{number}@example.org"
    )


@pytest.mark.faults(11)
def test_sqlite_on_a_full_disk_refuses_writes_and_stays_whole(
    small_disk: Path, sqlite_template: Path
) -> None:
    shutil.copy(sqlite_template, small_disk / "coachops.db")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    database = Database(f"sqlite:///{small_disk / 'coachops.db'}")
    done = fill(database)
    assert done > 2
    assert count(database) == done * 41  # each acknowledged write, and nothing of the last one
    assert database.check_integrity(full=True) == []
    ballast.unlink()
    database.run(lambda session: session.add(coach(10_000)))
    assert count(database) == done * 41 + 1
    database.close()


@pytest.mark.faults(11)
def test_a_file_that_may_not_grow_is_the_same_to_sqlite(
    sqlite_database: Database,
) -> None:
    """A limit on the size of files, which needs no root (disk quotas end the same way)."""
    code = """
        import resource, signal, sys
        from coachops.core.errors import CoachError
        from coachops.db import Database
        from coachops.db.models import Coach
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        database, done = Database(sys.argv[1]), 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))
        try:
            while True:
                rows = [
                    Coach(external_id=f"{done}-{n}", name="A" * 190, email=f"c{done}-{n}@x.org")
                    for n in range(41)
                ]
                database.run(lambda session: session.add_all(rows))
                done += 1
        except CoachError as error:
            print(done, error.code)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), sqlite_database.url],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    done, error = ended.stdout.split()
    assert error == "COACH-DB-009"
    assert count(sqlite_database) == int(done) * 41
    assert sqlite_database.check_integrity(full=True) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 900_000


@pytest.mark.faults(11)
@pytest.mark.postgres
def test_postgresql_on_a_full_disk_refuses_writes_and_stays_whole(
    small_disk: Path, postgres_server: PostgresServer, new_database_url: Callable[..., str]
) -> None:
    url = new_database_url("postgres")
    place = small_disk / "space"
    place.mkdir()
    if os.getuid() == 0:
        owner = postgres_server._data.stat()
        os.chown(place, owner.st_uid, owner.st_gid)
    name = sa.make_url(url).database
    admin = Database(url)
    plain = admin.engine.execution_options(isolation_level="AUTOCOMMIT")
    with plain.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLESPACE small_{name} LOCATION '{place}'")
        connection.exec_driver_sql(f"ALTER TABLE coaches SET TABLESPACE small_{name}")
    database = Database(url)
    done = fill(database)
    assert count(database) == done * 41
    assert database.check_integrity(full=True) == []
    with plain.connect() as connection:  # room again
        connection.exec_driver_sql("ALTER TABLE coaches SET TABLESPACE pg_default")
    database.run(lambda session: session.add(coach(10_000)))
    assert count(database) == done * 41 + 1
    with plain.connect() as connection:
        connection.exec_driver_sql(f"DROP TABLESPACE small_{name}")
    database.close()
    admin.close()


def damage(file: Path) -> None:
    """Flip every bit of a page in the middle of the file."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    size = file.stat().st_size // 4096
    with file.open("r+b") as handle:
        handle.seek(4096 * (size // 2))
        page = handle.read(4096)
        handle.seek(4096 * (size // 2))
        handle.write(bytes(byte ^ 0xFF for byte in page))


@pytest.mark.faults(12)
def test_a_damaged_file_is_refused_at_start_with_the_command_that_restores(
    home: Path, sqlite_database: Database
) -> None:
    settings = load_settings(home=home, database_url=sqlite_database.url)
    for number in range(200):
        with sqlite_database.write() as session:
            session.add(coach(number))
    sqlite_database.close()
    file = Path(str(sqlite_database.engine.url.database))
    damage(file)
    for command in ("worker", "serve"):
        started = run_command(settings, command)
        assert started.returncode == 1, started.stderr
        assert started.stderr.startswith("COACH-DB-008")
        assert "coachops backup restore" in started.stderr
    checked = run_command(settings, "db", "check", "--full")
    assert checked.returncode == 1
    assert "COACH-DB-008" in checked.stderr


@pytest.mark.faults(12)
def test_a_file_whose_head_is_overwritten_is_refused_by_every_command(
    home: Path, sqlite_database: Database
) -> None:
    settings = load_settings(home=home, database_url=sqlite_database.url)
    sqlite_database.close()
    file = Path(str(sqlite_database.engine.url.database))
    with file.open("r+b") as handle:
        handle.write(b"\0" * 200)
    with pytest.raises(CoachError) as caught:
        services(settings)
    assert caught.value.code == "COACH-DB-008"
    assert "coachops backup restore" in caught.value.next_step


WRITER = """
import os, random, signal, sys, time
from coachops.db import Database
from coachops.db.models import Coach
url, rounds, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
choice = random.Random(seed)

def child(number, out):
    database, done = Database(url), 0
    while True:
        key = f"{number}-{done}"
        rows = [
            Coach(external_id=f"{key}-{part}", name="A" * 150, email=f"c{key}-{part}@x.org")
            for part in range(3)
        ]
        database.run(lambda session: session.add_all(rows))
        os.write(out, f"{key}\\n".encode())  # acknowledged
        done += 1

for number in range(rounds):
    inward, outward = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(inward)
        child(number, outward)
    os.close(outward)
    first = os.read(inward, 4096)  # it writes
    time.sleep(choice.uniform(0, 0.05))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    rest = b""
    while data := os.read(inward, 65536):
        rest += data
    os.close(inward)
    sys.stdout.write((first + rest).decode())
    sys.stdout.flush()
"""


@pytest.mark.faults(13)
def test_kill_9_in_the_middle_of_writing_loses_no_acknowledged_row(
    database: Database, fault_runs: Callable[[int, int], int]
) -> None:
    rounds = fault_runs(6, 200)
    ended = subprocess.run(
        [sys.executable, "-c", WRITER, database.url, str(rounds), str(random.Random(13).random())[2:8]],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    acknowledged = ended.stdout.split()
    assert len(acknowledged) > rounds
    assert database.check_integrity(full=True) == []
    with database.read() as session:
        names = list(session.scalars(sa.select(Coach.external_id)))
    parts: dict[str, int] = {}
    for name in names:
        key = name.rpartition("-")[0]
        parts[key] = parts.get(key, 0) + 1
    assert set(acknowledged) <= set(parts)  # nothing lost
    assert set(parts.values()) == {3}  # nothing half written
    assert len(parts) - len(acknowledged) <= rounds  # at most the one whose answer died with it

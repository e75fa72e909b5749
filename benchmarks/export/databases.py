"""Seeded databases, kept between runs: an SQLite file and a PostgreSQL cluster for each size."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.export.talk import Talk
from coachops.coaching.seed import seed_organisation
from coachops.db import Database, migrate
from tests.support.postgres import _drop_root, find_postgres, free_port

CACHE = Path("build/bench-export").absolute()
SQLITE_DONE, POSTGRES_DONE = "sqlite.talks", "postgres.talks"
"""Files that tell that a database is there, with another name whenever its content changes."""

_LEAVE_SECONDS = 10.0
LENGTH = 100
"""Utterances of a session."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The same organisation in both databases.

    Attributes:
        rows: utterances.
        sqlite: the file. postgres: URL of SQLAlchemy, "" where there is no server.
        port: of the server.
        folder: for what is written.
    """

    rows: int
    sqlite: Path
    postgres: str
    port: int
    folder: Path

    @property
    def sqlite_url(self) -> str:
        """For SQLAlchemy."""
        return f"sqlite:///{self.sqlite}"


@contextlib.contextmanager
def sources(rows: int) -> Iterator[Sources]:
    """Both databases with so many utterances, seeded the first time."""
    folder = CACHE / str(rows)
    (folder / "out").mkdir(parents=True, exist_ok=True)
    file = folder / "coachops.db"
    if not (folder / SQLITE_DONE).exists():
        file.unlink(missing_ok=True)
        _seed(f"sqlite:///{file}", rows)
        (folder / SQLITE_DONE).touch()
    _to_head(f"sqlite:///{file}")
    binaries = find_postgres()
    if binaries is None:
        print("no PostgreSQL server is installed: its lines are left out", file=sys.stderr)
        yield Sources(rows, file, "", 0, folder / "out")
        return
    with _server(binaries, folder / "postgres") as port:
        url = f"postgresql+psycopg://coachops@127.0.0.1:{port}/coachops"
        if not (folder / POSTGRES_DONE).exists():
            _psql(port, "postgres", "DROP DATABASE IF EXISTS coachops")
            _psql(port, "postgres", "CREATE DATABASE coachops")
            _seed(url, rows)
            _psql(port, "coachops", "VACUUM ANALYZE")
            (folder / POSTGRES_DONE).touch()
        _to_head(url)
        yield Sources(rows, file, url, port, folder / "out")


def server_seconds(source: Sources) -> float:
    """Processor seconds that the PostgreSQL server has used in all.

    A session counts once the server has taken leave of it, a moment after its client ended.
    """
    if not source.postgres:
        return 0.0
    pid = int((source.folder.parent / "postgres/data/postmaster.pid").read_text().split()[0])
    server = psutil.Process(pid)
    until = time.monotonic() + _LEAVE_SECONDS
    while time.monotonic() < until and any(map(_serves_client, server.children())):
        time.sleep(0.02)
    used = sum(server.cpu_times()[:4])  # its own and those of sessions that have ended
    for session in server.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(session.cpu_times()[:2])
    return used


def _serves_client(process: psutil.Process) -> bool:
    """Whether it is a session, by the address of its client in the title."""
    try:
        return "127.0.0.1(" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _to_head(url: str) -> None:
    """What an older version seeded, as this version reads it."""
    database = Database(url)
    migrate.upgrade(database)
    database.close()


def _seed(url: str, rows: int) -> None:
    print(
        f"… seeding {rows:,} utterances into {url.split(':', maxsplit=1)[0]}",
        file=sys.stderr,
        flush=True,
    )
    database = Database(url)
    migrate.upgrade(database)
    seed_organisation(
        database, coaches=50, clients=1_000, sessions=rows // LENGTH,
        utterances_per_session=LENGTH, seed=1, retell=Talk(1),
    )  # fmt: skip
    database.close()


@contextlib.contextmanager
def _server(binaries: Path, folder: Path) -> Iterator[int]:
    """The cluster in `folder`, made the first time, running while the block does."""
    folder.mkdir(exist_ok=True)
    as_user = _drop_root(folder)
    data, port = folder / "data", free_port()
    if not data.exists():
        command = [
            binaries / "initdb", "-D", data, "-U", "coachops", "--auth=trust", "--encoding=UTF8",
            "--no-locale", "--no-sync",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **as_user)
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
        "-c fsync=off -c max_wal_size=4GB"
    )
    control = [binaries / "pg_ctl", "-D", data, "-w"]
    subprocess.run(
        [*control, "-l", folder / "log", "-o", options, "start"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user,
    )  # fmt: skip
    try:
        yield port
    finally:
        subprocess.run(
            [*control, "-m", "fast", "stop"],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user,
        )  # fmt: skip


def _psql(port: int, name: str, statement: str) -> None:
    subprocess.run(
        ["psql", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "coachops", name, "-c", statement],  # noqa: S607 as people run it
        check=True,
    )

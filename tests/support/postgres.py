"""A real PostgreSQL server for tests: started as an ordinary user, stopped by its pid."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.support.patience import PATIENCE, until


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server binaries, newest first, or None."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: int(path.parts[-3]),
        reverse=True,
    )
    if installed:
        return installed[0].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def free_port() -> int:
    """A TCP port of the loopback interface that is free now, and likely to stay so until it is used.

    It lies below those that outgoing connections take, and other processes draw others.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class PostgresServer:
    """One cluster in a folder of its own, on a free loopback port, without fsync."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # not below pytest's own folder, which other users may not enter
        self._folder = Path(tempfile.mkdtemp(prefix="coachops-postgres-"))
        self._data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self.port = free_port()

    def start(self) -> None:
        """Initialise and start; returns when connections are accepted."""
        as_user = _drop_root(self._folder)
        subprocess.run(
            [
                self._binaries / "initdb",
                "-D",
                self._data,
                "-U",
                "coachops",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            **as_user,
            cwd=self._folder,
        )
        log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                self._binaries / "postgres",
                "-D",
                self._data,
                "-p",
                str(self.port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                f"unix_socket_directories={self._folder}",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=60",
                "-c",
                "shared_buffers=32MB",
                "-c",
                "autovacuum_naptime=1h",
                "-c",
                "max_wal_size=128MB",
            ],
            stdout=log,
            stderr=log,
            **as_user,
            cwd=self._folder,
        )
        log.close()
        server = self._process
        until(
            lambda: server.poll() is not None or self._answers(),
            said=(self._folder / "log").read_text,
        )
        if server.poll() is not None:
            raise RuntimeError((self._folder / "log").read_text())

    def _answers(self) -> bool:
        asked: list[str | Path] = [
            self._binaries / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        return subprocess.run(asked, check=False).returncode == 0

    def create(self, name: str | None = None, template: str | None = None) -> str:
        """The SQLAlchemy URL of a new database, empty or copied from `template`."""
        self._made += 1
        name = name or f"test_{os.getpid()}_{self._made}"
        with self.connect() as connection:
            copied = f' TEMPLATE "{template}"' if template else ""
            alone(lambda: connection.execute(f'CREATE DATABASE "{name}"{copied}'))
        return self.url(name)

    def url(self, name: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://coachops@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        """Remove a database that `create` made, whoever is still connected.

        Hundreds of copies that stay would fill the memory, and take long to remove at the end.
        """
        name = url.rpartition("/")[2]
        with self.connect() as connection:
            alone(lambda: connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        """A connection of its own that commits each statement."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="coachops", dbname=name, autocommit=True
        )

    def stop(self) -> None:
        """Immediate shutdown of the process this object started."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown, nothing is kept
            self._process.wait(timeout=PATIENCE)
        shutil.rmtree(self._folder, ignore_errors=True)


def alone(act: Callable[[], object]) -> None:
    """Do what needs a database without sessions: one that stands still is not gone in the five
    seconds that the server gives it."""

    def done() -> bool:
        try:
            act()
        except psycopg.errors.ObjectInUse:
            return False
        return True

    until(done)


def _drop_root(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: give `folder` to an ordinary user and name that user."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
            break
        except KeyError:
            continue
    else:
        raise RuntimeError("no ordinary user to run PostgreSQL as")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

"""A restored cluster as a running server: on a socket of its own, without archiving, ended by its pid.

It recovers by its log to where it was told and then either stands still (read-only, can go on
later) or becomes a database that can be written to. It listens on no network port, and it never
runs the archive command of the database it was copied from.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psycopg
import sqlalchemy as sa

from coachops.backup.postgres import programs
from coachops.backup.postgres.programs import Runner
from coachops.core import clock
from coachops.core.errors import CoachError

_POLL = 0.05
_LONGEST = 24 * 3600.0
"""Seconds a recovery may take: a big log is replayed at 50 MB/s and more."""
_LIMITS = {  # pg_controldata's words: settings that a standby must not have smaller
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}
_ENDED_EARLY = "recovery ended before configured recovery target was reached"
_FETCHED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')
_LAST_COMMIT = re.compile(r"last completed transaction was at log time (\S+ \S+)")


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a recovery ends.

    Attributes:
        point: name of a restore point.
        at: a moment; both None: the end of the log.
        then: stand still there (`pause`), or become writable (`promote`).
        timeline: of the log to follow; `latest` follows promotions.
    """

    point: str | None = None
    at: dt.datetime | None = None
    then: Literal["pause", "promote"] = "promote"
    timeline: str = "latest"

    def options(self) -> dict[str, str]:
        """Settings of the server."""
        options = {
            "recovery_target_action": self.then,
            "recovery_target_timeline": self.timeline,
        }
        # one target only: the server refuses a second one even when it is empty
        if self.point is not None:
            options["recovery_target_name"] = self.point
        elif self.at is not None:
            at = self.at.astimezone(clock.UTC)
            options["recovery_target_time"] = at.isoformat(sep=" ")
        return options


@dataclass
class RestoredServer:
    """The server of one restored data folder.

    Parameters:
        data: the data folder.
        url: of the database that was copied; its role and database name are used.
        fetch: `restore_command`, and the environment it needs.
    """

    data: Path
    url: sa.URL
    runner: Runner
    major: int
    fetch: str
    env: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _folder: Path | None = None

    @property
    def address(self) -> str:
        """SQLAlchemy URL of the database while it runs."""
        return self._url().render_as_string(hide_password=False)

    def start(self, goal: Goal | None) -> None:
        """Start, recover to `goal` (None: nothing to recover), and return when it answers.

        Nothing is forced to the disk one by one (a thousand files take seconds): who keeps the data
        calls `os.sync` once after the server has stopped.

        Raises:
            CoachError: COACH-BKP-025 when the log ends before the goal, COACH-BKP-026 when the
                server does not start.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="coachops-pg-"))  # a socket's path is short
        self.runner.own(self._folder)
        self.runner.require_entry(self.data)
        hba = self.runner.write(self._folder / "hba.conf", "local all all trust\n")
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "unix_socket_permissions": "0700",
            "port": "5432",
            "hba_file": str(hba),
            "ident_file": str(self.runner.write(self._folder / "ident.conf", "")),
            "data_directory": str(self.data),
            "archive_mode": "off",
            "ssl": "off",
            "shared_preload_libraries": "",
            "hot_standby": "on",
            "primary_conninfo": "",
            "synchronous_standby_names": "",
            "shared_buffers": "64MB",
            "fsync": "off",
            "max_wal_size": "4GB",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_line_prefix": "",
            "log_statement": "none",
            "lc_messages": "C",
            "restore_command": self.fetch,
        }
        options |= self._limits() | (goal or Goal()).options()
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        config = self.runner.write(self._folder / "postgresql.conf", "")
        postgres = programs.find("postgres", self.major)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own arguments, no shell
                programs.tied([postgres, f"--config-file={config}", *arguments]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                **self.runner.options(self.env),
            )  # fmt: skip
        self._wait(goal)

    def stop(self) -> None:
        """An orderly shutdown of the process that was started here."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(timeout=60)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def socket_folder(self) -> Path:
        """Where the running server's socket lies."""
        if self._folder is None:
            raise RuntimeError("the server was not started")
        return self._folder

    def require_replayed(self, segment: str) -> None:
        """See to it that recovery came as far as that file of the log.

        PostgreSQL takes a file that cannot be fetched for the end of the log and becomes a database
        there, without a word: what is behind a damaged file would be lost silently.

        Raises:
            CoachError: COACH-BKP-025 with the newest commit that came back.
        """
        fetched = max(_FETCHED.findall(self.log()), key=lambda one: one[8:], default="")
        if fetched[8:] < segment[8:]:
            raise self._ended_early()

    def log(self) -> str:
        """What the server said since its start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.socket_folder / "log"

    def _url(self) -> sa.URL:
        return sa.URL.create(
            "postgresql+psycopg",
            username=self.url.username or None,
            database=self.url.database,
            query={"host": str(self.socket_folder), "port": "5432"},
        )

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_folder), port=5432, user=self.url.username,
            dbname=self.url.database, autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def _limits(self) -> dict[str, str]:
        shown = self.runner.run([programs.find("pg_controldata", self.major), self.data]).stdout
        found = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
        return {
            setting: found[words].strip() for words, setting in _LIMITS.items() if words in found
        }

    def _wait(self, goal: Goal | None) -> None:
        paused = goal is not None and goal.then == "pause"
        ready = (
            "pg_get_wal_replay_pause_state() = 'paused'" if paused else "NOT pg_is_in_recovery()"
        )
        began, refused = clock.monotonic(), ""
        while clock.monotonic() - began < _LONGEST:
            if self._process is None or self._process.poll() is not None:
                raise self._failure()
            try:
                with self._connect() as connection:
                    row = connection.execute(f"SELECT {ready}").fetchone()
                if row is not None and row[0]:
                    return
            except psycopg.OperationalError as error:
                refused = str(error)
                if "does not exist" in refused and "No such file" not in refused:
                    self.stop()  # the role or the database of the URL is not in this copy
                    raise CoachError("COACH-BKP-026", reason=programs.reason_of(refused)) from error
            time.sleep(_POLL)  # a foreign process that has no other sign of readiness
        self.stop()
        raise CoachError("COACH-BKP-026", reason=f"no end after {_LONGEST:.0f} s")

    def _failure(self) -> CoachError:
        log, early = self.log(), self._ended_early()
        self.stop()
        if _ENDED_EARLY in log:
            return early
        return CoachError("COACH-BKP-026", reason=programs.reason_of(log))

    def _ended_early(self) -> CoachError:
        last = _LAST_COMMIT.findall(self.log())
        return CoachError("COACH-BKP-025", newest=last[-1] if last else "the backup's end")

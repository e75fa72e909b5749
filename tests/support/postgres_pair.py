"""A primary and its streaming standby for fault tests: killed, frozen, promoted and joined again.

Both run on free ports of the loopback interface as an ordinary user, and are signalled by their
own process ids only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg

from coachops.db import Database, Limits
from coachops.db.transaction import UNLIMITED
from coachops.resilience import RetryPolicy
from tests.support.patience import PATIENCE, command_line, descendants
from tests.support.postgres import _drop_root, alone, free_port

Mode = Literal["sync", "async"]
STANDBY = "coachops_standby"
"""application_name of the standby's connection, which synchronous_standby_names lists."""


class Node:
    """One server of a pair: its data, its port and the process that this object started."""

    def __init__(self, binaries: Path, folder: Path, name: str, as_user: dict[str, Any]) -> None:
        self.name = name
        self.port = free_port()
        self.data = folder / name
        self.log = folder / f"{name}.log"
        self._binaries = binaries
        self._folder = folder
        self._as_user = as_user
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []

    @property
    def running(self) -> bool:
        """Whether its postmaster lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start the server on its data; returns when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres", "-D", self.data, "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1",
                    "-c", f"unix_socket_directories={self._folder}",
                ],
                stdout=log, stderr=log, cwd=self._folder, **self._as_user,
            )  # fmt: skip
        if wait:
            self.wait_until(lambda: self._answers() or not self.running)
            if not self.running:
                raise RuntimeError(self.log.read_text()[-4000:])

    def stop(self, how: Literal["fast", "immediate"] = "immediate") -> None:
        """An orderly (fast) or immediate shutdown; nothing where it does not run."""
        if self._process is None or self._process.poll() is not None:
            return
        self.unfreeze()
        self._process.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
        self._process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """SIGKILL for the postmaster and all its children at once."""
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self._process.pid, signal.SIGSTOP)  # no child is born while they are counted
        for process in self._family():
            _send(process.pid, signal.SIGKILL)
        self._process.wait(timeout=PATIENCE)
        self._frozen = []
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def freeze(self) -> None:
        """SIGSTOP for all its processes: the host takes packets and never answers."""
        if self._process is None:
            return
        os.kill(self._process.pid, signal.SIGSTOP)
        self._frozen = [process.pid for process in self._family()]
        for pid in self._frozen:
            _send(pid, signal.SIGSTOP)

    def freeze_walreceiver(self) -> None:
        """SIGSTOP for the process that takes the primary's log: the standby falls behind."""
        for process in self._family():
            if "walreceiver" in " ".join(command_line(process)):
                self._frozen.append(process.pid)
                _send(process.pid, signal.SIGSTOP)

    def drop_walreceiver(self) -> None:
        """End a frozen walreceiver without letting it read what waits in its socket."""
        for pid in self._frozen:
            _send(pid, signal.SIGTERM)
        self.unfreeze()

    def unfreeze(self) -> None:
        """SIGCONT for what was frozen."""
        for pid in reversed(self._frozen):
            _send(pid, signal.SIGCONT)
        self._frozen = []

    def query(self, statement: str, database: str = "postgres") -> Any:
        """The first column of the first row, over a connection of its own in autocommit."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="coachops", dbname=database,
            autocommit=True, connect_timeout=int(PATIENCE),
        ) as connection:  # fmt: skip
            cursor = connection.execute(statement)  # type: ignore[arg-type]  # tests' own text
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def wait_until(self, reached: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Poll until `reached()` is true.

        Raises:
            TimeoutError: it did not become true, with the end of the server's log.
        """
        ends = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > ends and not reached():
                raise TimeoutError(self.log.read_text()[-4000:])
            time.sleep(0.02)  # a foreign process that has no other signal of readiness

    def _answers(self) -> bool:
        try:
            return self.query("SELECT 1") == 1
        except psycopg.OperationalError:
            return False

    def _family(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            postmaster = psutil.Process(self._process.pid)
        except psutil.NoSuchProcess:
            return []
        return [postmaster, *descendants(postmaster)]


PATIENT = Limits(pool_wait=PATIENCE, wait=PATIENCE)
"""For writes that must succeed once a server is there, however slow the machine is."""


@contextlib.contextmanager
def hasty(database: Database, seconds: float = 1.5) -> Iterator[None]:
    """Inside the block the database is waited for a moment only: for what must be refused."""
    before = database.limits, database._policy
    database.limits = Limits(wait=seconds)
    database._policy = RetryPolicy(UNLIMITED, 0.05, 0.5, seconds)
    try:
        yield
    finally:
        database.limits, database._policy = before


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class PostgresPair:
    """A primary and a streaming standby; `heal()` brings any state back to that.

    `url(name)` names both hosts. `primary` and `standby` change places by `promote()`.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="coachops-pair-"))
        self._as_user = _drop_root(self._folder)
        self.a = Node(binaries, self._folder, "a", self._as_user)
        self.b = Node(binaries, self._folder, "b", self._as_user)
        self.primary, self.standby = self.a, self.b
        self._made = 0
        self._databases: list[str] = []

    def start(self, mode: Mode = "sync") -> None:
        """Initialise the primary, copy the standby from it, and wait until it streams."""
        self._tool(
            "initdb", "-D", str(self.a.data), "-U", "coachops", "--auth=trust", "--encoding=UTF8",
            "--no-locale", "--no-sync", "--data-checksums",
        )  # fmt: skip
        with (self.a.data / "postgresql.conf").open("a") as file:
            file.write(
                "fsync = off\nmax_connections = 80\nshared_buffers = 32MB\nhot_standby = on\n"
                "wal_level = replica\nwal_log_hints = on\nwal_keep_size = 256MB\n"
                "wal_retrieve_retry_interval = 100ms\nmax_wal_senders = 6\nautovacuum_naptime = 1h\n"
            )
        self.a.start()
        self._copy_standby()
        self.set_mode(mode)

    def url(self, database: str, *, hosts: tuple[Node, ...] | None = None) -> str:
        """The URL of `database` that names both hosts (or `hosts`)."""
        listed = "&".join(f"host=127.0.0.1:{node.port}" for node in hosts or (self.a, self.b))
        return f"postgresql+psycopg://coachops@/{database}?{listed}"

    def create(self, template: str | None = None) -> str:
        """The name of a new database, empty or copied from `template`."""
        self._made += 1
        name = f"pair_{os.getpid()}_{self._made}"
        self._databases.append(name)
        copied = f' TEMPLATE "{template}"' if template else ""
        alone(lambda: self.primary.query(f'CREATE DATABASE "{name}"{copied}'))
        self.wait_for_replay()
        return name

    def set_mode(self, mode: Mode) -> None:
        """Whether a commit waits for the standby; returns when the primary says so."""
        names = STANDBY if mode == "sync" else ""
        self.primary.query(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        self.primary.query("SELECT pg_reload_conf()")
        wanted = "sync" if mode == "sync" else "async"
        state = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"
        self.primary.wait_until(lambda: self.primary.query(state) == wanted)

    def wait_for_replay(self) -> None:
        """Return when the standby shows all that the primary has committed."""
        lag = (
            "SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false) "
            "FROM pg_stat_replication"
        )
        self.primary.wait_until(lambda: self.primary.query(lag))

    def kill_primary(self) -> None:
        """SIGKILL for the primary and all its backends."""
        self.primary.kill()

    def promote(self) -> None:
        """Make the standby the primary, as an operator does who has no other standby.

        The new primary commits alone: a name in synchronous_standby_names would hold every write.
        """
        node = self.standby
        node.query("SELECT pg_promote(true, 240)")
        self.primary, self.standby = self.standby, self.primary

    def heal(self, mode: Mode = "sync", *, empty: bool = False) -> None:
        """Whatever happened: one primary, one streaming standby made anew where it does not stream.

        Parameters:
            empty: drop the databases of earlier tests first, so that copies stay small.
        """
        for node in (self.a, self.b):
            node.unfreeze()
        if not self.primary.running:
            self.primary.start()
        if self.primary.query("SELECT pg_is_in_recovery()"):
            self.primary.query("SELECT pg_promote(true, 240)")
        streams = self._streams()
        if empty:
            self._commit_alone()
            for name in self._databases:
                drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
                alone(functools.partial(self.primary.query, drop))
            self._databases.clear()
        if not streams:
            self._commit_alone()
            self._copy_standby()
        self.set_mode(mode)

    def stop(self) -> None:
        """Stop both servers and remove their data."""
        for node in (self.b, self.a):
            node.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _commit_alone(self) -> None:
        """Let the primary commit without a standby; returns when it does."""
        self.primary.query("ALTER SYSTEM RESET synchronous_standby_names")
        self.primary.query("SELECT pg_reload_conf()")
        names = "SELECT current_setting('synchronous_standby_names') = ''"
        self.primary.wait_until(lambda: self.primary.query(names))

    def _streams(self) -> bool:
        found = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        if not self.standby.running:
            return False
        try:
            return bool(self.standby.query("SELECT pg_is_in_recovery()")) and (
                self.primary.query(found) == 1
            )
        except psycopg.OperationalError:
            return False

    def _copy_standby(self) -> None:
        """A new copy of the primary as its standby, started and streaming."""
        node = self.standby
        node.stop()
        shutil.rmtree(node.data, ignore_errors=True)
        self._tool(
            "pg_basebackup", "-D", str(node.data), "--checkpoint=fast", "--no-sync",
            "--wal-method=stream", "--write-recovery-conf", "-d",
            f"host=127.0.0.1 port={self.primary.port} user=coachops application_name={STANDBY}",
        )  # fmt: skip
        node.start()
        node.wait_until(self._streams)

    def _tool(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / name), *arguments],
            cwd=self._folder, capture_output=True, text=True, check=False, **self._as_user,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")

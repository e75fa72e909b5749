"""What both engines share: a restored cluster is opened, checked, counted and handed over here.

A restored folder holds `pgdata` (the cluster), sometimes `wal` (its log), and `recovery.json`: where
recovery has to end. It has two ends: the moment of the manifest's snapshot, where every digest must be
equal, and the moment that was asked for. A drill stops at both.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa
from pydantic import BaseModel

from coachops.backup.engines import NEWEST
from coachops.backup.model import Manifest, Snapshot
from coachops.backup.postgres import digests, programs
from coachops.backup.postgres.programs import Runner
from coachops.backup.postgres.server import Goal, RestoredServer
from coachops.core.errors import CoachError
from coachops.db import Database

DATA, WAL, RECOVERY = "pgdata", "wal", "recovery.json"
_OURS = ("restore_command", "recovery_target", "archive_mode")
"""Beginnings of settings that belong to the restore and not to the database."""
_SCRATCH = ("backup-work", ".restore-")
"""Beginnings of the names of this package's own work folders."""
_PROBLEMS = 10


class Recovery(BaseModel):
    """What `recovery.json` says.

    Attributes:
        point, timeline: of the manifest's snapshot in the log.
        at: the moment that was asked for; None: that of the snapshot; `NEWEST`: the log's end.
        major: version of PostgreSQL.
        fetch: `restore_command`.
        last: segment of the log that a recovery of everything has to reach.
    """

    point: str
    timeline: int
    at: dt.datetime | None
    major: int
    fetch: str
    last: str

    @property
    def snapshot(self) -> Goal:
        """Stand still at the moment of the manifest."""
        return Goal(point=self.point, then="pause", timeline=str(self.timeline))

    @property
    def end(self) -> Goal:
        """Become a database at the moment that was asked for."""
        if self.at is None:
            return Goal(point=self.point, timeline=str(self.timeline))
        if self.at == NEWEST:
            return Goal()
        return Goal(at=self.at)


class RestoredCluster:
    """The cluster that was restored into `target`.

    Parameters:
        url: of the database that was copied.
        env: for `fetch`.
    """

    def __init__(self, target: Path, url: sa.URL, env: Mapping[str, str] | None = None) -> None:
        self._target = target
        self._url = url
        self._env = env or {}
        self._runner = Runner.ordinary()

    @property
    def data(self) -> Path:
        """The data folder."""
        return self._target / DATA

    @contextlib.contextmanager
    def standing(self) -> Iterator[Database]:
        """The database at the moment of the manifest's snapshot, read-only; nothing is decided yet."""
        recovery = self._recovery()
        if not (self.data / "recovery.signal").exists():
            raise CoachError("COACH-BKP-026", reason="it was opened before")
        with self._running(recovery, recovery.snapshot) as server, _database(server) as database:
            yield database

    @contextlib.contextmanager
    def opened(self) -> Iterator[Database]:
        """The database at the moment that was asked for; from now on one of its own."""
        recovery = self._recovery()
        new = (self.data / "recovery.signal").exists()
        with self._running(recovery, recovery.end if new else None) as server:
            if new:
                if recovery.at == NEWEST:
                    server.require_replayed(recovery.last)
                self._settle()
            with _database(server) as database:
                yield database
        os.sync()  # the server forced nothing to the disk itself

    def check(self, database: Database) -> list[str]:
        """What PostgreSQL's own checker finds in every table and index; empty: nothing."""
        server = database.engine.url
        role = _superuser(database)
        try:
            program = programs.find("pg_amcheck", self._recovery().major)
        except CoachError:
            return ["pg_amcheck is not installed (Debian: it comes with the postgresql package)"]
        with database.connect() as connection:
            had = connection.scalar(
                sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'")
            )
        done = self._runner.run(
            [program, "--install-missing", "--heapallindexed", "--jobs=2", "--no-password",
             "--host", str(server.query["host"]), "--port", str(server.query["port"]),
             "--username", role, str(server.database)],
            accept=(0, 1, 2),
        )  # fmt: skip
        if not had:
            with (
                contextlib.closing(Database(_as(role, database))) as admin,
                admin.connect(write=True) as connection,
            ):
                connection.execute(sa.text("DROP EXTENSION IF EXISTS amcheck"))
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        return lines[:_PROBLEMS] or ["pg_amcheck failed"] if done.returncode else []

    def how_to_start(self) -> tuple[str, ...]:
        """What a person does with the restored folder."""
        user = f"sudo -u {self._runner.name} " if self._runner.name else ""
        start = programs.find("pg_ctl", self._recovery().major)
        return (
            f"The restored cluster lies in {self.data}; it is a database of its own (promoted) and "
            "stopped.",
            f"Start it with: {user}{start} -D {self.data} -o '-p 5433' -l {self.data}/server.log start",
            "Then point COACHOPS_DATABASE_URL at that port and run 'coachops doctor'.",
            "Archiving is off in it, so that it cannot disturb the backups of the old one. When it "
            "takes its place: ALTER SYSTEM RESET archive_mode; restart it; 'coachops backup run'.",
        )

    def prepare(self) -> Runner:
        """Make the empty data folder for the user who will run the server.

        Raises:
            CoachError: COACH-BKP-026 when that user cannot reach it.
        """
        self._runner.own(self._target)
        if self._runner.user is not None:
            self._let_through(self._runner.user[1])
        self._runner.make_folder(self.data)
        self._runner.require_entry(self.data)
        return self._runner

    def write_recovery(
        self, manifest: Manifest, at: dt.datetime | None, fetch: str, last: str
    ) -> None:
        """Note where recovery has to end; see `Recovery`."""
        text = Recovery(
            point=manifest.engine_data["point"],
            timeline=int(manifest.engine_data["timeline"]),
            at=at,
            major=major_of(manifest),
            fetch=fetch,
            last=last,
        ).model_dump_json(indent=1)
        (self._target / RECOVERY).write_text(text)
        self._without_ours()

    def _let_through(self, group: int) -> None:
        """As root: let the server's group pass the private folders around its data.

        These are this package's work folders and the home (or new home) that they lie in.
        """
        for folder in self._target.parents:
            state = folder.stat()
            if state.st_uid == os.getuid() and stat.S_IMODE(state.st_mode) == 0o700:
                os.chown(folder, -1, group)
                folder.chmod(0o710)
            if not folder.name.startswith(_SCRATCH) and folder.parent.name not in _SCRATCH:
                break

    def _recovery(self) -> Recovery:
        try:
            return Recovery.model_validate_json((self._target / RECOVERY).read_text())
        except FileNotFoundError as error:
            raise CoachError("COACH-SYS-004", path=self._target / RECOVERY) from error

    @contextlib.contextmanager
    def _running(self, recovery: Recovery, goal: Goal | None) -> Iterator[RestoredServer]:
        server = RestoredServer(
            self.data, self._url, self._runner, recovery.major, recovery.fetch, self._env
        )
        try:
            server.start(goal)
            yield server
        finally:
            server.stop()

    def _settle(self) -> None:
        """Take the restore's settings out, archiving off, and give what a server needs to start."""
        self._without_ours(["archive_mode = 'off'"])
        for name, text in (  # Debian keeps these outside of the data folder
            (
                "postgresql.conf",
                "# made by a restore: the original lay outside of the data folder\n",
            ),
            ("pg_hba.conf", "local all all peer\nhost all all 127.0.0.1/32 scram-sha-256\n"),
            ("pg_ident.conf", ""),
        ):
            if not (self.data / name).exists():
                self._runner.write(self.data / name, text)

    def _without_ours(self, more: Sequence[str] = ()) -> None:
        """Take settings of recoveries out of the cluster's own."""
        settings = self.data / "postgresql.auto.conf"
        lines = settings.read_text().splitlines() if settings.exists() else []
        kept = [line for line in lines if not line.startswith(_OURS)]
        self._runner.write(settings, "\n".join([*kept, *more]) + "\n")


def snapshot_of(database: Database) -> Snapshot:
    """The state of a database that nobody writes to."""
    with database.connect() as connection:
        return digests.take(connection)


def major_of(manifest: Manifest) -> int:
    """The major version of the server that was backed up."""
    return int(manifest.tools["postgresql"].split(".")[0])


@contextlib.contextmanager
def private_folder(runner: Runner) -> Iterator[Path]:
    """A new folder for files of that user only, deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="coachops-pg-"))
    try:
        runner.own(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _database(server: RestoredServer) -> Iterator[Database]:
    database = Database(server.address)
    try:
        yield database
    finally:
        database.close()


def _superuser(database: Database) -> str:
    with database.connect() as connection:
        return str(connection.scalar(sa.text("SELECT rolname FROM pg_roles WHERE oid = 10")))


def _as(role: str, database: Database) -> str:
    return database.engine.url.set(username=role).render_as_string(hide_password=False)

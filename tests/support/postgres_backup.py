"""A PostgreSQL cluster that archives its log, and an installation of coachops that backs it up."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from coachops.backup import Backups, open_place
from coachops.backup.engines import Engine
from coachops.backup.model import Manifest, Snapshot
from coachops.backup.postgres import digests, postgres_engine
from coachops.backup.postgres.cluster import RestoredCluster
from coachops.backup.postgres.setup import Setup, set_up
from coachops.backup.sealing import Keys
from coachops.backup.shelf import look
from coachops.coaching.seed import seed_organisation
from coachops.core.settings import Settings, load_settings
from coachops.db import Database, migrate
from coachops.privacy.replaying import Erasures
from tests.conftest import missing_tool
from tests.support.patience import PATIENCE
from tests.support.postgres import _drop_root, find_postgres
from tests.support.postgres_pair import Node

EngineName = Literal["pgbackrest", "basebackup"]


class BackedUpCluster:
    """One small cluster whose archive command can be changed, and places for its backups."""

    def __init__(self, binaries: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="coachops-bkp-"))
        self._as_user = _drop_root(self.folder)
        self.folder.chmod(0o755)  # the server's user and, as root, we work in it
        self._binaries = binaries
        self.node = Node(binaries, self.folder, "cluster", self._as_user)
        self._made = 0

    def start(self) -> str:
        """Initialise and start; the URL of a migrated database."""
        self.run(
            self._binaries / "initdb", "-D", self.node.data, "-U", "coachops", "--auth=trust",
            "--encoding=UTF8", "--no-locale", "--no-sync", "--data-checksums",
        )  # fmt: skip
        with (self.node.data / "postgresql.conf").open("a") as file:
            file.write("fsync = off\nshared_buffers = 32MB\nautovacuum_naptime = 1h\n")
        self.node.start()
        self.node.query("CREATE DATABASE coachops")
        database = Database(self.url)
        migrate.upgrade(database)
        database.close()
        return self.url

    @property
    def url(self) -> str:
        """Of the database of coachops."""
        return f"postgresql+psycopg://coachops@127.0.0.1:{self.node.port}/coachops"

    def configure(self, lines: Sequence[str]) -> None:
        """Put lines into postgresql.conf and restart."""
        with (self.node.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        self.restart()

    def restart(self) -> None:
        """Stop in order and start again."""
        self.node.stop("fast")
        self.node.start()

    def archive_with(self, command: str) -> None:
        """Another archive command from now on."""
        quoted = command.replace("'", "''")
        self.node.query(f"ALTER SYSTEM SET archive_command = '{quoted}'")
        self.node.query("SELECT pg_reload_conf()")

    def run(self, *command: str | Path) -> None:
        """Run a program as the server's user."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self.folder, **self._as_user
        )
        if done.returncode:
            raise RuntimeError(done.stderr)

    def stop(self) -> None:
        """Stop and remove everything."""
        self.node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Installation:
    """A home, a place for backups, and the means to work on both.

    Parameters:
        engine: which one makes the backups.
        url: of the place; empty: a folder.
    """

    def __init__(self, cluster: BackedUpCluster, engine: EngineName, url: str = "") -> None:
        self.cluster = cluster
        self.engine_name = engine
        self.folder = Path(tempfile.mkdtemp(prefix="installation-", dir=cluster.folder))
        self.folder.chmod(0o755)
        folder = self.folder / "place"
        folder.mkdir()
        home = self.folder / "home"
        home.mkdir(mode=0o700)
        self.settings: Settings = load_settings(
            home=home,
            database_url=cluster.url,
            storage_url=url or str(folder),
            backup_engine=engine,
            backup_rpo_minutes=1,
        )
        self.place: Any = open_place(self.settings)
        self.database = Database(cluster.url)
        self.config = self.folder / "pgbackrest.conf"

    def set_up(self) -> Setup:
        """Do what `backup setup` says, as an admin does."""
        plan = set_up(self.settings, self.database, self.place, self.config)
        for command in plan.commands:
            subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
        return plan

    @property
    def backups(self) -> Backups:
        """As another process would open them now."""
        home = self.settings.home
        erasures = Erasures(home, self.database)
        return Backups(self.settings, self.database, home / "secrets", self.place, erasures)

    def without_database(self) -> Backups:
        """As on a machine where the database is lost."""
        home = self.settings.home
        erasures = Erasures(home, None)
        return Backups(self.settings, None, home / "secrets", self.place, erasures)

    @property
    def engine(self) -> Engine:
        """The engine itself, without a secret key at hand."""
        return postgres_engine(self.settings, self.database, self.place, Keys(()))

    @property
    def newest(self) -> Manifest:
        """Of the newest good backup."""
        return look(self.place).good()[0]

    def snapshot(self) -> Snapshot:
        """What the living database holds now."""
        with self.database.connect(write=True) as connection:
            return digests.take(connection)

    def archived(self, at: dt.datetime) -> None:
        """Wait until the log reaches beyond `at`; the server's archiver is another process."""
        self.wait_until(lambda: self.engine.covers(self.newest, at))

    def wait_until(self, reached: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Poll until `reached()`."""
        self.cluster.node.wait_until(reached, seconds)

    @contextlib.contextmanager
    def started(self, folder: Path) -> Iterator[Database]:
        """The database that was restored into `folder`."""
        restored = RestoredCluster(folder, sa.make_url(self.cluster.url))
        with restored.opened() as database:
            yield database

    def execute(self, statement: str) -> None:
        """Run SQL in a transaction of its own."""
        with self.database.connect(write=True) as connection:
            connection.execute(sa.text(statement))

    def close(self) -> None:
        """Close connections, delete the files."""
        self.database.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def backed_up_cluster() -> Iterator[BackedUpCluster]:
    """A running cluster with a migrated, seeded database."""
    binaries = find_postgres()
    if binaries is None:
        missing_tool("PostgreSQL server (apt-get install postgresql)")
    cluster = BackedUpCluster(binaries)
    try:
        database = Database(cluster.start())
        seed_organisation(
            database, coaches=3, clients=6, sessions=12, utterances_per_session=10, seed=1
        )
        database.close()
        yield cluster
    finally:
        cluster.stop()


@contextlib.contextmanager
def installation(
    cluster: BackedUpCluster, engine: EngineName, url: str = ""
) -> Iterator[Installation]:
    """An installation that was set up as `backup setup` says.

    Parameters:
        url: of the place; empty: a folder.
    """
    if engine == "pgbackrest" and shutil.which("pgbackrest") is None:
        missing_tool("pgBackRest (apt-get install pgbackrest)")
    made = Installation(cluster, engine, url)
    try:
        cluster.node.query("ALTER SYSTEM RESET archive_command")
        cluster.configure(made.set_up().postgresql)
        made.execute("TRUNCATE backups, drills, key_escrows")  # of the installation before
        yield made
    finally:
        cluster.archive_with("/bin/true")  # nothing waits for the next one
        made.close()
        cluster.node.query(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"
        )

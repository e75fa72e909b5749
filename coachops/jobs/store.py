"""The queue's own store: where it lies, that it exists and is sound, and calls to it.

Embedded: the file `jobs.db` in the home folder, in WAL mode (a rollback journal halves the rate).
PostgreSQL: the schema `dbos` in the suite's database, so one backup holds both. The store may be
lost at any time: what waits stands in the data, and the sweeper queues it anew. So a damaged file is
set aside and a new one begun, instead of stopping the work until somebody comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.engine import Limits, client_url, parsed_url, postgres_engine, servers_of
from coachops.db.fence import Fence

if TYPE_CHECKING:
    from dbos import DBOSClient

    from coachops.db.servers import Servers

T = TypeVar("T")

APPLICATION = "coachops"
SCHEMA = "dbos"
VERSION = "1"
"""Constant: work queued by an older release is found by a newer one. Workflows change by `patch`."""


_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_log = logging.getLogger(__name__)


def store_url(settings: Settings) -> str:
    """The SQLAlchemy URL of the store; of several servers, the one that takes writes."""
    path = store_file(settings)
    return f"sqlite:///{path}" if path else client_url(settings.database_url)


def store_file(settings: Settings) -> Path | None:
    """The file of an embedded store; None on PostgreSQL."""
    embedded = settings.database_url.startswith("sqlite")
    return settings.home / "jobs.db" if embedded else None


def servers(settings: Settings) -> Servers:
    """The servers of the store on PostgreSQL; one that was replaced by a newer primary is refused."""
    return _known_servers(settings.database_url, settings.home)


@functools.lru_cache(maxsize=8)
def _known_servers(url: str, home: Path) -> Servers:
    """Kept, because it remembers which server was good and which one did not answer."""
    return servers_of(parsed_url(url), Fence(home))


def server_engine(settings: Settings, pool: int) -> sa.Engine:
    """An engine on the primary, wherever it is now, with at most `pool` connections."""
    url = parsed_url(settings.database_url)
    return postgres_engine(servers(settings), url, Limits(pool=pool, overflow=0, pool_wait=10))


def file_identity(settings: Settings) -> tuple[int, int] | None:
    """What tells an embedded store's file from another one at its place; None where there is none."""
    path = store_file(settings)
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _KnownFailures(logging.Filter):
    """Drops the engine's traceback of a job that failed with a code: the step has logged it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], CoachError))


_known_failures = _KnownFailures()


def quiet_engine_logs() -> None:
    """Only warnings of the engine, through our own handlers instead of one it adds to the console."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.addFilter(_known_failures)  # adding it again changes nothing
    logger.setLevel(logging.WARNING)


def ensure_store(settings: Settings, *, thorough: bool = False) -> None:
    """Make the store where it does not exist yet; a damaged embedded one is set aside first.

    Parameters:
        thorough: read all of an embedded store, not only whether it is one.

    Raises:
        CoachError: COACH-JOB-003 where it cannot be reached.
    """
    path = store_file(settings)
    with translated(settings):
        if path is None:
            ready = _exists_on_server(settings)
        else:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _one_at_a_time(path.parent / "locks" / "store.lock"):
                ready = _exists_in_file(path, thorough=thorough)
        if not ready:
            from dbos import DBOS  # noqa: PLC0415 a second or more

            quiet_engine_logs()
            DBOS.migrate(store_url(settings), schema=SCHEMA)


def _exists_in_file(path: Path, *, thorough: bool) -> bool:
    try:
        return _looks_sound(path, thorough=thorough)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
    aside = _set_aside(path)
    _log.error(
        "the queue's file was damaged and is set aside: what waits is queued from the data",
        extra={"aside": str(aside)},
    )
    return _looks_sound(path, thorough=False)


def _looks_sound(path: Path, *, thorough: bool) -> bool:
    """Whether the file holds a store; a damaged one raises an error that `_is_damage` knows."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
        if thorough:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                damaged = sqlite3.DatabaseError(found)
                damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise damaged
        query = "SELECT 1 FROM sqlite_master WHERE name = 'workflow_status'"
        return connection.execute(query).fetchone() is not None


def _is_damage(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED  # the rest tells where it was found


def _set_aside(path: Path) -> Path:
    """Move the file and what belongs to it; a process that has it open goes on in the moved one.

    SQLite sees at closing that its file was moved, and leaves the new one's journal alone.
    """
    aside = path.with_name(f"{path.name}.corrupt-{clock.now():%Y%m%dT%H%M%S%fZ}")
    for ending in ("-wal", "-shm", ""):  # the file last: until then nobody begins a new one
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _exists_on_server(settings: Settings) -> bool:
    engine = server_engine(settings, 1)
    try:
        with engine.connect() as connection:
            found = connection.scalar(
                sa.text("SELECT to_regclass(:name)"), {"name": f"{SCHEMA}.workflow_status"}
            )
            return found is not None
    finally:
        engine.dispose()


class StoreClient:
    """Calls to the store; connects at the first one. Safe in threads and inside an event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: DBOSClient | None = None
        self._engine: sa.Engine | None = None
        self._file: tuple[int, int] | None = None
        self._suspect = False
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def call(self, work: Callable[[DBOSClient], T]) -> T:
        """The answer of `work` to the client.

        Raises:
            CoachError: COACH-JOB-003 where the store cannot be reached, COACH-JOB-006 where its file
                is damaged; the next call begins a new one.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._call(work)
        # inside an event loop (dashboards, API) the engine's client insists on another thread
        with self._lock:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="coachops-jobs")
        return self._thread.submit(self._call, work).result()

    def close(self) -> None:
        """Close its connections."""
        with self._lock:
            self._disconnect()
            if self._thread is not None:
                self._thread.shutdown()
                self._thread = None

    def _call(self, work: Callable[[Any], T]) -> T:
        try:
            with translated(self._settings):
                return work(self._connected())
        except CoachError as error:
            if error.code == "COACH-JOB-006":
                self._suspect = True
            raise

    def _connected(self) -> DBOSClient:
        with self._lock:
            if self._suspect or file_identity(self._settings) != self._file:
                self._disconnect()  # the file was lost, set aside, or will be now
            if self._client is None:
                ensure_store(self._settings, thorough=self._suspect)
                self._suspect = False
                from dbos import DBOSClient, DBOSPortableJSONSerializer  # noqa: PLC0415 a second

                if store_file(self._settings) is None:
                    self._engine = server_engine(self._settings, 3)
                self._client = DBOSClient(
                    system_database_url=store_url(self._settings),
                    system_database_engine=self._engine,
                    dbos_system_schema=SCHEMA,
                    application_name=APPLICATION,
                    serializer=DBOSPortableJSONSerializer(),
                    system_database_pool_size=3,
                    retry_connection_errors=False,
                )
                self._file = file_identity(self._settings)
            return self._client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.destroy()
            self._client = None
        if self._engine is not None:  # the client leaves an engine of others alone
            self._engine.dispose()
            self._engine = None


@contextlib.contextmanager
def translated(settings: Settings) -> Iterator[None]:
    """A store that cannot be used becomes COACH-JOB-003, a damaged one COACH-JOB-006."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        original = getattr(error, "orig", None) or error
        if _is_damage(original):
            raise CoachError("COACH-JOB-006", path=store_file(settings)) from error
        raise CoachError("COACH-JOB-003", reason=type(error).__name__) from error

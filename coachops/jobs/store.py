"""The queue's own store: where it lies, that it exists, and calls to it from any process.

Embedded: the file `jobs.db` in the home folder, in WAL mode (a rollback journal halves the rate).
PostgreSQL: the schema `dbos` in the suite's database, so one backup holds both.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.core.settings import Settings

if TYPE_CHECKING:
    from dbos import DBOSClient

T = TypeVar("T")

APPLICATION = "coachops"
SCHEMA = "dbos"
VERSION = "1"
"""Constant: work queued by an older release is found by a newer one. Workflows change by `patch`."""


def store_url(settings: Settings) -> str:
    """The SQLAlchemy URL of the store."""
    if settings.database_url.startswith("sqlite"):
        return f"sqlite:///{settings.home / 'jobs.db'}"
    return settings.database_url


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


def ensure_store(settings: Settings) -> None:
    """Make the store where it does not exist yet.

    Raises:
        CoachError: COACH-JOB-003 where it cannot be reached.
    """
    with _translated():
        if not _exists(settings):
            from dbos import DBOS  # noqa: PLC0415 a second or more

            quiet_engine_logs()
            DBOS.migrate(store_url(settings), schema=SCHEMA)


def _exists(settings: Settings) -> bool:
    url = store_url(settings)
    if url.startswith("sqlite"):
        path = settings.home / "jobs.db"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
            query = "SELECT 1 FROM sqlite_master WHERE name = 'workflow_status'"
            return connection.execute(query).fetchone() is not None
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 3})
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
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def call(self, work: Callable[[DBOSClient], T]) -> T:
        """The answer of `work` to the client.

        Raises:
            CoachError: COACH-JOB-003 where the store cannot be reached.
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
            if self._client is not None:
                self._client.destroy()
                self._client = None
            if self._thread is not None:
                self._thread.shutdown()
                self._thread = None

    def _call(self, work: Callable[[Any], T]) -> T:
        with _translated():
            return work(self._connected())

    def _connected(self) -> DBOSClient:
        with self._lock:
            if self._client is None:
                ensure_store(self._settings)
                from dbos import DBOSClient, DBOSPortableJSONSerializer  # noqa: PLC0415 a second

                self._client = DBOSClient(
                    system_database_url=store_url(self._settings),
                    dbos_system_schema=SCHEMA,
                    application_name=APPLICATION,
                    serializer=DBOSPortableJSONSerializer(),
                    system_database_pool_size=3,
                    retry_connection_errors=False,
                )
            return self._client


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise CoachError("COACH-JOB-003", reason=type(error).__name__) from error

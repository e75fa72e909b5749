"""Bulk reading from PostgreSQL: COPY in binary form into typed batches, or its CSV as it comes.

Received through psycopg2: its `copy_expert` costs half the processor time of psycopg's `copy`. The
connection goes to the very server that holds the snapshot; any other is refused.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import psycopg2
import pyarrow as pa
from psycopg2 import sql

from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.failures import RETRY_AFTER_SECONDS, first_line
from coachops.export.definitions import Dataset
from coachops.export.readers.receiving import Rows

if TYPE_CHECKING:
    from coachops.export.snapshot import PostgresToken

AHEAD = 2
"""Batches that may wait between receiving and writing."""

_FACTS = """
SELECT (SELECT system_identifier::text FROM pg_control_system()),
       extract(epoch FROM pg_postmaster_start_time())::float8, current_setting('server_encoding')
"""
_TEXT_BLOCK = 256 * 1024


@contextlib.contextmanager
def imported(database: Database, token: PostgresToken) -> Iterator[Any]:
    """A connection of psycopg2 in a transaction that sees the moment of `token`.

    Raises:
        CoachError: COACH-DB-001 no server can be reached, COACH-EXP-020 none of them holds it.
    """
    connection = _connected(database, token)
    try:
        with _translated(), connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                cursor.execute(
                    sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(token.snapshot))
                )
            except (psycopg2.DataError, psycopg2.ProgrammingError) as error:
                raise CoachError("COACH-EXP-020", reason="nobody holds it any more") from error
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            # an export reads in order: rather along an index than by sorting gigabytes
            cursor.execute("SET LOCAL random_page_cost = 1.1")
        yield connection
    finally:
        connection.close()


def read(connection: Any, dataset: Dataset, query: str) -> Generator[pa.RecordBatch, None, None]:
    """The rows of `query` in batches; received and decoded while the caller works on the last ones.

    Raises:
        CoachError: COACH-EXP-009, COACH-EXP-023, COACH-DB-001.
    """
    receiver = _Receiver(connection, dataset, query)
    try:
        yield from receiver
    finally:
        receiver.stop()


def copy_text(
    connection: Any, query: str, options: str, file: Sink, count: Callable[[int], None]
) -> None:
    """What COPY writes in a text form, as it comes, in large blocks.

    Parameters:
        options: of COPY.
        count: told how many pieces (rows, and the header) each block holds.

    Raises:
        CoachError: COACH-DB-001.
    """
    blocks = _Blocks(file, count)
    with _translated(), connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT ({options})", blocks)
    blocks.flush()


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes) -> int:
        """Append them."""
        ...


class _Blocks:
    """Joins small pieces to large ones."""

    def __init__(self, file: Sink, count: Callable[[int], None]) -> None:
        self._file, self._count = file, count
        self._pieces: list[bytes] = []
        taking = self._taking()
        next(taking)
        self.write = taking.send

    def flush(self) -> None:
        self._count(len(self._pieces))
        self._file.write(b"".join(self._pieces))
        self._pieces.clear()

    def _taking(self) -> Generator[None, bytes, None]:
        pieces = self._pieces
        add = pieces.append
        while True:
            for _ in range(2_048):
                add((yield))
            if sum(map(len, pieces)) >= _TEXT_BLOCK:
                self.flush()


class _Receiver:
    """A thread that receives and decodes."""

    def __init__(self, connection: Any, dataset: Dataset, query: str) -> None:
        self._connection, self._dataset, self._query = connection, dataset, query
        self._batches: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export-receive", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while (found := self._batches.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found

    def stop(self) -> None:
        """End the thread, whatever it waits for."""
        self._stopped.set()
        if self._thread.is_alive():
            with contextlib.suppress(psycopg2.Error):
                self._connection.cancel()
            while self._thread.is_alive():
                with contextlib.suppress(queue.Empty):
                    self._batches.get_nowait()
                self._thread.join(0.05)

    def _run(self) -> None:
        last: BaseException | None = None
        try:
            rows = Rows(self._dataset, self._hand_on)
            with _translated(), self._connection.cursor() as cursor:
                cursor.copy_expert(f"COPY ({self._query}) TO STDOUT (FORMAT binary)", rows)
            rows.finish()
        except BaseException as error:
            last = error
        finally:  # whatever happened, who waits is told
            self._put(last)
            if last is not None:
                self._put(None)

    def _hand_on(self, batch: pa.RecordBatch) -> None:
        self._put(batch)
        if self._stopped.is_set():
            raise _StoppedError

    def _put(self, value: pa.RecordBatch | BaseException | None) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._batches.put(value, timeout=0.1)
                return


class _StoppedError(Exception):
    """Nobody wants the rest."""


def _connected(database: Database, token: PostgresToken) -> Any:
    servers = database.servers
    if servers is None:
        raise CoachError("COACH-EXP-020", reason="it is of another database")
    failures: list[str] = []
    for host in sorted(servers.hosts, key=lambda host: str(host) != token.host):
        try:
            connection = psycopg2.connect(**servers.parameters(host), client_encoding="UTF8")
        except psycopg2.OperationalError as error:
            failures.append(first_line(error))
            continue
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(_FACTS)
            system, started, encoding = cursor.fetchone()
        if (system, started) == (token.system, token.started):
            if encoding == "SQL_ASCII":
                connection.close()
                raise CoachError("COACH-EXP-023", dataset="all", reason="SQL_ASCII, not UTF-8")
            return connection
        connection.close()
        failures.append("")
    if any(not failure for failure in failures):
        raise CoachError("COACH-EXP-020", reason="its server is not among those of the URL")
    raise CoachError("COACH-DB-001", reason=failures[0], retry_after=RETRY_AFTER_SECONDS)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """A server that goes away in the middle is COACH-DB-001."""
    try:
        yield
    except psycopg2.Error as error:
        # without a SQLSTATE it is the connection that failed, not what was asked
        if isinstance(error, psycopg2.OperationalError) or error.pgcode is None:
            reason = first_line(error)
            raise CoachError(
                "COACH-DB-001", reason=reason, retry_after=RETRY_AFTER_SECONDS
            ) from error
        raise

"""Bulk reading from PostgreSQL: COPY in binary form into typed batches, or its CSV as it comes.

Received through psycopg2: its `copy_expert` costs half the processor time of psycopg's `copy`. The
connection goes to the very server that holds the snapshot; any other is refused.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import psycopg2
import pyarrow as pa
from psycopg2 import errorcodes, sql

from coachops.core.errors import CoachError
from coachops.export.orders import Order, Progress, require_rows, write_files
from coachops.export.plan import PartResult
from coachops.export.readers.lookup import read_part
from coachops.export.readers.receiving import Rows
from coachops.export.readers.text import Blocks
from coachops.export.shapes import Shape
from coachops.export.tokens import PostgresToken
from coachops.export.writers.dialect import header
from coachops.export.writers.output import Output
from coachops.export.writers.shard import entry_of

Servers = Sequence[tuple[str, dict[str, Any]]]
"""Names of servers, and what the driver needs to reach them."""

AHEAD = 2
"""Batches that may wait between receiving and writing."""

_FACTS = """
SELECT (SELECT system_identifier::text FROM pg_control_system()),
       extract(epoch FROM pg_postmaster_start_time())::float8, current_setting('server_encoding')
"""
_TEXT_OPTIONS = r"FORMAT csv, NULL '\N'"
_BY_MERGING = ("enable_nestloop", "enable_hashjoin", "max_parallel_workers_per_gather")
"""Set to 0, rows come along their index and meet their parents along theirs. By itself the planner
takes a part of a large table for small, and sorts it or looks for the rows of each parent."""
_RETRY_AFTER_SECONDS = 5


def carry_out(
    order: Order, servers: Servers, token: PostgresToken, progress: Progress
) -> PartResult:
    """Write the part of `order`, read at the moment of `token`.

    Raises:
        CoachError: COACH-EXP-006, -009, -020, -022, -023, COACH-DB-001.
    """
    with imported(servers, token) as connection:
        if order.passed:
            return _passed_through(connection, order, progress)
        batches = read_part(order, functools.partial(read, connection))
        with contextlib.closing(batches):
            return write_files(order, batches, progress)


@contextlib.contextmanager
def imported(servers: Servers, token: PostgresToken) -> Iterator[Any]:
    """A connection of psycopg2 in a transaction that sees the moment of `token`.

    Raises:
        CoachError: COACH-DB-001 no server can be reached, COACH-EXP-020 none of them holds it.
    """
    connection = _connected(servers, token)
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
            cursor.execute("SET LOCAL jit = off")  # takes longer than it saves on so plain a query
        yield connection
    finally:
        connection.close()


def read(connection: Any, shape: Shape, query: str) -> Generator[pa.RecordBatch, None, None]:
    """The rows of `query` in batches; received and decoded while the caller works on the last ones.

    Raises:
        CoachError: COACH-EXP-009, COACH-EXP-023, COACH-DB-001.
    """
    receiver = _Receiver(connection, shape, query)
    try:
        yield from receiver
    finally:
        receiver.stop()


def _passed_through(connection: Any, order: Order, progress: Progress) -> PartResult:
    """The file of a part as the database writes it, in large blocks."""
    shape, part = order.shape, order.part
    rows = 0

    def count(more: int) -> None:
        nonlocal rows
        rows += more
        progress(part.dataset, more)

    output = Output(order.folder, shape.name, "csv", part.shard)
    try:
        output.write(header(shape.names, excel=False))
        blocks = Blocks(output, count)
        with _translated(), connection.cursor() as cursor:
            for setting in () if order.spec.filtered else _BY_MERGING:
                cursor.execute(f"SET LOCAL {setting} = 0")
            cursor.copy_expert(f"COPY ({order.query}) TO STDOUT ({_TEXT_OPTIONS})", blocks)
        blocks.flush()
        require_rows(part, rows)
        entry = entry_of(output, output.finish(), rows, ())
    finally:
        output.abort()
    return PartResult(part.number, rows, (entry,))


class _Receiver:
    """A thread that receives and decodes."""

    def __init__(self, connection: Any, shape: Shape, query: str) -> None:
        self._connection, self._shape, self._query = connection, shape, query
        self._batches: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export-receive", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while (found := self._batches.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found
        self._thread.join()  # nothing is left to cancel: the connection may be used again

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
            rows = Rows(self._shape, self._hand_on)
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


def _connected(servers: Servers, token: PostgresToken) -> Any:
    failure: Exception | None = None
    for _, parameters in sorted(servers, key=lambda server: server[0] != token.host):
        try:
            connection = psycopg2.connect(**parameters, client_encoding="UTF8")
        except psycopg2.OperationalError as error:
            failure = error
            continue
        connection.autocommit = True
        with _translated(), connection.cursor() as cursor:
            cursor.execute(_FACTS)
            system, started, encoding = cursor.fetchone()
        if (system, started) == (token.system, token.started) and encoding == "UTF8":
            return connection
        connection.close()
    if failure is not None:
        raise _unreachable(failure) from failure
    raise CoachError("COACH-EXP-020", reason="no server of the URL holds it")


def _unreachable(error: Exception) -> CoachError:
    reason = str(error).strip().partition("\n")[0].rstrip(".") or "no answer"
    ended = getattr(error, "pgcode", None) == errorcodes.QUERY_CANCELED
    code = "COACH-DB-013" if ended else "COACH-DB-001"
    return CoachError(code, reason=reason, retry_after=_RETRY_AFTER_SECONDS)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """A server that goes away in the middle is COACH-DB-001."""
    try:
        yield
    except psycopg2.Error as error:
        # without a SQLSTATE it is the connection that failed, not what was asked
        if isinstance(error, psycopg2.OperationalError) or error.pgcode is None:
            raise _unreachable(error) from error
        raise

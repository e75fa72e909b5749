"""One exact moment of a living database: a restore point in its log, and what the tables held there.

Commits become visible in another order than they stand in the log, so a snapshot alone is at no exact
place of the log. Here all tables are locked against writers for a few milliseconds; in this silence
the snapshot is taken and the restore point is written, then writers go on while the snapshot is
counted. A restore to that point must give exactly these numbers.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from coachops.backup.model import Snapshot
from coachops.backup.postgres import digests
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database

_TRIES = 40
_WAIT = "400ms"
"""Below `deadlock_timeout` (1 s): we give way before the server ends somebody's transaction."""
_NO_RIGHT = "42501"  # insufficient_privilege


@dataclass(frozen=True, slots=True)
class Moment:
    """Where and when the snapshot stands.

    Attributes:
        name: of the restore point, `recovery_target_name` of a restore.
        lsn: its place in the log.
        segment: the log's file that holds it.
        timeline: of the log there.
        at: by the clock of coachops.
    """

    name: str
    lsn: str
    segment: str
    timeline: int
    at: dt.datetime
    snapshot: Snapshot


def mark(database: Database, name: str) -> Moment:
    """Write the restore point `name` and return what the database held there.

    Raises:
        CoachError: COACH-BKP-021 when writers leave no gap for half a minute, COACH-BKP-028 when the
            role may not write restore points, COACH-DB-… when the database cannot be reached.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(_BusyError):
            return _try(database, name)
    raise CoachError("COACH-BKP-021")


class _BusyError(Exception):
    """A table could not be locked in time, or a new one appeared."""


def _try(database: Database, name: str) -> Moment:
    with database.connect(write=True) as reader:
        reader.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        with _silence(database) as (writer, locked):
            seen = digests.tables_of(reader)  # the first query takes the snapshot
            if set(seen) - set(locked):
                raise _BusyError
            at = clock.now()
            lsn, segment, timeline = _restore_point(writer, name)
        return Moment(name, lsn, segment, timeline, at, digests.take(reader))


@contextlib.contextmanager
def _silence(database: Database) -> Iterator[tuple[Connection, list[digests.Table]]]:
    with database.connect(write=True) as connection:
        tables = digests.tables_of(connection)
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_WAIT}'"))
        names = ", ".join(digests.quoted(connection, table) for table in tables)
        try:
            connection.execute(sa.text(f"LOCK TABLE ONLY {names} IN SHARE MODE"))
        except exc.OperationalError as error:
            raise _BusyError from error
        yield connection, tables


def _restore_point(connection: Connection, name: str) -> tuple[str, str, int]:
    try:
        lsn = connection.scalar(sa.text("SELECT pg_create_restore_point(:n)::text"), {"n": name})
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == _NO_RIGHT:
            raise CoachError("COACH-BKP-028", right="pg_create_restore_point(text)") from error
        raise
    segment = connection.scalar(
        sa.text("SELECT pg_walfile_name(CAST(:lsn AS pg_lsn))"), {"lsn": lsn}
    )
    return str(lsn), str(segment), int(str(segment)[:8], 16)

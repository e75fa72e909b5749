"""Which failures of a database pass by themselves, and what they are called for people.

Nothing here imports a driver: failures are told by SQLSTATE, by SQLite's error code, or by the code
that our own connector wrote on them.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import exc

from coachops.core.errors import CoachError

RETRY_AFTER_SECONDS = 5
"""What a caller is told to wait where no server takes writes: failovers take a few seconds."""

TOOK_TOO_LONG = "57014"
"""SQLSTATE of a statement that a limit or somebody ended."""

_TRANSIENT_STATES = frozenset(
    [
        "25006",  # the server became a standby, or was fenced: another one may be the primary
        "40001",
        "40P01",
        "53300",
        "55P03",
        "57P01",
        "57P02",
        "57P03",
        "08000",
        "08001",
        "08003",
        "08004",
        "08006",
        "08007",
    ]
)
"""SQLSTATEs after which the whole transaction may be repeated (PostgreSQL manual, appendix A)."""

_TRANSIENT_CODES = frozenset(["COACH-DB-001", "COACH-DB-004", "COACH-DB-007", "COACH-DB-011"])
"""Without COACH-DB-003: who waited for a connection as long as the limit allows is told then."""
_LOCKED = frozenset([sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED])
_BUSY = frozenset(["40001", "40P01", "55P03"])
_DAMAGED = frozenset(["XX001", "XX002"])
_NO_TABLE = "42P01"
_DISK_FULL = "53100"
_READ_ONLY = "25006"


def sqlstate(error: BaseException | None) -> str | None:
    """The SQLSTATE of a driver's error, where it has one."""
    state: str | None = getattr(error, "sqlstate", None)
    return state


def is_transient(error: BaseException) -> bool:
    """Whether the whole transaction may succeed when it is repeated."""
    if isinstance(error, CoachError):
        if error.code in _TRANSIENT_CODES:
            return True
        error = error.__cause__ or error
    if not isinstance(error, exc.DBAPIError):
        return False
    if sqlstate(error.orig) in _TRANSIENT_STATES or error.connection_invalidated:
        return True
    return _sqlite_code(error.orig) in _LOCKED


def is_lost(error: exc.DBAPIError) -> bool:
    """Whether the connection broke, so that the outcome of what was asked is not known."""
    state = sqlstate(error.orig) or ""
    return error.connection_invalidated or state.startswith(("08", "57P"))


@contextlib.contextmanager
def translated(size: int = 0) -> Iterator[None]:
    """Database failures that a person can act on become errors of the catalogue.

    Parameters:
        size: connections that the pool may hold, to be named.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise CoachError("COACH-DB-003", size=size, retry_after=1) from error
    except exc.DBAPIError as error:
        if (known := _known(error)) is not None:
            raise known from error
        raise


def _known(error: exc.DBAPIError) -> CoachError | None:
    """The catalogue's error for a driver's, or None where only a programmer can act on it."""
    orig: Any = error.orig
    if (code := getattr(orig, "code", None)) is not None and str(code).startswith("COACH-"):
        return CoachError(code, **orig.details, retry_after=RETRY_AFTER_SECONDS)
    if isinstance(orig, sqlite3.Error):
        known = _of_sqlite(orig)
    else:
        known = _of_postgres(orig, sqlstate(orig) or "")
    if known is None and isinstance(error, exc.OperationalError):
        reason = first_line(orig)
        return CoachError("COACH-DB-001", reason=reason, retry_after=RETRY_AFTER_SECONDS)
    return known


def _of_postgres(orig: Any, state: str) -> CoachError | None:
    if state in _BUSY:
        return CoachError("COACH-DB-002", retry_after=1)
    if state == _DISK_FULL:
        return CoachError("COACH-DB-009", retry_after=60)
    if state == TOOK_TOO_LONG:
        return CoachError("COACH-DB-013", reason=first_line(orig), retry_after=RETRY_AFTER_SECONDS)
    if state in _DAMAGED:
        return CoachError("COACH-DB-008", reason=first_line(orig))
    if state == _NO_TABLE:
        return CoachError("COACH-DB-005", found="an empty database", expected="the schema")
    if state == _READ_ONLY:
        reason = "the server takes no writes"
        return CoachError("COACH-DB-007", reason=reason, retry_after=RETRY_AFTER_SECONDS)
    return None


def _of_sqlite(orig: sqlite3.Error) -> CoachError | None:
    code = _sqlite_code(orig)
    if code in _LOCKED:
        return CoachError("COACH-DB-002", retry_after=1)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return CoachError("COACH-DB-008", reason=first_line(orig))
    if code == sqlite3.SQLITE_FULL or _no_room(orig):
        return CoachError("COACH-DB-009", retry_after=60)
    if code == sqlite3.SQLITE_READONLY:
        reason = "its file cannot be written"
        return CoachError("COACH-DB-007", reason=reason, retry_after=RETRY_AFTER_SECONDS)
    if "no such table" in str(orig):
        return CoachError("COACH-DB-005", found="an empty database", expected="the schema")
    return None


def _no_room(orig: sqlite3.Error) -> bool:
    """SQLite calls a write that a quota or a file size limit refused an input/output error."""
    name = getattr(orig, "sqlite_errorname", "") or ""
    return name in {"SQLITE_IOERR_WRITE", "SQLITE_IOERR_TRUNCATE", "SQLITE_IOERR_SHMSIZE"}


def _sqlite_code(orig: BaseException | None) -> int | None:
    """The primary code of an error of SQLite (the extended one holds it in its low byte)."""
    code = getattr(orig, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def first_line(error: BaseException | None) -> str:
    """The first line of an error's text, without the full stop a sentence will add."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".") if text else "no answer"

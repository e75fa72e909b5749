"""Making what was deleted unreadable in the database's own files.

A deleted row's bytes stay in free pages of SQLite's file and in its log, so the file is written anew
and the log emptied. PostgreSQL's pages are freed for reuse; what its files and archived log still
hold until then is out of this program's hands (`places`).
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from coachops.db import Database
from coachops.db.engine import sqlite_file
from coachops.privacy.rows import PARTS

WAIT_SECONDS = 10.0
"""How long to wait for who reads or writes; the daily run tries again."""


def compact(database: Database, wait: float = WAIT_SECONDS) -> bool:
    """Do it; False where somebody held the database too long, or there is no space."""
    if not database.is_sqlite:
        return _vacuum_server(database)
    file = sqlite_file(database.engine)
    return file is None or compact_file(file, wait)


def compact_file(file: Path, wait: float = WAIT_SECONDS) -> bool:
    """`compact` for a file of SQLite."""
    try:
        with contextlib.closing(
            sqlite3.connect(file, timeout=wait, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("VACUUM")
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.DatabaseError:  # locked, full, not to be written, damaged
        return False
    return bool(busy == 0)


def _vacuum_server(database: Database) -> bool:
    try:
        with database.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text("SET statement_timeout = 0"))
            try:
                for part in PARTS:
                    connection.execute(sa.text(f"VACUUM {part.name}"))
            finally:
                connection.execute(sa.text("RESET statement_timeout"))
    except sa.exc.SQLAlchemyError:
        return False
    return True

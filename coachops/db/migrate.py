"""Bringing a database to the schema of this version, and telling when it is not.

Migrations lie inside the package, so an installed wheel can migrate without the source tree.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from coachops.core.errors import CoachError
from coachops.db import capture
from coachops.db.engine import sqlite_file
from coachops.db.transaction import Database

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_301_001
"""Advisory lock of migrations on PostgreSQL: two starting processes migrate one after the other."""


def config(connection: sa.Connection | None = None) -> Config:
    """The Alembic configuration; `connection` is handed to `migrations/env.py`."""
    settings = Config()
    settings.set_main_option("script_location", str(_FOLDER))
    settings.set_main_option("path_separator", "os")
    if connection is not None:
        settings.attributes["connection"] = connection
    return settings


def head() -> str:
    """The revision this version of the code needs."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise RuntimeError("the package holds no migrations")
    return revision


def current(database: Database) -> str | None:
    """The revision of `database`, or None where it is empty or not there yet."""
    file = sqlite_file(database.engine)
    if file is not None and not file.exists():
        return None  # connecting would leave an empty file behind
    with database.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> tuple[str | None, str]:
    """Migrate up to `revision` in one transaction; safe to repeat. Returns (before, after)."""
    file = sqlite_file(database.engine)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = current(database)
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if before is not None and before not in known:
        raise CoachError("COACH-DB-006", found=before)
    _run(database, lambda settings: command.upgrade(settings, revision))
    return before, current(database) or ""


def downgrade(database: Database, revision: str) -> None:
    """Migrate down to `revision` (`base` for none), keeping the data that the older schema holds."""
    _run(database, lambda settings: command.downgrade(settings, revision))


def require_head(database: Database) -> None:
    """Refuse to work on a database of another version.

    Raises:
        CoachError: COACH-DB-005 not migrated, COACH-DB-006 newer than the code.
    """
    found, expected = current(database), head()
    if found == expected:
        return
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if found is not None and found not in known:
        raise CoachError("COACH-DB-006", found=found)
    raise CoachError("COACH-DB-005", found=found or "an empty database", expected=expected)


def _run(database: Database, step: Callable[[Config], None]) -> None:
    with database.connect(write=True) as connection:
        if not database.is_sqlite:
            # a migration goes through whole tables: the limits that keep pages quick are not for it,
            # and who finds another one at work waits for its end
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            # a machine that dies meanwhile must not hold its locks for as long as TCP takes to notice
            connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '15min'"))
            connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})
            connection.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))
            step(config(connection))
        else:
            # rebuilding a table renames it, which SQLite refuses while a trigger names the old one
            connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
            try:
                step(config(connection))
            finally:  # no rollback takes it back, and others get this connection next
                connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
        if MigrationContext.configure(connection).get_current_revision() == head():
            capture.install(connection)

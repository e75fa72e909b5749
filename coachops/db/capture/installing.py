"""Making the triggers, and noting anew the rows that changed while there were none."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.db.capture import postgres, sqlite
from coachops.db.capture.sql import POSTGRES, SQLITE
from coachops.db.capture.tracked import PAIRS, TRACKED, source_tables

_TRIGGERS = {
    "sqlite": "SELECT name, sql AS made FROM sqlite_master "
    "WHERE type = 'trigger' AND substr(name, 1, 5) = 'feed_'",
    "postgresql": "SELECT t.tgname AS name, t.tgrelid::regclass::text AS made FROM pg_trigger t "
    "WHERE left(t.tgname, 5) = 'feed_' AND NOT t.tgisinternal",
}


def install(connection: Connection) -> list[str]:
    """Make the triggers that are missing or of another version; safe to repeat.

    A table without triggers may have changed unseen (it is new to the feed, or a migration rebuilt
    it): its rows are noted anew.

    Returns:
        entities whose rows were noted.
    """
    from coachops.db.models import Base  # noqa: PLC0415 the migrations import this module, too

    there = _there(connection)
    bare: set[str] = set()
    kept: set[str] = set()
    if connection.dialect.name == "sqlite":
        for name, (table, statement) in sqlite.triggers(Base.metadata).items():
            kept.add(name)
            if there.get(name) == statement:
                continue
            if name not in there:
                bare.add(table)
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
            connection.exec_driver_sql(statement)
    else:
        for name, (table, trigger, function) in postgres.triggers(Base.metadata).items():
            kept.add(name)
            connection.exec_driver_sql(function)
            if name not in there:
                bare.add(table)
                connection.exec_driver_sql(trigger)
    _drop(connection, {name: text for name, text in there.items() if name not in kept})
    again = [entity for entity in TRACKED if source_tables(entity) & bare]
    for entity in again:
        relog(connection, entity)
    return again


def remove(connection: Connection) -> None:
    """Drop every trigger of the feed, of whatever version."""
    _drop(connection, _there(connection))


def relog(connection: Connection, entity: str) -> None:
    """Note every row of the entity as changed, so that followers read it again."""
    dialect = SQLITE if connection.dialect.name == "sqlite" else POSTGRES
    connection.exec_driver_sql(dialect.all_rows(entity))


def note_ended(connection: Connection, after: dt.date, until: dt.date) -> None:
    """Note for their coaches the clients of engagements that ended after a day, until another."""
    dialect = SQLITE if connection.dialect.name == "sqlite" else POSTGRES
    days = [f"m.ended_on > '{after.isoformat()}'", f"m.ended_on <= '{until.isoformat()}'"]
    for statement in dialect.around("m", [f"{PAIRS} m"], days):
        connection.exec_driver_sql(statement)


def _there(connection: Connection) -> dict[str, str]:
    """Name of each trigger -> its statement (SQLite) or its table (PostgreSQL)."""
    rows = connection.execute(sa.text(_TRIGGERS[connection.dialect.name]))
    return {row.name: row.made for row in rows}


def _drop(connection: Connection, triggers: dict[str, str]) -> None:
    for name, table in triggers.items():
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}")
            connection.exec_driver_sql(f"DROP FUNCTION {name}()")

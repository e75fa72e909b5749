"""The state of a PostgreSQL database in numbers, counted by the server itself.

A table's digest is made of two sums, over all rows, of 64-bit hashes of the row as text: no sorting,
no data over the wire, 100 MB in about a second, and any size in constant memory. A row that is
lost, doubled or changed changes the sums. It compares a database with its own restored copy on the
same major version, not with databases of other kinds.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from coachops.backup.model import AuditMark, Snapshot, TableState
from coachops.db.models import AuditEvent, Heartbeat

_TABLES = sa.text(
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND c.relpersistence = 'p' "
    "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2"
)
_SAME_TEXT = (  # the text of a row must not hang on settings of the server or the role
    "SET LOCAL search_path = pg_catalog",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO, MDY'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL statement_timeout = 0",  # a big table takes its time
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)

_SUMS = (
    "SELECT count(*), coalesce(sum(hashtextextended(line, 0)), 0), "
    "coalesce(sum(hashtextextended(line, 1)), 0) FROM ({source}) AS l"
)

Table = tuple[str, str]
"""Schema and name."""


def tables_of(connection: Connection) -> list[Table]:
    """Every table that a restore brings back: not temporary, not unlogged, not the system's own."""
    return [(schema, name) for schema, name in connection.execute(_TABLES)]


def quoted(connection: Connection, table: Table) -> str:
    """`"schema"."name"` for SQL."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    return ".".join(quote(part) for part in table)


def take(connection: Connection) -> Snapshot:
    """The state as `connection` sees it: its transaction must see one moment of all tables."""
    revision = MigrationContext.configure(connection).get_current_revision() or ""
    heartbeat = connection.scalar(sa.select(sa.func.max(Heartbeat.at)))
    end = connection.execute(
        sa.select(AuditEvent.seq, AuditEvent.hash)
        .where(AuditEvent.hash.is_not(None))
        .order_by(AuditEvent.seq.desc())
        .limit(1)
    ).first()
    for statement in _SAME_TEXT:
        connection.execute(sa.text(statement))
    return Snapshot(
        revision=revision,
        tables={
            name if schema == "public" else f"{schema}.{name}": _state(connection, (schema, name))
            for schema, name in tables_of(connection)
        },
        heartbeat=heartbeat,
        audit=None if end is None else AuditMark(seq=end[0], hash=str(end[1])),
    )


def _state(connection: Connection, table: Table) -> TableState:
    source = f"SELECT ROW(t.*)::text AS line FROM ONLY {quoted(connection, table)} AS t"  # noqa: S608 names come from the server's own catalogue, quoted
    row = connection.execute(sa.text(_SUMS.format(source=source))).one()
    rows, low, high = (int(value) for value in row)
    return TableState(rows=rows, digest=hashlib.sha256(f"{rows} {low} {high}".encode()).hexdigest())

"""The state of a database in numbers: rows and ordered digest of each table, heartbeat, audit end.

The digest of a table is the SHA-256 over its rows in the order of its primary key, each block of
1,000 rows as JSON in ASCII. It compares a database with its own copy (same kind, same schema), so
values are taken as the driver gives them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from coachops import audit
from coachops.backup.model import AuditMark, Snapshot, TableState
from coachops.core.errors import CoachError
from coachops.db.models import Heartbeat

_BLOCK = 1_000


def take(connection: Connection, *, schemas: Sequence[str | None] = (None,)) -> Snapshot:
    """The state as `connection` sees it: its transaction must see one moment of all tables.

    Parameters:
        schemas: of which the tables are taken; None is the default one.
    """
    return Snapshot(
        revision=MigrationContext.configure(connection).get_current_revision() or "",
        tables={
            name: state
            for schema in schemas
            for name, state in table_states(connection, schema).items()
        },
        heartbeat=connection.scalar(sa.select(sa.func.max(Heartbeat.at))),
        audit=_audit_end(connection),
    )


def table_states(connection: Connection, schema: str | None = None) -> dict[str, TableState]:
    """Rows and digest of every table of a schema."""
    found = {}
    inspector = sa.inspect(connection)
    for name in sorted(inspector.get_table_names(schema)):
        columns = [column["name"] for column in inspector.get_columns(name, schema)]
        key = inspector.get_pk_constraint(name, schema)["constrained_columns"] or columns
        found[f"{schema}.{name}" if schema else name] = _state(
            connection, name, schema, columns, key
        )
    return found


def _state(
    connection: Connection, name: str, schema: str | None, columns: list[str], key: Sequence[str]
) -> TableState:
    table = sa.table(name, *(sa.column(column) for column in columns), schema=schema)
    query = sa.select(*table.columns).order_by(*(table.columns[column] for column in key))
    digest, rows = hashlib.sha256(), 0
    digest.update(json.dumps(columns).encode())
    result = connection.execution_options(yield_per=_BLOCK).execute(query)
    for block in result.partitions(_BLOCK):
        rows += len(block)
        digest.update(_text([tuple(row) for row in block]))
    return TableState(rows=rows, digest=digest.hexdigest())


def _text(rows: list[tuple[Any, ...]]) -> bytes:
    return json.dumps(rows, ensure_ascii=True, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "x" + bytes(value).hex()
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat() if value.tzinfo else value.isoformat()
    return str(value)


def _audit_end(connection: Connection) -> AuditMark | None:
    """The end of the chain; a chain without one is `audit verify`'s finding, not a lost backup."""
    with Session(connection) as session:
        try:
            end = audit.head(session)
        except CoachError:
            return None
    return AuditMark(seq=end.seq, hash=end.hash)


def differences(expected: Mapping[str, TableState], found: Mapping[str, TableState]) -> list[str]:
    """What differs between two states, table by table; empty where all is equal."""
    problems = [f"table {name} is missing" for name in sorted(expected.keys() - found.keys())]
    problems += [f"table {name} is new" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        before, after = expected[name], found[name]
        if before.rows != after.rows:
            problems.append(f"table {name} has {after.rows} rows instead of {before.rows}")
        elif before.digest != after.digest:
            problems.append(f"table {name} has other content in {after.rows} rows")
    return problems

"""What is carried over from the database that a restore replaces: refusals given since the backup.

A restore forgets. Forgetting that somebody said no would mean to analyse, write to or let in whom one
must not; so each no that the old database still can tell is kept. A yes is not carried over.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

_STANDING = "lifted_at IS NULL"
_SET_NULL = {"suppressions": {"message_id", "lifted_by_user"}, "consents": {"recorded_by"}}
_MISSING = {
    "consents": "NOT o.granted AND o.client_id IN (SELECT id FROM main.clients)",
    "suppressions": (
        f"o.{_STANDING} AND NOT EXISTS (SELECT 1 FROM main.suppressions n WHERE n.{_STANDING} "  # noqa: S608 constants
        "AND n.address_hash = o.address_hash AND n.reason = o.reason)"
    ),
}
_ENDED = {"users": "disabled_at", "api_tokens": "revoked_at"}


@dataclass(frozen=True, slots=True)
class Carried:
    """How many refusals were carried over; `told` is False where the old database cannot tell."""

    consents: int = 0
    suppressions: int = 0
    users: int = 0
    api_tokens: int = 0
    told: bool = False


def carry_over(old: Path, fresh: Path) -> Carried:
    """Add to the restored database what was refused since, as far as `old` can be read."""
    with contextlib.closing(sqlite3.connect(fresh.resolve().as_uri(), uri=True)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        try:
            connection.execute("ATTACH ? AS old", (f"{old.resolve().as_uri()}?mode=ro",))
            with connection:
                counts = {name: _added(connection, name) for name in _MISSING}
                counts |= {name: _ended(connection, name, when) for name, when in _ENDED.items()}
        except sqlite3.DatabaseError:  # damaged, or of another version
            return Carried()
    return Carried(**counts, told=True)


def _added(connection: sqlite3.Connection, table: str) -> int:
    columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    there = {row[1] for row in connection.execute(f"PRAGMA old.table_info({table})")}
    if not there.issuperset(columns):
        raise sqlite3.DatabaseError(f"{table} is of another version")
    values = ", ".join("NULL" if each in _SET_NULL[table] else f"o.{each}" for each in columns)
    return connection.execute(
        f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {values} FROM old.{table} o "  # noqa: S608 constants
        f"WHERE o.id NOT IN (SELECT id FROM main.{table}) AND {_MISSING[table]}"
    ).rowcount


def _ended(connection: sqlite3.Connection, table: str, when: str) -> int:
    return connection.execute(
        f"UPDATE main.{table} SET {when} = (SELECT o.{when} FROM old.{table} o "  # noqa: S608 constants
        f"WHERE o.id = {table}.id) WHERE {when} IS NULL AND id IN "
        f"(SELECT id FROM old.{table} WHERE {when} IS NOT NULL)"
    ).rowcount

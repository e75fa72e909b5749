"""Databases that restores kept aside (`before-restore-…`): a client is erased from them, too.

One of another version of the schema is not touched: it is named, and a person removes it when it is
not needed any more.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.errors import CoachError
from coachops.db import Database, migrate
from coachops.db.engine import sqlite_file
from coachops.db.models import Client
from coachops.privacy import compacting, refused, rows
from coachops.privacy.folders import BEFORE_RESTORE
from coachops.privacy.traces import of_client


def databases(database: Database, home: Path) -> list[Path]:
    """The files, wherever they may lie: beside the database and in the home."""
    own = sqlite_file(database.engine)
    places = {home, *([own.resolve().parent] if own is not None else [])}
    names = {own.name if own is not None else "coachops.db", "coachops.db"}
    return sorted(
        path
        for place in places
        for folder in place.glob(f"{BEFORE_RESTORE}*")
        for name in names
        if (path := folder / name).is_file()
    )


def is_one(path: Path) -> bool:
    """Whether a path is such a database."""
    return path.parent.name.startswith(BEFORE_RESTORE)


def erase(
    database: Database, home: Path, client_id: uuid.UUID, address_hash: str | None
) -> list[str]:
    """Erase the client from all of them; returns those that could not be cleaned."""
    return [
        str(path)
        for path in databases(database, home)
        if not _erased_from(path, client_id, address_hash)
    ]


def _erased_from(path: Path, client_id: uuid.UUID, address_hash: str | None) -> bool:
    kept = Database(f"sqlite:///{path}")
    try:
        migrate.require_head(kept)
        _forget(kept, client_id, address_hash)
        clean = compacting.compact(kept)
    except (CoachError, sa.exc.SQLAlchemyError):  # of another version, damaged or held by somebody
        return False
    finally:
        kept.close()
    return clean


def _forget(database: Database, client_id: uuid.UUID, address_hash: str | None) -> None:
    """Delete the rows of a client who was erased elsewhere; nothing is remembered here."""

    def work(session: Session) -> None:
        client = session.get(Client, client_id)
        if client is not None:
            refused.clear(session, of_client(session, client))
        rows.delete(session, client_id, address_hash)

    database.run(work)

"""A restore brings back who was erased since; before anybody works with it, they are erased again.

What the backups' package calls, without knowing it: `Erasures` is handed to it by `bootstrap`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.engine import sqlite_file
from coachops.db.models import Client, Erasure
from coachops.privacy import compacting, folders, journal, refused, rows
from coachops.privacy.journal import Entry
from coachops.privacy.traces import of_client


class Erasures:
    """The erasures of one installation, as backups carry them and restores replay them.

    Parameters:
        home: of this installation.
        database: its own; None where it is lost.
    """

    def __init__(self, home: Path, database: Database | None) -> None:
        self._home = home
        self._database = database

    def journal(self) -> bytes:
        """Everything known here, by file and database, to lie beside the backups.

        Raises:
            CoachError: COACH-PRV-009.
        """
        entries = journal.read(self._home)
        if self._database is not None:
            with contextlib.suppress(CoachError, sqlite3.DatabaseError):
                entries += _of_database(self._database)
        merged = {each.client_id: each for each in entries}
        return "".join(merged[each].line() for each in sorted(merged)).encode()

    def replay(self, database: Database, brought: Path, into: Path, known: Sequence[bytes]) -> int:
        """Erase again in a restored database and in the files that came back with it.

        Parameters:
            database: restored, of this version's schema, used by nobody.
            brought: the files of the home that came back, not yet in place.
            into: the home that they will go to; its journal is brought up to date.
            known: journals of other places.

        Returns:
            how many clients had come back.

        Raises:
            CoachError: COACH-PRV-009 where a journal cannot be read; COACH-BKP-012 where what was
                erased could not be made unreadable.
        """
        entries = {each.client_id: each for each in journal.read(brought)}
        for text in known:
            entries |= {
                each.client_id: each for each in journal.parse(text.decode(), "the backups")
            }
        entries |= {each.client_id: each for each in journal.read(into)}
        back = sum(_erase_again(database, brought, entry) for entry in entries.values())
        if back and not compacting.compact(database):
            raise CoachError("COACH-BKP-012", backup="restored", reason="erased clients")
        journal.write(into, entries.values())
        return back


def _erase_again(database: Database, brought: Path, entry: Entry) -> bool:
    """Whether the client had come back."""
    with database.read() as session:
        client = session.get(Client, entry.client_id)
        traces = of_client(session, client) if client is not None else None
    if traces is not None:
        folders.remove(folders.find(brought, traces))

    def work(session: Session) -> bool:
        if traces is not None:
            refused.clear(session, traces)
            gone = rows.delete(session, entry.client_id, entry.address_hash)
            audit.record(
                session, SYSTEM, "client.erased", "client", entry.client_id,
                reason="restored", rows=sum(gone.values()),
            )  # fmt: skip
        if session.get(Erasure, entry.client_id) is None:
            session.add(
                Erasure(
                    client_id=entry.client_id, at=entry.at, reason=entry.reason,
                    born_at=entry.born_at, coach_ids=[str(each) for each in entry.coach_ids],
                    external_hash=entry.external_hash, email_hash=entry.email_hash,
                    address_hash=entry.address_hash, key_id=entry.key_id, counts={}, remaining=[],
                    finished_at=clock.now(),
                )
            )  # fmt: skip
        return traces is not None

    return database.run(work)


def _of_database(database: Database) -> Iterable[Entry]:
    """The erasures that a database knows; of a file without opening it for writing."""
    file = sqlite_file(database.engine)
    if file is None:
        with database.read() as session:
            return [Entry.of(row) for row in session.scalars(sa.select(Erasure))]
    query = (
        "SELECT client_id, at, reason, born_at, coach_ids, external_hash, email_hash, address_hash, "
        "key_id "
        "FROM erasures"
    )
    address = f"{file.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
        return [
            Entry(
                uuid.UUID(client), _instant(at), reason, _instant(born),
                tuple(uuid.UUID(each) for each in json.loads(coaches)), external, email, address, key,
            )
            for client, at, reason, born, coaches, external, email, address, key in (
                connection.execute(query)
            )
        ]  # fmt: skip


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).astimezone(clock.UTC)

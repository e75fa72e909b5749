"""Who was erased, in a file outside the database: a restore brings back rows, but not this file.

`privacy/erased.jsonl` of the home, one line for each erasure, ids and keyed hashes only. Each backup
carries it, and a copy lies beside the backups. A line is written right after the rows went; where a
crash came between, `sync` finds it in the database.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from coachops import files
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Erasure

FOLDER, NAME = "privacy", "erased.jsonl"


@dataclass(frozen=True, slots=True)
class Entry:
    """An erasure; see `Erasure`."""

    client_id: uuid.UUID
    at: dt.datetime
    reason: str
    born_at: dt.datetime
    coach_ids: tuple[uuid.UUID, ...]
    external_hash: str
    email_hash: str | None
    address_hash: str | None
    key_id: str

    @classmethod
    def of(cls, row: Erasure) -> Entry:
        """The entry of a row."""
        return cls(
            row.client_id, row.at, row.reason, row.born_at,
            tuple(uuid.UUID(each) for each in row.coach_ids),
            row.external_hash, row.email_hash, row.address_hash, row.key_id,
        )  # fmt: skip

    def line(self) -> str:
        """As it stands in the file."""
        document = {
            "client_id": str(self.client_id),
            "at": self.at.astimezone(clock.UTC).isoformat(),
            "reason": self.reason,
            "born_at": self.born_at.astimezone(clock.UTC).isoformat(),
            "coach_ids": [str(each) for each in self.coach_ids],
            "external_hash": self.external_hash,
            "email_hash": self.email_hash,
            "address_hash": self.address_hash,
            "key_id": self.key_id,
        }
        return json.dumps(document, sort_keys=True) + "\n"


def path_of(home: Path) -> Path:
    """Where the journal of a home lies."""
    return home / FOLDER / NAME


def parse(text: str, where: str) -> list[Entry]:
    """The entries of a journal; the last line may be cut, since a crash can do that.

    Raises:
        CoachError: COACH-PRV-009 where another line cannot be read.
    """
    entries = []
    lines = text.split("\n")
    for line in lines[:-1]:
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise CoachError("COACH-PRV-009", path=where) from error
    return entries


def read(home: Path) -> list[Entry]:
    """The journal of a home; empty where there is none.

    Raises:
        CoachError: COACH-PRV-009.
    """
    path = path_of(home)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise CoachError("COACH-PRV-009", path=path) from error
    return parse(text, str(path))


def write(home: Path, entries: Iterable[Entry]) -> str:
    """Write these and those that are there already, whole or not at all; returns the text.

    Raises:
        CoachError: COACH-PRV-009.
    """
    merged = {each.client_id: each for each in (*read(home), *entries)}
    ordered = sorted(merged.values(), key=lambda each: (each.at, each.client_id))
    text = "".join(each.line() for each in ordered)
    path = path_of(home)
    if ordered and (not path.exists() or path.read_text(encoding="utf-8") != text):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        files.replace(path, text)
    return text


def sync(database: Database, home: Path) -> str:
    """Bring the journal in step with the database; returns its text.

    Raises:
        CoachError: COACH-PRV-009, COACH-DB-….
    """
    with database.read() as session:
        entries = [Entry.of(row) for row in session.scalars(sa.select(Erasure))]
    return write(home, entries)


def _entry(read_line: dict[str, Any]) -> Entry:
    return Entry(
        client_id=uuid.UUID(read_line["client_id"]),
        at=dt.datetime.fromisoformat(read_line["at"]),
        reason=str(read_line["reason"]),
        born_at=dt.datetime.fromisoformat(read_line["born_at"]),
        coach_ids=tuple(uuid.UUID(each) for each in read_line["coach_ids"]),
        external_hash=str(read_line["external_hash"]),
        email_hash=read_line["email_hash"],
        address_hash=read_line["address_hash"],
        key_id=str(read_line["key_id"]),
    )

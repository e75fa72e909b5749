"""Erasing a client from everything this installation holds (Art. 17 GDPR).

The order makes a crash harmless: files first (while it is known by what they are found), then all
rows in one transaction together with the row that remembers the erasure, then the journal, then the
database's own files. A crash before the transaction leaves a client who is erased by asking again; one
after it leaves work that the daily run finds (`finish`).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit, webhooks
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import Grant
from coachops.db import Database, erasures
from coachops.db.models import Client, Erasure, Message
from coachops.privacy import compacting, folders, holds, issued, journal, older, refused, rows
from coachops.privacy.folders import HeldFile
from coachops.privacy.issued import Issued, IssuedExports
from coachops.privacy.traces import Traces, of_client

DATABASE = "database"
"""In `remaining`: the database's own files are still to be written anew."""
_ON_ITS_WAY = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Held:
    """What is held of a client.

    Attributes:
        rows: by table.
        files: those that name the client, but exports.
        exports: that may hold the client.
        older: databases kept by restores.
        on_hold: whether a legal hold stands.
    """

    client_id: uuid.UUID
    rows: dict[str, int]
    files: tuple[HeldFile, ...]
    exports: tuple[Issued, ...]
    older: tuple[Path, ...]
    on_hold: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did.

    Attributes:
        rows: deleted, by table.
        files: removed, by place.
        exports: that may hold the client: whoever was given one must be told.
        remaining: what could not be cleaned yet; the daily run tries again.
    """

    client_id: uuid.UUID
    at: dt.datetime
    rows: dict[str, int]
    files: dict[str, int]
    exports: tuple[Issued, ...]
    remaining: tuple[str, ...]


def look(database: Database, home: Path, client_id: uuid.UUID, exports: IssuedExports) -> Held:
    """What is held of a client; nothing is changed.

    Raises:
        CoachError: COACH-CCH-001.
    """
    with database.read() as session:
        traces = of_client(session, _client(session, client_id))
        found = rows.count(session, client_id)
        unread = len(refused.find(session, traces))
        on_hold = session.scalar(sa.select(sa.literal(client_id).in_(holds.standing())))
    if unread:
        found["quarantine"] = found.get("quarantine", 0) + unread
    return Held(
        client_id, found, tuple(folders.find(home, traces)),
        tuple(issued.concerned(exports, traces)), tuple(older.databases(database, home)),
        bool(on_hold),
    )  # fmt: skip


def erase(
    database: Database,
    actor: Actor,
    home: Path,
    client_id: uuid.UUID,
    reason: str,
    exports: IssuedExports,
    address_hash: str | None = None,
) -> Erased:
    """Erase a client.

    Parameters:
        reason: one of `ERASURE_REASONS`.
        address_hash: of the client's address in the list of those never written to.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin; COACH-CCH-001; COACH-PRV-001 a legal
            hold, COACH-PRV-002 a letter on its way: then nothing was erased; COACH-PRV-009.
    """
    actor.require_role("admin", what="erasing a client")
    with database.read() as session:
        traces = of_client(session, _client(session, client_id))
        _require_allowed(session, client_id)
    copies = issued.concerned(exports, traces)
    removed = [*folders.find(home, traces), *_copies(copies), *folders.abandoned(home)]
    remaining = folders.remove(removed)
    key = erasures.key_of(database)

    def work(session: Session) -> dict[str, int]:
        session.get(Client, client_id, with_for_update=True)  # no row about them is added now
        _require_allowed(session, client_id)
        gone = erase_rows(session, actor, traces, reason, key, address_hash)
        webhooks.emit(
            session,
            "client.erased",
            {"client_id": client_id, "exports": len(copies)},
            key=f"client.erased/{client_id}",
            # of nobody's client no limit to coaches lets anything through
            about=Grant(frozenset(), frozenset(traces.coach_ids) or None, frozenset({client_id})),
        )
        return gone

    gone, erased_at = database.run(work), clock.now()
    known = {each.export_id for each in copies}
    late = [
        each
        for each in issued.concerned(exports, traces)
        if each.export_id not in known and each.made_at <= erased_at
    ]
    copies = sorted([*late, *copies], key=lambda each: each.made_at, reverse=True)
    again = [*folders.find(home, traces), *_copies(late)]  # what was written meanwhile
    remaining += folders.remove(again)
    journal.sync(database, home)
    remaining += older.erase(database, home, client_id, address_hash)
    if not compacting.compact(database):
        remaining.append(DATABASE)
    at = _remember(database, client_id, remaining)
    counts: dict[str, int] = {}
    for each in (*removed, *again):
        counts[each.place] = counts.get(each.place, 0) + 1
    return Erased(client_id, at, gone, counts, tuple(copies), tuple(remaining))


def erase_rows(
    session: Session,
    actor: Actor,
    traces: Traces,
    reason: str,
    key: bytes,
    address_hash: str | None = None,
) -> dict[str, int]:
    """Delete the rows and remember it, in one transaction; returns how many, by table."""
    gone = rows.delete(session, traces.client_id, address_hash)
    if unread := refused.clear(session, traces):
        gone["quarantine"] = gone.get("quarantine", 0) + unread
    session.add(
        Erasure(
            client_id=traces.client_id, at=clock.now(), reason=reason, erased_by=actor.user_id,
            born_at=traces.born_at, coach_ids=[str(each) for each in traces.coach_ids],
            external_hash=erasures.hash_of(key, "external", traces.external_id),
            email_hash=erasures.hash_of(key, "email", traces.email) if traces.email else None,
            address_hash=address_hash, key_id=erasures.key_id(key), counts=gone, remaining=[DATABASE],
        )
    )  # fmt: skip
    audit.record(
        session, actor, "client.erased", "client", traces.client_id,
        reason=reason, rows=sum(gone.values()),
    )  # fmt: skip
    session.flush()
    return gone


def finish(database: Database, home: Path) -> list[str]:
    """Do what erasures could not do at once, and remove exports that were under way then.

    Returns:
        what still could not be done.

    Raises:
        CoachError: COACH-PRV-009, COACH-DB-….
    """
    journal.sync(database, home)
    entries = journal.read(home)
    late = [
        each
        for each in issued.of_folder(home / folders.EXPORTS)
        if any(
            each.made_at < entry.at and each.holds(entry.client_id, entry.coach_ids, entry.born_at)
            for entry in entries
        )
    ]
    left = folders.remove([*_copies(late), *folders.abandoned(home)])
    issued.note_removed(database, late)
    with database.read() as session:
        open_ones = session.execute(
            sa.select(Erasure.client_id, Erasure.address_hash, Erasure.remaining).where(
                Erasure.finished_at.is_(None)
            )
        ).all()
    if not open_ones:
        return left
    compacted = compacting.compact(database)
    for client_id, address_hash, remaining in open_ones:
        still = older.erase(database, home, client_id, address_hash)
        known = [Path(each) for each in remaining if each != DATABASE]
        still += folders.remove(HeldFile("", path) for path in known if not older.is_one(path))
        still += [] if compacted else [DATABASE]
        _remember(database, client_id, still)
        left += still
    return sorted(set(left))


def readmit(database: Database, actor: Actor, client_id: uuid.UUID) -> None:
    """Let the same external id and address come again, as another client.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin; COACH-PRV-006 where nobody was erased.
    """
    actor.require_role("admin", what="taking in a client who was erased")

    def work(session: Session) -> None:
        row = session.get(Erasure, client_id, with_for_update=True)
        if row is None or row.readmitted_at is not None:
            raise CoachError("COACH-PRV-006", what="erased client", ref=client_id)
        row.readmitted_at, row.readmitted_by = clock.now(), actor.user_id
        audit.record(session, actor, "client.readmitted", "client", client_id)

    database.run(work)


def list_erased(database: Database, actor: Actor) -> list[Erasure]:
    """Who was erased, the newest first.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin.
    """
    actor.require_role("admin", what="the list of erased clients")
    with database.read() as session:
        found = session.scalars(sa.select(Erasure).order_by(Erasure.at.desc())).all()
        session.expunge_all()
        return list(found)


def by_external_id(database: Database, ref: str) -> uuid.UUID | None:
    """The id of the erased client whose external id or address this is."""
    key = erasures.key_of(database)
    matches = sa.or_(
        Erasure.external_hash == erasures.hash_of(key, "external", ref),
        Erasure.email_hash == erasures.hash_of(key, "email", ref),
    )
    with database.read() as session:
        return session.scalar(
            sa.select(Erasure.client_id)
            .where(matches, Erasure.readmitted_at.is_(None))
            .order_by(Erasure.at.desc())
            .limit(1)
        )


def _client(session: Session, client_id: uuid.UUID) -> Client:
    client = session.get(Client, client_id)
    if client is None:
        raise CoachError("COACH-CCH-001", what="client", ref=client_id)
    return client


def _require_allowed(session: Session, client_id: uuid.UUID) -> None:
    holds.require_none(session, client_id)
    sending = sa.select(Message.id).where(
        Message.client_id == client_id,
        Message.state == "sending",
        Message.sending_at > clock.now() - _ON_ITS_WAY,
    )
    if session.scalar(sending.limit(1)) is not None:
        raise CoachError("COACH-PRV-002")


def _copies(exports: Sequence[Issued]) -> list[HeldFile]:
    return [HeldFile("exports", each.folder) for each in exports if each.folder is not None]


def _remember(database: Database, client_id: uuid.UUID, remaining: Sequence[str]) -> dt.datetime:
    """Write what is left; returns when the client was erased."""

    def work(session: Session) -> dt.datetime:
        row = session.get_one(Erasure, client_id)
        row.remaining = sorted(set(remaining))
        row.finished_at = None if remaining else clock.now()
        return row.at

    return database.run(work)

"""One row of another system: created or updated by external id, as often as it is sent.

A write is refused, not merged, where the row was changed here since this source last wrote it: the
error names the fields and both versions. The source then forces it (`overwrite`, or the version it
has seen as `if_match`), or takes over what stands here.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching.directory import checks, writing
from coachops.coaching.directory.covering import Writer, covers, require_dataset
from coachops.coaching.directory.model import TABLES, Inbound, KindName, Row
from coachops.coaching.directory.reading import Seen, digest, see
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db import Database, erasures
from coachops.db.models import CoachingSession, InboundRow

Status = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a write.

    Attributes:
        if_match: versions, one of which the row must have; `*` stands for any. None: no condition.
        only_new: the row must not be there yet.
        overwrite: changes made here since may be lost.
    """

    if_match: frozenset[str] | None = None
    only_new: bool = False
    overwrite: bool = False

    def check(self, kind: KindName, now: Seen | None) -> None:
        """Raise COACH-INB-002 where it does not hold."""
        if now is not None and self.only_new:
            raise CoachError(
                "COACH-INB-002", what=kind, reason="it is there already", version=now.version
            )
        if self.if_match is None or ("*" in self.if_match and now is not None):
            return
        if now is None:
            raise CoachError("COACH-INB-002", what=kind, reason="it is not there")
        if now.version not in self.if_match:
            raise CoachError(
                "COACH-INB-002", what=kind, reason="it has another version", version=now.version
            )

    @property
    def forces(self) -> bool:
        """Whether the source has said that it knows what stands here."""
        return self.overwrite or bool(self.if_match and "*" not in self.if_match)


ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did, and the row afterwards."""

    status: Status
    row: Seen


def put(
    database: Database,
    writer: Writer,
    external_id: str,
    body: Inbound,
    condition: Condition = ALWAYS,
) -> Written:
    """Create or update the row of `external_id`; safe to repeat.

    Raises:
        CoachError: COACH-IDN-003 for the wrong role, COACH-IDN-016 or COACH-CCH-001 outside of what
            the caller may see, COACH-INB-001 changed here since, COACH-INB-002 a condition does not
            hold, COACH-INB-003 an unknown coach, client or engagement, COACH-INB-004 a value that
            cannot be, COACH-INB-005 what belongs to another row or never changes, COACH-PRV-003 a
            client who was erased.
    """
    today = database.today()
    return database.run(
        lambda session: put_in(session, writer, external_id, body, condition, today)
    )


def put_in(
    session: Session,
    writer: Writer,
    external_id: str,
    body: Inbound,
    condition: Condition,
    today: dt.date,
) -> Written:
    """`put` as part of a transaction."""
    checks.require_role(writer, body.kind)
    require_dataset(writer, body.kind)
    row = _open(session, body.kind, external_id)
    now = None if row is None else see(session, row)
    if row is not None and not covers(session, writer, row, today):
        raise writer.outside(body.kind, external_id)
    if row is None:
        checks.may_create(writer, body.kind, external_id)
    parents = checks.parents_of(session, writer, body, today)
    condition.check(body.kind, now)
    said = body.said()
    if row is None or now is None:
        return _create(session, writer, external_id, body, parents, condition, today)
    changed = {name: value for name, value in said.items() if now.values[name] != value}
    kept = session.get(InboundRow, (row.id, writer.source))
    if not condition.forces:
        _refuse_changed_here(writer, now, kept, changed)
    if changed:
        checks.require_possible(
            session, writer, external_id, row, body, changed, condition.overwrite
        )
        writing.set_values(row, **_columns(changed, parents))
        session.flush()
        now = see(session, row)
        audit.record(
            session, writer.actor, f"{body.kind}.updated", body.kind, row.id,
            fields=" ".join(sorted(changed)), forced=condition.forces,
        )  # fmt: skip
    _remember(session, writer, now, said, kept)
    return Written("updated" if changed else "unchanged", now)


def get(database: Database, writer: Writer, kind: KindName, external_id: str) -> Seen:
    """The row of `external_id`.

    Raises:
        CoachError: COACH-CCH-001 where there is none that the caller may see; COACH-IDN-016.
    """
    require_dataset(writer, kind)
    with database.read() as session:
        row = writing.find(session, TABLES[kind], external_id)
        if row is None or not covers(session, writer, row, database.today()):
            raise CoachError("COACH-CCH-001", what=kind, ref=external_id)
        return see(session, row)


def cancel_session(
    database: Database, writer: Writer, external_id: str, condition: Condition = ALWAYS
) -> None:
    """Delete a session that did not take place: nothing may hang on it.

    Raises:
        CoachError: COACH-CCH-001 not there; COACH-INB-006 it has a transcript, a next step, a letter,
            an answer or a rating; COACH-INB-001, COACH-INB-002 as `put`; COACH-IDN-003.
    """

    def work(session: Session) -> None:
        checks.require_role(writer, "session")
        require_dataset(writer, "session")
        meeting = writing.find(session, CoachingSession, external_id, lock=True)
        if meeting is None or not covers(session, writer, meeting, database.today()):
            raise CoachError("COACH-CCH-001", what="session", ref=external_id)
        if not writer.actor.may_change(meeting.coach_id):
            raise CoachError("COACH-IDN-003", what="changing data of clients")
        left = checks.left_behind(session, meeting.id)
        if left is not None:
            raise CoachError("COACH-INB-006", ref=external_id, what=left)
        now = see(session, meeting)
        condition.check("session", now)
        kept = session.get(InboundRow, (meeting.id, writer.source))
        if not condition.forces:
            known = now.values if kept is None else kept.digests
            _refuse_changed_here(writer, now, kept, known)
        session.execute(sa.delete(InboundRow).where(InboundRow.row_id == meeting.id))
        session.delete(meeting)
        audit.record(session, writer.actor, "session.cancelled", "session", meeting.id)

    database.run(work)


def _open(session: Session, kind: KindName, external_id: str) -> Row | None:
    return writing.find(session, TABLES[kind], external_id, lock=True)


def _create(
    session: Session,
    writer: Writer,
    external_id: str,
    body: Inbound,
    parents: Mapping[str, uuid.UUID],
    condition: Condition,
    today: dt.date,
) -> Written:
    said = body.said()
    checks.require_possible(session, writer, external_id, None, body, said, condition.overwrite)
    if body.kind == "client":
        erasures.require_new(session, writer.erasures, external_id, said.get("email"))
    row = TABLES[body.kind](id=ids.new_id(), external_id=external_id, **_columns(said, parents))
    try:
        added = writing.add(session, row)
    except sa.exc.IntegrityError:  # an e-mail that another writer took at the same moment
        raise checks.taken("email", "another coach has it already") from None
    if not added:  # another request created it at the same moment: this one is an update now
        return put_in(session, writer, external_id, body, condition, today)
    now = see(session, row)
    audit.record(session, writer.actor, f"{body.kind}.created", body.kind, row.id)
    _remember(session, writer, now, now.values, None)
    return Written("created", now)


def _columns(said: Mapping[str, Any], parents: Mapping[str, uuid.UUID]) -> dict[str, Any]:
    """Fields as columns: people named by external id become ids."""
    named = {
        name: value for name, value in said.items() if name not in {"coach", "client", "engagement"}
    }
    if said.keys() & {"coach", "client", "engagement"}:
        named |= parents
    return named


def _refuse_changed_here(
    writer: Writer, now: Seen, kept: InboundRow | None, changed: Mapping[str, object]
) -> None:
    digests = {} if kept is None else kept.digests
    fields = [
        name
        for name in changed
        if digests.get(name) != digest(writer.secret, now.id, name, now.values[name])
    ]
    if fields:
        raise CoachError(
            "COACH-INB-001", what=now.kind, ref=now.external_id, names=", ".join(fields),
            fields=fields, version=now.version,
            last_version=None if kept is None else kept.version,
        )  # fmt: skip


def _remember(
    session: Session, writer: Writer, now: Seen, said: Mapping[str, Any], kept: InboundRow | None
) -> None:
    """Keep the digests of what the source said, and of what it found the first time.

    Nothing is written where they are kept already.
    """
    known = {} if kept is None else kept.digests
    digests = {
        name: digest(writer.secret, now.id, name, value)
        for name, value in now.values.items()
        if name in said or name not in known
    }
    if kept is None:
        session.add(
            InboundRow(
                row_id=now.id, source=writer.source, kind=now.kind, digests=digests,
                version=now.version, written_at=clock.now(),
            )
        )  # fmt: skip
        session.flush()
    elif kept.version != now.version or not digests.items() <= kept.digests.items():
        kept.digests = kept.digests | digests
        kept.version, kept.written_at = now.version, clock.now()

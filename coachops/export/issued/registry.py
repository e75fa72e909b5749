"""The record of exports: who asked for what, how far it is, where it lies, until when.

States: queued -> running -> ready -> expired; failed and cancelled are ends, too (a failed one may run
again). Each change names the state it expects, so of two processes one wins.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from coachops import audit
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db.models import IssuedExport, User
from coachops.export.datasets import DATASETS
from coachops.export.issued.making import Making, clients_of, forget_parts, insert_into
from coachops.export.issued.model import OPEN, Issued, Owner, issued_of
from coachops.export.issued.request import ExportRequest


class Registry(Making):
    """The record of exports in a database."""

    def create(
        self,
        owner: Owner,
        request: ExportRequest,
        *,
        place: str,
        key: str = "",
        managed: bool = True,
        keep_days: int | None = None,
        idempotency_key: str | None = None,
        state: str = "queued",
        most: int = 0,
    ) -> tuple[Issued, bool]:
        """Write an export down, before anything of it is made; with whether it is new.

        Parameters:
            place: where its folder goes, unless `managed`: then the folder itself is told by `key`.
            idempotency_key: the caller's; the same one again is the same export.
            state: `running` where the caller makes it itself, without a job.
            most: exports that the owner may have open with this one; 0: any number.

        Raises:
            CoachError: COACH-EXP-053 where they are too many; COACH-EXP-042 where the key belongs to another request; COACH-EXP-003 where
                another export goes to the same place at this moment.
        """
        export_id, now = ids.new_id(), clock.now()
        name = key or f"{now:%Y-%m-%dT%H%M%SZ}-{export_id.hex[-8:]}"
        hashed = hashlib.sha256(idempotency_key.encode()).hexdigest() if idempotency_key else None
        values: dict[str, Any] = {
            "id": export_id,
            "created_at": now,
            "made_at": now,
            "key": name,
            "state": state,
            "owner": owner.name,
            "requested_by": owner.actor.user_id,
            "request": request.to_dict(),
            "datasets": list(request.datasets or DATASETS),
            "formats": list(request.formats),
            "privacy": request.privacy,
            "place": f"{place}/{name}" if managed else place,
            "managed": managed,
            "expires_at": now + dt.timedelta(days=keep_days) if keep_days else None,
            "started_at": now if state == "running" else None,
            "idempotency_key_hash": hashed,
            "request_digest": request.digest,
            "run": 0 if state == "running" else 1,
        }

        def work(session: Session) -> tuple[IssuedExport, bool]:
            values["client_ids"] = clients_of(session, request)
            _alone(session, owner, most)
            if not managed:
                _require_unused(session, owner, place, hashed)
            inserted = session.execute(
                insert_into(session, IssuedExport)
                .values(**values)
                .on_conflict_do_nothing()
                .returning(IssuedExport.id)
            ).first()
            if inserted is None:
                return _same(session, owner, name, hashed, request), False
            _require_room(session, owner, most)
            audit.record(
                session, owner.actor, "export.requested", "export", export_id,
                datasets=len(values["datasets"]), privacy=request.privacy,
                clients=None if values["client_ids"] is None else len(values["client_ids"]),
            )  # fmt: skip
            return session.get_one(IssuedExport, export_id), True

        row, new = self._database.run(work)
        return issued_of(row, owner.actor.name if owner.actor.user_id else None), new

    def get(self, owner: Owner, ref: str) -> Issued:
        """An export by its id or key.

        Raises:
            CoachError: COACH-EXP-040, also where it is somebody else's.
        """
        with self._database.read() as session:
            query = _visible(owner).where(_named(ref))
            found = session.execute(query).one_or_none()
        if found is None:
            raise CoachError("COACH-EXP-040", ref=ref)
        return issued_of(found[0], found[1])

    def page(
        self, owner: Owner, *, before: uuid.UUID | None = None, limit: int = 50
    ) -> list[Issued]:
        """Exports, the newest first.

        Parameters:
            before: the last one of the page before.
        """
        query = _visible(owner).order_by(IssuedExport.id.desc()).limit(limit)
        if before is not None:
            query = query.where(IssuedExport.id < before)
        with self._database.read() as session:
            return [issued_of(found[0], found[1]) for found in session.execute(query)]

    # ending

    def again(self, owner: Owner, ref: str, most: int = 0) -> Issued:
        """One that failed waits for a worker again; what is written of it is kept, for its time anew.

        Where that was removed meanwhile (see `deleted`), everything is written again.

        Raises:
            CoachError: COACH-EXP-040; COACH-EXP-041 where it has not failed; COACH-EXP-053 as `create`.
        """
        found = self.get(owner, ref)

        def work(session: Session) -> None:
            _alone(session, owner, most)
            row = session.get_one(IssuedExport, found.id, with_for_update=True)
            if row.state != "failed" or row.run == 0:
                raise CoachError("COACH-EXP-041", ref=ref, action="started again", state=row.state)
            now = clock.now()
            if (
                row.files_deleted_at is None
                and row.expires_at is not None
                and row.expires_at <= now
            ):
                row.expires_at = now + (row.expires_at - row.made_at)
            row.state, row.run = "queued", row.run + 1
            row.error_code = row.error_details = row.finished_at = None
            session.flush()
            _require_room(session, owner, most)
            audit.record(session, owner.actor, "export.requested", "export", found.id, run=row.run)

        self._database.run(work)
        return self.get(owner, str(found.id))

    def cancel(self, owner: Owner, ref: str) -> Issued:
        """Nobody works on it any more; who does, finds out soon.

        Raises:
            CoachError: COACH-EXP-040; COACH-EXP-041 where it has ended.
        """
        found = self.get(owner, ref)

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, found.id, with_for_update=True)
            if row.state not in {*OPEN, "failed"}:
                raise CoachError("COACH-EXP-041", ref=ref, action="cancelled", state=row.state)
            row.state, row.token, row.finished_at = "cancelled", None, clock.now()
            audit.record(session, owner.actor, "export.cancelled", "export", found.id)

        self._database.run(work)
        return self.get(owner, str(found.id))

    def expire(self, owner: Owner, export_id: uuid.UUID) -> None:
        """Its files are not given out any more; they are deleted next."""

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.state == "ready":
                row.state = "expired"
                audit.record(session, owner.actor, "export.expired", "export", export_id)

        self._database.run(work)

    def deleted(self, export_id: uuid.UUID) -> None:
        """Nothing of it lies at its place any more."""

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.state in OPEN:  # somebody began it again
                return
            row.files_deleted_at = row.files_deleted_at or clock.now()
            if row.state == "failed":
                forget_parts(session, row)

        self._database.run(work)

    def due_for_discard(
        self, *, kept: dt.timedelta, tried: dt.timedelta, limit: int = 20
    ) -> list[Issued]:
        """Exports at chosen places that ended without files, where something half may lie yet.

        Parameters:
            kept: how long what can be started again keeps what is written of it.
            tried: how long after that the place is asked.
        """
        now, row, other = clock.now(), IssuedExport, aliased(IssuedExport)
        begun = sa.select(other.id).where(other.place == row.place, other.state.in_(OPEN))
        query = (
            _visible(_SUITE)
            .where(
                ~row.managed,
                ~begun.exists(),  # another one is about to appear there: it comes first
                row.files_deleted_at.is_(None),
                row.finished_at > now - kept - tried,
                sa.or_(
                    sa.and_(row.state == "failed", row.run > 0, row.finished_at <= now - kept),
                    sa.and_(row.state == "failed", row.run == 0),  # none goes on with a command's
                    row.state == "cancelled",
                ),
            )
            .order_by(sa.func.random())  # one that never works must not stand before the others
            .limit(limit)
        )
        with self._database.read() as session:
            return [issued_of(found[0], found[1]) for found in session.execute(query)]

    def due_for_deletion(self, limit: int = 100, *, expiring: bool = True) -> list[Issued]:
        """Exports of ours whose time is over, or that nobody wants, and whose files may be there.

        Parameters:
            expiring: False leaves those that only time has ended.
        """
        now = clock.now()
        query = (
            _visible(_SUITE)
            .where(
                IssuedExport.managed,
                IssuedExport.files_deleted_at.is_(None),
                sa.or_(
                    IssuedExport.state.in_(("expired", "cancelled")),
                    sa.and_(
                        sa.literal(expiring),
                        IssuedExport.state.in_(("ready", "failed")),
                        IssuedExport.expires_at <= now,
                    ),
                ),
            )
            .order_by(sa.func.random())  # as above
            .limit(limit)
        )
        with self._database.read() as session:
            return [issued_of(found[0], found[1]) for found in session.execute(query)]

    def unfinished(self, before: dt.datetime) -> list[Issued]:
        """Exports of jobs that were asked for before an instant and have not ended."""
        query = (
            _visible(_SUITE)
            .where(IssuedExport.state.in_(OPEN), IssuedExport.made_at <= before)
            .order_by(IssuedExport.id)
            .limit(100)
        )
        with self._database.read() as session:
            return [issued_of(found[0], found[1]) for found in session.execute(query)]

    def downloaded(self, owner: Owner, export_id: uuid.UUID, name: str) -> None:
        """Write down who took which file."""
        self._database.run(
            lambda session: audit.record(
                session, owner.actor, "export.downloaded", "export", export_id, file=name
            )
        )


_SUITE = Owner("system", SYSTEM)

_LOOK_AGAIN = 30
"""Seconds after which somebody who has too many open exports may ask again."""


def _visible(owner: Owner) -> sa.Select[IssuedExport, str]:
    query = sa.select(IssuedExport, User.name).outerjoin(User, User.id == IssuedExport.requested_by)
    return query if owner.sees_all else query.where(IssuedExport.owner == owner.name)


def _named(ref: str) -> sa.ColumnElement[bool]:
    identifier = ids.parse_id(ref)
    return IssuedExport.key == ref if identifier is None else IssuedExport.id == identifier


def _same(
    session: Session, owner: Owner, key: str, hashed: str | None, request: ExportRequest
) -> IssuedExport:
    """The export that is there already. Raises COACH-EXP-042 where it is another one."""
    matches = IssuedExport.key == key
    if hashed is not None:
        matches = sa.or_(
            matches,
            sa.and_(IssuedExport.owner == owner.name, IssuedExport.idempotency_key_hash == hashed),
        )
    row = session.scalars(sa.select(IssuedExport).where(matches)).one()
    if row.request_digest != request.digest:
        raise CoachError("COACH-EXP-042")
    return row


def _alone(session: Session, owner: Owner, most: int) -> None:
    """Of several kick-offs of one owner at once, each counts those before it."""
    if most and owner.actor.user_id is not None:
        user = sa.select(User.id).where(User.id == owner.actor.user_id)
        session.execute(user.with_for_update(key_share=True))


def _require_room(session: Session, owner: Owner, most: int) -> None:
    """Refuse one more than the owner may have open, this one counted in."""
    if not most:
        return
    mine = sa.select(sa.func.count()).where(
        IssuedExport.owner == owner.name, IssuedExport.state.in_(OPEN)
    )
    if (session.scalar(mine) or 0) > most:
        raise CoachError("COACH-EXP-053", limit=most, retry_after=_LOOK_AGAIN)


def _require_unused(session: Session, owner: Owner, place: str, hashed: str | None) -> None:
    """Refuse a place where a job makes another export: only one of them could be published."""
    other = sa.select(IssuedExport.id).where(
        IssuedExport.place == place, IssuedExport.state.in_(OPEN), IssuedExport.run > 0
    )
    if hashed is not None:  # the same one again
        same = sa.and_(
            IssuedExport.owner == owner.name, IssuedExport.idempotency_key_hash == hashed
        )
        other = other.where(~sa.func.coalesce(same, sa.false()))
    if session.scalar(other.limit(1)) is not None:
        raise CoachError("COACH-EXP-003", path=place)

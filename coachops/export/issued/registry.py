"""The record of exports: who asked for what, how far it is, where it lies, until when.

States: queued -> running -> ready -> expired; failed and cancelled are ends, too (a failed one may run
again). Each change names the state it expects, so of two processes one wins.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CATALOGUE, CoachError
from coachops.db import Database
from coachops.db.models import Engagement, IssuedExport, IssuedExportPart, User
from coachops.export.datasets import DATASETS
from coachops.export.issued.request import ExportRequest
from coachops.export.plan import PartResult, Plan
from coachops.telemetry import record_activity

OPEN = ("queued", "running")
"""States in which somebody works on it, or will."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose exports they are: a user's, a token's or the suite's.

    A token sees its own only, whoever it acts for: its grant may be narrower than the user's.
    """

    name: str
    actor: Actor

    @classmethod
    def of(cls, actor: Actor, token_id: object = None) -> Owner:
        """The owner behind a call.

        Parameters:
            token_id: of the bearer token, where one was used.
        """
        if token_id is not None:
            return cls(f"token:{token_id}", actor)
        return cls(f"user:{actor.user_id}" if actor.user_id else "system", actor)

    @property
    def sees_all(self) -> bool:
        """Whether exports of others are shown, too."""
        return self.actor.role == "admin" and not self.name.startswith("token:")


@dataclass(frozen=True, slots=True)
class Issued:
    """An export as surfaces show it.

    Attributes:
        requested_by: name of the user; None for the suite itself.
        run: of its job; 0 where it has none, because a command makes it itself.
        rows, bytes, parts_done: of what is written so far.
        eta_seconds: how long it takes yet, by the rows so far; None where nothing tells.
        files: all files with path, bytes and sha256, once it is ready.
    """

    id: uuid.UUID
    key: str
    state: str
    owner: str
    requested_by_id: uuid.UUID | None
    requested_by: str | None
    request: ExportRequest
    datasets: tuple[str, ...]
    formats: tuple[str, ...]
    privacy: str
    place: str
    managed: bool
    run: int
    made_at: dt.datetime
    started_at: dt.datetime | None
    snapshot_at: dt.datetime | None
    finished_at: dt.datetime | None
    expires_at: dt.datetime | None
    files_deleted_at: dt.datetime | None
    rows: int
    rows_expected: int
    bytes: int
    parts: int
    parts_done: int
    eta_seconds: float | None
    error: CoachError | None
    files: tuple[dict[str, Any], ...]

    @property
    def open(self) -> bool:
        """Whether it is still being made."""
        return self.state in OPEN

    @property
    def gone(self) -> bool:
        """Whether the files are not given out any more."""
        over = self.expires_at is not None and self.expires_at <= clock.now()
        return self.state in {"expired", "cancelled"} or (self.state == "ready" and over)

    def file(self, name: str) -> dict[str, Any]:
        """The file of that path.

        Raises:
            CoachError: COACH-EXP-044 where the files are gone, COACH-EXP-041 where there are none
                yet, COACH-EXP-045.
        """
        if self.gone:
            raise CoachError("COACH-EXP-044", ref=self.id)
        if self.state != "ready":
            raise CoachError("COACH-EXP-041", ref=self.id, action="downloaded", state=self.state)
        for entry in self.files:
            if entry["path"] == name:
                return entry
        raise CoachError("COACH-EXP-045", ref=self.id)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the parts of an export are, for who makes it.

    Attributes:
        done: numbers of the parts of this generation that are written.
        failed: why a part could not be written; None where all is well.
    """

    state: str
    generation: int
    token: str | None
    done: frozenset[int]
    failed: CoachError | None


Beside = Callable[[Session, Issued], object]


class Registry:
    """The record of exports in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
    ) -> tuple[Issued, bool]:
        """Write an export down, before anything of it is made; with whether it is new.

        Parameters:
            place: where its folder goes, unless `managed`: then the folder itself is told by `key`.
            idempotency_key: the caller's; the same one again is the same export.
            state: `running` where the caller makes it itself, without a job.

        Raises:
            CoachError: COACH-EXP-042 where the key belongs to another request; COACH-EXP-003 where
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
            values["client_ids"] = _clients_of(session, request)
            if not managed:
                _require_unused(session, owner, place, hashed)
            inserted = session.execute(
                _insert(session, IssuedExport)
                .values(**values)
                .on_conflict_do_nothing()
                .returning(IssuedExport.id)
            ).first()
            if inserted is None:
                return _same(session, owner, name, hashed, request), False
            audit.record(
                session, owner.actor, "export.requested", "export", export_id,
                datasets=len(values["datasets"]), privacy=request.privacy,
                clients=None if values["client_ids"] is None else len(values["client_ids"]),
            )  # fmt: skip
            return session.get_one(IssuedExport, export_id), True

        row, new = self._database.run(work)
        return _issued(row, owner.actor.name if owner.actor.user_id else None), new

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
        return _issued(found[0], found[1])

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
            return [_issued(found[0], found[1]) for found in session.execute(query)]

    # making

    def begin(self, export_id: uuid.UUID, run: int) -> str:
        """A job starts to work on it; returns the state it is in now.

        Parts that failed in an earlier run are tried again.
        """

        def work(session: Session) -> str:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.state in {*OPEN, "failed"}:
                session.execute(
                    sa.delete(IssuedExportPart).where(
                        IssuedExportPart.export_id == export_id,
                        IssuedExportPart.result.is_(None),
                    )
                )
                row.state, row.run, row.token = "running", run, None
                row.error_code = row.error_details = row.finished_at = None
                row.started_at = row.started_at or clock.now()
            return row.state

        return self._database.run(work)

    def replan(self, export_id: uuid.UUID, plan: Plan, moment: str) -> int:
        """A new plan holds from now on; returns its generation. What was written before is void.

        Parameters:
            moment: of the data that were planned, as `mark_of` tells.
        """

        def work(session: Session) -> int:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            row.generation += 1
            row.plan, row.parts = json.loads(plan.to_json()), len(plan.parts)
            row.rows_expected = sum(part.rows for part in plan.parts)
            row.moment = moment
            row.snapshot_at, row.token = dt.datetime.fromisoformat(plan.snapshot_at), None
            row.parts_done = row.rows = row.bytes = 0
            session.execute(
                sa.delete(IssuedExportPart).where(IssuedExportPart.export_id == export_id)
            )
            return row.generation

        return self._database.run(work)

    def void(self, export_id: uuid.UUID, generation: int) -> None:
        """Files of the plan are gone: its parts are to be written again."""

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.generation != generation:
                return
            row.parts_done = row.rows = row.bytes = 0
            session.execute(
                sa.delete(IssuedExportPart).where(IssuedExportPart.export_id == export_id)
            )

        self._database.run(work)

    def hold(self, export_id: uuid.UUID, generation: int, token: str | None) -> None:
        """Tell the workers by which token they see the moment of the plan; None: it is gone."""
        self._change(
            IssuedExport.id == export_id, IssuedExport.generation == generation, token=token
        )

    def lost(self, export_id: uuid.UUID, token: str) -> None:
        """A worker found that the token opens nothing any more."""
        self._change(IssuedExport.id == export_id, IssuedExport.token == token, token=None)

    def plan(self, export_id: uuid.UUID, moment: str | None = None) -> Plan | None:
        """The plan that holds; None before the first one.

        Parameters:
            moment: of the data now; None too where the plan was made of others.
        """
        query = sa.select(IssuedExport.plan).where(IssuedExport.id == export_id)
        if moment is not None:
            query = query.where(IssuedExport.moment == moment)
        with self._database.read() as session:
            found = session.scalar(query)
        return None if found is None else Plan.from_json(json.dumps(found))

    def standing(self, export_id: uuid.UUID) -> Standing:
        """How far it is."""
        part, row = IssuedExportPart, IssuedExport
        with self._database.read() as session:
            state, generation, token = session.execute(
                sa.select(row.state, row.generation, row.token).where(row.id == export_id)
            ).one()
            parts = session.execute(
                sa.select(part.number, part.error_code, part.error_details).where(
                    part.export_id == export_id, part.generation == generation
                )
            ).all()
        done = frozenset(number for number, code, _ in parts if code is None)
        failed = next((_error(code, details) for _, code, details in parts if code), None)
        return Standing(state, generation, token, done, failed)

    def add_part(
        self,
        export_id: uuid.UUID,
        generation: int,
        number: int,
        outcome: PartResult | CoachError,
    ) -> None:
        """A part is written, or cannot be; a second time nothing happens."""
        failed = outcome if isinstance(outcome, CoachError) else None
        result = outcome if isinstance(outcome, PartResult) else None
        rows = result.rows if result else 0
        size = sum(entry.bytes for entry in result.files) if result else 0
        values = {
            "export_id": export_id,
            "generation": generation,
            "number": number,
            "rows": rows,
            "bytes": size,
            "result": json.loads(result.to_json()) if result else None,
            "error_code": failed.code if failed else None,
            "error_details": _details(failed),
            "written_at": clock.now(),
        }

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.generation != generation:
                return
            added = session.execute(
                _insert(session, IssuedExportPart)
                .values(**values)
                .on_conflict_do_nothing()
                .returning(IssuedExportPart.number)
            ).first()
            if added is not None and result is not None:
                row.parts_done += 1
                row.rows += rows
                row.bytes += size

        self._database.run(work)

    def results(self, export_id: uuid.UUID, generation: int) -> list[PartResult]:
        """What the parts of a generation answered, in their order."""
        part = IssuedExportPart
        with self._database.read() as session:
            return [
                PartResult.from_json(json.dumps(result))
                for result in session.scalars(
                    sa.select(part.result)
                    .where(part.export_id == export_id, part.generation == generation)
                    .order_by(part.number)
                )
                if result is not None
            ]

    def record_made(self, export_id: uuid.UUID, actor: Actor, *, rows: int, datasets: int) -> None:
        """Who exports how much, before the export appears: an unrecorded export must not exist."""

        def work(session: Session) -> None:
            audit.record(
                session, actor, "export.made", "export", export_id, rows=rows, datasets=datasets
            )
            record_activity(session, actor, "export.made", subject_id=export_id)

        self._database.run(work, operation_id=export_id, repeated=lambda _session: None)

    def finish(
        self,
        export_id: uuid.UUID,
        manifest: Mapping[str, Any],
        files: Sequence[dict[str, Any]],
        *,
        beside: Beside = lambda _session, _export: None,
    ) -> bool:
        """It is published; False where nobody wants it any more.

        Clients that came in since the kick-off are counted in.

        Parameters:
            beside: done in the same transaction, such as telling others.
        """

        def work(session: Session) -> bool:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.state != "running":
                return row.state == "ready"
            clients = _clients_of(session, ExportRequest.from_dict(row.request))
            if row.client_ids is not None and clients is not None:
                row.client_ids = sorted({*row.client_ids, *clients})
            row.state, row.token, row.finished_at = "ready", None, clock.now()
            row.files = list(files)
            row.rows = row.rows_expected = sum(each["rows"] for each in manifest["datasets"])
            row.bytes = sum(int(entry["bytes"]) for entry in files)
            row.snapshot_at = dt.datetime.fromisoformat(manifest["snapshot_at"])
            beside(session, _issued(row, None))
            return True

        return self._database.run(work)

    def fail(
        self,
        export_id: uuid.UUID,
        error: CoachError,
        *,
        beside: Beside = lambda _session, _export: None,
    ) -> None:
        """It cannot be made now; see `finish` for `beside`."""

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.state not in OPEN:
                return
            row.state, row.token, row.finished_at = "failed", None, clock.now()
            row.error_code, row.error_details = error.code, _details(error)
            beside(session, _issued(row, None))

        self._database.run(work)

    # ending

    def again(self, owner: Owner, ref: str) -> Issued:
        """One that failed waits for a worker again; what is written of it is kept.

        Raises:
            CoachError: COACH-EXP-040; COACH-EXP-041 where it has not failed.
        """
        found = self.get(owner, ref)

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, found.id, with_for_update=True)
            if row.state != "failed" or row.run == 0:
                raise CoachError("COACH-EXP-041", ref=ref, action="started again", state=row.state)
            row.state, row.run = "queued", row.run + 1
            row.error_code = row.error_details = row.finished_at = None
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
        self._change(
            IssuedExport.id == export_id,
            IssuedExport.files_deleted_at.is_(None),
            files_deleted_at=clock.now(),
        )

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
            .limit(limit)
        )
        with self._database.read() as session:
            return [_issued(found[0], found[1]) for found in session.execute(query)]

    def unfinished(self, before: dt.datetime) -> list[Issued]:
        """Exports of jobs that were asked for before an instant and have not ended."""
        query = (
            _visible(_SUITE)
            .where(IssuedExport.state.in_(OPEN), IssuedExport.made_at <= before)
            .order_by(IssuedExport.id)
            .limit(100)
        )
        with self._database.read() as session:
            return [_issued(found[0], found[1]) for found in session.execute(query)]

    def downloaded(self, owner: Owner, export_id: uuid.UUID, name: str) -> None:
        """Write down who took which file."""
        self._database.run(
            lambda session: audit.record(
                session, owner.actor, "export.downloaded", "export", export_id, file=name
            )
        )

    def _change(self, *where: sa.ColumnElement[bool], **values: Any) -> None:
        self._database.run(
            lambda session: session.execute(
                sa.update(IssuedExport)
                .where(*where)
                .values(**values)
                .execution_options(synchronize_session=False)
            )
        )


_SUITE = Owner("system", SYSTEM)


def _visible(owner: Owner) -> sa.Select[IssuedExport, str]:
    query = sa.select(IssuedExport, User.name).outerjoin(User, User.id == IssuedExport.requested_by)
    return query if owner.sees_all else query.where(IssuedExport.owner == owner.name)


def _insert(session: Session, table: type[IssuedExport] | type[IssuedExportPart]) -> Any:
    """An INSERT that knows ON CONFLICT."""
    embedded = session.get_bind().dialect.name == "sqlite"
    return (sqlite if embedded else postgresql).insert(table)


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


def _require_unused(session: Session, owner: Owner, place: str, hashed: str | None) -> None:
    """Refuse a place where a job makes another export: their work folders would be the same."""
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


def _clients_of(session: Session, request: ExportRequest) -> list[str] | None:
    """The clients whose data the request may reach; None: anybody's."""
    if request.clients:
        return sorted(request.clients)
    if not request.coaches:
        return None
    coaches = [uuid.UUID(each) for each in request.coaches]
    found = session.scalars(
        sa.select(Engagement.client_id).where(Engagement.coach_id.in_(coaches)).distinct()
    )
    return sorted(map(str, found))


def _details(error: CoachError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in error.details.items()
    }


def _error(code: str | None, details: Mapping[str, Any] | None) -> CoachError | None:
    if code is None:
        return None
    return CoachError(code if code in CATALOGUE else "COACH-SYS-003", **(details or {}))


def _issued(row: IssuedExport, requested_by: str | None) -> Issued:
    return Issued(
        id=row.id,
        key=row.key,
        state=row.state,
        owner=row.owner,
        requested_by_id=row.requested_by,
        requested_by=requested_by,
        request=ExportRequest.from_dict(row.request),
        datasets=tuple(row.datasets),
        formats=tuple(row.formats),
        privacy=row.privacy,
        place=row.place,
        managed=row.managed,
        run=row.run,
        made_at=row.made_at,
        started_at=row.started_at,
        snapshot_at=row.snapshot_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        files_deleted_at=row.files_deleted_at,
        rows=row.rows,
        rows_expected=row.rows_expected,
        bytes=row.bytes,
        parts=row.parts,
        parts_done=row.parts_done,
        eta_seconds=_eta(row),
        error=_error(row.error_code, row.error_details),
        files=tuple(row.files or ()),
    )


def _eta(row: IssuedExport) -> float | None:
    if row.state != "running" or not row.rows or row.started_at is None:
        return None
    took = max(0.0, (clock.now() - row.started_at).total_seconds())
    return round(took * max(0, row.rows_expected - row.rows) / row.rows, 1)

"""The part of the record that an export's makers write: plan, moment, parts, and how it ended."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Engagement, IssuedExport, IssuedExportPart
from coachops.export.issued.model import OPEN, Issued, Standing, error_of, issued_of
from coachops.export.issued.request import ExportRequest
from coachops.export.plan import PartResult, Plan

Beside = Callable[[Session, Issued], object]


class Making:
    """What whoever makes an export notes of it. Part of `Registry`."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
                if row.files_deleted_at is not None:  # the time of its files begins anew
                    row.files_deleted_at = None
                    if row.expires_at is not None:
                        row.expires_at = clock.now() + (row.expires_at - row.made_at)
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
            forget_parts(session, row)
            return row.generation

        return self._database.run(work)

    def void(self, export_id: uuid.UUID, generation: int) -> None:
        """Files of the plan are gone: its parts are to be written again."""

        def work(session: Session) -> None:
            row = session.get_one(IssuedExport, export_id, with_for_update=True)
            if row.generation == generation:
                forget_parts(session, row)

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
        failed = next((error_of(code, details) for _, code, details in parts if code), None)
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
                insert_into(session, IssuedExportPart)
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
            clients = clients_of(session, ExportRequest.from_dict(row.request))
            if row.client_ids is not None and clients is not None:
                row.client_ids = sorted({*row.client_ids, *clients})
            row.state, row.token, row.finished_at = "ready", None, clock.now()
            row.files = list(files)
            row.rows = row.rows_expected = sum(each["rows"] for each in manifest["datasets"])
            row.bytes = sum(int(entry["bytes"]) for entry in files)
            row.snapshot_at = dt.datetime.fromisoformat(manifest["snapshot_at"])
            beside(session, issued_of(row, None))
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
            beside(session, issued_of(row, None))

        self._database.run(work)

    def _change(self, *where: sa.ColumnElement[bool], **values: Any) -> None:
        self._database.run(
            lambda session: session.execute(
                sa.update(IssuedExport)
                .where(*where)
                .values(**values)
                .execution_options(synchronize_session=False)
            )
        )


def _details(error: CoachError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        name: value if isinstance(value, int | float) else str(value)
        for name, value in error.details.items()
    }


def forget_parts(session: Session, row: IssuedExport) -> None:
    """What was written of it counts no more."""
    row.parts_done = row.rows = row.bytes = 0
    session.execute(sa.delete(IssuedExportPart).where(IssuedExportPart.export_id == row.id))


def clients_of(session: Session, request: ExportRequest) -> list[str] | None:
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


def insert_into(session: Session, table: type[IssuedExport] | type[IssuedExportPart]) -> Any:
    """An INSERT that knows ON CONFLICT."""
    embedded = session.get_bind().dialect.name == "sqlite"
    return (sqlite if embedded else postgresql).insert(table)

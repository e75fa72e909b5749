"""Exports in the background, as surfaces see them: start, look, fetch, cancel, delete."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachops import privacy
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.export.issued import Issued, Owner, Place, Registry, check_request, open_place
from coachops.export.issued.places import base_of, is_url
from coachops.jobs.here import make_here
from coachops.jobs.ids import keyed_id
from coachops.webhooks import emit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from coachops.bootstrap import Services
    from coachops.db import Database
    from coachops.export.issued import ExportRequest
    from coachops.export.progress import Watch
    from coachops.jobs.queue import JobQueue

GIVEN_UP = dt.timedelta(days=2)
"""A command that makes an export itself and is not done after that was killed."""
GOES_ON = dt.timedelta(days=1)
"""What a failed export has written at a place that somebody chose is kept so long."""
TRIED = dt.timedelta(days=7)
"""How long such a place is asked to remove it; a bucket may be gone for good."""

SUITE = Owner.of(SYSTEM)

_log = logging.getLogger(__name__)


class Exports:
    """The exports of an installation.

    Parameters:
        queue: takes their jobs.
    """

    def __init__(self, services: Services, queue: JobQueue) -> None:
        self._services = services
        self._queue = queue
        self.registry = Registry(services.database)

    def start(
        self,
        owner: Owner,
        *,
        grant: Grant = EVERYTHING,
        out: str = "",
        idempotency_key: str | None = None,
        **wanted: Any,
    ) -> tuple[Issued, bool]:
        """Ask for an export; with whether it is a new one.

        Parameters:
            grant: of the caller's token.
            out: a new folder or `s3://bucket/prefix` of the caller's choice, whose files stay;
                empty: the suite's own place.
            idempotency_key: the same one again is the same export; one that failed starts again.
            wanted: as `check_request`.

        Raises:
            CoachError: as `check_request`; COACH-EXP-042; COACH-EXP-053; COACH-EXP-044 where the key is of an export
                that was cancelled or whose files are gone.
        """
        request = check_request(self._services.database, owner.actor, grant=grant, **wanted)
        made, new = register(
            self._services, owner, request, out=out, idempotency_key=idempotency_key,
            most=self._most(owner),
        )  # fmt: skip
        if not new and made.gone:
            raise CoachError("COACH-EXP-044", ref=made.id)
        if not new and made.state == "failed":
            try:
                return self.again(owner, str(made.id)), False
            except CoachError as error:
                if error.code != "COACH-EXP-041":
                    raise
                made = self.registry.get(owner, str(made.id))  # somebody was quicker
        self._enqueue_soon(made)
        return made, new

    def again(self, owner: Owner, ref: str) -> Issued:
        """Start one again that failed; it goes on with what is missing. Raises as `Registry.again`.

        What is written is there as long as the files of a ready one would be (`export_days`), at a
        place that somebody chose for a day (`discard_left`). After that it begins anew.
        """
        export = self.registry.again(owner, ref, self._most(owner))
        self._enqueue_soon(export)
        return export

    def _most(self, owner: Owner) -> int:
        """How many may be open; who has the command line has the machine."""
        return 0 if owner == SUITE else self._services.settings.export_open

    def _enqueue_soon(self, export: Issued) -> None:
        if export.state != "queued":
            return
        try:
            self.enqueue(export)
        except CoachError as error:  # the row is safe, and the worker looks for such rows
            _log.warning("an export could not be queued", extra={"code": error.code})

    def run_here(
        self,
        owner: Owner,
        out: Path,
        *,
        workers: int = 0,
        progress: Callable[[str, int], None] = lambda _name, _rows: None,
        watch: Watch = lambda _far: None,
        **wanted: Any,
    ) -> dict[str, Any]:
        """Make an export in this process, written down like all others; returns its manifest.

        Parameters:
            out: a new folder.
            workers: processes that read and write; 0 chooses.
            progress, watch: as `run_export`.
            wanted: as `check_request`.

        Raises:
            CoachError: as `check_request` and `run_export`; COACH-EXP-044 where somebody cancelled
                it meanwhile, such as an erasure: then nothing is left of it.
        """
        from coachops.export import run_export  # noqa: PLC0415 only where it is made

        services = self._services
        request = check_request(services.database, owner.actor, **wanted)
        variant = services.privacy_profile(request.privacy)

        def make(export_id: str) -> dict[str, Any]:
            return run_export(
                services.database,
                owner.actor,
                out,
                request.formats,
                request.datasets or None,
                since=request.first_day,
                until=request.end_day,
                coaches=request.coaches,
                clients=request.clients,
                csv_profile=request.csv_profile,
                compression=request.compression,
                zone=services.settings.zone,
                workers=workers,
                key=services.signing_key,
                feed=services.secret("feed"),
                privacy=None if variant is None else (request.privacy, variant),
                export_id=export_id,
                progress=progress,
                watch=watch,
            )

        return make_here(
            services, owner, request, out, make, lambda export: self._place(export).delete()
        )

    def enqueue(self, export: Issued) -> str:
        """Queue its job; a second time nothing happens. Returns the id of the job."""
        job = keyed_id("export", export.key, max(1, export.run))
        return self._queue.enqueue_as(job, export.key, export.request.to_json())

    def get(self, owner: Owner, ref: str) -> Issued:
        """One export. Raises COACH-EXP-040."""
        return self.registry.get(owner, ref)

    def page(
        self, owner: Owner, *, before: uuid.UUID | None = None, limit: int = 50
    ) -> list[Issued]:
        """Exports that the owner may see, the newest first."""
        return self.registry.page(owner, before=before, limit=limit)

    def read(self, export: Issued, name: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes of a file. Raises COACH-EXP-006, -050 where its place is away."""
        return self._place(export).read(name, start, end)

    def remove(self, owner: Owner, ref: str) -> Issued:
        """Cancel it where it is being made; delete its files where it is ready.

        Files at a place that somebody chose are left there.

        Raises:
            CoachError: COACH-EXP-040; COACH-EXP-044 where there is nothing left to remove.
        """
        export = self.registry.get(owner, ref)
        if export.state in {"cancelled", "expired"}:
            raise CoachError("COACH-EXP-044", ref=ref)
        if export.state == "ready":
            self.registry.expire(owner, export.id)
            self._delete(export)
        else:
            export = self.registry.cancel(owner, ref)
            if export.run:
                try:
                    self._queue.cancel(str(keyed_id("export", export.key, export.run)))
                except CoachError as error:  # the worker reads the row
                    _log.warning("a job could not be cancelled", extra={"code": error.code})
            self._clear(export)
        return self.registry.get(owner, str(export.id))

    def sweep(self, before: dt.datetime) -> None:
        """Queue what nobody queued, and end what no job works on any more."""
        for export in self.registry.unfinished(before):
            if export.run == 0:
                if export.made_at <= clock.now() - GIVEN_UP:
                    self.registry.fail(export.id, CoachError("COACH-EXP-052"))
                continue
            job = self._queue.get(self.enqueue(export))
            if not job.active:
                code = job.error_code or "COACH-JOB-002"
                known = CoachError(code, name="export", reason=job.state)
                fail(self._services.database, export.id, known)
                try:
                    self._place(export).withdraw(whole=False)  # it may have died publishing
                except CoachError as error:
                    _log.warning(
                        "half an export stays", extra={"export": export.key, "code": error.code}
                    )

    def delete_old(self) -> int:
        """Delete the files of exports whose time is over; returns how many exports.

        While a legal hold stands, they stay: nobody can tell which of them the duty needs.
        """
        held = bool(privacy.list_holds(self._services.database, SYSTEM))
        due, away = self.registry.due_for_deletion(expiring=not held), set[str]()
        for export in due:
            self.registry.expire(SUITE, export.id)
            if _bucket(export) in away:
                continue
            try:
                self._delete(export)
            except CoachError as error:
                away.add(_bucket(export))
                _log.warning(
                    "files of an export stay", extra={"export": str(export.id), "code": error.code}
                )
        return len(due)

    def discard_left(self) -> int:
        """Remove half exports from places that somebody chose; returns how many exports.

        A failed one keeps its parts for a day, since it may be started again. A cancelled one has
        none any more, unless its place was away or a worker was killed at that moment.
        """
        removed, away = 0, set[str]()
        for export in self.registry.due_for_discard(kept=GOES_ON, tried=TRIED):
            if _bucket(export) in away:
                continue
            try:
                if self._clear(export):
                    self.registry.deleted(export.id)
                    removed += 1
            except CoachError as error:
                away.add(_bucket(export))
                _log.warning(
                    "half an export stays", extra={"export": str(export.id), "code": error.code}
                )
        return removed

    def _clear(self, export: Issued) -> bool:
        """Remove what is left of one that ended without files; whether nothing is there any more.

        A cancelled one may have been published whole at that very moment.
        """
        place = self._place(export)
        if export.state == "cancelled":
            place.withdraw(whole=True)
        return place.discard()

    def _delete(self, export: Issued) -> None:
        if export.managed:
            self._place(export).delete()
            self.registry.deleted(export.id)

    def _place(self, export: Issued) -> Place:
        return open_place(self._services.settings, export.place, export.id)


def _bucket(export: Issued) -> str:
    """What is away for other exports, too, where it is for this one; a folder is asked each time.

    A bucket that does not answer takes many seconds, and who cleans up has other things to do.
    """
    return export.place.split("/")[2] if is_url(export.place) else str(export.id)


def register(
    services: Services,
    owner: Owner,
    request: ExportRequest,
    *,
    key: str = "",
    out: str = "",
    idempotency_key: str | None = None,
    most: int = 0,
) -> tuple[Issued, bool]:
    """Write a checked request down, with the place where it goes.

    Raises:
        CoachError: COACH-EXP-042, COACH-EXP-053.
    """
    settings = services.settings
    return Registry(services.database).create(
        owner,
        request,
        key=key,
        place=out or base_of(settings),
        managed=not out,
        keep_days=None if out else settings.export_days,
        idempotency_key=idempotency_key,
        most=most,
    )


def fail(database: Database, export_id: uuid.UUID, error: CoachError) -> None:
    """Write down that an export cannot be made now, and tell who waits for it."""
    Registry(database).fail(
        export_id, error, beside=lambda session, row: announce(session, "export.failed", row)
    )


def announce(session: Session, event: str, export: Issued) -> None:
    """Tell other systems, in the transaction that ends the export, that it is ready or failed."""
    asked = export.request
    data: dict[str, Any] = {"export_id": str(export.id), "url": f"/v1/exports/{export.id}"}
    if export.error is not None:
        data["code"] = export.error.code
    else:
        data |= {
            "datasets": list(export.datasets),
            "files": len(export.files),
            "rows": export.rows,
            "bytes": export.bytes,
        }
    emit(
        session,
        event,
        data,
        key=f"{event}/{export.id}/{export.run}",
        about=Grant(
            frozenset(export.datasets),
            frozenset(map(uuid.UUID, asked.coaches)) or None,
            frozenset(map(uuid.UUID, asked.clients)) or None,
        ),
    )

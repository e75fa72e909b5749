"""Exports that were handed out: which of them hold a client, where our copies lie, who has them."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from coachops.core import clock, ids
from coachops.db import Database
from coachops.db.models import AuditEvent, IssuedExport, User
from coachops.privacy.folders import EXPORTS
from coachops.privacy.traces import Traces

_WITHOUT_CLIENTS = frozenset({"coaches", "activity", "audit_events"})
"""Datasets that say nothing of a client."""
_NOBODY = "the suite itself"


@dataclass(frozen=True, slots=True)
class Issued:
    """An export that was made.

    Attributes:
        client_ids, coach_ids: whom it was limited to; None: everybody.
        datasets: names; None: not known.
        folder: our copy; None where it was written elsewhere or is gone.
        made_by: name of the user; the suite itself for the command line.
    """

    export_id: str
    made_at: dt.datetime
    client_ids: tuple[uuid.UUID, ...] | None
    coach_ids: tuple[uuid.UUID, ...] | None
    datasets: tuple[str, ...] | None
    folder: Path | None
    made_by: str

    def holds(self, client_id: uuid.UUID, coaches: Sequence[uuid.UUID], born: dt.datetime) -> bool:
        """Whether it may hold that client, by what it was limited to."""
        if self.made_at < born:
            return False
        if self.datasets is not None and _WITHOUT_CLIENTS.issuperset(self.datasets):
            return False
        if self.client_ids is not None and client_id not in self.client_ids:
            return False
        return self.coach_ids is None or not set(self.coach_ids).isdisjoint(coaches)


class IssuedExports(Protocol):
    """The register of exports."""

    def issued(self) -> Iterable[Issued]:
        """Every export made, the newest first."""


class FolderExports:
    """The register as manifests in the exports folder and the audit record tell it.

    An export whose manifest is not there any more was written elsewhere; the audit says who made it,
    not for whom: it counts as one of everybody.
    """

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._folder = home / EXPORTS

    def issued(self) -> list[Issued]:
        """See `IssuedExports`."""
        makers: dict[str, tuple[dt.datetime, str]] = {}
        with self._database.read() as session:
            rows = session.execute(
                sa.select(AuditEvent.subject_id, AuditEvent.at, User.name)
                .outerjoin(User, User.id == AuditEvent.actor_id)
                .where(AuditEvent.action == "export.made")
            )
            makers = {export: (at, name or _NOBODY) for export, at, name in rows}
        found = {each.export_id: each for each in of_folder(self._folder, makers)}
        found |= {
            export: Issued(export, at, None, None, None, None, name)
            for export, (at, name) in makers.items()
            if export not in found
        }
        return sorted(found.values(), key=lambda each: each.made_at, reverse=True)


class RegisteredExports:
    """The register in the database, and what only folders and the audit record still know.

    Parameters:
        home: of the installation; copies below it are ours.
    """

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._older = FolderExports(database, home)

    def issued(self) -> list[Issued]:
        """See `IssuedExports`."""
        query = sa.select(IssuedExport, User.name).outerjoin(
            User, User.id == IssuedExport.requested_by
        )
        with self._database.read() as session:
            known = [_of_row(row, name or _NOBODY) for row, name in session.execute(query)]
        found = {each.export_id: each for each in self._older.issued()}
        for each in known:  # a copy below the home is ours, whoever chose its folder
            older = found.get(each.export_id)
            folder = each.folder or (older.folder if older is not None else None)
            found[each.export_id] = replace(each, folder=folder)
        return sorted(found.values(), key=lambda each: each.made_at, reverse=True)


def of_folder(
    folder: Path, makers: dict[str, tuple[dt.datetime, str]] | None = None
) -> list[Issued]:
    """The exports whose manifests lie in a folder."""
    found = []
    of_packages = folder.glob("*/data/manifest.json")  # a client's package holds an export
    for path in sorted([*folder.glob("*/manifest.json"), *of_packages]):
        whole = folder / path.relative_to(folder).parts[0]
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            found.append(_of_manifest(manifest, whole, makers or {}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # not one of ours
    return found


def concerned(exports: IssuedExports, traces: Traces) -> list[Issued]:
    """Exports that may hold the client, the newest first."""
    return [
        each
        for each in exports.issued()
        if each.holds(traces.client_id, traces.coach_ids, traces.born_at)
    ]


def note_removed(database: Database, exports: Iterable[Issued]) -> None:
    """Those of them whose folder is gone have expired: whoever asks for a file is told so."""
    gone = [
        ids.parse_id(each.export_id)
        for each in exports
        if each.folder is not None and not each.folder.exists()
    ]
    if not gone:
        return
    database.run(
        lambda session: session.execute(
            sa.update(IssuedExport)
            .where(IssuedExport.id.in_(gone), IssuedExport.state == "ready")
            .values(state="expired", files_deleted_at=clock.now())
            .execution_options(synchronize_session=False)
        )
    )


def _of_row(row: IssuedExport, made_by: str) -> Issued:
    def ids_of(texts: Sequence[str] | None) -> tuple[uuid.UUID, ...] | None:
        return tuple(uuid.UUID(each) for each in texts or ()) or None

    ours = row.managed and row.files_deleted_at is None and "://" not in row.place
    return Issued(
        export_id=str(row.id),
        made_at=row.snapshot_at or row.made_at,
        client_ids=None if row.client_ids is None else tuple(map(uuid.UUID, row.client_ids)),
        coach_ids=ids_of(row.request.get("coaches")),
        datasets=tuple(row.datasets),
        folder=Path(row.place) if ours else None,
        made_by=made_by,
    )


def _of_manifest(
    manifest: dict[str, Any], folder: Path, makers: dict[str, tuple[dt.datetime, str]]
) -> Issued:
    filters = manifest["filters"]

    def limited(name: str) -> tuple[uuid.UUID, ...] | None:
        return tuple(uuid.UUID(each) for each in filters.get(name) or ()) or None

    export_id = str(manifest["export_id"])
    return Issued(
        export_id=export_id,
        made_at=dt.datetime.fromisoformat(manifest["snapshot_at"]),
        client_ids=limited("clients"),
        coach_ids=limited("coaches"),
        datasets=tuple(each["name"] for each in manifest["datasets"]),
        folder=folder,
        made_by=makers[export_id][1] if export_id in makers else _NOBODY,
    )

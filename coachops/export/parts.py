"""An export in parts: a plan, one held moment, parts that any worker can write, publishing.

Temporary: the same shape as the engine in parts that replaces it, over the readers of today.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from coachops import __version__
from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.export import bundle
from coachops.export.datasets import DATASETS
from coachops.export.digest import Digest
from coachops.export.exporting import (
    _codecs,
    _filters_document,
    _instant,
    _no_time_limit,
    _Output,
    _schema_path,
    _write_json,
    _write_schemas,
)
from coachops.export.reader import read
from coachops.export.selection import Filters, Selection
from coachops.export.writers.codec import Shape


@dataclass(frozen=True)
class ExportSpec:
    """What is wanted."""

    formats: tuple[str, ...]
    datasets: tuple[str, ...] = ()
    since: dt.date | None = None
    until: dt.date | None = None
    coaches: tuple[uuid.UUID, ...] = ()
    clients: tuple[uuid.UUID, ...] = ()
    csv_profile: str = "lossless"
    privacy: str = "full"
    compression: str = "none"
    export_id: uuid.UUID = field(default_factory=ids.new_id)


@dataclass(frozen=True)
class Part:
    """A dataset."""

    number: int
    dataset: str
    rows: int


@dataclass(frozen=True)
class Plan:
    """What is written, from which moment."""

    export_id: str
    snapshot_at: str
    head: str
    revision: str
    request: dict[str, Any]
    parts: tuple[Part, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "parts": tuple(Part(**each) for each in values["parts"])})


@dataclass(frozen=True)
class PartResult:
    """What became of a part."""

    number: int
    rows: int
    digest: str
    files: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "files": tuple(values["files"])})


def make_plan(database: Database, request: ExportSpec) -> Plan:
    names = request.datasets or tuple(DATASETS)
    wanted = {
        "formats": list(request.formats),
        "since": request.since.isoformat() if request.since else "",
        "until": request.until.isoformat() if request.until else "",
        "coaches": [str(each) for each in request.coaches],
        "clients": [str(each) for each in request.clients],
        "csv_profile": request.csv_profile,
    }
    with database.connect() as connection:
        rows = _counts(connection, names, _filters(wanted, database))
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        head = _head(connection)
    return Plan(
        str(request.export_id), _instant(clock.now()), head, str(revision), wanted,
        tuple(Part(n, name, rows[name]) for n, name in enumerate(names, 1)),
    )  # fmt: skip


@contextlib.contextmanager
def hold_snapshot(database: Database, plan: Plan) -> Iterator[str]:
    with database.connect() as connection:
        _no_time_limit(connection)
        if _head(connection) != plan.head:
            raise CoachError("COACH-EXP-052")
        if database.is_sqlite:
            yield "sqlite"
        else:
            yield str(connection.scalar(sa.text("SELECT pg_export_snapshot()")))


def write_part(
    database: Database, plan: Plan, part: Part, folder: Path, token: str
) -> PartResult:
    dataset = DATASETS[part.dataset]
    shape = Shape.of(dataset)
    digest = Digest([(each.name, each.kind) for each in shape.fields])
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with bundle.translated(folder), database.connect() as connection:
        if not database.is_sqlite:
            try:
                connection.execute(sa.text(f"SET TRANSACTION SNAPSHOT '{token}'"))
            except (sa.exc.DBAPIError, CoachError) as error:
                raise CoachError("COACH-EXP-048") from error
        _no_time_limit(connection)
        condition = Selection(_filters(plan.request, database)).condition(dataset)
        outputs = [
            _Output(folder, codec, shape, 1 << 40)
            for codec in _codecs(plan.request["formats"], plan.request["csv_profile"])
        ]
        for chunk in read(connection, dataset, condition):
            digest.update(chunk)
            for output in outputs:
                output.write(chunk)
        files = tuple(entry for output in outputs for entry in output.close())
    return PartResult(part.number, digest.rows, digest.hexdigest(), files)


def publish(
    database: Database, plan: Plan, results: Sequence[PartResult], folder: Path, out: Path
) -> dict[str, Any]:
    chosen = [DATASETS[part.dataset] for part in plan.parts]
    with bundle.translated(out):
        bundle._require_free(out)
        for leftover in ("schemas",):
            if (folder / leftover).exists():
                import shutil

                shutil.rmtree(folder / leftover)
        files = [entry for result in results for entry in result.files]
        files += _write_schemas(folder, chosen)
        names = [codec.name for codec in _codecs(plan.request["formats"], plan.request["csv_profile"])]
        package = bundle.datapackage(
            [Shape.of(each) for each in chosen], files, names,
            created_at=plan.snapshot_at, csv_profile=plan.request["csv_profile"],
        )  # fmt: skip
        files.append(_write_json(folder, "datapackage.json", package))
        manifest = {
            "format": "coachops-export",
            "format_version": bundle.FORMAT_VERSION,
            "export_id": plan.export_id,
            "coachops_version": __version__,
            "database": {"kind": database.engine.dialect.name, "revision": plan.revision},
            "snapshot_at": plan.snapshot_at,
            "created_at": plan.snapshot_at,
            "time_zone": str(database.zone),
            "filters": _filters_document(_filters(plan.request, database)),
            "formats": names,
            "csv_profile": plan.request["csv_profile"] if "csv" in names else None,
            "datasets": [
                {
                    "name": each.name, "version": each.version, "schema": _schema_path(each),
                    "rows": result.rows, "digest": result.digest,
                }
                for each, result in zip(chosen, results, strict=True)
            ],
            "files": files,
        }  # fmt: skip
        bundle.write_manifest(folder, manifest)
        bundle.sync_tree(folder)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    return manifest


def _head(connection: sa.Connection) -> str:
    found = [
        connection.scalar(sa.select(sa.func.count()).select_from(each.table))
        for each in DATASETS.values()
    ]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _counts(connection: sa.Connection, names: Sequence[str], filters: Filters) -> dict[str, int]:
    selection = Selection(filters)
    found = {}
    for name in names:
        dataset = DATASETS[name]
        query = sa.select(sa.func.count()).select_from(
            dataset.table if dataset.source is None else dataset.source
        )
        for condition in (dataset.where, selection.condition(dataset)):
            if condition is not None:
                query = query.where(condition)
        found[name] = int(connection.scalar(query) or 0)
    return found


def _filters(wanted: dict[str, Any], database: Database) -> Filters:
    return Filters(
        dt.date.fromisoformat(wanted["since"]) if wanted["since"] else None,
        dt.date.fromisoformat(wanted["until"]) if wanted["until"] else None,
        tuple(map(uuid.UUID, wanted["coaches"])),
        tuple(map(uuid.UUID, wanted["clients"])),
        database.zone,
    )

"""An export in parts: a plan, one held moment, parts that any worker can write, publishing.

Temporary: the same shape as the engine in parts that replaces it, over the readers of today.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from coachops import __version__
from coachops.core import clock
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
from coachops.export.plan import ExportSpec, FileEntry, Part, PartResult, Plan
from coachops.export.reader import read
from coachops.export.selection import Filters, Selection
from coachops.export.writers.codec import Shape


def make_plan(database: Database, request: ExportSpec, export_id: str) -> Plan:
    with database.connect() as connection:
        rows = _counts(connection, request.datasets, _filters(request, database))
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        head = _head(connection)
    return Plan(
        export_id, request, _instant(clock.now()), head, "",
        {"kind": database.engine.dialect.name, "revision": str(revision)}, {},
        tuple(Part(n, name, 1, None, None, rows[name]) for n, name in enumerate(request.datasets)),
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


def write_part(database: Database, plan: Plan, part: Part, folder: Path, token: str) -> PartResult:
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
        condition = Selection(_filters(plan.spec, database)).condition(dataset)
        outputs = [
            _Output(folder, codec, shape, 1 << 40)
            for codec in _codecs(plan.spec.formats, plan.spec.csv_profile)
        ]
        for chunk in read(connection, dataset, condition):
            digest.update(chunk)
            for output in outputs:
                output.write(chunk)
        files = tuple(
            FileEntry(**entry, blocks=(digest.hexdigest(),))
            for output in outputs
            for entry in output.close()
        )
    return PartResult(part.number, digest.rows, files)


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
        files = [
            {name: value for name, value in asdict(entry).items() if name != "blocks"}
            for result in results
            for entry in result.files
        ]
        files += _write_schemas(folder, chosen)
        names = [codec.name for codec in _codecs(plan.spec.formats, plan.spec.csv_profile)]
        package = bundle.datapackage(
            [Shape.of(each) for each in chosen], files, names,
            created_at=plan.snapshot_at, csv_profile=plan.spec.csv_profile,
        )  # fmt: skip
        files.append(_write_json(folder, "datapackage.json", package))
        manifest = {
            "format": "coachops-export",
            "format_version": bundle.FORMAT_VERSION,
            "export_id": plan.export_id,
            "coachops_version": __version__,
            "database": plan.database,
            "snapshot_at": plan.snapshot_at,
            "created_at": plan.snapshot_at,
            "time_zone": str(database.zone),
            "filters": _filters_document(_filters(plan.spec, database)),
            "formats": names,
            "csv_profile": plan.spec.csv_profile if "csv" in names else None,
            "datasets": [
                {
                    "name": each.name, "version": each.version, "schema": _schema_path(each),
                    "rows": result.rows, "digest": result.files[0].blocks[0],
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


def _head(connection: sa.Connection) -> int:
    return sum(
        int(connection.scalar(sa.select(sa.func.count()).select_from(each.table)) or 0)
        for each in DATASETS.values()
    )


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


def _filters(spec: ExportSpec, database: Database) -> Filters:
    return Filters(
        dt.date.fromisoformat(spec.since) if spec.since else None,
        dt.date.fromisoformat(spec.until) if spec.until else None,
        tuple(map(uuid.UUID, spec.coaches)),
        tuple(map(uuid.UUID, spec.clients)),
        database.zone,
    )

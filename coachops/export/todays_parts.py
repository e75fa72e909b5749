"""An export in parts: a plan, one held moment, parts that any worker can write, publishing.

Temporary: the same shape as the engine in parts that replaces it, over the readers of today.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from coachops import __version__
from coachops.db import Database
from coachops.export import bundle
from coachops.export.codecs.codec import Shape
from coachops.export.datasets import DATASETS
from coachops.export.exporting import (
    _codecs,
    _filters_document,
    _schema_path,
    _write_json,
    _write_schemas,
)
from coachops.export.planning import filters_of
from coachops.export.plan import PartResult, Plan


def publish(
    database: Database, plan: Plan, results: Sequence[PartResult], folder: Path, out: Path
) -> dict[str, Any]:
    chosen = [DATASETS[name] for name in plan.spec.datasets]
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
            "filters": _filters_document(filters_of(plan.spec)),
            "formats": names,
            "csv_profile": plan.spec.csv_profile if "csv" in names else None,
            "datasets": [
                {
                    "name": each.name, "version": each.version, "schema": _schema_path(each),
                    "rows": sum(r.rows for r in results if plan.parts[r.number].dataset == each.name), "digest": hashlib.sha256("".join(b for r in results for f in r.files if f.dataset == each.name for b in f.blocks).encode()).hexdigest(),
                }
                for each in chosen
            ],
            "files": files,
        }  # fmt: skip
        bundle.write_manifest(folder, manifest)
        bundle.sync_tree(folder)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    return manifest

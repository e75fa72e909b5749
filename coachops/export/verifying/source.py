"""Comparing an export with the database that it came from.

Rows are read again, typed and in order, under the export's own filters, cut where its files are cut
and digested; nothing is written. Where the database went on since the snapshot, files differ that
hold changed rows: the digests say which, and the moment of the snapshot is told beside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from coachops.db import Database
from coachops.export.blocks import BlockDigest
from coachops.export.datasets import DATASETS
from coachops.export.files import read_file
from coachops.export.limits import no_time_limit
from coachops.export.manifest import MANIFEST
from coachops.export.plan import ExportSpec
from coachops.export.planning import filters_of
from coachops.export.readers import read_batches
from coachops.export.selection import Selection
from coachops.export.verifying import shapes_of
from coachops.export.verifying.checks import Check
from coachops.export.verifying.inside import Digests, files_of


def verify_source(
    database: Database,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
    *,
    digests: Digests | None = None,
) -> list[Check]:
    """Whether the database still holds what the export holds: a check for each file and dataset.

    Parameters:
        folder: of an export that `verify_export` found intact.
        digests: what that computed from the files. Those of files that the database wrote are in no
            manifest: without this, they are computed once more.

    Raises:
        CoachError: COACH-DB-001 and as reading does.
        FormatError: a file without a digest cannot be read; `verify_export` had found that.
    """
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    if manifest["privacy"] != "full":
        detail = f"its privacy profile {manifest['privacy']} holds other values than the database"
        return [Check("source", "database", False, detail)]
    files = _Files(folder, manifest, digests or {})
    selection = Selection(filters_of(_spec(manifest)))
    checks: list[Check] = []
    with database.connect() as connection:
        no_time_limit(connection)
        for listed in manifest["datasets"]:
            dataset = DATASETS[listed["name"]]
            progress(f"database: {dataset.name}")
            condition = selection.condition(dataset)
            rows = read_batches(connection, selection.shown(dataset), condition)
            checks.append(_compared(files, listed, dataset.columns, rows))
    return checks


def _compared(
    files: _Files, listed: dict[str, Any], columns: Any, rows: Iterator[pa.RecordBatch]
) -> Check:
    digest = BlockDigest(columns)
    for batch in rows:
        digest.update(batch)
    found = digest.blocks()
    since, name = f"since {files.manifest['snapshot_at']}", listed["name"]
    exported = files.blocks(name)
    expected = [block for _, own in exported for block in own]
    if digest.rows == listed["rows"] and found == expected:
        return Check("source", name, True, f"{digest.rows} rows, as in the database now")
    first = 0
    for path, own in exported:
        for number, block in enumerate(own, 1):
            place = first + number - 1
            if place >= len(found) or found[place] != block:
                detail = f"the database holds other rows {since} ({digest.rows} in all)"
                return Check("source", path, False, detail, None, number)
        first += len(own)
    detail = f"the database holds {digest.rows} rows instead of {listed['rows']} {since}"
    return Check("source", name, False, detail)


class _Files:
    """The data files of an export, with the digests of their blocks."""

    def __init__(self, folder: Path, manifest: dict[str, Any], computed: Digests) -> None:
        self.manifest = manifest
        self._folder, self._computed = folder, computed
        self._shapes = shapes_of(folder, manifest, [])

    def blocks(self, dataset: str) -> list[tuple[str, list[str]]]:
        """Path and blocks of each file of a format, of one that was digested where there is one."""
        by_format = [
            files_of(self.manifest, dataset, format_name)
            for format_name in self.manifest["formats"]
        ]
        digested = [own for own in by_format if all(entry["digest"] is not None for entry in own)]
        chosen = (digested or by_format)[0]
        return [(entry["path"], self._of(entry)) for entry in chosen]

    def _of(self, entry: dict[str, Any]) -> list[str]:
        if entry["digest"] is not None:
            return list(entry["blocks"])
        if entry["path"] in self._computed:
            return self._computed[entry["path"]]
        shape = self._shapes[entry["dataset"]]
        digest = BlockDigest(shape.fields)
        profile = self.manifest["csv_profile"] or "lossless"
        path = self._folder / entry["path"]
        for batch in read_file(path, shape, entry["format"], csv_profile=profile):
            digest.update(batch)
        return digest.blocks()


def _spec(manifest: dict[str, Any]) -> ExportSpec:
    given = manifest["filters"]
    return ExportSpec(
        formats=tuple(manifest["formats"]),
        datasets=tuple(dataset["name"] for dataset in manifest["datasets"]),
        since=given["since"] or "",
        until=given["until"] or "",
        coaches=tuple(given["coaches"]),
        clients=tuple(given["clients"]),
        time_zone=manifest["time_zone"],
    )

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
from coachops.export import blocks
from coachops.export.blocks import BlockDigest
from coachops.export.datasets import DATASETS
from coachops.export.limits import no_time_limit
from coachops.export.manifest import MANIFEST
from coachops.export.plan import ExportSpec
from coachops.export.planning import filters_of
from coachops.export.readers import read_batches
from coachops.export.selection import Selection
from coachops.export.verifying.checks import Check
from coachops.export.verifying.inside import files_of


def verify_source(
    database: Database, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> list[Check]:
    """Whether the database still holds what the export holds: a check for each file and dataset.

    Parameters:
        folder: of an export that `verify_export` found intact.

    Raises:
        CoachError: COACH-DB-001 and as reading does.
    """
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    if manifest["privacy"] != "full":
        detail = f"its privacy profile {manifest['privacy']} holds other values than the database"
        return [Check("source", "database", False, detail)]
    selection = Selection(filters_of(_spec(manifest)))
    checks: list[Check] = []
    with database.connect() as connection:
        no_time_limit(connection)
        for listed in manifest["datasets"]:
            dataset = DATASETS[listed["name"]]
            progress(f"database: {dataset.name}")
            rows = read_batches(connection, dataset, selection.condition(dataset))
            checks += _compared(manifest, listed, dataset.columns, rows)
    return checks


def _compared(
    manifest: dict[str, Any], listed: dict[str, Any], columns: Any, rows: Iterator[pa.RecordBatch]
) -> Iterator[Check]:
    digest = BlockDigest(columns)
    for batch in rows:
        digest.update(batch)
    found = digest.blocks()
    since = f"since {manifest['snapshot_at']}"
    name = listed["name"]
    if listed["digest"] is None:
        same = digest.rows == listed["rows"]
        detail = (
            f"{digest.rows} rows; the database wrote the file, so there is no digest to compare"
        )
        yield Check("source", name, same, detail)
        return
    if blocks.joined(digest.rows, found) == listed["digest"]:
        yield Check("source", name, True, f"{digest.rows} rows, as in the database now")
        return
    for entry, first in _with_first_block(manifest, name):
        own = found[first : first + len(entry["blocks"])]
        for number, block in enumerate(entry["blocks"]):
            if number >= len(own) or own[number] != block:
                detail = f"the database holds other rows {since} ({digest.rows} in all)"
                yield Check("source", entry["path"], False, detail, None, number + 1)
                return
    detail = f"the database holds {digest.rows} rows instead of {listed['rows']} {since}"
    yield Check("source", name, False, detail)


def _with_first_block(
    manifest: dict[str, Any], dataset: str
) -> Iterator[tuple[dict[str, Any], int]]:
    """Files of a format that was digested, with how many blocks lie before each."""
    for format_name in manifest["formats"]:
        own = files_of(manifest, dataset, format_name)
        if all(entry["digest"] is not None for entry in own):
            first = 0
            for entry in own:
                yield entry, first
                first += len(entry["blocks"])
            return


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

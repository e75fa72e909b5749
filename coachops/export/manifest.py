"""The manifest of a bundle: every file and dataset with its proofs, all of it out of the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from coachops import __version__
from coachops.export import blocks
from coachops.export.plan import FileEntry, Plan
from coachops.export.schemas import FORMAT_VERSION, NOT_ASKED_FOR
from coachops.export.shapes import Shape

MANIFEST = "manifest.json"
FORMAT = "coachops-export"


def make_manifest(
    plan: Plan,
    shapes: Mapping[str, Shape],
    files: Sequence[FileEntry],
    *,
    signed_by: str | None,
) -> dict[str, Any]:
    """The manifest of the plan's bundle; equal for equal arguments.

    Parameters:
        shapes: of each dataset of the plan, as its files hold it.
        files: every file of the bundle but the manifest, the sums and their signature.
        signed_by: fingerprint of the key that signs.
    """
    spec = plan.spec
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "export_id": plan.export_id,
        "coachops_version": __version__,
        "database": dict(plan.database),
        "snapshot_at": plan.snapshot_at,
        "time_zone": spec.time_zone,
        "filters": {
            "since": spec.since or None,
            "until": spec.until or None,
            "coaches": list(spec.coaches),
            "clients": list(spec.clients),
        },
        "privacy": spec.privacy,
        "formats": list(spec.formats),
        "csv_profile": spec.csv_profile if "csv" in spec.formats else None,
        "compression": spec.compression,
        "digest": {"algorithm": blocks.ALGORITHM, "block_rows": blocks.BLOCK_ROWS},
        "feed": None if plan.head is None else {"head": plan.head, "cursors": plan.cursors},
        "signed_by": signed_by,
        "datasets": [_dataset(name, shapes[name], plan, files) for name in spec.datasets],
        "completeness": {
            "counts": {name: dict(plan.counts[name]) for name in spec.datasets},
            "foreign_keys": [
                {"dataset": name, "column": column, "parent": parent}
                for name in spec.datasets
                for column, parent in shapes[name].foreign_keys
                if parent in shapes
            ],
            **({} if plan.outside is None else {"outside": _outside(plan.outside, shapes)}),
        },
        "files": [_file(entry) for entry in files],
    }


def to_bytes(document: Mapping[str, Any]) -> bytes:
    """A JSON document as the bundle holds it."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def schema_path(shape: Shape) -> str:
    """Where the schema of a dataset's rows lies in a bundle."""
    return f"schemas/{shape.name}-{shape.version}.json"


def _outside(
    counted: Mapping[str, Mapping[str, int]], shapes: Mapping[str, Shape]
) -> list[dict[str, Any]]:
    """The links that lead out of the bundle, with how many of its rows go there and why."""
    return [
        {
            "dataset": name,
            "column": column,
            "parent": parent,
            "rows": counted[name][column],
            "reason": NOT_ASKED_FOR,
        }
        for name, shape in shapes.items()
        for column, parent in shape.foreign_keys
        if parent not in shapes
    ]


def _dataset(name: str, shape: Shape, plan: Plan, files: Sequence[FileEntry]) -> dict[str, Any]:
    rows = sum(part.rows for part in plan.parts if part.dataset == name)
    return {
        "name": name,
        "version": shape.version,
        "schema": schema_path(shape),
        "rows": rows,
        "digest": _dataset_digest(name, plan, files),
    }


def _dataset_digest(name: str, plan: Plan, files: Sequence[FileEntry]) -> str | None:
    """The digest over all its rows, out of a format whose files were all digested."""
    for format_name in plan.spec.formats:
        own = [f for f in files if f.dataset == name and f.format == format_name]
        if all(entry.blocks or not entry.rows for entry in own):
            own.sort(key=lambda entry: entry.shard)
            return blocks.joined(
                sum(entry.rows for entry in own), [b for entry in own for b in entry.blocks]
            )
    return None


def _file(entry: FileEntry) -> dict[str, Any]:
    made: dict[str, Any] = {
        "path": entry.path,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
    }
    if entry.dataset:
        known = bool(entry.blocks) or not entry.rows
        made |= {
            "dataset": entry.dataset,
            "format": entry.format,
            "shard": entry.shard,
            "rows": entry.rows,
            "digest": blocks.joined(entry.rows, entry.blocks) if known else None,
            "blocks": list(entry.blocks),
        }
    return made

"""Restoring an export: its datasets as typed tables in an empty database, proved equal.

For analysts and for moving away: one table per dataset, with keys and checks. It is not the suite's
own database (exports hold no originals, users or passwords): backups bring an installation back.
The export is verified first, everything is loaded and read again within one transaction (or a file
that gets its name last), and the digests must be those of the manifest; else nothing stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.blocks import BlockDigest, joined
from coachops.export.files import read_file
from coachops.export.manifest import MANIFEST
from coachops.export.restoring.postgres import postgres_target
from coachops.export.restoring.sqlite import sqlite_target
from coachops.export.shapes import FormatError, Shape
from coachops.export.verifying import require_intact, shapes_of, verify_export
from coachops.export.verifying.inside import files_of, parents_first

_PREFERENCE = ("parquet", "csv", "jsonl", "json")
"""The cheapest to read first."""

Told = Callable[[str], None]


class Target(Protocol):
    """An empty database that takes tables."""

    def create(self, shapes: list[Shape]) -> None:
        """Make the tables."""
        ...

    def load(self, shape: Shape, batches: Iterator[pa.RecordBatch]) -> None:
        """Fill one table."""
        ...

    def close_up(self, shapes: list[Shape]) -> None:
        """Have the database check every key."""
        ...

    def read(self, shape: Shape) -> Iterator[pa.RecordBatch]:
        """The rows as the database now holds them, in the dataset's order."""
        ...


@dataclass(frozen=True, slots=True)
class Restored:
    """A table that was made.

    Attributes:
        name: of the dataset and the table. rows: in it. digest: of what the database holds.
    """

    name: str
    rows: int
    digest: str


def restore_export(
    folder: Path,
    url: str,
    *,
    format_name: str | None = None,
    key: str | None = None,
    progress: Told = lambda _: None,
) -> list[Restored]:
    """Load the export in `folder` into the empty database at `url`.

    Parameters:
        url: `sqlite:///FILE` or `postgresql://…`.
        format_name: to load from; None takes the fastest that is there.
        key: as for `verify_export`.
        progress: called with what is done.

    Raises:
        CoachError: COACH-EXP-002 for a format that the export has not, COACH-EXP-004, -005, -010,
            -011, -015 and -017 where it does not verify, COACH-EXP-012 where the target is not
            empty, COACH-EXP-013 where it holds other values afterwards, COACH-EXP-018 where it
            cannot be reached or written, COACH-SYS-002 for another sort of address.
    """
    opened = _target(url)
    chosen = _format(folder, format_name)
    require_intact(
        folder,
        verify_export(folder, progress, key=key, formats=None if chosen is None else [chosen]),
    )
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    shapes = shapes_of(folder, manifest, [])
    ordered = [shapes[dataset["name"]] for dataset in parents_first(manifest["datasets"], shapes)]
    with opened as target:
        return _restored(target, folder, manifest, ordered, str(chosen), progress)


def _restored(
    target: Target,
    folder: Path,
    manifest: dict[str, Any],
    shapes: list[Shape],
    format_name: str,
    progress: Told,
) -> list[Restored]:
    target.create(shapes)
    expected = {}
    for shape in shapes:
        progress(f"loading {shape.name}")
        digest = BlockDigest(shape.fields)
        target.load(shape, _read(folder, manifest, shape, format_name, digest))
        expected[shape.name] = joined(digest.rows, digest.blocks())
    progress("checking keys")
    target.close_up(shapes)
    done = []
    for shape in shapes:
        progress(f"comparing {shape.name}")
        digest = BlockDigest(shape.fields)
        try:
            for batch in target.read(shape):
                digest.update(batch)
        except (FormatError, TypeError) as error:  # not even of the column's type
            raise CoachError("COACH-EXP-013", reason=f"table {shape.name}") from error
        found = joined(digest.rows, digest.blocks())
        if found != expected[shape.name]:
            raise CoachError("COACH-EXP-013", reason=f"table {shape.name}")
        done.append(Restored(shape.name, digest.rows, found))
    return done


def _read(
    folder: Path, manifest: dict[str, Any], shape: Shape, format_name: str, digest: BlockDigest
) -> Iterator[pa.RecordBatch]:
    profile = manifest["csv_profile"] or "lossless"
    for entry in files_of(manifest, shape.name, format_name):
        for batch in read_file(folder / entry["path"], shape, format_name, csv_profile=profile):
            digest.update(batch)
            yield batch


def _format(folder: Path, wanted: str | None) -> str | None:
    """The format to load from; None where there is no manifest to tell, which verifying says."""
    try:
        there = json.loads((folder / MANIFEST).read_bytes())["formats"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if wanted is not None:
        if wanted not in there:
            raise CoachError("COACH-EXP-002", name=wanted)
        return wanted
    return next((name for name in _PREFERENCE if name in there), None)


def _target(url: str) -> Any:
    """The context manager of the target.

    Raises:
        CoachError: COACH-SYS-002, COACH-EXP-012.
    """
    scheme, _, rest = url.partition("://")
    if scheme in {"sqlite", "sqlite+pysqlite"} and rest.startswith("/") and len(rest) > 1:
        return sqlite_target(Path(rest[1:]))
    if scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        return postgres_target(f"postgresql://{rest}")
    reason = "Give --into sqlite:///FILE or postgresql://USER@HOST/DATABASE."
    raise CoachError("COACH-SYS-002", reason=reason)


__all__ = ["Restored", "restore_export"]

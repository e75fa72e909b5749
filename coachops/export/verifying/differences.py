"""Naming the row in which a damaged file differs.

A hash says that a file differs, not where. The row is found in one of two ways: it breaks the
format or the schema, or the same shard lies intact in another format and both are read together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from coachops.export.batches import TEXT_KINDS
from coachops.export.files import FormatError, read_file
from coachops.export.shapes import Shape

_SLICE_ROWS = 4_096
Row = tuple[Any, ...]


def first_different_row(
    folder: Path, manifest: dict[str, Any], shape: Shape, entry: dict[str, Any], intact: set[str]
) -> tuple[int | None, str]:
    """Row (from 1) and reason of the first difference in the damaged file `entry`.

    The row is None where the file's rows are as they were, or where no other format can tell.
    """
    reference = _reference(folder, manifest, shape, entry, intact)
    done = 0
    try:
        for found in slices(_batches(folder, manifest, shape, entry), shape):
            expected = next(reference, None) if reference is not None else found
            if expected is None or not found.equals(expected):
                return _first(found, expected, shape, done)
            done += found.num_rows
    except (FormatError, OSError) as error:
        return (error.row if isinstance(error, FormatError) else None), str(error)
    if done < entry["rows"]:
        return done + 1, "is missing"
    if done > entry["rows"]:
        return entry["rows"] + 1, "is a row too many"
    return None, "no row can be named"


def slices(batches: Iterator[pa.RecordBatch], shape: Shape) -> Iterator[pa.Table]:
    """The same rows as tables of equal types, cut at the same places however they came."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(_uniform(batch, shape))
        rows += batch.num_rows
        while rows >= _SLICE_ROWS:
            whole = pa.Table.from_batches(waiting)
            yield whole.slice(0, _SLICE_ROWS).combine_chunks()
            waiting, rows = whole.slice(_SLICE_ROWS).to_batches(), rows - _SLICE_ROWS
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()


def _uniform(batch: pa.RecordBatch, shape: Shape) -> pa.RecordBatch:
    arrays = [
        array.cast(pa.large_string()) if field.kind in TEXT_KINDS else array
        for array, field in zip(batch.columns, shape.fields, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, shape.names)


def _first(
    found: pa.Table, expected: pa.Table | None, shape: Shape, done: int
) -> tuple[int | None, str]:
    theirs = [] if expected is None else _rows(expected)
    for number, row in enumerate(_rows(found), done + 1):
        place = number - done - 1
        if place >= len(theirs):
            return number, "is a row too many"
        if row != theirs[place]:
            columns = [
                name
                for name, ours, other in zip(shape.names, row, theirs[place], strict=True)
                if ours != other
            ]
            return number, f"column {', '.join(columns)} differs from the other format"
    return done + found.num_rows + 1, "is missing"


def _rows(table: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _reference(
    folder: Path, manifest: dict[str, Any], shape: Shape, entry: dict[str, Any], intact: set[str]
) -> Iterator[pa.Table] | None:
    """The rows that `entry` should hold, out of the same shard in another format."""
    for other in manifest["files"]:
        same = other.get("dataset") == entry["dataset"] and other.get("shard") == entry["shard"]
        if same and other["format"] != entry["format"] and other["path"] in intact:
            return slices(_batches(folder, manifest, shape, other), shape)
    return None


def _batches(
    folder: Path, manifest: dict[str, Any], shape: Shape, entry: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    profile = manifest["csv_profile"] or "lossless"
    return read_file(folder / entry["path"], shape, entry["format"], csv_profile=profile)

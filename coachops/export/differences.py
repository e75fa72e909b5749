"""Naming the row in which a damaged file differs.

A hash says that a file differs, not where. The row is found in one of two ways: it breaks the
format or the schema, or the same dataset lies intact in another format and both are read together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coachops.export.codecs import FormatError, codec_for
from coachops.export.codecs.codec import Shape
from coachops.export.reader import CHUNK_ROWS

Row = tuple[str | None, ...]


def first_different_row(
    folder: Path, manifest: dict[str, Any], shape: Shape, entry: dict[str, Any], intact: set[str]
) -> tuple[int | None, str]:
    """Row (from 1) and reason of the first difference in the damaged file `entry`.

    The row is None where the file's rows are as they were, or where no other format can tell.
    """
    reference = _reference(folder, manifest, shape, entry, intact)
    number = 0
    try:
        for number, row in enumerate(_rows(folder, manifest, shape, [entry]), 1):
            if reference is None:
                continue
            expected = next(reference, None)
            if expected is None or number > entry["rows"]:
                return number, "is a row too many"
            if row != expected:
                columns = [
                    field.name
                    for field, found, wanted in zip(shape.fields, row, expected, strict=True)
                    if found != wanted
                ]
                return number, f"column {', '.join(columns)} differs from the other format"
    except FormatError as error:
        return error.row, str(error)
    if number < entry["rows"]:
        return number + 1, "is missing"
    return None, "no row can be named"


def _reference(
    folder: Path, manifest: dict[str, Any], shape: Shape, entry: dict[str, Any], intact: set[str]
) -> Iterator[Row] | None:
    """The rows that `entry` should hold, out of another format whose files are all intact."""
    before = sum(
        other["rows"]
        for other in _files(manifest, shape, entry["format"])
        if other["shard"] < entry["shard"]
    )
    for name in manifest["formats"]:
        files = _files(manifest, shape, name)
        if name != entry["format"] and all(file["path"] in intact for file in files):
            rows = _rows(folder, manifest, shape, files)
            return itertools.islice(rows, before, before + entry["rows"])
    return None


def _files(manifest: dict[str, Any], shape: Shape, format_name: str) -> list[dict[str, Any]]:
    return [
        entry
        for entry in manifest["files"]
        if entry.get("dataset") == shape.name and entry.get("format") == format_name
    ]


def _rows(
    folder: Path, manifest: dict[str, Any], shape: Shape, entries: Sequence[dict[str, Any]]
) -> Iterator[Row]:
    for entry in entries:
        codec = codec_for(entry["format"], manifest["csv_profile"] or "lossless")
        with (folder / entry["path"]).open("rb") as file:
            for chunk in codec.read(file, shape, CHUNK_ROWS):
                yield from zip(*chunk, strict=True)

"""The inside of a bundle: rows, schema, order, digests, counts and foreign keys of one format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from coachops.export import blocks
from coachops.export.blocks import ALGORITHM, BlockDigest, joined
from coachops.export.files import FormatError, read_file
from coachops.export.shapes import Shape
from coachops.export.verifying.checks import Check
from coachops.export.verifying.differences import first_different_row
from coachops.export.verifying.order import Order, Unique
from coachops.export.writers import FORMATS

Keys = dict[str, set[bytes]]
Digests = dict[str, list[str]]
"""Path of a data file -> the digests of its blocks, as they were computed from what it holds."""


def verify_format(
    folder: Path,
    manifest: dict[str, Any],
    shapes: dict[str, Shape],
    format_name: str,
    intact: set[str],
    progress: Callable[[str], None],
    digests: Digests,
) -> list[Check]:
    """Every dataset in one format.

    Parameters:
        intact: paths of the files whose bytes are as written.
        digests: gets those of the files that can be read.
    """
    if format_name not in FORMATS:
        return [Check("files", format_name, False, "is a format unknown here")]
    if manifest["digest"] != {"algorithm": ALGORITHM, "block_rows": blocks.BLOCK_ROWS}:
        return [Check("digest", format_name, False, "its digests are of an unknown algorithm")]
    checks: list[Check] = []
    referenced = {parent for shape in shapes.values() for _, parent in shape.foreign_keys}
    exported = {dataset["name"] for dataset in manifest["datasets"]}
    keys: Keys = {name: set() for name in referenced & shapes.keys()}
    for dataset in parents_first(manifest["datasets"], shapes):
        shape = shapes[dataset["name"]]
        reading = _Reading(
            shape, keys, exported, format_name, manifest["csv_profile"] or "lossless", digests
        )
        for entry in files_of(manifest, shape.name, format_name):
            progress(entry["path"])
            if entry["path"] in intact:
                found = reading.file(folder, entry)
            else:
                found = Check("rows", entry["path"], False, "its bytes were changed")
            if not found.ok:
                reading.broken = True
                if found.row is None:
                    found = _located(found, folder, manifest, shape, entry, intact)
            checks.append(found)
        reading.finish(dataset, manifest["completeness"], checks)
        if reading.broken:
            keys.pop(shape.name, None)  # its ids are not known, so nobody is blamed for them
    return checks


def files_of(manifest: dict[str, Any], dataset: str, format_name: str) -> list[dict[str, Any]]:
    """The entries of a dataset's files in one format, by shard."""
    found = [
        entry
        for entry in manifest["files"]
        if entry.get("dataset") == dataset and entry.get("format") == format_name
    ]
    return sorted(found, key=lambda entry: int(entry["shard"]))


def parents_first(
    datasets: Sequence[dict[str, Any]], shapes: dict[str, Shape]
) -> Iterator[dict[str, Any]]:
    """Datasets after those they refer to, so that keys are known when they are looked up."""
    waiting = [dataset for dataset in datasets if dataset["name"] in shapes]
    done: set[str] = set()
    while waiting:
        names = {dataset["name"] for dataset in waiting}
        ready = [
            dataset
            for dataset in waiting
            if all(
                parent in done or parent not in names or parent == dataset["name"]
                for _, parent in shapes[dataset["name"]].foreign_keys
            )
        ] or waiting[:1]
        for dataset in ready:
            yield dataset
            done.add(dataset["name"])
            waiting.remove(dataset)


class _Reading:
    """One dataset in one format, read file by file."""

    def __init__(
        self,
        shape: Shape,
        keys: Keys,
        exported: set[str],
        format_name: str,
        csv_profile: str,
        digests: Digests,
    ) -> None:
        self.broken = False
        self._digests = digests
        self._shape, self._keys = shape, keys
        self._format, self._profile = format_name, csv_profile
        self._order = Order(shape)
        self._unique = Unique(shape)
        self._rows = 0
        self._blocks: list[str] = []
        self._dangling: Check | None = None
        self._references = self._without_parent = 0
        self._outside = {
            column: 0 for column, parent in shape.foreign_keys if parent not in exported
        }

    def file(self, folder: Path, entry: dict[str, Any]) -> Check:
        """Read a file; the check says whether it can be used."""
        path, digest = entry["path"], BlockDigest(self._shape.fields)
        try:
            for batch in read_file(
                folder / path, self._shape, self._format, csv_profile=self._profile
            ):
                self._order.require(batch, digest.rows)
                self._unique.add(batch)
                self._refers(batch, digest.rows, path)
                digest.update(batch)
        except (FormatError, OSError) as error:
            place = error.row if isinstance(error, FormatError) else None
            return Check("rows", path, False, str(error), place)
        found = digest.blocks()
        self._rows += digest.rows
        self._blocks += found
        self._digests[path] = found
        return _compared(entry, digest.rows, found)

    def finish(
        self, dataset: dict[str, Any], completeness: dict[str, Any], checks: list[Check]
    ) -> None:
        """The claims over all files of the dataset."""
        subject = f"{self._shape.name} ({self._format})"
        twice = self._unique.twice()
        if self.broken:
            checks.append(Check("digest", subject, False, "a file of it cannot be used"))
            return
        digest = joined(self._rows, self._blocks)
        if dataset["digest"] is None:
            detail = f"the manifest has none, for the database wrote the file: {digest}"
            checks.append(Check("digest", subject, True, detail))
        else:
            same = digest == dataset["digest"]
            detail = "content as written" if same else "differs from the manifest's digest"
            checks.append(Check("digest", subject, same, detail))
        counted = completeness["counts"].get(self._shape.name, {}).get("rows")
        whole = self._rows == dataset["rows"] == counted
        detail = f"{self._rows} rows of {counted} that were counted in the database"
        checks.append(Check("counts", subject, whole, detail))
        if twice is not None:
            detail = f"{self._shape.key} {twice} is there twice"
            checks.append(Check("order", subject, False, detail))
        if self._dangling is not None:
            more = f"; {self._without_parent} references in all are without"
            checks.append(replace(self._dangling, detail=self._dangling.detail + more))
        elif len(self._outside) < len(self._shape.foreign_keys):
            detail = f"every parent is there, of {self._references} references"
            checks.append(Check("foreign_keys", subject, True, detail))
        if "outside" in completeness and self._outside:
            checks.append(self._leads_out(completeness["outside"], subject))

    def _leads_out(self, told: list[dict[str, Any]], subject: str) -> Check:
        """Whether as many rows refer to what the bundle does not hold as the manifest says."""
        claimed = {
            link["column"]: link["rows"] for link in told if link["dataset"] == self._shape.name
        }
        if claimed == self._outside:
            parents = ", ".join(f"{column} {rows}" for column, rows in claimed.items())
            return Check("outside", subject, True, f"rows that refer to other datasets: {parents}")
        wrong = sorted(
            column
            for column in claimed.keys() | self._outside.keys()
            if claimed.get(column) != self._outside.get(column)
        )
        detail = f"another number of rows has {', '.join(wrong)} than the manifest says"
        return Check("outside", subject, False, detail)

    def _refers(self, batch: pa.RecordBatch, before: int, path: str) -> None:
        own = self._keys.get(self._shape.name)
        if own is not None:
            own.update(batch.column(self._shape.key).to_pylist())
        for column, parent in self._shape.foreign_keys:
            array = batch.column(column)
            filled = len(array) - array.null_count
            if column in self._outside:
                self._outside[column] += filled
                continue
            known = self._keys.get(parent)
            if known is None:
                continue  # its files cannot be used, which is told there
            self._references += filled
            unknown = [
                value for value in pc.unique(array) if value.is_valid and value.as_py() not in known
            ]
            if not unknown:
                continue
            for value in unknown:
                self._without_parent += pc.sum(pc.equal(array, value)).as_py()
            if self._dangling is None:
                place = pc.index(array, unknown[0]).as_py()
                detail = f"{column} has no row in {parent}"
                row = before + place + 1
                self._dangling = Check("foreign_keys", path, False, detail, row)


def _located(
    check: Check,
    folder: Path,
    manifest: dict[str, Any],
    shape: Shape,
    entry: dict[str, Any],
    intact: set[str],
) -> Check:
    """The check with the row that differs, where another format can tell it."""
    row, why = first_different_row(folder, manifest, shape, entry, intact - {entry["path"]})
    if row is None:
        return replace(check, detail=f"{check.detail}; {why}")
    return replace(check, detail=why, row=row, block=(row - 1) // blocks.BLOCK_ROWS + 1)


def _compared(entry: dict[str, Any], rows: int, found: list[str]) -> Check:
    path = entry["path"]
    if rows != entry["rows"]:
        detail = f"has {rows} rows instead of {entry['rows']}"
        return Check("rows", path, False, detail, min(rows, entry["rows"]) + 1)
    if entry["digest"] is None:
        return Check("rows", path, True, f"{rows} rows, digest {joined(rows, found)}")
    different = [
        number
        for number, (ours, theirs) in enumerate(zip(found, entry["blocks"], strict=False), 1)
        if ours != theirs
    ]
    if different or joined(rows, found) != entry["digest"]:
        block = different[0] if different else None
        return Check("rows", path, False, "holds other rows than the manifest says", None, block)
    return Check("rows", path, True, f"{rows} rows, each as the schema says")

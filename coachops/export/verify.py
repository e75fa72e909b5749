"""Verifying an export without its database: every file is read again and every claim is checked.

Only what lies in the folder is used (its schemas, not this version's registry), so exports of other
versions verify too. Memory: ids of the datasets that others refer to; rows are streamed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from coachops.core.errors import CoachError
from coachops.export import bundle
from coachops.export.codecs import FORMATS, Codec, FormatError, codec_for
from coachops.export.codecs.codec import Field, Shape
from coachops.export.definitions import PATTERNS
from coachops.export.differences import first_different_row
from coachops.export.digest import Digest
from coachops.export.reader import CHUNK_ROWS, Columns


@dataclass(frozen=True, slots=True)
class Check:
    """One claim of an export, and whether it holds.

    Attributes:
        check: what was checked: manifest, files, sha256, rows, schema, order, digest, foreign_keys.
        subject: the file or dataset.
        ok: whether it holds.
        detail: what was found.
        row: the first row that differs, from 1 within the file; None where no row can be named.
    """

    check: str
    subject: str
    ok: bool
    detail: str
    row: int | None = None


def verify_export(folder: Path, progress: Callable[[str], None] = lambda _: None) -> list[Check]:
    """Check an export; intact means that every check is `ok`.

    Parameters:
        progress: called with each file before it is read.

    Raises:
        CoachError: COACH-EXP-005 where there is no export in `folder`.
    """
    if not (folder / bundle.MANIFEST).is_file():
        raise CoachError("COACH-EXP-005", path=folder)
    checks: list[Check] = []
    manifest = _manifest(folder, checks)
    if manifest is None:
        return checks
    checks.append(_listing(folder, manifest))
    if not checks[-1].ok:
        return checks
    intact = set()
    for entry in manifest["files"]:
        progress(entry["path"])
        checks.append(_bytes(folder, entry))
        if checks[-1].ok:
            intact.add(entry["path"])
    _contents(folder, manifest, intact, checks, progress)
    return checks


def require_intact(folder: Path, checks: Sequence[Check]) -> None:
    """Raise COACH-EXP-004 with a check that failed, rather one that names a row."""
    bad = [check for check in checks if not check.ok]
    if bad:
        check = next((check for check in bad if check.row is not None), bad[0])
        at = f", row {check.row}" if check.row is not None else ""
        raise CoachError(
            "COACH-EXP-004", path=folder, reason=f"{check.subject}{at}: {check.detail}"
        )


def _manifest(folder: Path, checks: list[Check]) -> dict[str, Any] | None:
    """The manifest, if it is exactly as it was written."""
    data = (folder / bundle.MANIFEST).read_bytes()
    digest = folder / bundle.MANIFEST_DIGEST
    if not digest.is_file():
        checks.append(Check("manifest", bundle.MANIFEST_DIGEST, False, "is missing"))
        return None
    if digest.read_bytes() != bundle.manifest_digest(data):
        detail = f"does not belong to {bundle.MANIFEST}: one of the two was changed"
        checks.append(Check("manifest", bundle.MANIFEST_DIGEST, False, detail))
        return None
    try:
        manifest: dict[str, Any] = json.loads(data)
        major = int(str(manifest["format_version"]).split(".")[0])
        known = manifest["format"] == "coachops-export" and major == 1
        _ = (manifest["datasets"], manifest["files"], manifest["formats"])
    except (ValueError, KeyError, TypeError):
        known = False
        manifest = {}
    if not known:
        detail = "is not the manifest of an export that this version can read"
        checks.append(Check("manifest", bundle.MANIFEST, False, detail))
        return None
    detail = f"export {manifest['export_id']} of {manifest['snapshot_at']}"
    checks.append(Check("manifest", bundle.MANIFEST, True, detail))
    return manifest


def _listing(folder: Path, manifest: dict[str, Any]) -> Check:
    """The folder holds exactly the files of the manifest."""
    listed = {entry["path"] for entry in manifest["files"]}
    own = {bundle.MANIFEST, bundle.MANIFEST_DIGEST}
    for path in sorted(listed):
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            return Check("files", path, False, "points out of the folder")
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for path in sorted(found):
        if (folder / path).is_symlink():
            return Check("files", path, False, "is a link, not a file")
    if missing := sorted(listed - found):
        return Check("files", missing[0], False, f"is missing ({len(missing)} in all)")
    if extra := sorted(found - listed - own):
        return Check("files", extra[0], False, f"is not in the manifest ({len(extra)} in all)")
    return Check("files", str(folder), True, f"{len(listed)} files, none missing, none extra")


def _bytes(folder: Path, entry: dict[str, Any]) -> Check:
    path = folder / entry["path"]
    size = path.stat().st_size
    if size != entry["bytes"]:
        detail = f"has {size} bytes instead of {entry['bytes']}"
        return Check("sha256", entry["path"], False, detail)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry["sha256"]:
        return Check("sha256", entry["path"], False, "its content was changed (SHA-256 differs)")
    return Check("sha256", entry["path"], True, f"{size} bytes, SHA-256 as written")


def _contents(
    folder: Path,
    manifest: dict[str, Any],
    intact: set[str],
    checks: list[Check],
    progress: Callable[[str], None],
) -> None:
    """Rows, schema, order, digest and foreign keys of every dataset in every format."""
    shapes = _shapes(folder, manifest, intact, checks)
    referenced = {parent for shape in shapes.values() for _, parent in shape.foreign_keys}
    for format_name in manifest["formats"]:
        if format_name not in FORMATS:
            checks.append(Check("files", format_name, False, "is a format unknown here"))
            continue
        codec = codec_for(format_name, manifest["csv_profile"] or "lossless")
        keys: dict[str, set[bytes]] = {name: set() for name in referenced & shapes.keys()}
        for dataset in _parents_first(manifest["datasets"], shapes):
            shape = shapes[dataset["name"]]
            reading = _Reading(shape, codec, keys)
            for entry in manifest["files"]:
                if entry.get("dataset") != shape.name or entry.get("format") != format_name:
                    continue
                progress(entry["path"])
                if entry["path"] not in intact:
                    row, why = first_different_row(folder, manifest, shape, entry, intact)
                    checks.append(Check("rows", entry["path"], False, why, row))
                    reading.broken = True
                elif not reading.file(folder, entry, checks):
                    reading.broken = True
            reading.finish(dataset, format_name, checks)
            if reading.broken:
                keys.pop(shape.name, None)  # its ids are not known, so nobody is blamed for them


def _shapes(
    folder: Path, manifest: dict[str, Any], intact: set[str], checks: list[Check]
) -> dict[str, Shape]:
    """The shape of each dataset, out of the schemas in the folder."""
    shapes: dict[str, Shape] = {}
    for dataset in manifest["datasets"]:
        if dataset["schema"] not in intact:
            checks.append(Check("schema", dataset["name"], False, "its schema is not intact"))
            continue
        with contextlib.suppress(ValueError, KeyError, TypeError):
            shapes[dataset["name"]] = Shape.from_schema(
                json.loads((folder / dataset["schema"]).read_bytes())
            )
        if dataset["name"] not in shapes:
            checks.append(Check("schema", dataset["name"], False, "its schema cannot be read"))
    return shapes


def _parents_first(
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

    def __init__(self, shape: Shape, codec: Codec, keys: dict[str, set[bytes]]) -> None:
        self.broken = False
        self._shape, self._codec, self._keys = shape, codec, keys
        self._digest = Digest([(field.name, field.kind) for field in shape.fields])
        self._place = {field.name: index for index, field in enumerate(shape.fields)}
        self._tests = [_test_of(field) for field in shape.fields]
        self._last: tuple[str | int, ...] = ()
        self._dangling: Check | None = None

    def file(self, folder: Path, entry: dict[str, Any], checks: list[Check]) -> bool:
        """Read a file; adds a check and returns whether it can be used."""
        rows = 0
        try:
            with (folder / entry["path"]).open("rb") as file:
                for chunk in self._codec.read(file, self._shape, CHUNK_ROWS):
                    self._conforms(chunk, rows)
                    self._ordered(chunk, rows)
                    self._refers(chunk, rows, entry["path"])
                    self._digest.update(chunk)
                    rows += len(chunk[0])
        except FormatError as error:
            checks.append(Check("rows", entry["path"], False, str(error), error.row))
            return False
        if rows != entry["rows"]:
            detail = f"has {rows} rows instead of {entry['rows']}"
            checks.append(Check("rows", entry["path"], False, detail))
            return False
        checks.append(Check("rows", entry["path"], True, f"{rows} rows, each as the schema says"))
        return True

    def finish(self, dataset: dict[str, Any], format_name: str, checks: list[Check]) -> None:
        """The claims over all files of the dataset."""
        subject = f"{self._shape.name} ({format_name})"
        if self.broken:
            checks.append(Check("digest", subject, False, "a file of it cannot be used"))
            return
        same = (
            self._digest.hexdigest() == dataset["digest"] and self._digest.rows == dataset["rows"]
        )
        detail = "content as written" if same else "the content differs from the manifest's digest"
        checks.append(Check("digest", subject, same, detail))
        if self._dangling is not None:
            checks.append(self._dangling)
        elif self._shape.foreign_keys:
            checks.append(Check("foreign_keys", subject, True, "every parent is there"))

    def _conforms(self, chunk: Columns, before: int) -> None:
        for field, test, values in zip(self._shape.fields, self._tests, chunk, strict=True):
            if None in values:
                if field.nullable and (test is None or all(map(test, filter(_given, values)))):
                    continue
            elif test is None or all(map(test, values)):
                continue
            for number, value in enumerate(values, before + 1):  # which row was it?
                if value is None and not field.nullable:
                    raise FormatError(f"column {field.name} is NULL", number)
                if value is not None and test is not None and not test(value):
                    what = f"is not of the kind {field.kind} as the schema says"
                    raise FormatError(f"column {field.name} {what}", number)

    def _ordered(self, chunk: Columns, before: int) -> None:
        """Rows rise strictly in the dataset's order, so none is there twice."""
        places = [self._place[name] for name in self._shape.order]
        numeric = [self._shape.fields[place].kind == "integer" for place in places]
        columns: list[list[Any]] = [
            [int(v or 0) for v in chunk[place]] if number else chunk[place]
            for place, number in zip(places, numeric, strict=True)
        ]
        for index, current in enumerate(zip(*columns, strict=True)):
            if self._last and current <= self._last:
                raise FormatError("is out of order or there twice", before + index + 1)
            self._last = current

    def _refers(self, chunk: Columns, before: int, path: str) -> None:
        own = self._keys.get(self._shape.name)
        if own is not None:
            own.update(_packed(value) for value in chunk[self._place[self._shape.key]] if value)
        if self._dangling is not None:
            return
        for column, parent in self._shape.foreign_keys:
            known = self._keys.get(parent)
            if known is None:
                continue  # that dataset is not in this export
            seen = ""
            for index, value in enumerate(chunk[self._place[column]]):
                if value is None or value == seen:
                    continue
                if _packed(value) not in known:
                    detail = f"{column} has no row in {parent}"
                    row = before + index + 1
                    self._dangling = Check("foreign_keys", path, False, detail, row)
                    return
                seen = value


def _packed(identifier: str) -> bytes:
    """An id in 16 bytes: a fifth of the memory of its text."""
    return bytes.fromhex(identifier.replace("-", ""))


def _given(value: str | None) -> bool:
    return value is not None


def _test_of(field: Field) -> Callable[[Any], object] | None:
    """Whether a text that is not NULL is a value of the column; None where every text is."""
    if field.enum:
        return frozenset(field.enum).__contains__
    return _TESTS[field.kind]


_SHORT = re.compile("-?(0|[1-9][0-9]{0,8})")
_INTEGER = re.compile(PATTERNS["int64"])


def _is_int32(text: str) -> bool:
    if _SHORT.fullmatch(text):
        return True
    return bool(_INTEGER.fullmatch(text)) and -(2**31) <= int(text) < 2**31


def _is_int64(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text)) and -(2**63) <= int(text) < 2**63


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


_DATE, _INSTANT = re.compile(PATTERNS["date"]), re.compile(PATTERNS["instant"])


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return bool(_DATE.fullmatch(text))


def _is_instant(text: str) -> bool:
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return bool(_INSTANT.fullmatch(text))


_TESTS: dict[str, Callable[[Any], object] | None] = {
    "uuid": re.compile(PATTERNS["uuid"]).fullmatch,
    "text": None,
    "code": None,
    "integer": _is_int32,
    "int64": _is_int64,
    "boolean": frozenset(("true", "false")).__contains__,
    "date": _is_date,
    "instant": _is_instant,
    "json": _is_json,
}

"""The files beside the data: manifest with its own digest, descriptor, schemas; and safe publishing.

Layout of an export (INTERFACES.md, "Export bundle"):

    data/<dataset>-<shard>.<extension>   shards from 0001
    schemas/<dataset>-<version>.json     JSON Schema 2020-12 of a row
    datapackage.json                     Data Package v2 descriptor
    manifest.json                        every file with rows, bytes and SHA-256; every dataset's digest
    manifest.json.sha256                 the manifest's own digest, as sha256sum prints it
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.export.codecs.codec import Shape
from coachops.export.codecs.csv import NULL

MANIFEST = "manifest.json"
MANIFEST_DIGEST = "manifest.json.sha256"
FORMAT_VERSION = "1.0.0"
"""Version of the layout above and of the manifest's keys."""

_TYPES: dict[str, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "int64": {"type": "integer"},
    "boolean": {"type": "boolean", "trueValues": ["true"], "falseValues": ["false"]},
    "date": {"type": "date"},
    "instant": {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S.%fZ"},
    "uuid": {"type": "string", "format": "uuid"},
    "json": {"type": "any"},
}


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` that becomes `out` when the block succeeds, else is removed.

    It is in the same file system, so the final rename is atomic: an export is there whole or not at
    all. A process that is killed leaves the hidden folder, which has no manifest.

    Raises:
        CoachError: COACH-EXP-003 where `out` holds something already, COACH-EXP-006 where the disk
            refuses.
    """
    out = out.absolute()
    _require_free(out)
    with translated(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = out.parent / f".{out.name}.partial-{ids.new_id().hex}"
        folder.mkdir(mode=0o700)
    try:
        with translated(out):
            yield folder
            sync_tree(folder)
            try:
                folder.rename(out)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                    raise CoachError("COACH-EXP-003", path=out) from None
                raise
            _sync(out.parent)
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def translated(out: Path) -> Iterator[None]:
    """A disk that refuses becomes COACH-EXP-006."""
    try:
        yield
    except OSError as error:
        raise CoachError(
            "COACH-EXP-006", path=out, reason=error.strerror or type(error).__name__
        ) from error


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest and its digest: the last files of an export."""
    text = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    (folder / MANIFEST).write_bytes(text)
    (folder / MANIFEST_DIGEST).write_bytes(manifest_digest(text))


def manifest_digest(manifest: bytes) -> bytes:
    """The content of `manifest.json.sha256`: `sha256sum -c` reads it."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()


def datapackage(
    shapes: Sequence[Shape],
    files: Sequence[Mapping[str, Any]],
    formats: Sequence[str],
    *,
    created_at: str,
    csv_profile: str,
) -> dict[str, Any]:
    """The Data Package v2 descriptor: one resource per dataset and format."""
    resources = []
    names = {shape.name for shape in shapes}
    for format_name in formats:
        for shape in shapes:
            own = [
                f
                for f in files
                if f.get("dataset") == shape.name and f.get("format") == format_name
            ]
            suffix = "" if format_name == formats[0] else f"-{format_name}"
            resource = _resource(shape, own, format_name, suffix, names)
            if format_name == "csv":
                resource["x-csv-profile"] = csv_profile
                missing = NULL if csv_profile == "lossless" else ""
                resource["schema"]["missingValues"] = [missing]
            resources.append(resource)
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "coachops-export",
        "created": created_at,
        "resources": resources,
    }


def _resource(
    shape: Shape,
    files: Sequence[Mapping[str, Any]],
    format_name: str,
    suffix: str,
    exported: set[str],
) -> dict[str, Any]:
    paths = [f["path"] for f in files]
    resource: dict[str, Any] = {
        "name": shape.name + suffix,
        "type": "table",
        "path": paths[0] if len(paths) == 1 else paths,
        "format": format_name,
        "mediatype": {"csv": "text/csv", "json": "application/json"}.get(
            format_name, "application/jsonl"
        ),
        "encoding": "utf-8",
        "schema": {
            "fields": [_field(field, format_name) for field in shape.fields],
            "primaryKey": [shape.key],
            "foreignKeys": [
                {
                    "fields": [column],
                    "reference": {
                        "resource": dataset + suffix,
                        "fields": [_key_of(dataset)],
                    },
                }
                for column, dataset in shape.foreign_keys
                if dataset in exported
            ],
        },
    }
    if len(files) == 1:
        resource |= {"bytes": files[0]["bytes"], "hash": f"sha256:{files[0]['sha256']}"}
    if format_name == "csv":
        resource["dialect"] = {"delimiter": ",", "quoteChar": '"', "doubleQuote": True}
    elif format_name == "json":
        resource["dialect"] = {"property": "rows"}
    return resource


def _field(field: Any, format_name: str) -> dict[str, Any]:
    made: dict[str, Any] = {"name": field.name, **_TYPES.get(field.kind, {"type": "string"})}
    if field.kind == "int64" and format_name != "csv":
        made["type"] = "string"
    constraints: dict[str, Any] = {"required": not field.nullable}
    if field.enum:
        constraints["enum"] = list(field.enum)
    return made | {"constraints": constraints}


def _key_of(dataset: str) -> str:
    from coachops.export.datasets import DATASETS  # noqa: PLC0415 only while writing

    return DATASETS[dataset].key


def _require_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise CoachError("COACH-EXP-003", path=out)
    if out.is_dir() and any(out.iterdir()):
        raise CoachError("COACH-EXP-003", path=out)


def sync_tree(folder: Path) -> None:
    """Have the operating system write every file and folder below `folder` to the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

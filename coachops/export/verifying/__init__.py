"""Verifying an export: every file is read again and every claim is checked.

Only what lies in the folder is used (its schemas, not this version's registry), so exports of older
minor versions verify too. `outside` checks names, bytes and the signature, `inside` the rows;
`differences` names the row in which a damaged file differs; `source` compares with the database.
Memory: ids of the datasets that others refer to; rows are streamed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from coachops.core.errors import CoachError
from coachops.export.definitions import SCHEMA_BASE
from coachops.export.manifest import MANIFEST
from coachops.export.shapes import Shape
from coachops.export.signing import expected_fingerprint
from coachops.export.verifying.checks import Check
from coachops.export.verifying.inside import Digests, verify_format
from coachops.export.verifying.outside import (
    read_manifest,
    verify_bytes,
    verify_listing,
    verify_signature,
)

Told = Callable[[str], None]


def verify_export(
    folder: Path,
    progress: Told = lambda _: None,
    *,
    key: str | None = None,
    formats: Sequence[str] | None = None,
    digests: Digests | None = None,
) -> list[Check]:
    """Check an export; intact means that every check is `ok`.

    Parameters:
        progress: called with each file before it is read; from several threads.
        key: fingerprint, or file with the public key, that must have signed it; None takes any.
        formats: only read the rows of these again; None is all.
        digests: gets what was computed from each data file, for `verify_source`.

    Raises:
        CoachError: COACH-EXP-005 where there is no export in `folder`, COACH-EXP-010 and -017
            where another version made it, COACH-EXP-011 and -015 for `key`.
    """
    wanted = None if key is None else expected_fingerprint(key)
    if not (folder / MANIFEST).is_file():
        raise CoachError("COACH-EXP-005", path=folder)
    checks: list[Check] = []
    manifest = read_manifest(folder, checks)
    checks += verify_signature(folder, manifest, wanted)
    if manifest is None:
        return checks
    checks.append(verify_listing(folder, manifest))
    if not checks[-1].ok:
        return checks
    intact = set()
    for entry in manifest["files"]:
        progress(entry["path"])
        checks.append(verify_bytes(folder, entry))
        if checks[-1].ok:
            intact.add(entry["path"])
    checks += _rows(folder, manifest, intact, progress, formats, {} if digests is None else digests)
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


def shapes_of(
    folder: Path, manifest: dict[str, Any], checks: list[Check], intact: set[str] | None = None
) -> dict[str, Shape]:
    """The shape of each dataset, out of the schemas in the folder.

    Parameters:
        checks: gets one for each schema that cannot be used.
        intact: paths of files whose bytes are as written; None trusts all.

    Raises:
        CoachError: COACH-EXP-017 where a schema is of another major version.
    """
    shapes: dict[str, Shape] = {}
    for dataset in manifest["datasets"]:
        if intact is not None and dataset["schema"] not in intact:
            checks.append(Check("schema", dataset["name"], False, "its schema is not intact"))
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            shape = Shape.from_schema(json.loads((folder / dataset["schema"]).read_bytes()))
            if shape.name == dataset["name"] and shape.schema_id.startswith(SCHEMA_BASE):
                shapes[shape.name] = shape
        if dataset["name"] not in shapes:
            checks.append(Check("schema", dataset["name"], False, "its schema cannot be read"))
            continue
        _require_major(shapes[dataset["name"]])
    return shapes


def _require_major(shape: Shape) -> None:
    from coachops.export.datasets import DATASETS  # noqa: PLC0415 imports SQLAlchemy

    known = DATASETS.get(shape.name)
    major = shape.version.split(".")[0]
    if known is not None and known.version.split(".")[0] != major:
        raise CoachError(
            "COACH-EXP-017",
            dataset=shape.name, found=shape.version, known=known.version.split(".")[0],
        )  # fmt: skip


def _rows(
    folder: Path,
    manifest: dict[str, Any],
    intact: set[str],
    progress: Told,
    formats: Sequence[str] | None,
    digests: Digests,
) -> Iterator[Check]:
    """The rows of every format; two formats are read at the same time."""
    checks: list[Check] = []
    shapes = shapes_of(folder, manifest, checks, intact)
    yield from checks
    chosen = [name for name in manifest["formats"] if formats is None or name in formats]
    with ThreadPoolExecutor(2, "verify") as threads:
        found = [
            threads.submit(verify_format, folder, manifest, shapes, name, intact, progress, digests)
            for name in chosen
        ]
        for future in found:
            yield from future.result()


__all__ = ["Check", "require_intact", "shapes_of", "verify_export"]

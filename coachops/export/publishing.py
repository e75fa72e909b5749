"""The files beside the data, and publishing a bundle whole or not at all.

Layout (INTERFACES.md, "Export bundle"):

    data/<dataset>-<shard>.<extension>   shards from 0001
    schemas/<dataset>-<version>.json     JSON Schema 2020-12 of a row; and of the manifest
    datapackage.json                     Data Package v2 descriptor
    csvw-metadata.json                   CSVW, where there is lossless CSV
    manifest.json                        every file and dataset with its proofs
    SHA256SUMS                           of all files above, as `sha256sum -c` reads it
    SHA256SUMS.sig, public-key.pem       its Ed25519 signature, and the key to check it with
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset
from coachops.export.disk import sync, sync_tree, translated
from coachops.export.manifest import MANIFEST, make_manifest, schema_path, to_bytes
from coachops.export.plan import FileEntry, PartResult, Plan
from coachops.export.schemas import (
    CSVW,
    DESCRIPTOR,
    FORMAT_VERSION,
    csvw,
    datapackage,
    manifest_schema,
)
from coachops.export.shapes import Shape
from coachops.export.signing import SigningKey

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
PUBLIC_KEY = "public-key.pem"


class FilesGoneError(CoachError):
    """Files of parts that were written are not there any more: the parts must be written again."""


Variant = Callable[[Dataset], tuple[Dataset, Any]]
"""What of a dataset is written (`parts.Privacy`)."""


def describe(
    plan: Plan,
    results: Sequence[PartResult],
    folder: Path,
    *,
    key: SigningKey | None,
    privacy: Variant | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Write every file beside the data; returns the manifest, and all paths in order of upload.

    The manifest is the last path: where it is not, the bundle is not complete. Everything is a
    function of the arguments, so a bundle described twice is the same, byte for byte.

    Parameters:
        results: of every part of the plan, whose files lie in `folder`.
        key: signs the bundle; None leaves it unsigned.
        privacy: what of each dataset was written; None is everything.

    Raises:
        CoachError: COACH-EXP-006 where the disk refuses.
        ValueError: the results are not those of the plan.
    """
    shapes, documents = _schemas(plan, privacy)
    data = _data_files(plan, results)
    with translated(folder):
        files = data + [
            _written(folder, path, document) for path, document in sorted(documents.items())
        ]
        package = datapackage(
            shapes, data, created=plan.snapshot_at, csv_profile=plan.spec.csv_profile
        )
        files.append(_written(folder, DESCRIPTOR, to_bytes(package)))
        if "csv" in plan.spec.formats and plan.spec.csv_profile == "lossless":
            files.append(_written(folder, CSVW, to_bytes(csvw(shapes, data))))
        if key is not None:
            files.append(_written(folder, PUBLIC_KEY, key.public_pem))
        manifest = make_manifest(
            plan, shapes, files, signed_by=None if key is None else key.fingerprint
        )
        listed = [*files, _written(folder, MANIFEST, to_bytes(manifest))]
        lines = sorted(f"{entry.sha256}  {entry.path}\n" for entry in listed)
        sums = "".join(sorted(lines, key=lambda line: line[66:])).encode()
        last = [_written(folder, SUMS, sums)]
        if key is not None:
            last.append(_written(folder, SIGNATURE, key.sign(sums)))
    return manifest, [entry.path for entry in [*files, *last]] + [MANIFEST]


def publish(
    plan: Plan,
    results: Sequence[PartResult],
    folder: Path,
    out: Path,
    *,
    key: SigningKey | None,
    privacy: Variant | None = None,
) -> dict[str, Any]:
    """Describe the data files in `folder` and give the folder its final name `out`.

    Raises:
        CoachError: COACH-EXP-003 where `out` holds something already, COACH-EXP-006 where the disk
            refuses.
    """
    manifest, paths = describe(plan, results, folder, key=key, privacy=privacy)
    finish(folder, out, paths)
    return manifest


def finish(folder: Path, out: Path, paths: Sequence[str]) -> None:
    """Remove what is not in the bundle, have it all on the disk, and rename the folder.

    Raises:
        FilesGoneError: somebody removed files that were written, so it is not whole.
        CoachError: COACH-EXP-003, COACH-EXP-006.
    """
    wanted = set(paths)
    with translated(out):
        for name in paths:
            if not (folder / name).exists():
                raise FilesGoneError("COACH-EXP-006", path=out, reason=f"{name} was removed")
        for path in list(folder.rglob("*")):  # what a worker that was killed left behind
            if not path.is_dir() and path.relative_to(folder).as_posix() not in wanted:
                path.unlink()
        sync_tree(folder)
        try:
            folder.rename(out)
        except OSError as error:
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                raise CoachError("COACH-EXP-003", path=out) from None
            raise
        sync(out.parent)


def draft_of(out: Path, export_id: uuid.UUID) -> Path:
    """The hidden folder beside `out` in which that export is written."""
    return out.with_name(f".{out.name}.partial-{export_id.hex}")


@contextlib.contextmanager
def draft_folder(out: Path, export_id: uuid.UUID | None = None) -> Iterator[Path]:
    """A hidden private folder beside `out`, removed when the block ends unless it was renamed.

    It is in the same file system, so the final rename is atomic. A process that is killed leaves
    it, without a manifest.

    Parameters:
        export_id: names the folder, so that others find it by the record; None takes a new one.

    Raises:
        CoachError: COACH-EXP-003 where `out` holds something already, COACH-EXP-006 where the disk
            refuses.
    """
    out = out.absolute()
    require_free(out)
    with translated(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = draft_of(out, export_id or ids.new_id())
        folder.mkdir(mode=0o700)
    try:
        with translated(out):
            yield folder
    finally:
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)


def require_free(out: Path) -> None:
    """Refuse a path that holds something already.

    Raises:
        CoachError: COACH-EXP-003.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise CoachError("COACH-EXP-003", path=out)
    if out.is_dir() and any(out.iterdir()):
        raise CoachError("COACH-EXP-003", path=out)


def _schemas(plan: Plan, privacy: Variant | None) -> tuple[dict[str, Shape], dict[str, bytes]]:
    shapes: dict[str, Shape] = {}
    documents = {f"schemas/manifest-{FORMAT_VERSION}.json": to_bytes(manifest_schema())}
    for name in plan.spec.datasets:
        dataset = DATASETS[name] if privacy is None else privacy(DATASETS[name])[0]
        schema = dataset.json_schema()
        shapes[name] = Shape.from_schema(schema)
        documents[schema_path(shapes[name])] = to_bytes(schema)
    return shapes, documents


def _data_files(plan: Plan, results: Sequence[PartResult]) -> list[FileEntry]:
    """The data files: by dataset, format and shard."""
    if [result.number for result in results] != [part.number for part in plan.parts]:
        raise ValueError("the results are not those of the plan's parts, in order")
    by_format = {name: place for place, name in enumerate(plan.spec.formats)}
    by_dataset = {name: place for place, name in enumerate(plan.spec.datasets)}
    files = [entry for result in results for entry in result.files]
    files.sort(key=lambda e: (by_dataset[e.dataset], by_format[e.format], e.shard))
    return files


def _written(folder: Path, path: str, data: bytes) -> FileEntry:
    target = folder / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target.write_bytes(data)
    return FileEntry(path, len(data), hashlib.sha256(data).hexdigest())

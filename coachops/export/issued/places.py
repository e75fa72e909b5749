"""Where the files of an export lie: a folder, or a bucket (`s3://bucket/prefix`).

While it is made, everything is in a work folder or below a staging prefix, which bear the export's id,
each plan in its own: files of two exports or of two moments never meet. The manifest comes last:
without it nothing is an export.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.export.disk import translated
from coachops.export.manifest import MANIFEST
from coachops.export.publishing import draft_of, finish

CHUNK = 1 << 20
"""Bytes that are read at a time: what a download holds in memory."""

Manifest = dict[str, Any]
Describer = Callable[[Path], tuple[Manifest, list[str]]]
"""Writes what stands beside the data into the work folder; returns the manifest, and the paths of all
files in the order in which they may appear."""
Look = Callable[[], object]
"""Called before each file that appears; what it raises ends it."""


class Place(Protocol):
    """The place of one export. Every error of it is COACH-EXP-003, -006 or -050."""

    url: str

    def work(self, generation: int) -> Path:
        """The folder in which this machine writes parts of that plan; made where it is missing."""

    def keep(self, generation: int, names: Sequence[str]) -> None:
        """Files of a part are written in the work folder: put them where all workers' files meet."""

    def publish(
        self, generation: int, describe: Describer, look: Look
    ) -> tuple[Manifest, list[dict[str, Any]]]:
        """Make the export appear at once; a second time it is the one that is there.

        What was on its way stays until `discard`, so that a crash in between is repeated. After an
        error, files may be there without a manifest: `withdraw` takes them away.

        Returns:
            the manifest, and all files with `path`, `bytes` and `sha256`.
        """

    def read(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes of a published file from `start` until before `end`, in small pieces."""

    def withdraw(self, *, whole: bool) -> None:
        """Take away what this export put at its place; what others put there stays.

        Parameters:
            whole: also where its manifest is there; else only what publishing left half-way.
        """

    def discard(self) -> bool:
        """Remove what is not published whole; whether nothing of it is left."""

    def delete(self) -> None:
        """Remove everything; nothing there is fine."""


def open_place(settings: Settings, url: str, export_id: uuid.UUID) -> Place:
    """The place of an export.

    Parameters:
        url: a path, or `s3://bucket/prefix`.
        export_id: what lies there unpublished of other exports is left alone.
    """
    if url.startswith("s3://"):
        from coachops.export.issued.bucket import BucketPlace  # noqa: PLC0415 with botocore

        return BucketPlace(url, settings.home / "exports" / ".work", export_id)
    return FolderPlace(Path(url), export_id)


def base_of(settings: Settings) -> str:
    """Where exports go that nobody chose a place for."""
    return settings.export_url.rstrip("/") or str(settings.home / "exports")


def is_url(text: str) -> bool:
    """Whether the text names a bucket instead of a folder."""
    return text.startswith("s3://")


class FolderPlace:
    """A folder; of several machines' workers, one that all of them see."""

    def __init__(self, out: Path, export_id: uuid.UUID) -> None:
        self._out = out.absolute()
        self._id = str(export_id)
        self._draft = draft_of(self._out, export_id)
        self.url = str(self._out)

    def work(self, generation: int) -> Path:
        """See `Place`."""
        folder = self._folder(generation)
        with translated(self._out):
            for each in (folder, folder / "data"):  # of parents `mkdir` makes public ones
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def keep(self, generation: int, names: Sequence[str]) -> None:
        """See `Place`: they are there already."""

    def publish(
        self, generation: int, describe: Describer, look: Look
    ) -> tuple[Manifest, list[dict[str, Any]]]:
        """See `Place`."""
        manifest = read_manifest(self._out)
        folder = self._folder(generation)
        if manifest is None or folder.exists():
            manifest, paths = describe(self.work(generation))
            look()
            finish(folder, self._out, paths)
        return manifest, listing(self._out, manifest)

    def read(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """See `Place`."""
        with translated(self._out), (self._out / name).open("rb") as file:
            file.seek(start)
            left = end - start
            while left > 0:
                piece = file.read(min(CHUNK, left))
                if not piece:  # cut since: the connection is closed, the reader sees it is short
                    raise CoachError("COACH-EXP-004", path=name, reason="the file was cut")
                left -= len(piece)
                yield piece

    def discard(self) -> bool:
        """See `Place`."""
        whole, beside = self._draft.name, self._out.parent
        left = False
        with translated(self._out):
            found = list(beside.iterdir()) if beside.is_dir() else []
        for folder in found:
            # no pattern: names may hold `*` and `[`
            if folder.name == whole or folder.name.startswith(f"{whole}-"):
                shutil.rmtree(folder, ignore_errors=True)
                left = left or folder.exists()
        return not left

    def withdraw(self, *, whole: bool) -> None:
        """See `Place`: it appears by one rename, so it is there whole or not at all."""
        if not whole:
            return
        try:
            manifest = read_manifest(self._out)
        except (OSError, ValueError):
            return  # none of ours
        if isinstance(manifest, dict) and manifest.get("export_id") == self._id:
            self._take_away()

    def delete(self) -> None:
        """See `Place`."""
        self.discard()
        if self._out.exists():
            self._take_away()

    def _take_away(self) -> None:
        """Renamed first, so that a half-deleted export never looks like one."""
        going = self._folder("going")
        with translated(self._out):
            self._out.rename(going)
            shutil.rmtree(going)

    def _folder(self, name: object) -> Path:
        return self._draft.with_name(f"{self._draft.name}-{name}")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a published export; None where there is none."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    found: Manifest = json.loads(path.read_text(encoding="utf-8"))
    return found


def listing(folder: Path, manifest: Manifest) -> list[dict[str, Any]]:
    """All files of an export: those of its manifest, and the manifest with what proves it."""
    files = {
        entry["path"]: {
            name: entry[name]
            for name in ("path", "bytes", "sha256", "rows", "dataset", "format")
            if name in entry
        }
        for entry in manifest["files"]
    }
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in files:
            data = path.read_bytes()  # manifest, sums, signature: small
            files[path.name] = {
                "path": path.name,
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
    return list(files.values())

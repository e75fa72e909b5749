"""Exports in a bucket of any service that speaks S3.

Parts go below `<prefix>.staging/<export>/<plan>/`, so that whoever lists the prefix never takes half of an
export for the whole; publishing copies them inside the service and writes the manifest last. Every
object bears the id of its export: whoever cleans up, in whatever process, takes away just those.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coachops.buckets import open_files, trouble
from coachops.core.errors import CoachError
from coachops.export.datasets import DATASETS
from coachops.export.disk import translated
from coachops.export.issued.places import CHUNK, Describer, Look, Manifest, listing
from coachops.export.manifest import MANIFEST, to_bytes
from coachops.export.publishing import PUBLIC_KEY, SIGNATURE, SUMS, FilesGoneError
from coachops.export.schemas import CSVW, DESCRIPTOR

_READ_AT_ONCE = 8 * CHUNK
_DELETED_AT_ONCE = 1000
_OWNER = "coachops-export"
"""Metadata of every object: the id of its export. A copy inside the service keeps it."""
_BESIDE = (SUMS, SIGNATURE, PUBLIC_KEY, DESCRIPTOR, CSVW)
_NAMED_AFTER = {"data": set(DATASETS), "schemas": {*DATASETS, "manifest"}}
"""Folders of a bundle, and what the names of their files begin with."""


class BucketPlace:
    """Objects below a prefix.

    Parameters:
        url: `s3://bucket/prefix`.
        work: a folder of this machine for files on their way.
        export_id: whose they are.
    """

    def __init__(self, url: str, work: Path, export_id: uuid.UUID) -> None:
        self.url = url.rstrip("/")
        self._mark = {_OWNER: export_id.hex}
        self._root = self.url.removeprefix("s3://")
        self._staging = f"{self._root}.staging/{export_id.hex}"
        self._work = work / export_id.hex

    def work(self, generation: int) -> Path:
        """See `Place`."""
        folder = self._work / str(generation)
        with translated(self._work):
            for each in (folder.parent, folder, folder / "data"):  # `mkdir` makes parents public
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def keep(self, generation: int, names: Sequence[str]) -> None:
        """See `Place`."""
        folder = self.work(generation)
        with self._translated():
            for name in names:
                self._put(folder / name, f"{self._staging}/{generation}/{name}")
        for name in names:
            (folder / name).unlink(missing_ok=True)

    def publish(
        self, generation: int, describe: Describer, look: Look
    ) -> tuple[Manifest, list[dict[str, Any]]]:
        """See `Place`."""
        folder = self.work(generation)
        manifest, paths = describe(folder)
        with self._translated():
            self._make_room(manifest, paths)
            for path in paths:  # the manifest is the last one
                look()
                if path == MANIFEST:
                    self._require_whole(manifest, paths)
                if (folder / path).is_file():
                    self._put(folder / path, f"{self._root}/{path}")
                else:
                    self._take_over(generation, path)
        return manifest, listing(folder, manifest)

    def read(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """See `Place`."""
        while start < end:
            until = min(end, start + _READ_AT_ONCE)
            with self._translated():
                piece = bytes(open_files().cat_file(f"{self._root}/{name}", start=start, end=until))
            if len(piece) != until - start:
                raise CoachError("COACH-EXP-004", path=name, reason="the object was cut")
            yield piece
            start = until

    def discard(self) -> bool:
        """See `Place`."""
        shutil.rmtree(self._work, ignore_errors=True)
        self.withdraw(whole=False)
        self._remove(self._staging)
        return not self._work.exists()

    def delete(self) -> None:
        """See `Place`. The manifest goes first."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            open_files().rm_file(f"{self._root}/{MANIFEST}")
        self._remove(self._root)
        self.discard()

    def withdraw(self, *, whole: bool) -> None:
        """See `Place`. The manifest goes first."""
        manifest = f"{self._root}/{MANIFEST}"
        with self._translated():
            if self._is_own(manifest):
                if not whole:
                    return
                self._delete([manifest])
            self._delete([name for name in self._may_be_own() if self._is_own(name)])

    def _may_be_own(self) -> Iterator[str]:
        """Objects that are named as in a bundle: below the prefix may lie a whole lake of others."""
        yield from (f"{self._root}/{name}" for name in _BESIDE)
        for folder, known in _NAMED_AFTER.items():
            prefix = f"{self._root}/{folder}/"
            found: list[str] = []
            with contextlib.suppress(FileNotFoundError):
                found = open_files().find(prefix.rstrip("/"))
            for name in found:
                stem = name.removeprefix(prefix).rpartition("-")[0]
                if name.startswith(prefix) and stem in known:
                    yield name

    def _is_own(self, name: str) -> bool:
        """Whether this export put the object there."""
        bucket, _, key = name.partition("/")
        try:
            answer = open_files().call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return False
        return bool(answer.get("Metadata", {}).get(_OWNER) == self._mark[_OWNER])

    def _make_room(self, manifest: Manifest, paths: Sequence[str]) -> None:
        """Refuse a prefix below which something else lies: mixed, neither would be whole.

        What an earlier try of this export left there is taken away where the new one has no such
        file, and a manifest of other files before any of them is replaced.
        """
        found = open_files().find(self._root)
        there = {name.removeprefix(f"{self._root}/") for name in found} - {""}
        text = b""
        if MANIFEST in there:
            text = open_files().cat_file(f"{self._root}/{MANIFEST}")
            if manifest["export_id"] not in text.decode("utf-8", "replace"):
                raise CoachError("COACH-EXP-003", path=self.url)
        more = [f"{self._root}/{name}" for name in sorted(there - set(paths))]
        if not all(map(self._is_own, more)):
            raise CoachError("COACH-EXP-003", path=self.url)
        if text and text != to_bytes(manifest):
            self._delete([f"{self._root}/{MANIFEST}"])
        self._delete(more)

    def _require_whole(self, manifest: Manifest, paths: Sequence[str]) -> None:
        """Once more before the manifest says so: others clean up at the same place, too."""
        found = open_files().find(self._root, detail=True)
        sizes = {entry["path"]: entry["bytes"] for entry in manifest["files"]}
        for path in paths:
            info = found.get(f"{self._root}/{path}")
            if path != MANIFEST and (info is None or info["size"] != sizes.get(path, info["size"])):
                raise self._gone(path)

    def _put(self, path: Path, name: str) -> None:
        open_files().put_file(str(path), name, Metadata=self._mark)

    def _take_over(self, generation: int, path: str) -> None:
        try:
            open_files().cp_file(f"{self._staging}/{generation}/{path}", f"{self._root}/{path}")
        except FileNotFoundError:
            raise self._gone(path) from None

    def _gone(self, path: str) -> FilesGoneError:
        return FilesGoneError("COACH-EXP-050", place=self.url, reason=f"{path} was removed")

    def _remove(self, prefix: str) -> None:
        """Everything below it. The library's own `rm` takes a prefix with `*` or `[` for a pattern."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            found = open_files().find(prefix)
            self._delete([name for name in found if name.startswith(f"{prefix}/")])

    def _delete(self, names: Sequence[str]) -> None:
        bucket, _, _ = self._root.partition("/")
        keys = [{"Key": name.removeprefix(f"{bucket}/")} for name in names]
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            some = keys[start : start + _DELETED_AT_ONCE]
            answer = open_files().call_s3(
                "delete_objects", Bucket=bucket, Delete={"Objects": some, "Quiet": True}
            )
            if answer.get("Errors"):
                raise self._refused(str(answer["Errors"][0].get("Code", "not deleted")))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            found = trouble(error)
            if found is None:
                raise
            raise self._refused(found.reason) from error

    def _refused(self, reason: str) -> CoachError:
        return CoachError("COACH-EXP-050", place=self.url, reason=reason)

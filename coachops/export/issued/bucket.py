"""Exports in a bucket of any service that speaks S3.

Parts go below `<prefix>.staging/<export>/<plan>/`, so that whoever lists the prefix never takes half of an
export for the whole; publishing copies them inside the service and writes the manifest last.
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
from coachops.export.disk import translated
from coachops.export.issued.places import CHUNK, Describer, Manifest, listing
from coachops.export.manifest import MANIFEST
from coachops.export.publishing import FilesGoneError

_READ_AT_ONCE = 8 * CHUNK
_DELETED_AT_ONCE = 1000


class BucketPlace:
    """Objects below a prefix.

    Parameters:
        url: `s3://bucket/prefix`.
        work: a folder of this machine for files on their way.
        export_id: whose they are.
    """

    def __init__(self, url: str, work: Path, export_id: uuid.UUID) -> None:
        self.url = url.rstrip("/")
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
                open_files().put_file(str(folder / name), f"{self._staging}/{generation}/{name}")
        for name in names:
            (folder / name).unlink(missing_ok=True)

    def publish(
        self, generation: int, describe: Describer
    ) -> tuple[Manifest, list[dict[str, Any]]]:
        """See `Place`."""
        folder = self.work(generation)
        manifest, paths = describe(folder)
        with self._translated():
            self._require_free(manifest, paths)
            for path in paths:  # the manifest is the last one
                if (folder / path).is_file():
                    open_files().put_file(str(folder / path), f"{self._root}/{path}")
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
        self._remove(self._staging)
        return not self._work.exists()

    def delete(self) -> None:
        """See `Place`. The manifest goes first."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            open_files().rm_file(f"{self._root}/{MANIFEST}")
        self._remove(self._root)
        self.discard()

    def _require_free(self, manifest: Manifest, paths: Sequence[str]) -> None:
        """Refuse a prefix below which something else lies: mixed, neither would be whole."""
        found = open_files().find(self._root)
        there = {name.removeprefix(f"{self._root}/") for name in found} - {""}
        own = True
        if MANIFEST in there:
            text = open_files().cat_file(f"{self._root}/{MANIFEST}").decode("utf-8", "replace")
            own = manifest["export_id"] in text
        if not own or not there <= set(paths):
            raise CoachError("COACH-EXP-003", path=self.url)

    def _take_over(self, generation: int, path: str) -> None:
        try:
            open_files().cp_file(f"{self._staging}/{generation}/{path}", f"{self._root}/{path}")
        except FileNotFoundError:
            reason = f"{path} was removed"
            raise FilesGoneError("COACH-EXP-050", place=self.url, reason=reason) from None

    def _remove(self, prefix: str) -> None:
        """Everything below it. The library's own `rm` takes a prefix with `*` or `[` for a pattern."""
        bucket, _, _ = prefix.partition("/")
        with self._translated(), contextlib.suppress(FileNotFoundError):
            found = [name for name in open_files().find(prefix) if name.startswith(f"{prefix}/")]
            keys = [{"Key": name.removeprefix(f"{bucket}/")} for name in found]
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

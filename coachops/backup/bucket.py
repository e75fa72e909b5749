"""A bucket as the second place: `s3://bucket/prefix`, of any service that speaks S3.

An object appears when it is complete, so nothing need be renamed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from coachops.backup.place import SMALL, Entry
from coachops.buckets import open_files, trouble
from coachops.core import clock
from coachops.core.errors import CoachError


class BucketPlace:
    """Objects below a prefix of a bucket.

    Parameters:
        url: `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._root = self.url.removeprefix("s3://")
        self._bucket = self._root.split("/", 1)[0]

    def put(self, name: str, source: Path) -> None:
        """See `Place`."""
        with self._translated():
            open_files().put_file(str(source), self._path(name))

    def write(self, name: str, data: bytes) -> None:
        """See `Place`."""
        with self._translated():
            open_files().pipe_file(self._path(name), data)

    def get(self, name: str, target: Path) -> None:
        """See `Place`."""
        with self._translated():
            open_files().get_file(self._path(name), str(target))

    def read(self, name: str) -> bytes:
        """See `Place`."""
        with self._translated():
            return bytes(open_files().cat_file(self._path(name), start=0, end=SMALL + 1))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """See `Place`."""
        top = self._path(prefix).rpartition("/")[0] if prefix else self._root
        with self._translated():
            try:
                found = open_files().find(top, detail=True)
            except FileNotFoundError:
                found = {}
            if not found:  # an empty listing is also what a missing bucket gives
                self._require_bucket()
        entries = [
            Entry(
                key.removeprefix(self._root).lstrip("/"),
                int(info["size"]),
                info["LastModified"].astimezone(clock.UTC),
            )
            for key, info in found.items()
            if info["type"] == "file"
        ]
        yield from sorted(
            (entry for entry in entries if entry.name.startswith(prefix)), key=lambda e: e.name
        )

    def delete(self, name: str) -> None:
        """See `Place`."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            open_files().rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _require_bucket(self) -> None:
        try:
            open_files().call_s3("list_objects_v2", Bucket=self._bucket, MaxKeys=1)
        except FileNotFoundError as error:
            raise CoachError("COACH-BKP-003", reason="no such bucket", place=self.url) from error

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            found = trouble(error)
            if found is not None and found.kind == "missing":
                self._require_bucket()
            if found is None or found.kind == "missing":
                raise
            code = "COACH-BKP-002" if found.kind == "refused" else "COACH-BKP-001"
            raise CoachError(code, reason=found.reason, place=self.url) from error

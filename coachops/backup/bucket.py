"""A bucket as the second place: `s3://bucket/prefix`, of any service that speaks S3.

Keys, region and endpoint come from where every S3 program looks for them (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL`, a profile, the machine's role). An object appears when it
is complete, so nothing need be renamed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coachops.backup.place import SMALL, Entry
from coachops.core import clock
from coachops.core.errors import CoachError

_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_ATTEMPTS = 3


class BucketPlace:
    """Objects below a prefix of a bucket.

    Parameters:
        url: `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._root = self.url.removeprefix("s3://")
        self._bucket = self._root.split("/", 1)[0]
        self._opened: Any = None

    def put(self, name: str, source: Path) -> None:
        """See `Place`."""
        with self._translated():
            self._files().put_file(str(source), self._path(name))

    def write(self, name: str, data: bytes) -> None:
        """See `Place`."""
        with self._translated():
            self._files().pipe_file(self._path(name), data)

    def get(self, name: str, target: Path) -> None:
        """See `Place`."""
        with self._translated():
            self._files().get_file(self._path(name), str(target))

    def read(self, name: str) -> bytes:
        """See `Place`."""
        with self._translated():
            return bytes(self._files().cat_file(self._path(name), start=0, end=SMALL + 1))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """See `Place`."""
        top = self._path(prefix).rpartition("/")[0] if prefix else self._root
        with self._translated():
            try:
                found = self._files().find(top, detail=True)
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
            self._files().rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _files(self) -> Any:
        if self._opened is None:
            import s3fs  # type: ignore[import-untyped]  # noqa: PLC0415 half a second of botocore

            self._opened = s3fs.S3FileSystem(
                config_kwargs={
                    "connect_timeout": _CONNECT_SECONDS,
                    "read_timeout": _READ_SECONDS,
                    "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
                },
                use_listings_cache=False,
                skip_instance_cache=True,
            )
            self._opened.retries = 1  # the library below tries again by itself: one layer of it
        return self._opened

    def _require_bucket(self) -> None:
        try:
            self._files().call_s3("list_objects_v2", Bucket=self._bucket, MaxKeys=1)
        except FileNotFoundError as error:
            raise CoachError("COACH-BKP-003", reason="no such bucket", place=self.url) from error

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        from botocore import exceptions  # type: ignore[import-untyped]  # noqa: PLC0415 as above

        try:
            yield
        except FileNotFoundError:
            self._require_bucket()
            raise
        except PermissionError as error:
            raise CoachError("COACH-BKP-002", reason="no right to it", place=self.url) from error
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
            raise CoachError("COACH-BKP-002", reason="no keys are set", place=self.url) from error
        except (exceptions.BotoCoreError, exceptions.ClientError, OSError) as error:
            raise CoachError("COACH-BKP-001", reason=_reason(error), place=self.url) from error


def _reason(error: Exception) -> str:
    """A word for it; messages of the service may repeat keys."""
    names = {
        "EndpointConnectionError": "no connection",
        "ConnectTimeoutError": "no connection in time",
        "ReadTimeoutError": "no answer in time",
        "TimeoutError": "no answer in time",
        "ConnectionClosedError": "the connection was cut",
        "FSTimeoutError": "no answer in time",
    }
    return names.get(type(error).__name__, type(error).__name__)

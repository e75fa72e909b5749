"""Buckets of any service that speaks S3: how one is opened, and what its errors mean.

Keys, region and endpoint come from where every S3 program looks for them (`AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT_URL`, a profile, the machine's role). Who uses a bucket says by
an error of the catalogue what went wrong; here is only told what it was.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any, Literal

from coachops.core import clock

_KEPT_SECONDS = 300
_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_ATTEMPTS = 3

_REASONS = {
    "EndpointConnectionError": "no connection",
    "ConnectTimeoutError": "no connection in time",
    "ReadTimeoutError": "no answer in time",
    "TimeoutError": "no answer in time",
    "ConnectionClosedError": "the connection was cut",
    "FSTimeoutError": "no answer in time",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a service of buckets could not do.

    Attributes:
        kind: `missing` bucket or object, `refused` by it, or `away`.
        reason: for people; messages of the service may repeat keys, so none is quoted.
    """

    kind: Literal["missing", "refused", "away"]
    reason: str


def open_files() -> Any:
    """A file system of objects (`s3fs`); it connects at the first call.

    All who ask share one, for its certificates and the description of the service take a tenth of a
    second to read; so ask anew, and keep none. Other settings of the environment give another, and
    so do keys that were refused and some minutes: those in a file may have been replaced.
    """
    settings = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    return _opened(settings, os.getpid(), int(clock.monotonic() // _KEPT_SECONDS))


@functools.lru_cache(maxsize=2)
def _opened(_settings: tuple[tuple[str, str], ...], _process: int, _period: int) -> Any:
    import s3fs  # type: ignore[import-untyped]  # noqa: PLC0415 half a second of botocore

    opened = s3fs.S3FileSystem(
        config_kwargs={
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
            "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    opened.retries = 1  # the library below tries again by itself: one layer of it
    return opened


def trouble(error: Exception) -> Trouble | None:
    """What an error of the file system means; None where it is none of it."""
    from botocore import exceptions  # type: ignore[import-untyped]  # noqa: PLC0415 as above

    if isinstance(error, FileNotFoundError):
        return Trouble("missing", "no such bucket or object")
    if isinstance(error, PermissionError):
        _opened.cache_clear()
        return Trouble("refused", "no right to it")
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        _opened.cache_clear()
        return Trouble("refused", "no keys are set")
    if isinstance(error, exceptions.BotoCoreError | exceptions.ClientError | OSError):
        name = type(error).__name__
        return Trouble("away", _REASONS.get(name, name))
    return None

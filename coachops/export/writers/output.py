"""The bytes of one file on their way to the disk: compressed, counted, digested, then named."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from pathlib import Path
from typing import Any, Protocol

import zstandard

from coachops.core import ids
from coachops.export.disk import sync, translated

SUFFIXES = {"none": "", "zstd": ".zst", "gzip": ".gz"}
CHUNK_BYTES = 1 << 20
"""Compressors are fed pieces of this size, so their bytes do not depend on how rows arrived."""
_ZSTD_LEVEL = 1
_GZIP_LEVEL = 2
_GZIP_WINDOW = 31  # 15 bits of window, plus 16: with the header and trailer of gzip


class _Compressor(Protocol):
    def compress(self, data: Any, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Output:
    """A file that gets its final name when it is finished, and leaves nothing when it is not.

    Parameters:
        folder: of the export.
        dataset, format_name, shard: make the name `data/<dataset>-<shard>.<format>`.
        compression: none, zstd or gzip. One frame or member with neither time nor name in it.

    Raises:
        CoachError: COACH-EXP-006 where the disk refuses, here and in every call.
    """

    def __init__(
        self, folder: Path, dataset: str, format_name: str, shard: int, compression: str = "none"
    ) -> None:
        self.dataset, self.format_name, self.shard = dataset, format_name, shard
        self.path = f"data/{dataset}-{shard:04d}.{format_name}{SUFFIXES[compression]}"
        self.bytes = 0
        self._sha = hashlib.sha256()
        self._final = folder / self.path
        self._draft = self._final.with_name(f".{self._final.name}.{ids.new_id().hex}.partial")
        self._compressor = _compressor(compression)
        self._waiting = bytearray()
        with translated(folder):
            self._final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._draft.open("xb", buffering=0)

    def write(self, data: Any) -> int:
        """Append bytes; returns how many were taken, which is all of them."""
        size = memoryview(data).nbytes
        if self._compressor is None:
            self._put(data)
            return size
        self._waiting += data
        if len(self._waiting) >= CHUNK_BYTES:
            whole = len(self._waiting) - len(self._waiting) % CHUNK_BYTES
            with memoryview(self._waiting) as view:
                for start in range(0, whole, CHUNK_BYTES):
                    self._put(self._compressor.compress(view[start : start + CHUNK_BYTES]))
            del self._waiting[:whole]
        return size

    def finish(self) -> str:
        """Give the file its name, on the disk; returns its SHA-256."""
        if self._compressor is not None:
            self._put(self._compressor.compress(self._waiting))
            self._put(self._compressor.flush())
        with translated(self._final):
            os.fsync(self._file.fileno())
            self._file.close()
            self._draft.replace(self._final)
            sync(self._final.parent)
        return self._sha.hexdigest()

    def abort(self) -> None:
        """Leave nothing; harmless after `finish`."""
        with contextlib.suppress(OSError):
            self._file.close()
            self._draft.unlink(missing_ok=True)

    def _put(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        self._sha.update(view)
        self.bytes += view.nbytes
        with translated(self._final):
            while view.nbytes:  # an unbuffered write may take less than all, near a full disk
                view = view[self._file.write(view) :]


def _compressor(compression: str) -> _Compressor | None:
    match compression:
        case "zstd":
            return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()
        case "gzip":
            return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        case _:
            return None

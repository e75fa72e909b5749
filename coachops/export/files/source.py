"""The bytes of a file, decompressed, a piece at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from coachops.export.shapes import FormatError

PIECE_BYTES = 1 << 20
_PACKED_BYTES = 1 << 14
"""Packed bytes are fed in small pieces, for one may unpack into very much."""


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file that may be compressed with zstd or gzip, as its name says.

    Raises:
        FormatError: the compressed data is damaged, ends early, or something follows it.
    """
    match path.suffix:
        case ".zst":
            return _unpacked(path, zstandard.ZstdDecompressor().decompressobj())
        case ".gz":
            return _unpacked(path, zlib.decompressobj(31))
        case _:
            return _plain(path)


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _unpacked(path: Path, unpacker: Any) -> Iterator[bytes]:
    with path.open("rb") as file:
        try:
            while packed := file.read(_PACKED_BYTES):
                if unpacker.eof:
                    raise FormatError("something follows the compressed data")
                if piece := unpacker.decompress(packed):
                    yield piece
        except (zlib.error, zstandard.ZstdError) as error:
            raise FormatError(f"cannot be decompressed ({error})") from None
    if not unpacker.eof:
        raise FormatError("the compressed data is cut off")
    if unpacker.unused_data:
        raise FormatError("something follows the compressed data")


def line_blocks(source: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Blocks of whole lines, of about `size` bytes.

    Raises:
        FormatError: the last line has no end. Its row is not known here.
    """
    waiting = bytearray()
    for piece in source:
        waiting += piece
        if len(waiting) >= size and (end := waiting.rfind(b"\n") + 1):
            yield bytes(memoryview(waiting)[:end])
            del waiting[:end]
    if waiting:
        if not waiting.endswith(b"\n"):
            if end := waiting.rfind(b"\n") + 1:
                yield bytes(memoryview(waiting)[:end])
            raise FormatError("is cut off")
        yield bytes(waiting)

r"""Rows of CSV as PostgreSQL writes them, joined to blocks, texts like `\N` told apart from NULL.

The server writes NULL as `\N`, a text that is `\N` in quotes, and `\\N` bare. In the lossless
profile the text is what has one more backslash, quoted or not. Almost no block holds such a text,
and one that holds none is known by counting: each of its backslashes stands between a comma and N.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

_BLOCK_BYTES = 256 * 1024
_BLOCK_ROWS = 1_024
_FIELD = re.compile(rb'("(?:[^"]|"")*"|[^,]*)(,|\n\Z)')
_LIKE_NULL = re.compile(rb"\\{2,}N")


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes) -> int:
        """Append them."""
        ...


class Blocks:
    """Joins rows to large blocks on their way to a file.

    Attributes:
        write: takes a row (the `send` of a generator: see `receiving`).

    Parameters:
        count: told how many rows each block holds.
    """

    def __init__(self, file: Sink, count: Callable[[int], None]) -> None:
        self._file, self._count = file, count
        self._rows: list[bytes] = []
        taking = self._taking()
        next(taking)
        self.write = taking.send

    def flush(self) -> None:
        """Write what waits."""
        self._count(len(self._rows))
        self._file.write(escaped(self._rows))
        self._rows.clear()

    def _taking(self) -> Generator[None, bytes, None]:
        rows = self._rows
        add = rows.append
        while True:
            for _ in range(_BLOCK_ROWS):
                add((yield))
            if sum(map(len, rows)) >= _BLOCK_BYTES:
                self.flush()


def escaped(rows: Sequence[bytes]) -> bytes:
    r"""The rows as one block, one more backslash in each text that is `\N`, `\\N` and so on."""
    block = b"".join(rows)
    if block.count(b"\\") == block.count(b",\\N"):
        return block
    return b"".join(
        b"".join(_field(*found) for found in _FIELD.findall(row)) if b"\\" in row else row
        for row in rows
    )


def _field(raw: bytes, end: bytes) -> bytes:
    if raw == b'"\\N"':
        return b"\\\\N" + end
    return b"\\" + raw + end if _LIKE_NULL.fullmatch(raw) else raw + end

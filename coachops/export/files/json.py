"""Reading a JSON document in the layout of the suite: the envelope, then one row a line."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from coachops.export.files.jsonl import BLOCK_BYTES, Lines
from coachops.export.files.values import strict_json
from coachops.export.shapes import FormatError, Shape
from coachops.export.writers.json import ENVELOPE_END

_LONGEST_ENVELOPE = 1 << 16
_END = b"\n" + ENVELOPE_END


def read_json(source: Iterator[bytes], shape: Shape) -> Iterator[pa.RecordBatch]:
    """The rows of a document.

    Raises:
        FormatError: with the row that is wrong.
    """
    lines = Lines(shape)
    try:
        for block in _rows(source, shape):
            yield lines.batch(block)
    except FormatError as error:
        raise FormatError(str(error), error.row or lines.done + 1) from None


def _rows(source: Iterator[bytes], shape: Shape) -> Iterator[bytes]:
    """Blocks of rows, one a line, without the document around them."""
    waiting = bytearray()
    for piece in source:
        waiting += piece
        if b"\n" in waiting or len(waiting) > _LONGEST_ENVELOPE:
            break
    first, _, rest = bytes(waiting).partition(b"\n")
    _require_envelope(first, shape)
    if first.endswith(ENVELOPE_END[:-1]):
        if rest or next(source, b"") or not waiting.endswith(b"\n"):
            raise FormatError("something follows the end of the document")
        return
    waiting = bytearray(rest)
    for piece in source:
        waiting += piece
        if len(waiting) >= BLOCK_BYTES and (end := waiting.rfind(b",\n") + 2) > 1:
            yield bytes(waiting[:end]).replace(b",\n", b"\n")
            del waiting[:end]
    if not waiting.endswith(_END):
        raise FormatError("the document is cut off")
    yield bytes(waiting[: 1 - len(_END)]).replace(b",\n", b"\n")


def _require_envelope(line: bytes, shape: Shape) -> None:
    try:
        envelope = strict_json(line.removesuffix(b"]}") + b"]}")
    except ValueError:
        raise FormatError("the envelope is not JSON") from None
    expected = {
        "dataset": shape.name,
        "schema": shape.schema_id,
        "schema_version": shape.version,
        "rows": [],
    }
    if not isinstance(envelope, dict) or {k: envelope.get(k) for k in expected} != expected:
        raise FormatError("the envelope names another dataset or schema")

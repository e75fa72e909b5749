"""From values as databases store them to the arrays of `batches.py`, refusing what cannot be kept.

Each function takes a whole column. A value that no format can hold raises `RefusedError` with its
place in the column; `named` turns that into the error that names dataset, column and row.
"""

from __future__ import annotations

import binascii
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coachops.core.errors import CoachError
from coachops.export.batches import INSTANT, Typed, fixed_array, texts_of, validity
from coachops.export.canonical import canonical_text

FIRST_INSTANT = -62_135_596_800_000_000
LAST_INSTANT = 253_402_300_799_999_999
"""Years 1 to 9999 in microseconds since 1970: what RFC 3339 can write."""

FIRST_DATE, LAST_DATE = -719_162, 2_932_896
"""The same in days."""


_HEX_ID = re.compile(b"[0-9a-f]{32}")


class RefusedError(ValueError):
    """A value that no format can hold.

    Parameters:
        place: of the value in its column, from 0.
        reason: what it is, to follow "is".
        column: its name, where known.
    """

    def __init__(self, place: int, reason: str, column: str = "") -> None:
        super().__init__(reason)
        self.place, self.reason, self.column = place, reason, column


@contextlib.contextmanager
def named(dataset: str, key_at: Callable[[int], str]) -> Iterator[None]:
    """A refused value becomes COACH-EXP-009.

    Parameters:
        key_at: the key of the row at a place of the batch.
    """
    try:
        yield
    except RefusedError as error:
        raise CoachError(
            "COACH-EXP-009",
            dataset=dataset,
            column=error.column,
            key=key_at(error.place),
            reason=error.reason,
        ) from None


def require_in_range(values: Any, valid: Any, kind: str) -> None:
    """Refuse days and instants outside the years 1 to 9999, the infinite ones among them.

    Parameters:
        values: days or microseconds since 1970. valid: which are given; None for all.

    Raises:
        RefusedError: with the first such value.
    """
    low, high = (FIRST_DATE, LAST_DATE) if kind == "date" else (FIRST_INSTANT, LAST_INSTANT)
    outside = (values < low) | (values > high)
    if valid is not None:
        outside &= valid
    if outside.any():
        raise RefusedError(int(outside.argmax()), "outside the years 1 to 9999")


def canonical_column(texts: Any) -> Any:
    """JSON texts in their canonical form; the JSON value null becomes NULL.

    Raises:
        RefusedError: with the first value that is no JSON or holds a number that is none.
    """
    distinct = pc.dictionary_encode(pc.cast(texts, pa.large_string()))
    made: list[str | None] = []
    for number, text in enumerate(distinct.dictionary.to_pylist()):
        try:
            made.append(canonical_text(text))
        except ValueError:
            place = distinct.indices.to_pylist().index(number)
            raise RefusedError(place, "not JSON with finite numbers") from None
    return texts_of(made).take(distinct.indices)


def ids_of_hex(texts: Any) -> Any:
    """Ids stored as 32 hexadecimal digits.

    Raises:
        RefusedError: with the first text that is not an id.
    """
    dense, ends, lengths, valid = _spans(texts)
    if dense.null_count and lengths[~valid].any():  # bytes under a NULL are nobody's
        return ids_of_hex(texts_of(dense.to_pylist()))
    _refuse(valid & (lengths != 32), "not an id")
    size = len(dense)
    packed = np.zeros((0, 16), np.uint8)
    if dense.null_count < size:
        written = np.frombuffer(dense.buffers()[2], np.uint8)[ends[0] : ends[-1]]
        packed, wrong = _unhexed(written.tobytes())
        if wrong is not None:
            raise RefusedError(int(np.flatnonzero(valid)[wrong]), "not an id")
    if packed.shape[0] == size:
        return fixed_array(pa.binary(16), packed)
    whole = np.zeros((size, 16), np.uint8)
    whole[valid] = packed
    return fixed_array(pa.binary(16), whole, valid)


def _unhexed(written: bytes) -> tuple[Any, int | None]:
    """Sixteen bytes for each 32 lower-case digits, or the first of these texts that are no such."""
    with contextlib.suppress(binascii.Error):
        packed = binascii.unhexlify(written)
        if binascii.hexlify(packed) == written:
            return np.frombuffer(packed, np.uint8).reshape(-1, 16), None
    texts = (written[start : start + 32] for start in range(0, len(written), 32))
    return None, next(n for n, text in enumerate(texts) if _HEX_ID.fullmatch(text) is None)


def dates_of_text(texts: Any) -> Any:
    """Days stored as YYYY-MM-DD.

    Raises:
        RefusedError: with the first text that is not a day.
    """
    _require_pattern(texts, 10, "a day like 2026-11-23")
    made = _parsed(texts, pa.date32(), "a day like 2026-11-23")
    return _year_checked(made, "date", pa.date32())


def instants_of_text(texts: Any) -> Any:
    """Instants stored as YYYY-MM-DDTHH:MM:SS.ffffffZ.

    Raises:
        RefusedError: with the first text that is not such an instant.
    """
    what = "an instant like 2026-11-23T09:30:00.000000Z"
    _require_pattern(texts, 27, what)
    made = _parsed(texts, INSTANT, what)
    return _year_checked(made, "instant", INSTANT)


def booleans_of_integers(numbers: Any) -> Any:
    """Booleans stored as 0 and 1.

    Raises:
        RefusedError: with the first other number.
    """
    values, valid = _numbers(numbers)
    _refuse(valid & ((values < 0) | (values > 1)), "neither 0 nor 1")
    flags = pa.py_buffer(np.packbits(valid & (values == 1), bitorder="little"))
    if not numbers.null_count:
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, flags], 0)
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [bits, flags], numbers.null_count)


def integers_of_64_bits(numbers: Any) -> Any:
    """Numbers of a column whose kind is `integer`.

    Raises:
        RefusedError: with the first one beyond 32 bits.
    """
    values, valid = _numbers(numbers)
    _refuse(valid & ((values < -(2**31)) | (values > 2**31 - 1)), "beyond 32 bits")
    short = values.astype("<i4")
    return fixed_array(pa.int32(), short, valid if numbers.null_count else None)


def require_utf8(texts: Any) -> None:
    """Refuse text that is not UTF-8.

    Raises:
        RefusedError: with the first such text.
    """
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        for place, value in enumerate(pc.cast(texts, _binary_of(texts.type), safe=False)):
            try:
                (value.as_py() or b"").decode()
            except UnicodeDecodeError:
                raise RefusedError(place, "not UTF-8") from None
        raise


def from_stored(column: Typed, stored: Any) -> Any:
    """A column as SQLite stores it (text, or whole numbers of 64 bits) as its kind demands.

    Raises:
        RefusedError: with the first value that is not of that kind.
    """
    try:
        match column.kind:
            case "uuid":
                return ids_of_hex(stored)
            case "json":
                return canonical_column(stored)
            case "integer":
                return integers_of_64_bits(stored)
            case "boolean":
                return booleans_of_integers(stored)
            case "date":
                return dates_of_text(stored)
            case "instant":
                return instants_of_text(stored)
            case _:
                return stored
    except RefusedError as error:
        error.column = column.name
        raise


OTHER_TYPE = "of another type than its column"
"""Why a value of SQLite, which lets any into any column, is refused."""

STORED_TYPES = {"integer": pa.int64(), "int64": pa.int64(), "boolean": pa.int64()}
"""Kind -> type in which SQLite stores it; every other kind is text."""


def _spans(texts: Any) -> tuple[Any, Any, Any, Any]:
    """Texts with 32-bit offsets, these offsets, the lengths, and which are given."""
    dense = pc.cast(texts, pa.string())
    ends = np.zeros(1, np.int32)
    if len(dense):
        ends = np.frombuffer(dense.buffers()[1], np.int32)
        ends = ends[dense.offset : dense.offset + len(dense) + 1]
    return dense, ends, np.diff(ends), validity(dense)


def _numbers(stored: Any) -> tuple[Any, Any]:
    """Whole numbers of 64 bits as numpy, and which are given."""
    values = np.frombuffer(stored.buffers()[1], np.int64)
    return values[stored.offset : stored.offset + len(stored)], validity(stored)


def _refuse(wrong: Any, reason: str) -> None:
    if wrong.any():
        raise RefusedError(int(wrong.argmax()), reason)


def _require_pattern(texts: Any, length: int, what: str) -> None:
    _, _, lengths, valid = _spans(texts)
    _refuse(valid & (lengths != length), f"not {what}")


def _parsed(texts: Any, kind: pa.DataType, what: str) -> Any:
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        for place, value in enumerate(texts):
            try:
                pc.cast(value, kind)
            except pa.ArrowInvalid:
                raise RefusedError(place, f"not {what}") from None
        raise


def _year_checked(made: Any, kind: str, arrow: pa.DataType) -> Any:
    width = np.int32 if kind == "date" else np.int64
    numbers = np.frombuffer(made.buffers()[1], width)[made.offset : made.offset + len(made)]
    valid = validity(made) if made.null_count else None
    require_in_range(numbers, valid, kind)
    return made.cast(arrow)


def _binary_of(kind: pa.DataType) -> pa.DataType:
    if kind == pa.string_view():
        return pa.binary_view()
    return pa.large_binary() if kind == pa.large_string() else pa.binary()

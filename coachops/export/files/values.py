"""From columns of text to typed columns, strictly: only the canonical text of a value is taken."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coachops.export.batches import (
    ARROW_TYPES,
    INSTANT,
    TEXT_KINDS,
    arrow_schema,
    null_of,
    texts_of,
)
from coachops.export.canonical import canonical_json
from coachops.export.shapes import Field, FormatError, Shape
from coachops.export.writers.texts import instant_texts

_NIBBLE = np.full(256, 255, np.uint8)
_NIBBLE[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16, dtype=np.uint8)
_HYPHENS = [8, 13, 18, 23]
_DIGITS = [place for place in range(36) if place not in _HYPHENS]
_NO_ID, _TRUE, _FALSE = texts_of(["00000000-0000-0000-0000-000000000000", "true", "false"])
"""As Arrow's own values: it imports pandas to look at one of Python's."""


def typed_batch(columns: Sequence[Any], shape: Shape, before: int) -> pa.RecordBatch:
    """A batch out of columns of canonical text, or of typed columns.

    Parameters:
        columns: one array per field. Texts are parsed for kinds that are not text.
        before: rows of the file before these, for errors.

    Raises:
        FormatError: a value is not of its column's kind, or not one that it may have.
    """
    made = []
    for field, column in zip(shape.fields, columns, strict=True):
        try:
            made.append(_checked(_typed(column, field.kind), field))
        except (ValueError, pa.ArrowException):
            _blame(column, field, before)
    schema = arrow_schema(shape.fields)
    for index, array in enumerate(made):
        if array.type != schema.field(index).type:  # a text in another layout
            schema = schema.set(index, schema.field(index).with_type(array.type))
    return pa.RecordBatch.from_arrays(made, schema=schema)


def strict_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON: syntax, NaN, infinity, or a key that is there twice.
    """
    return json.loads(text, parse_constant=_no_number, object_pairs_hook=unique_keys)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these pairs.

    Raises:
        ValueError: a key is there twice.
    """
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _typed(array: Any, kind: str) -> Any:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type == ARROW_TYPES[kind] or kind in TEXT_KINDS:
        return array
    return _PARSERS[kind](array)


def _checked(array: Any, field: Field) -> Any:
    if array.null_count and not field.nullable:
        raise ValueError("NULL")
    if field.enum:
        given = pc.drop_null(array).cast(pa.large_string())
        if not pc.all(pc.is_in(given, _known(field.enum)), min_count=0).as_py():
            raise ValueError("not one of its values")
    elif field.kind == "json":
        for text in pc.unique(pc.drop_null(array).cast(pa.large_string())).to_pylist():
            if text == "null" or canonical_json(strict_json(text)) != text:
                raise ValueError("not canonical")
    elif field.kind in {"instant", "date"}:
        _require_years(array)
    return array


@functools.cache
def _known(values: tuple[str, ...]) -> Any:
    """The values of a closed list as an array."""
    return texts_of(values)


def _require_years(array: Any) -> None:
    """Only the years 1 to 9999 have a text in the format."""
    values = pc.drop_null(array)
    if len(values) and not (
        pc.min(pc.year(values)).as_py() >= 1 and pc.max(pc.year(values)).as_py() <= 9999
    ):
        raise ValueError("year")


def _uuid(array: Any) -> Any:
    texts = pc.fill_null(array.cast(pa.large_string()), _NO_ID)
    rows = len(texts)
    if not rows:
        return pa.nulls(0, pa.binary(16))
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + rows + 1]
    if (np.diff(ends) != 36).any():
        raise ValueError("length")
    matrix = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(rows, 36)
    digits = _NIBBLE[matrix[:, _DIGITS]]
    if (matrix[:, _HYPHENS] != ord("-")).any() or (digits == 255).any():
        raise ValueError("form")
    packed = (digits[:, 0::2] << 4) | digits[:, 1::2]
    made = pa.Array.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(packed.tobytes())])
    return pc.if_else(pc.is_valid(array), made, null_of(made.type)) if array.null_count else made


def _boolean(array: Any) -> Any:
    texts = array.cast(pa.large_string())
    true = pc.equal(texts, _TRUE)
    if not pc.all(pc.or_(true, pc.equal(texts, _FALSE)), min_count=0).as_py():
        raise ValueError("neither true nor false")
    return true


def _as_written(target: pa.DataType, write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A parser that takes only texts that `write` would make of the value."""

    def parse(array: Any) -> Any:
        made = pc.cast(array, target)
        if not pc.all(pc.equal(write(made), array.cast(pa.large_string())), min_count=0).as_py():
            raise ValueError("not the canonical text")
        return made

    return parse


def _plain_text(array: Any) -> Any:
    return pc.cast(array, pa.large_string())


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "uuid": _uuid,
    "boolean": _boolean,
    "integer": _as_written(pa.int32(), _plain_text),
    "int64": _as_written(pa.int64(), _plain_text),
    "date": _as_written(pa.date32(), _plain_text),
    "instant": _as_written(INSTANT, instant_texts),
}


def _blame(column: Any, field: Field, before: int) -> NoReturn:
    """Find the first row that is wrong: the shortest beginning that cannot be taken."""
    good, bad = 0, len(column)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            _checked(_typed(column.slice(0, middle), field.kind), field)
            good = middle
        except (ValueError, pa.ArrowException):
            bad = middle
    value = column.slice(bad - 1, 1)
    what = "is NULL" if value.null_count else f"is not of the kind {field.kind} as the schema says"
    raise FormatError(f"column {field.name} {what}", before + bad)

"""Any rows of one small dataset that has a column of every kind, as typed batches."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from coachops.export.batches import arrow_schema
from coachops.export.blocks import BlockDigest, joined
from coachops.export.canonical import canonical_json
from coachops.export.shapes import Field, Shape

SHAPE = Shape(
    name="things",
    version="1.0.0",
    schema_id="https://coachops.example/schemas/things/1.0.0",
    fields=(
        Field("thing_id", "uuid", nullable=False),
        Field("text", "text", nullable=True),
        Field("number", "integer", nullable=True),
        Field("document", "json", nullable=True),
        Field("big", "int64", nullable=True),
        Field("flag", "boolean", nullable=True),
        Field("choice", "code", nullable=True, enum=("a", "b")),
        Field("day", "date", nullable=True),
        Field("at", "instant", nullable=True),
        Field("other_id", "uuid", nullable=True),
        Field("last", "json", nullable=True),
    ),
    key="thing_id",
    order=("thing_id",),
    foreign_keys=(),
)
PLAIN = Shape(
    name="plain",
    version="1.0.0",
    schema_id="https://coachops.example/schemas/plain/1.0.0",
    fields=tuple(field for field in SHAPE.fields if field.kind != "json"),
    key="thing_id",
    order=("thing_id",),
    foreign_keys=(),
)
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.text(alphabet="\\N'\"=+-@,\t\r\n\u2028\ufeff\uff1d a\U0001f600{}:", max_size=8),
    st.sampled_from([r"\N", r"\\N", '","text":', '{"last":1}', ',"big":', "null", "-5", " =1+1"]),
)
LEAVES = (
    st.booleans()
    | st.integers(-(2**70), 2**70)
    | TEXT
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none()
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
).filter(lambda value: value is not None)
_UTC = st.just(dt.UTC)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids().map(lambda value: value.bytes),
    "text": TEXT,
    "integer": st.integers(-(2**31), 2**31 - 1),
    "json": JSON.map(canonical_json),
    "int64": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]),
    "boolean": st.booleans(),
    "code": st.sampled_from(["a", "b"]),
    "date": st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    "instant": st.datetimes(timezones=_UTC)
    | st.just(dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)),
}


def row_of(shape: Shape) -> st.SearchStrategy[tuple[Any, ...]]:
    """Any row of the shape."""
    return st.tuples(
        *(
            st.none() | VALUES[field.kind] if field.nullable else VALUES[field.kind]
            for field in shape.fields
        )
    )


def batch_of(rows: list[tuple[Any, ...]], shape: Shape = SHAPE) -> pa.RecordBatch:
    """The rows as a batch."""
    schema = arrow_schema(shape.fields)
    columns = list(zip(*rows, strict=True)) or [()] * len(shape.fields)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, type_) for values, type_ in zip(columns, schema.types, strict=True)],
        schema=schema,
    )


def an_id(number: int) -> bytes:
    """A uuid's bytes."""
    return uuid.UUID(int=number).bytes


def plain_row(place: int = 1, /, **given: Any) -> tuple[Any, ...]:
    """A row of `PLAIN` with NULL wherever nothing is given."""
    values: dict[str, Any] = {"thing_id": an_id(place)} | given
    return tuple(values.get(field.name) for field in PLAIN.fields)


def digest_of(batches: list[pa.RecordBatch], shape: Shape = SHAPE) -> str:
    """The content digest of these rows."""
    digest = BlockDigest(shape.fields)
    for batch in batches:
        digest.update(batch)
    return joined(digest.rows, digest.blocks())

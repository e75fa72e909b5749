"""Columns as SQLite stores them become typed columns, or are refused at the place that is wrong."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import struct
import uuid
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.export.batches import truths, validity
from coachops.export.readers import values
from coachops.export.readers.text import escaped
from coachops.export.readers.values import RefusedError
from coachops.export.shapes import Field, FormatError, Shape
from coachops.export.verifying.order import Order

TYPES = [pa.string(), pa.large_string(), pa.string_view()]


@given(st.lists(st.none() | st.uuids(), max_size=40), st.sampled_from(TYPES), st.integers(0, 5))
def test_ids_are_read_from_their_digits(
    ids: list[uuid.UUID | None], kind: pa.DataType, skip: int
) -> None:
    stored = pa.array([None if v is None else v.hex for v in ids], kind).slice(skip)
    found = values.ids_of_hex(stored)
    found.validate(full=True)
    assert found.to_pylist() == [None if v is None else v.bytes for v in ids[skip:]]


@given(
    st.lists(st.none() | st.uuids(), min_size=1, max_size=9),
    st.integers(0, 31),
    st.sampled_from("gABCDEFxyz/:@`\x00 é"),
)
def test_what_is_no_id_is_refused_at_its_place(
    ids: list[uuid.UUID | None], at: int, sign: str
) -> None:
    wrong = "0" * at + sign + "0" * (31 - at)
    stored = pa.array([None if v is None else v.hex for v in ids] + [wrong])
    with pytest.raises(RefusedError) as caught:
        values.ids_of_hex(stored)
    assert caught.value.place == len(ids)


@given(st.lists(st.none() | st.booleans(), max_size=30), st.integers(0, 9))
def test_bits_are_read_without_pandas_as_arrow_holds_them(
    flags: list[bool | None], skip: int
) -> None:
    array = pa.array(flags, pa.bool_()).slice(skip)
    assert truths(array).tolist() == [bool(flag) for flag in flags[skip:]]
    assert validity(array).tolist() == [flag is not None for flag in flags[skip:]]


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=12))
def test_numbers_beyond_32_bits_are_refused(numbers: list[int | None]) -> None:
    stored = pa.array(numbers, pa.int64())
    far = [n for n, v in enumerate(numbers) if v is not None and not -(2**31) <= v < 2**31]
    if far:
        with pytest.raises(RefusedError) as caught:
            values.integers_of_64_bits(stored)
        assert caught.value.place == far[0]
    else:
        assert values.integers_of_64_bits(stored).to_pylist() == numbers


@given(st.lists(st.none() | st.datetimes(), max_size=12))
def test_times_are_read_from_their_text(times: list[dt.datetime | None]) -> None:
    instants = [None if t is None else t.isoformat(timespec="microseconds") + "Z" for t in times]
    found = values.instants_of_text(pa.array(instants, pa.string())).to_pylist()
    assert found == [None if t is None else t.replace(tzinfo=dt.UTC) for t in times]
    days = [None if t is None else t.date().isoformat() for t in times]
    assert values.dates_of_text(pa.array(days, pa.string())).to_pylist() == [
        None if t is None else t.date() for t in times
    ]


@pytest.mark.parametrize(
    "text",
    ["2026-02-30T00:00:00.000000Z", "0000-01-01T00:00:00.000000Z",
     "2026-11-23T09:30:00Z", "2026-11-23T09:30:00.000000+", "", "yesterday"],
)  # fmt: skip
def test_a_text_that_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        values.instants_of_text(pa.array([None, "2026-11-23T09:30:00.000000Z", text]))
    assert caught.value.place == 2


def test_text_that_is_not_utf8_is_refused_at_its_place() -> None:
    raw = pa.array([b"good", None, b"\xff\xfe", b"\xff"], pa.binary()).view(pa.string())
    with pytest.raises(RefusedError) as caught:
        values.require_utf8(raw)
    assert caught.value.place == 2


def test_flags_that_are_neither_0_nor_1_are_refused() -> None:
    flags = pa.array([1, None, 0], pa.int64())
    assert values.booleans_of_integers(flags).to_pylist() == [True, None, False]
    with pytest.raises(RefusedError) as caught:
        values.booleans_of_integers(pa.array([1, None, 2]))
    assert caught.value.place == 2


cells = st.one_of(
    st.none(),
    st.sampled_from([r"\N", r"\\N", r"\\\N", "\\", r"a\N", r"\Nb", r",\N,", "N", ""]),
    st.text(r"\N,\"\n x", max_size=6),
)


def as_postgres(cell: str | None) -> str:
    """A field as COPY writes it with NULL '\\N'."""
    if cell is None:
        return r"\N"
    if cell == r"\N" or any(sign in cell for sign in ',"\n\r'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def read_back(data: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data), strict=True))


@given(st.lists(st.tuples(cells, cells), max_size=6))
def test_texts_like_null_are_escaped_in_csv_that_is_passed_through(
    rows: list[tuple[str | None, str | None]],
) -> None:
    sent = [(",".join(["id", *map(as_postgres, row)]) + "\n").encode() for row in rows]
    found = read_back(escaped(sent).decode())
    expected = [
        [
            r"\N" if cell is None else "\\" + cell if re.fullmatch(r"\\+N", cell) else cell
            for cell in row
        ]
        for row in rows
    ]
    assert [row[1:] for row in found] == expected


def test_bytes_under_a_null_id_are_nobodys() -> None:
    good = uuid.UUID(int=7)
    offsets = pa.py_buffer(struct.pack("<3i", 0, 1, 33))
    texts = pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x02"), offsets, pa.py_buffer(b"x" + good.hex.encode())]
    )
    assert values.ids_of_hex(texts).to_pylist() == [None, good.bytes]


@pytest.mark.parametrize(
    "array", [pa.array(["a", "b"]), pa.array([True, False]), pa.array([1, None], pa.int32())]
)
def test_a_column_that_cannot_order_rows_is_told_and_no_trace(array: pa.Array[Any]) -> None:
    shape = Shape("things", "1.0.0", "", (Field("n", "text", True),), "n", ("n",), ())
    with pytest.raises(FormatError, match="order"):
        Order(shape).require(pa.RecordBatch.from_arrays([array], names=["n"]), 0)

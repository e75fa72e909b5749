"""Every value survives every format."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.export.codecs import codec_for
from coachops.export.codecs.codec import Codec, Field, FormatError, Shape
from coachops.export.digest import Digest
from coachops.export.reader import Columns, canonical_json

SHAPE = Shape(
    name="things",
    version="1.0.0",
    schema_id="https://coachops.example/schemas/things/1.0.0",
    fields=(
        Field("thing_id", "uuid", nullable=False),
        Field("text", "text", nullable=True),
        Field("number", "integer", nullable=True),
        Field("big", "int64", nullable=True),
        Field("flag", "boolean", nullable=True),
        Field("choice", "code", nullable=True, enum=("a", "b")),
        Field("form", "code", nullable=True),
        Field("document", "json", nullable=True),
    ),
    key="thing_id",
    order=("thing_id",),
    foreign_keys=(),
)
CODECS = [codec_for("csv"), codec_for("csv", "excel"), codec_for("json"), codec_for("jsonl")]
TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(alphabet="\\N'\"=+-@,\t\r\n\u2028\ufeff a", max_size=8),
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
ROW = st.tuples(
    st.uuids().map(str),
    st.none() | TEXT,
    st.none() | st.integers(-(2**31), 2**31 - 1).map(str),
    st.none() | st.integers(-(2**63), 2**63 - 1).map(str),
    st.none() | st.sampled_from(["true", "false"]),
    st.none() | st.sampled_from(["a", "b"]),
    st.none() | TEXT,
    st.none() | JSON.map(canonical_json),
)


def columns_of(rows: list[tuple[str | None, ...]]) -> Columns:
    return [list(values) for values in zip(*rows, strict=True)] or [[] for _ in SHAPE.fields]


def write(codec: Codec, chunks: list[Columns]) -> bytes:
    data, seen = codec.header(SHAPE, 1), 0
    for chunk in chunks:
        data += codec.rows(SHAPE, chunk, first=seen == 0)
        seen += len(chunk[0])
    return data + codec.footer(empty=seen == 0)


def read(codec: Codec, data: bytes, chunk_rows: int = 3) -> list[tuple[str | None, ...]]:
    found: list[tuple[str | None, ...]] = []
    for chunk in codec.read(io.BytesIO(data), SHAPE, chunk_rows):
        found += zip(*chunk, strict=True)
    return found


@pytest.mark.parametrize("codec", CODECS, ids=["csv", "excel", "json", "jsonl"])
@given(rows=st.lists(ROW, max_size=8))
def test_any_rows_survive(codec: Codec, rows: list[tuple[str | None, ...]]) -> None:
    chunks = [columns_of(rows[:4]), columns_of(rows[4:])]
    chunks = [chunk for chunk in chunks if chunk[0]]
    assert read(codec, write(codec, chunks)) == rows


@given(rows=st.lists(ROW, min_size=1, max_size=8), cut=st.integers(0, 8))
def test_the_digest_does_not_depend_on_chunks_but_on_every_value(
    rows: list[tuple[str | None, ...]], cut: int
) -> None:
    def digest(*parts: list[tuple[str | None, ...]]) -> str:
        made = Digest([(field.name, field.kind) for field in SHAPE.fields])
        for part in parts:
            if part:
                made.update(columns_of(part))
        return made.hexdigest()

    assert digest(rows) == digest(rows[:cut], rows[cut:])
    first = rows[0]
    changed = "x" if first[1] is None else None
    assert digest(rows) != digest([(first[0], changed, *first[2:]), *rows[1:]])


def test_the_digest_tells_null_from_empty_and_where_texts_end() -> None:
    def digest(*values: str | None) -> str:
        made = Digest([("text", "text")])
        made.update([list(values)])
        return made.hexdigest()

    seen = {digest(None), digest(""), digest("ab", "c"), digest("a", "bc"), digest("abc", "")}
    assert len(seen) == 5


@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_plain_readers_of_csv_and_json_get_the_texts(texts: list[str]) -> None:
    rows = [("0" * 8 + "-0000-0000-0000-" + "0" * 12, text, *[None] * 6) for text in texts]
    by_csv = write(CODECS[0], [columns_of(rows)]).decode()
    found = [row["text"] for row in csv.DictReader(io.StringIO(by_csv, newline=""))]
    expected = [rf"\{t}" if t.startswith("\\") and t.lstrip("\\") == "N" else t for t in texts]
    assert found == expected
    by_json = json.loads(write(CODECS[2], [columns_of(rows)]))
    assert [row["text"] for row in by_json["rows"]] == texts
    assert by_json["schema_version"] == "1.0.0"


def test_whole_numbers_beyond_2_to_the_53_keep_every_digit_in_json() -> None:
    big = str(2**63 - 1)
    row = ("0" * 8 + "-0000-0000-0000-" + "0" * 12, None, None, big, None, None, None, None)
    assert f'"big":"{big}"'.encode() in write(CODECS[3], [columns_of([row])])


@pytest.mark.parametrize("codec", CODECS, ids=["csv", "excel", "json", "jsonl"])
def test_a_file_that_is_cut_off_is_refused(codec: Codec) -> None:
    row = ("0" * 8 + "-0000-0000-0000-" + "0" * 12, "tail", *[None] * 5, "{}")
    data = write(codec, [columns_of([row, row])])
    with pytest.raises(FormatError):
        read(codec, data[: len(data) - 30])

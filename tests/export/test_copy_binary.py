"""What PostgreSQL sends in COPY's binary form is decoded to what the driver itself reads."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import psycopg2
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core.errors import CoachError
from coachops.db.engine import parsed_url
from coachops.export.batches import arrow_schema
from coachops.export.canonical import canonical_json
from coachops.export.definitions import Column, Dataset, Kind
from coachops.export.readers import plain, postgres, receiving
from coachops.export.readers.copy_binary import HEADER, PADDING, TRAILER, FramingError, decode
from coachops.export.readers.receiving import Rows
from coachops.export.shapes import Shape
from tests.support.postgres import PostgresServer

TYPES: dict[str, str] = {
    "uuid": "uuid", "text": "text", "code": "varchar(40)", "integer": "int4", "int64": "int8",
    "boolean": "bool", "date": "date", "instant": "timestamptz", "json": "jsonb",
}  # fmt: skip

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=14),
    st.sampled_from(
        ["", "x" * 12, "x" * 13, "é" * 6, "🙂" * 3, "🙂" * 4, "\\N", "null", "y" * 900]
    ),
)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda x: round(x, 3))
leaves = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), numbers, texts)
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids(),
    "text": texts,
    "code": texts.map(lambda text: text[:40]),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "date": st.dates(),
    "instant": st.datetimes(timezones=st.just(dt.UTC)),
    "json": documents,
}


@dataclass(frozen=True)
class Rowset:
    """A table as Hypothesis made it."""

    kinds: list[Kind]
    rows: list[list[Any]]


@st.composite
def rowsets(draw: st.DrawFn) -> Rowset:
    kinds: list[Any] = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=7))
    kinds = ["uuid", *kinds]
    cells = [VALUES["uuid"], *(st.none() | VALUES[kind] for kind in kinds[1:])]
    rows = draw(st.lists(st.tuples(*cells).map(list), max_size=12))
    return Rowset(kinds, rows)


def dataset_of(kinds: list[Kind]) -> Dataset:
    columns = [Column(f"c{n}", kind, None, "", True) for n, kind in enumerate(kinds)]
    return Dataset("things", "1.0.0", "", None, tuple(columns))


@pytest.fixture(scope="module")
def connections(postgres_server: PostgresServer) -> Iterator[tuple[Any, Any]]:
    """The same database through both drivers."""
    url = parsed_url(postgres_server.create())
    given = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    three = psycopg.connect(**given, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type]
    two = psycopg2.connect(**given)
    two.autocommit = True
    yield three, two
    three.close()
    two.close()


def received(two: Any, dataset: Dataset, query: str) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = []
    rows = Rows(Shape.of(dataset), batches.append)
    with two.cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", rows)
    rows.finish()
    return batches


@pytest.mark.postgres
@given(made=rowsets(), batch_rows=st.sampled_from([1, 2, 3, 5, 16_384]))
def test_every_type_is_read_as_the_driver_reads_it(
    connections: tuple[Any, Any], made: Rowset, batch_rows: int
) -> None:
    three, two = connections
    names = [f"c{n}" for n in range(len(made.kinds))]
    listed = ", ".join(f"{n} {TYPES[k]}" for n, k in zip(names, made.kinds, strict=True))
    three.execute("DROP TABLE IF EXISTS things")
    three.execute(f"CREATE TABLE things (n serial, {listed})")
    with three.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO things ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",  # noqa: S608 words of this test
            [
                [
                    psycopg.types.json.Jsonb(v) if k == "json" and v is not None else v
                    for v, k in zip(row, made.kinds, strict=True)
                ]
                for row in made.rows
            ],
        )
    cast = [f"{n}::text" if k == "json" else n for n, k in zip(names, made.kinds, strict=True)]
    before, receiving.BATCH_ROWS = receiving.BATCH_ROWS, batch_rows
    try:
        query = f"SELECT {', '.join(cast)} FROM things ORDER BY n"  # noqa: S608 words of this test
        batches = received(two, dataset_of(made.kinds), query)
    finally:
        receiving.BATCH_ROWS = before
    assert all(batch.num_rows <= batch_rows for batch in batches)
    for batch in batches:
        batch.validate(full=True)
    found = [list(row.values()) for batch in batches for row in batch.to_pylist()]
    expected = [
        [expected_value(k, v) for k, v in zip(made.kinds, row, strict=True)]
        for row in three.execute(f"SELECT {', '.join(names)} FROM things ORDER BY n")  # noqa: S608 words of this test
    ]
    assert found == expected


def expected_value(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "uuid":
            return value.bytes
        case "json":
            return canonical_json(value)
        case "instant":
            return value.astimezone(dt.UTC)
        case _:
            return value


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("kind", "literal", "reason"),
    [
        ("instant", "'infinity'::timestamptz", "infinite"),
        ("instant", "'-infinity'::timestamptz", "infinite"),
        ("instant", "'294276-12-31'::timestamptz", "outside the years 1 to 9999"),
        ("instant", "'0044-03-15 BC'::timestamptz", "outside the years 1 to 9999"),
        ("date", "'infinity'::date", "outside the years 1 to 9999"),
        ("date", "'0044-03-15 BC'::date", "outside the years 1 to 9999"),
        ("json", "'{\"a\": 1e5000}'::jsonb::text", "not JSON with finite numbers"),
    ],
)
def test_a_value_that_no_format_holds_is_refused_with_its_row(
    connections: tuple[Any, Any], kind: Kind, literal: str, reason: str
) -> None:
    guilty = uuid.UUID(int=7)
    query = f"SELECT '{uuid.UUID(int=1)}'::uuid, NULL UNION ALL SELECT '{guilty}'::uuid, {literal}"
    with pytest.raises(CoachError) as caught:
        received(connections[1], dataset_of(["uuid", kind]), query)
    assert caught.value.code == "COACH-EXP-009"
    assert caught.value.details == {
        "dataset": "things", "column": "c1", "key": str(guilty), "reason": reason,
    }  # fmt: skip


@pytest.mark.postgres
def test_infinity_under_the_dates_limits_is_the_last_day_that_is_kept(
    connections: tuple[Any, Any],
) -> None:
    query = (
        f"SELECT '{uuid.UUID(int=1)}'::uuid, '9999-12-31'::date, "
        "'9999-12-31 23:59:59.999999Z'::timestamptz, '0001-01-01'::date, '0001-01-01Z'::timestamptz"
    )
    kinds: list[Kind] = ["uuid", "date", "instant", "date", "instant"]
    (batch,) = received(connections[1], dataset_of(kinds), query)
    row = list(batch.to_pylist()[0].values())[1:]
    assert row == [
        dt.date.max, dt.datetime.max.replace(tzinfo=dt.UTC),
        dt.date.min, dt.datetime.min.replace(tzinfo=dt.UTC),
    ]  # fmt: skip


def encoded(*fields: bytes | None) -> bytes:
    """A row as PostgreSQL sends it."""
    return struct.pack(">h", len(fields)) + b"".join(
        struct.pack(">i", -1) if field is None else struct.pack(">i", len(field)) + field
        for field in fields
    )


def decoded(rows: list[bytes], columns: tuple[Column, ...]) -> pa.RecordBatch:
    raw = b"".join([*rows, PADDING])
    return decode(raw, [len(row) for row in rows], columns, arrow_schema(columns))


ID = uuid.UUID(int=5).bytes
GOOD = encoded(ID, b"a text that is longer than twelve bytes", None, struct.pack(">i", 7), b"\1")
KINDS: list[Kind] = ["uuid", "text", "text", "integer", "boolean"]


@given(st.data())
def test_a_row_that_was_cut_or_lengthened_anywhere_is_refused(data: st.DataObject) -> None:
    columns = dataset_of(KINDS).columns
    assert decoded([GOOD, GOOD], columns).num_rows == 2
    place = data.draw(st.integers(0, len(GOOD) - 1))
    wrong = data.draw(st.sampled_from([GOOD[:place], GOOD[:place] + b"\0" + GOOD[place:]]))
    rows = data.draw(st.permutations([wrong, GOOD, GOOD]))
    with pytest.raises(FramingError):
        decoded(rows, columns)


@pytest.mark.parametrize(
    "row",
    [
        encoded(ID, b"x", None, struct.pack(">q", 7), b"\1"),
        encoded(ID[:15], b"x", None, struct.pack(">i", 7), b"\1"),
        encoded(ID, b"x", None, struct.pack(">i", 7), b"\2"),
        encoded(ID, b"x", None, struct.pack(">i", 7)),
        encoded(ID, b"x", None, struct.pack(">i", 7), b"\1").replace(
            struct.pack(">i", 1) + b"x", struct.pack(">i", -2)
        ),
        encoded(ID, b"x", None, struct.pack(">i", 7), b"\1").replace(
            struct.pack(">i", 1) + b"x", struct.pack(">i", 2**31 - 1) + b"x"
        ),
    ],
)
def test_fields_of_a_wrong_width_are_refused(row: bytes) -> None:
    columns = dataset_of(KINDS).columns
    with pytest.raises(FramingError):
        decoded([GOOD, row, GOOD], columns)


def test_a_stream_that_stops_early_or_goes_on_is_refused() -> None:
    dataset = dataset_of(KINDS)
    for pieces in ([HEADER, GOOD], [GOOD], [HEADER, GOOD, TRAILER, GOOD], [HEADER[:-1] + b"\1"]):
        rows = Rows(Shape.of(dataset), lambda _batch: None)

        def send(pieces: list[bytes] = pieces, rows: Rows = rows) -> None:
            for piece in pieces:
                rows.write(piece)
            rows.finish()

        with pytest.raises(CoachError) as caught:
            send()
        assert caught.value.code == "COACH-EXP-023"


def test_bytes_of_other_fields_never_stand_under_a_null() -> None:
    """Arrays travel: what stands under a NULL must not be another column's private text."""
    columns = dataset_of(["integer", "text", "text"]).columns
    row = encoded(None, None, b"SECRET")
    batch = decoded([row, row], columns)
    assert bytes(batch.column(0).buffers()[1]) == bytes(8)
    assert bytes(batch.column(1).buffers()[1]) == bytes(32)


@pytest.mark.postgres
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_question_that_the_server_ended_is_not_called_a_server_that_is_away(
    connections: tuple[Any, Any], driver: str
) -> None:
    three, two = connections
    shape, query = Shape.of(dataset_of(["integer"])), "SELECT 1 FROM pg_sleep(600)"
    connection = three if driver == "psycopg" else two
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 50")
    reads = plain._from_postgres if driver == "psycopg" else postgres.read
    try:
        with pytest.raises(CoachError, match="statement timeout") as caught:
            list(reads(connection, shape, query))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    assert caught.value.code == "COACH-DB-013"

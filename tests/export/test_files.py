"""Every value survives every format; what breaks a format is refused with its row."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from coachops.export.files import FormatError, read_file
from coachops.export.plan import FileEntry
from coachops.export.shapes import Shape
from coachops.export.writers import EXCEL_MAX_ROWS, open_shard
from tests.export.rows import PLAIN, SHAPE, TEXT, batch_of, digest_of, plain_row, row_of

WAYS = [
    ("csv", "lossless", "none"),
    ("csv", "excel", "none"),
    ("json", "lossless", "none"),
    ("jsonl", "lossless", "none"),
    ("parquet", "lossless", "none"),
    ("csv", "lossless", "zstd"),
    ("jsonl", "lossless", "gzip"),
]
IDS = ["-".join(way) for way in WAYS]
TEXT_WAYS = WAYS[:4]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp())
    yield made
    shutil.rmtree(made)


def write(
    folder: Path, batches: list[pa.RecordBatch], way: tuple[str, str, str], shape: Shape = SHAPE
) -> FileEntry:
    writer = open_shard(folder, shape, way[0], 1, csv_profile=way[1], compression=way[2])
    for batch in batches:
        writer.write(batch)
    return writer.finish(["ab" * 32])


def read(path: Path, way: tuple[str, str, str], shape: Shape = SHAPE) -> list[pa.RecordBatch]:
    return list(read_file(path, shape, way[0], csv_profile=way[1]))


@pytest.mark.parametrize(
    ("shape", "way"),
    [(SHAPE, way) for way in WAYS] + [(PLAIN, WAYS[0]), (PLAIN, WAYS[3])],
    ids=[*IDS, "plain csv", "plain jsonl"],
)
@settings(max_examples=20)
@given(data=st.data())
def test_any_rows_survive_and_leave_the_same_bytes_however_they_are_cut(
    shape: Shape, way: tuple[str, str, str], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(row_of(shape), max_size=8))
    cut = data.draw(st.integers(0, len(rows)))
    whole = batch_of(rows, shape)
    with tempfile.TemporaryDirectory() as name:
        first = write(Path(name), [whole], way, shape)
        path = Path(name) / first.path
        assert digest_of(read(path, way, shape), shape) == digest_of([whole], shape)
        again = write(Path(name), [whole.slice(0, cut), whole.slice(cut)], way, shape)
    assert (again, again.rows) == (first, len(rows))


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_an_entry_tells_the_file_as_it_lies_on_the_disk(
    folder: Path, way: tuple[str, str, str]
) -> None:
    entry = write(folder, [batch_of([plain_row(text="x")], PLAIN)], way, PLAIN)
    written = (folder / entry.path).read_bytes()
    assert (len(written), hashlib.sha256(written).hexdigest()) == (entry.bytes, entry.sha256)
    assert (entry.rows, entry.blocks, entry.shard) == (1, ("ab" * 32,), 1)
    assert [path.name for path in (folder / "data").iterdir()] == [Path(entry.path).name]


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_writer_that_gives_up_leaves_nothing(folder: Path, way: tuple[str, str, str]) -> None:
    writer = open_shard(folder, PLAIN, way[0], 1, csv_profile=way[1], compression=way[2])
    writer.write(batch_of([plain_row()], PLAIN))
    writer.abort()
    assert list((folder / "data").iterdir()) == []


@pytest.mark.parametrize("way", WAYS[4:], ids=IDS[4:])
def test_large_files_have_the_same_bytes_and_rows_however_they_are_cut(
    folder: Path, way: tuple[str, str, str]
) -> None:
    rows = [plain_row(n, text=f"word {n % 700} " * 9, number=n % 9) for n in range(70_000)]
    whole = batch_of(rows, PLAIN)
    first = write(folder, [whole], way, PLAIN)
    cut = [whole.slice(start, 9_973) for start in range(0, len(rows), 9_973)]
    assert write(folder, cut, way, PLAIN) == first
    found = read(folder / first.path, way, PLAIN)
    assert len(found) > 1
    assert digest_of(found, PLAIN) == digest_of([whole], PLAIN)


@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_plain_readers_of_csv_and_json_get_the_texts(texts: list[str]) -> None:
    batch = batch_of([plain_row(text=text) for text in texts], PLAIN)
    with tempfile.TemporaryDirectory() as name:
        by_csv = Path(name) / write(Path(name), [batch], WAYS[0], PLAIN).path
        found = [
            row["text"] for row in csv.DictReader(io.StringIO(by_csv.read_bytes().decode(), ""))
        ]
        by_json = Path(name) / write(Path(name), [batch], WAYS[2], PLAIN).path
        document = json.loads(by_json.read_bytes())
    assert found == [rf"\{t}" if t.startswith("\\") and t.lstrip("\\") == "N" else t for t in texts]
    assert [row["text"] for row in document["rows"]] == texts
    assert document["schema_version"] == "1.0.0"


def test_whole_numbers_beyond_2_to_the_53_keep_every_digit_in_json(folder: Path) -> None:
    batch = batch_of([plain_row(big=2**63 - 1)], PLAIN)
    path = folder / write(folder, [batch], WAYS[3], PLAIN).path
    assert f'"big":"{2**63 - 1}"'.encode() in path.read_bytes()


def test_a_worksheet_takes_no_more_rows_than_a_spreadsheet(folder: Path) -> None:
    writer = open_shard(folder, PLAIN, "csv", 1, csv_profile="excel")
    writer.rows = EXCEL_MAX_ROWS
    with pytest.raises(ValueError, match="1048575"):
        writer.write(batch_of([plain_row()], PLAIN))
    writer.abort()


def test_a_batch_of_other_columns_is_refused(folder: Path) -> None:
    writer = open_shard(folder, PLAIN, "jsonl", 1)
    with pytest.raises(TypeError, match="columns"):
        writer.write(batch_of([], SHAPE))
    writer.abort()


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_a_file_that_is_cut_off_is_refused(folder: Path, way: tuple[str, str, str]) -> None:
    batch = batch_of([plain_row(n, text="tail") for n in range(9)], PLAIN)
    path = folder / write(folder, [batch], way, PLAIN).path
    whole = path.read_bytes()
    for cut in (1, 30, len(whole) // 2):
        path.write_bytes(whole[:-cut])
        with pytest.raises(FormatError):
            read(path, way, PLAIN)


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_what_follows_compressed_data_is_refused(folder: Path, compression: str) -> None:
    batch = batch_of([plain_row()], PLAIN)
    path = folder / write(folder, [batch], ("jsonl", "lossless", compression), PLAIN).path
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(FormatError, match="follows"):
        read(path, WAYS[3], PLAIN)


def test_compressed_files_open_with_the_usual_readers(folder: Path) -> None:
    batch = batch_of([plain_row(text="naïve")], PLAIN)
    plain = (folder / write(folder, [batch], WAYS[3], PLAIN).path).read_bytes()
    packed = folder / write(folder, [batch], ("jsonl", "lossless", "gzip"), PLAIN).path
    assert gzip.decompress(packed.read_bytes()) == plain
    packed = folder / write(folder, [batch], ("jsonl", "lossless", "zstd"), PLAIN).path
    with zstandard.open(packed, "rb") as file:
        assert file.read() == plain


GOOD = {field.name: None for field in PLAIN.fields} | {
    "thing_id": "00000000-0000-0000-0000-000000000001"
}
BAD_LINES: list[tuple[str, Any]] = [
    ("not JSON", "{nothing}"),
    ("not an object", "[1]"),
    ("a column too few", {k: v for k, v in GOOD.items() if k != "text"}),
    ("a column too many", GOOD | {"extra": 1}),
    ("a key twice", json.dumps(GOOD)[:-1] + ', "text": "b"}'),
    ("NaN", json.dumps(GOOD | {"number": float("nan")})),
    ("infinity", json.dumps(GOOD | {"number": float("inf")})),
    ("a number as text", GOOD | {"number": "1"}),
    ("a fraction", GOOD | {"number": 1.5}),
    ("a number too big", GOOD | {"number": 2**31}),
    ("int64 as a number", GOOD | {"big": 5}),
    ("int64 too big", GOOD | {"big": str(2**63)}),
    ("int64 with a zero in front", GOOD | {"big": "007"}),
    ("a boolean as a number", GOOD | {"flag": 1}),
    ("an id in capitals", GOOD | {"other_id": "A0000000-0000-0000-0000-000000000001"}),
    ("an id without hyphens", GOOD | {"other_id": "0" * 32}),
    ("an instant without its zone", GOOD | {"at": "2026-11-23T09:30:00.000000"}),
    ("an instant with three digits", GOOD | {"at": "2026-11-23T09:30:00.000Z"}),
    ("a day that does not exist", GOOD | {"day": "2026-02-30"}),
    ("a value outside the list", GOOD | {"choice": "c"}),
    ("NULL where none may be", GOOD | {"thing_id": None}),
    ("two rows on a line", json.dumps(GOOD) + json.dumps(GOOD)),
    ("bytes that are no text", json.dumps(GOOD | {"text": "X"}).encode().replace(b"X", b"\xff")),
]


@pytest.mark.parametrize(("what", "line"), BAD_LINES, ids=[what for what, _ in BAD_LINES])
@pytest.mark.parametrize("way", TEXT_WAYS[2:], ids=["json", "jsonl"])
def test_a_bad_row_of_json_is_refused_with_its_number(
    folder: Path, way: tuple[str, str, str], what: str, line: Any
) -> None:
    good = batch_of([plain_row(n) for n in range(1, 5)], PLAIN)
    path = folder / write(folder, [good], way, PLAIN).path
    text = line if isinstance(line, str) else line if isinstance(line, bytes) else json.dumps(line)
    bad = text.encode() if isinstance(text, str) else text
    lines = path.read_bytes().split(b"\n")
    place = 3 if way[0] == "json" else 2
    lines[place] = bad + (b"," if way[0] == "json" else b"")
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(FormatError) as caught:
        read(path, way, PLAIN)
    assert caught.value.row == 3, what


BAD_FIELDS = [
    ("number", "1.5"), ("number", "+1"), ("number", "2147483648"), ("number", ""),
    ("big", "9223372036854775808"), ("flag", "t"), ("choice", "c"), ("day", "2026-02-30"),
    ("at", "2026-11-23 09:30:00"), ("thing_id", r"\N"), ("thing_id", "x"), ("text", '"a"b'),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), BAD_FIELDS)
def test_a_bad_field_of_csv_is_refused_with_its_row(folder: Path, column: str, value: str) -> None:
    path = folder / write(folder, [batch_of([plain_row(n) for n in range(4)], PLAIN)],
                          WAYS[0], PLAIN).path  # fmt: skip
    lines = path.read_text().split("\n")
    fields = lines[3].split(",")
    fields[PLAIN.names.index(column)] = value
    lines[3] = ",".join(fields)
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError) as caught:
        read(path, WAYS[0], PLAIN)
    assert caught.value.row == 3


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        (b"thing_id,text", b"text,thing_id", 1),
        (b",first,", b",first,more,", 1),
        (b",second,", b",", 2),
        (b",second,", b",\xff\xfe,", 2),
        (b",second,", b',"\\N",', 2),
        (b",second,", b',"open,', 2),
    ],
)
def test_a_broken_csv_is_refused_with_its_row(
    folder: Path, old: bytes, new: bytes, row: int
) -> None:
    batch = batch_of([plain_row(1, text="first"), plain_row(2, text="second")], PLAIN)
    path = folder / write(folder, [batch], WAYS[0], PLAIN).path
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(FormatError) as caught:
        read(path, WAYS[0], PLAIN)
    assert caught.value.row == row


def test_csv_as_the_database_writes_it_is_read_too(folder: Path) -> None:
    """COPY writes an empty text as nothing, and quotes where nobody must."""
    batch = batch_of([plain_row(1, text=""), plain_row(2, text="plain")], PLAIN)
    path = folder / write(folder, [batch], WAYS[0], PLAIN).path
    path.write_bytes(path.read_bytes().replace(b',"",', b",,").replace(b"plain", b'"plain"'))
    assert digest_of(read(path, WAYS[0], PLAIN), PLAIN) == digest_of([batch], PLAIN)


def test_json_as_another_program_writes_it_is_read_too(folder: Path) -> None:
    batch = batch_of([plain_row(1, text="é\u2028", big=5), plain_row(2, flag=True)], PLAIN)
    path = folder / write(folder, [batch], WAYS[3], PLAIN).path
    rows = [json.loads(line) for line in path.read_bytes().decode().split("\n") if line]
    path.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    assert digest_of(read(path, WAYS[3], PLAIN), PLAIN) == digest_of([batch], PLAIN)


def test_parquet_of_other_types_or_with_bad_text_is_refused(folder: Path) -> None:
    import pyarrow.parquet as pq

    path = folder / write(folder, [batch_of([plain_row(1, text="x")], PLAIN)], WAYS[4], PLAIN).path
    table = pq.read_table(path)
    number = table.schema.get_field_index("number")
    wide = table.set_column(number, "number", table["number"].cast(pa.int64()))
    pq.write_table(wide, path)
    with pytest.raises(FormatError, match="number is int64"):
        read(path, WAYS[4], PLAIN)
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    pq.write_table(table.set_column(1, "text", broken), path)
    with pytest.raises(FormatError) as caught:
        read(path, WAYS[4], PLAIN)
    assert caught.value.row == 1


def test_the_excel_profile_leaves_nothing_that_a_spreadsheet_takes_for_a_formula(
    folder: Path,
) -> None:
    texts = ["=1+1", "+44 20", "-5", "@sum", "\t=x", "\r=x", "\n=x", " =1+1", "\uff1d1", "plain"]
    batch = batch_of([plain_row(n, text=text) for n, text in enumerate(texts)], PLAIN)
    path = folder / write(folder, [batch], WAYS[1], PLAIN).path
    written = path.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    found = [row["text"] for row in csv.DictReader(io.StringIO(written.decode("utf-8-sig"), ""))]
    assert found == [f"'{text}" for text in texts[:-1]] + ["plain"]

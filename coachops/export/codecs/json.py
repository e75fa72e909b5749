"""JSON Lines (one row a line) and JSON (one document per file, with its schema's version).

The JSON document is laid out one row a line, so that it can be written and verified in constant
memory; any JSON parser reads it. 64-bit integers are strings, JSON columns are nested values.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import IO, Any

from coachops.export.codecs.codec import Field, FormatError, Shape
from coachops.export.reader import Columns, canonical_json

_ENVELOPE_END = b"]}\n"


class JsonLinesCodec:
    """One JSON object a line, ended by LF."""

    name = "jsonl"
    extension = "jsonl"
    media_type = "application/jsonl"
    max_rows: int | None = None

    def header(self, shape: Shape, shard: int) -> bytes:
        """Nothing."""
        return b""

    def rows(self, shape: Shape, chunk: Columns, *, first: bool) -> bytes:
        """One line per row."""
        lines = "\n".join(_objects(shape, chunk))
        return (lines + "\n").encode() if lines else b""

    def footer(self, *, empty: bool) -> bytes:
        """Nothing."""
        return b""

    def read(self, file: IO[bytes], shape: Shape, chunk_rows: int) -> Iterator[Columns]:
        """The rows of a file."""
        yield from _read_lines(_whole_lines(file), shape, chunk_rows)


class JsonCodec:
    """One document: `{"dataset", "schema", "schema_version", "shard", "rows": [...]}`."""

    name = "json"
    extension = "json"
    media_type = "application/json"
    max_rows: int | None = None

    def header(self, shape: Shape, shard: int) -> bytes:
        """The envelope, up to the opening bracket of the rows."""
        envelope = {
            "dataset": shape.name,
            "schema": shape.schema_id,
            "schema_version": shape.version,
            "shard": shard,
        }
        return (json.dumps(envelope)[:-1] + ', "rows": [').encode()

    def rows(self, shape: Shape, chunk: Columns, *, first: bool) -> bytes:
        """Rows separated by a comma and a line end."""
        objects = ",\n".join(_objects(shape, chunk))
        return (("\n" if first else ",\n") + objects).encode() if objects else b""

    def footer(self, *, empty: bool) -> bytes:
        """The end of the envelope."""
        return _ENVELOPE_END if empty else b"\n" + _ENVELOPE_END

    def read(self, file: IO[bytes], shape: Shape, chunk_rows: int) -> Iterator[Columns]:
        """The rows of a file in the layout that this codec writes."""
        first = file.readline()
        try:
            envelope = json.loads(first.rstrip(b"\n").removesuffix(b"]}") + b"]}")
        except ValueError:
            raise FormatError("the envelope is not JSON") from None
        expected = {"dataset": shape.name, "schema": shape.schema_id}
        if {key: envelope.get(key) for key in expected} != expected:
            raise FormatError("the envelope names another dataset or schema")
        if first.endswith(_ENVELOPE_END):
            if file.read(1):
                raise FormatError("something follows the end of the document")
            return
        yield from _read_lines(_envelope_lines(file), shape, chunk_rows)


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            raise FormatError("is cut off", number)
        yield line


def _envelope_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The rows' lines; every one but the last ends with a comma, then the document ends."""
    last_seen = False
    for number, line in enumerate(file, 1):
        if last_seen:
            if line == _ENVELOPE_END and not file.read(1):
                return
            raise FormatError("the document does not end after its last row", number)
        last_seen = not line.endswith(b",\n")
        yield line.removesuffix(b"\n").removesuffix(b",")
    raise FormatError("the document is cut off")


def _read_lines(lines: Iterable[bytes], shape: Shape, chunk_rows: int) -> Iterator[Columns]:
    names = [field.name for field in shape.fields]
    decode = [_decoder(field) for field in shape.fields]
    done = 0
    lines = iter(lines)
    while batch := list(itertools.islice(lines, chunk_rows)):
        rows = []
        for number, line in enumerate(batch, done + 1):
            try:
                row = json.loads(line)
            except ValueError:
                raise FormatError("is not JSON", number) from None
            if not isinstance(row, dict) or list(row) != names:
                raise FormatError("has not the columns of the schema", number)
            rows.append(tuple(row.values()))
        columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True))
        try:
            yield [
                [None if value is None else f(value) for value in values]
                for f, values in zip(decode, columns, strict=True)
            ]
        except TypeError:
            number = _first_wrong(columns, decode, done)
            raise FormatError("holds a value of a wrong type", number) from None
        done += len(batch)


def _first_wrong(
    columns: Sequence[Sequence[Any]], decode: Sequence[Callable[[Any], str]], done: int
) -> int:
    for number, row in enumerate(zip(*columns, strict=True), done + 1):
        try:
            for f, value in zip(decode, row, strict=True):
                if value is not None:
                    f(value)
        except TypeError:
            return number
    return done + 1


def _objects(shape: Shape, chunk: Columns) -> Iterator[str]:
    template = "{" + ",".join(f'"{field.name}":%s' for field in shape.fields) + "}"
    encoded = [_encode(field, values) for field, values in zip(shape.fields, chunk, strict=True)]
    return map(template.__mod__, zip(*encoded, strict=True))


def _encode(field: Field, values: Sequence[str | None]) -> list[str]:
    if field.kind in {"integer", "boolean", "json"}:
        return ["null" if v is None else v for v in values]
    if field.kind in {"text", "code"}:
        return ["null" if v is None else encode_basestring(v) for v in values]
    return ["null" if v is None else f'"{v}"' for v in values]


def _decoder(field: Field) -> Callable[[Any], str]:
    match field.kind:
        case "integer":
            return _integer
        case "boolean":
            return _boolean
        case "json":
            return canonical_json
        case _:
            return _string


def _integer(value: object) -> str:
    if type(value) is not int:
        raise TypeError
    return str(value)


def _boolean(value: object) -> str:
    if type(value) is not bool:
        raise TypeError
    return "true" if value else "false"


def _string(value: object) -> str:
    if type(value) is not str:
        raise TypeError
    return value

r"""CSV after RFC 4180, UTF-8, lines ended by LF, in two profiles.

lossless: for machines. NULL is `\N`; a text that is itself `\N` gets one more backslash (so do
`\\N`, `\\\N`, …), so every text survives. Texts are always quoted, other values never.

excel: for people. A byte order mark; every field quoted; a text that a spreadsheet would take for a
formula (it begins with = + - @ TAB or CR) gets an apostrophe in front, and so do texts that begin
with an apostrophe and the empty text, so that NULL (an empty field) and every text survive as well.
Why both: the escape changes data, so machines must not get it (OWASP, "CSV injection").
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from typing import IO

from coachops.export.codecs.codec import Field, FormatError, Shape
from coachops.export.reader import Columns

NULL = r"\N"
_LITERAL_NULL = re.compile(r"\\+N")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
EXCEL_MAX_ROWS = 1_048_575
"""Rows of a worksheet without the header (Excel specifications and limits)."""


class CsvCodec:
    """CSV in the lossless or the Excel profile."""

    name = "csv"
    extension = "csv"
    media_type = "text/csv"

    def __init__(self, *, excel: bool = False) -> None:
        self.excel = excel
        self.max_rows: int | None = EXCEL_MAX_ROWS if excel else None

    def header(self, shape: Shape, shard: int) -> bytes:
        """The column names."""
        names = [field.name for field in shape.fields]
        if self.excel:
            return ("\ufeff" + ",".join(f'"{name}"' for name in names) + "\n").encode()
        return (",".join(names) + "\n").encode()

    def rows(self, shape: Shape, chunk: Columns, *, first: bool) -> bytes:
        """One line per row, except where a text holds line ends."""
        encoded = [
            [encode(value) for value in values]
            for encode, values in zip(map(self._encoder, shape.fields), chunk, strict=True)
        ]
        lines = "\n".join(map(",".join, zip(*encoded, strict=True)))
        return (lines + "\n").encode() if lines else b""

    def footer(self, *, empty: bool) -> bytes:
        """Nothing."""
        return b""

    def read(self, file: IO[bytes], shape: Shape, chunk_rows: int) -> Iterator[Columns]:
        """The rows of a file of this profile."""
        if csv.field_size_limit() < sys.maxsize:
            csv.field_size_limit(sys.maxsize)
        text = io.TextIOWrapper(
            file, "utf-8-sig" if self.excel else "utf-8", newline="", write_through=True
        )
        reader = csv.reader(text, strict=True)
        names = [field.name for field in shape.fields]
        done = 0
        decode = [self._decoder(field) for field in shape.fields]
        try:
            if next(reader, None) != names:
                raise FormatError("the header is not that of the schema")
            while rows := list(itertools.islice(reader, chunk_rows)):
                try:
                    columns = list(zip(*rows, strict=True))
                except ValueError:
                    columns = []
                if len(columns) != len(names):
                    bad = next(i for i, row in enumerate(rows, done + 1) if len(row) != len(names))
                    raise FormatError(f"has not {len(names)} fields", bad)
                done += len(rows)
                yield [
                    [f(value) for value in values]
                    for f, values in zip(decode, columns, strict=True)
                ]
        except (csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"cannot be read ({error})", done + 1) from None
        finally:
            text.detach()

    def _encoder(self, field: Field) -> Callable[[str | None], str]:
        plain = field.kind not in {"text", "json", "code"} or bool(field.enum)
        if self.excel:
            return _excel_plain if plain else _excel_text
        return _plain if plain else _text

    def _decoder(self, field: Field) -> Callable[[str], str | None]:
        if not self.excel:
            return _unescape
        plain = field.kind not in {"text", "json", "code"} or bool(field.enum)
        return _excel_null if plain else _excel_unescape


def _plain(value: str | None) -> str:
    return NULL if value is None else value


def _text(value: str | None) -> str:
    if value is None:
        return NULL
    if value.startswith("\\") and _LITERAL_NULL.fullmatch(value):
        value = "\\" + value
    return '"' + value.replace('"', '""') + '"'


def _unescape(value: str) -> str | None:
    if value == NULL:
        return None
    return value[1:] if value.startswith("\\") and _LITERAL_NULL.fullmatch(value) else value


def _excel_plain(value: str | None) -> str:
    return '""' if value is None else f'"{value}"'


def _excel_text(value: str | None) -> str:
    if value is None:
        return '""'
    if not value or value.startswith(_FORMULA):
        value = "'" + value
    return '"' + value.replace('"', '""') + '"'


def _excel_null(value: str) -> str | None:
    return value or None


def _excel_unescape(value: str) -> str | None:
    if not value:
        return None
    return value.removeprefix("'")

r"""CSV as PostgreSQL writes it, passed through in large blocks: the fastest way there is.

Used where lossless, uncompressed CSV is the only format and every column is of a kind whose text
PostgreSQL writes as the profile demands. Such a file has no digest of typed rows; `export verify`
computes it. NULL is `\N`; a text that is itself `\N` gets one more backslash (so do `\\N`, …).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.export.definitions import Column, Dataset
from coachops.export.plan import ExportSpec, Part, PartResult
from coachops.export.queries import Condition, order_columns, restricted, sql_text
from coachops.export.readers import postgres
from coachops.export.shapes import Shape
from coachops.export.writers.csv import CsvRows
from coachops.export.writers.output import Output
from coachops.export.writers.shard import entry_of

_KINDS = frozenset({"uuid", "text", "code", "integer", "int64", "boolean"})
"""Not JSON, which only we make canonical; not times, whose infinities must be refused by row."""

_OPTIONS = r"FORMAT csv, NULL '\N'"
_BACKSLASH = sa.literal_column(r"E'\\'", sa.Text())
_LITERAL_NULL = sa.literal_column(r"E'^\\\\+N$'", sa.Text())


def possible(dataset: Dataset, spec: ExportSpec) -> bool:
    """Whether the files of `dataset` can come straight from the database."""
    return (
        spec.formats == ("csv",)
        and spec.csv_profile == "lossless"
        and spec.compression == "none"
        and spec.privacy == "full"
        and all(column.kind in _KINDS for column in dataset.columns)
    )


def write(
    connection: Any,
    dataset: Dataset,
    part: Part,
    folder: Path,
    conditions: Sequence[Condition | None],
    progress: Callable[[str, int], None],
) -> PartResult:
    """Write the file of a part.

    Parameters:
        connection: as `readers.postgres.imported` gives it.

    Raises:
        CoachError: COACH-EXP-006, COACH-EXP-022, COACH-DB-001.
    """
    shape = Shape.of(dataset)
    written = 0

    def count(rows: int) -> None:
        nonlocal written
        written += rows
        progress(dataset.name, rows)

    output = Output(folder, dataset.name, "csv", part.shard)
    try:
        output.write(CsvRows(shape, excel=False).header())
        query = sql_text(_query(dataset, conditions), sqlite=False)
        postgres.copy_text(connection, query, _OPTIONS, output, count)
        if written != part.rows:
            raise CoachError(
                "COACH-EXP-022",
                dataset=dataset.name, shard=part.shard, found=written, planned=part.rows,
            )  # fmt: skip
        entry = entry_of(output, output.finish(), written, ())
    finally:
        output.abort()
    return PartResult(part.number, written, (entry,))


def _query(dataset: Dataset, conditions: Sequence[Condition | None]) -> sa.Select[Any]:
    statement = sa.select(*(_text(column).label(column.name) for column in dataset.columns))
    statement = statement.select_from(dataset.table if dataset.source is None else dataset.source)
    return restricted(statement, dataset, conditions).order_by(*order_columns(dataset))


def _text(column: Column) -> Any:
    if column.kind == "boolean":
        return sa.cast(column.source, sa.Text())  # true and false instead of t and f
    if column.kind in {"text", "code"} and not column.enum:
        suspect = sa.and_(
            sa.func.starts_with(column.source, _BACKSLASH),
            column.source.regexp_match(_LITERAL_NULL),
        )
        longer = sa.func.concat(_BACKSLASH, column.source)
        return sa.case((suspect, longer), else_=column.source)
    return column.source

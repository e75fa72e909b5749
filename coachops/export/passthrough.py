r"""CSV as PostgreSQL writes it, passed through in large blocks: the fastest way there is.

Used where lossless, uncompressed CSV is the only format and every column is of a kind whose text
PostgreSQL writes as the profile demands. Such a file has no digest of typed rows; `export verify`
computes it. NULL is `\N`; a text that is itself `\N` gets one more backslash (so do `\\N`, …),
which the reader adds (`readers/text.py`): asking the server about every text costs it a tenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from coachops.export.definitions import Column, Dataset
from coachops.export.plan import ExportSpec
from coachops.export.queries import Condition, order_columns, restricted

_KINDS = frozenset({"uuid", "text", "code", "integer", "int64", "boolean"})
"""Not JSON, which only we make canonical; not times, whose infinities must be refused by row."""


def possible(dataset: Dataset, spec: ExportSpec) -> bool:
    """Whether the files of `dataset` can come straight from the database."""
    return (
        spec.formats == ("csv",)
        and spec.csv_profile == "lossless"
        and spec.compression == "none"
        and spec.privacy == "full"
        and all(column.kind in _KINDS for column in dataset.columns)
    )


def text_query(dataset: Dataset, conditions: Sequence[Condition | None]) -> sa.Select[Any]:
    """The rows of `dataset` that meet all conditions, with the texts of the profile."""
    statement = sa.select(*(_text(column).label(column.name) for column in dataset.columns))
    statement = statement.select_from(dataset.table if dataset.source is None else dataset.source)
    return restricted(statement, dataset, conditions).order_by(*order_columns(dataset))


def _text(column: Column) -> Any:
    """`true` and `false` instead of `t` and `f`; every other text is written as it must be."""
    return sa.cast(column.source, sa.Text()) if column.kind == "boolean" else column.source

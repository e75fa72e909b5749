"""How many rows of a dataset are selected, and where its files begin.

Rows are counted in the dataset's own table, apart from the query that will read them, so a join
that loses or doubles rows is found when the part is written. Files begin at every so-manyth row in
the dataset's order: then a part is the same rows in every format, whoever writes it.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.export.definitions import Dataset
from coachops.export.plan import Key
from coachops.export.queries import Condition, from_key, order_columns, restricted


def looks_longer(connection: Connection, dataset: Dataset, most: int) -> bool:
    """Whether the database takes the table for longer than a file; it need not be right."""
    if connection.dialect.name != "postgresql":
        return False  # nobody can begin before the plan is whole
    about = sa.text("SELECT reltuples FROM pg_class WHERE oid = CAST(:name AS regclass)")
    return float(connection.scalar(about, {"name": dataset.table.__tablename__}) or 0) > most


def cuts(
    connection: Connection,
    dataset: Dataset,
    condition: Condition | None,
    counts: dict[str, int],
    most: int,
    *,
    early: bool,
) -> Iterator[tuple[Key | None, Key | None, int]]:
    """The first key of each part, the one after its last, and its rows; `counts` are filled in.

    Parameters:
        counts: gets the rows that are selected, those that the filters leave out, and those that are
            never exported; they add up to the table.
        most: rows of a part.
        early: look where the first part ends before the rows are counted, so that it can be begun.
    """
    find = _Cutter(connection, dataset, condition, most)
    low = find.after(None) if early else None
    if low is not None:
        yield None, low, most
    counts.update(_counts(connection, dataset, condition))
    if not counts["never_exported"] and condition is None:
        find = _Cutter(connection, _bare(dataset), None, most)
    left = counts["rows"] - (0 if low is None else most)
    while left > most:
        high = find.after(low)
        yield low, high, most
        low, left = high, left - most
    yield low, None, left


def _counts(
    connection: Connection, dataset: Dataset, condition: Condition | None
) -> dict[str, int]:
    # each by a statement of its own: one for both reads every row, where each has an index
    whole = _count(connection, _bare(dataset), [])
    never = 0 if dataset.where is None else _count(connection, *_kept_back(dataset))
    rows = whole - never if condition is None else _count(connection, dataset, [condition])
    return {"rows": rows, "left_out": whole - never - rows, "never_exported": never}


class _Cutter:
    """Finds the row that follows so many others in the order.

    The place of a row is its rank, so each look goes on from the last cut.
    """

    def __init__(
        self, connection: Connection, dataset: Dataset, condition: Condition | None, most: int
    ) -> None:
        self._connection, self._dataset, self._most = connection, dataset, most
        self._condition = condition

    def after(self, low: Key | None) -> Key | None:
        """The key of the row that follows `most` rows from `low` on; None where there are no more."""
        dataset, low_key, skip = self._dataset, low, self._most
        if self._condition is None and dataset.where is not None:
            # the index of the order knows the rank among all rows without a look at any: so many
            # are passed as are exported, and again as many as were not among them
            bare = _bare(dataset)
            while skip:
                high = self._seek(bare, low_key, skip)
                if high is None:
                    return None
                skip = self._kept_back_between(low_key, high)
                low_key = high
        return self._seek(dataset, low_key, skip)

    def _seek(self, dataset: Dataset, low: Key | None, skip: int) -> Key | None:
        keys = order_columns(dataset)
        statement = sa.select(*keys).select_from(dataset.table)
        from_low = None if low is None else from_key(dataset, low)
        statement = restricted(statement, dataset, [self._condition, from_low])
        found = self._connection.execute(statement.order_by(*keys).offset(skip).limit(1))
        row = found.one_or_none()
        return None if row is None else _key(row)

    def _kept_back_between(self, low: Key | None, high: Key) -> int:
        dataset, conditions = _kept_back(self._dataset)
        bounds = [sa.not_(from_key(dataset, high))]
        bounds += [] if low is None else [from_key(dataset, low)]
        return _count(self._connection, dataset, [*conditions, *bounds])


def _bare(dataset: Dataset) -> Dataset:
    """The dataset with all rows of its table."""
    return dataclasses.replace(dataset, where=None)


def _kept_back(dataset: Dataset) -> tuple[Dataset, list[Condition]]:
    """What chooses the rows of the table that are never exported."""
    return _bare(dataset), [] if dataset.where is None else [sa.not_(dataset.where)]


def _count(connection: Connection, dataset: Dataset, conditions: Sequence[Condition | None]) -> int:
    counted = sa.select(sa.func.count()).select_from(dataset.table)
    return int(connection.scalar(restricted(counted, dataset, conditions)) or 0)


def _key(values: Sequence[Any]) -> Key:
    return tuple(str(value) if isinstance(value, uuid.UUID) else int(value) for value in values)

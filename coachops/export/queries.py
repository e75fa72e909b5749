"""The SELECT of a dataset, with the type of every column fixed by the registry, and its SQL text.

Readers below SQLAlchemy (COPY, another SQLite library) take a query as text, so values are written
into it as literals. Only ids, days, instants, whole numbers and words of ours ever are: nothing that
people typed.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from coachops.export.definitions import Column, Dataset
from coachops.export.plan import Key, Part

Condition = sa.ColumnElement[bool]

_POSTGRES_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "uuid": sa.Uuid(),
    "text": sa.Text(),
    "code": sa.Text(),
    "json": sa.Text(),
    "integer": sa.Integer(),
    "int64": sa.BigInteger(),
    "boolean": sa.Boolean(),
    "date": sa.Date(),
    "instant": sa.DateTime(timezone=True),
}
_POSTGRES = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # no % is doubled
_SQLITE = sqlite.dialect(paramstyle="named")


def typed_query(
    dataset: Dataset, conditions: Sequence[Condition | None], *, sqlite: bool
) -> sa.Select[Any]:
    """All columns of `dataset` in its order, each as the database stores it."""
    wire = _sqlite_wire if sqlite else _postgres_wire
    statement = sa.select(*(wire(column).label(column.name) for column in dataset.columns))
    statement = statement.select_from(dataset.table if dataset.source is None else dataset.source)
    return restricted(statement, dataset, conditions).order_by(*order_columns(dataset))


def part_query(
    dataset: Dataset, part: Part, selected: Condition | None, *, sqlite: bool
) -> sa.Select[Any]:
    """The rows of a part that a condition selects, without the column that a parent shows."""
    conditions = [selected, *within(dataset, part)]
    if (shown := dataset.shown) is None:
        return typed_query(dataset, conditions, sqlite=sqlite)
    columns = tuple(c for c in dataset.columns if c.name != shown.column)
    return typed_query(replace(dataset, columns=columns, source=None), conditions, sqlite=sqlite)


def shown_query(
    dataset: Dataset, part: Part, selected: Condition | None, *, sqlite: bool
) -> sa.Select[Any]:
    """Id and value of each parent that the rows of `part_query` may have.

    Raises:
        TypeError: no parent shows anything in the dataset.
    """
    if (shown := dataset.shown) is None:
        raise TypeError(f"no parent shows anything in {dataset.name}")
    wire = _sqlite_wire if sqlite else _postgres_wire
    by = dataset.column(shown.by)
    columns = (replace(by, source=shown.key), dataset.column(shown.column))
    statement = sa.select(*(wire(column).label(column.name) for column in columns))
    statement = statement.where(*_between(dataset, part, shown.key))
    if selected is not None:  # nobody is told of a value in a row that was not asked for
        chosen = sa.select(by.source).select_from(dataset.table)
        chosen = restricted(chosen, dataset, [selected, *within(dataset, part)])
        statement = statement.where(shown.key.in_(chosen))
    return statement


def within_join(dataset: Dataset, part: Part) -> list[Condition]:
    """The same for a query that joins the parents that the rows show: these are bounded, too."""
    conditions = within(dataset, part)
    return conditions + (_between(dataset, part, dataset.shown.key) if dataset.shown else [])


def _between(dataset: Dataset, part: Part, parent: Any) -> list[Condition]:
    """The parents of the first and the last row of a part, and all between them."""
    by = dataset.column(dataset.sort[0])
    conditions = [] if part.low is None else [parent >= _literal(by, part.low[0])]
    return conditions + ([] if part.high is None else [parent <= _literal(by, part.high[0])])


def restricted(
    statement: sa.Select[Any], dataset: Dataset, conditions: Sequence[Condition | None]
) -> sa.Select[Any]:
    """`statement` without the rows that are never exported and those the conditions leave out."""
    for condition in (dataset.where, *conditions):
        if condition is not None:
            statement = statement.where(condition)
    return statement


def order_columns(dataset: Dataset) -> list[Any]:
    """The expressions that order the rows."""
    return [dataset.column(name).source for name in dataset.sort]


def within(dataset: Dataset, part: Part) -> list[Condition]:
    """The conditions that choose the rows of a part.

    Where two columns order the rows, the first one is bounded by itself as well: by a bound on both
    alone, PostgreSQL 15 looks for the rows of a parent that comes before the part by walking from
    there through the whole index: a join by parents took minutes for a part of one second, among ten
    million rows. SQLite looks at the parent's rows.
    """
    conditions = []
    if part.low is not None:
        conditions.append(from_key(dataset, part.low))
    if part.high is not None:
        conditions.append(sa.not_(from_key(dataset, part.high)))
    if len(dataset.sort) > 1:
        conditions += _between(dataset, part, dataset.column(dataset.sort[0]).source)
    return conditions


def from_key(dataset: Dataset, key: Key) -> Condition:
    """Rows whose key is `key` or comes after it."""
    columns = [dataset.column(name) for name in dataset.sort]
    values = [_literal(column, value) for column, value in zip(columns, key, strict=True)]
    if len(columns) == 1:
        single: Condition = columns[0].source >= values[0]
        return single
    return sa.tuple_(*(column.source for column in columns)) >= sa.tuple_(*values)


def sql_text(statement: sa.Select[Any], *, sqlite: bool) -> str:
    """The statement as text for the database, values included."""
    dialect = _SQLITE if sqlite else _POSTGRES
    compiled = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(compiled)


def _literal(column: Column, value: str | int) -> sa.ColumnElement[Any]:
    if column.kind == "uuid":
        return sa.literal(uuid.UUID(str(value)), sa.Uuid())
    if isinstance(value, int):
        return sa.literal(value, sa.BigInteger())
    raise TypeError(f"{column.name} orders rows, so it must be an id or a whole number")


def _sqlite_wire(column: Column) -> sa.ColumnElement[Any]:
    """The stored value as it is, past the type's own conversion."""
    return sa.type_coerce(column.source, sa.types.NullType())


def _postgres_wire(column: Column) -> sa.ColumnElement[Any]:
    """A cast costs nothing where the type is already the one that the decoder expects."""
    return sa.cast(column.source, _POSTGRES_TYPES[column.kind])

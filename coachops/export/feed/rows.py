"""Rows of a dataset as encoded JSON objects: the one place where the feed reads data."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.export.definitions import Dataset
from coachops.export.readers import read_batches
from coachops.export.shapes import Shape
from coachops.export.writers.jsonl import JsonLinesRows, objects
from coachops.export.writers.texts import frame_of, uuid_texts


def lines_by_key(
    connection: Connection,
    dataset: Dataset,
    keys: sa.Select[Any],
    condition: sa.ColumnElement[bool] | None = None,
) -> pl.DataFrame:
    """The rows with these keys that meet the condition, as they are now.

    Parameters:
        keys: a query of ids; they are not sent out and in again.

    Returns:
        `key`, the id as text, and `line`, the row as the JSON Lines format writes it, without the
        line end.
    """
    frames = [pl.DataFrame(schema={"key": pl.String, "line": pl.String})]
    shape = Shape.of(dataset)
    line = pl.concat_str(objects(shape))
    wanted = _one_of(connection, dataset, keys)
    for batch in read_batches(connection, dataset, wanted, condition, ordered=False):
        found = pl.Series("key", uuid_texts(batch.column(shape.key)))
        frames.append(pl.DataFrame([found, frame_of(batch, shape).select(line=line)["line"]]))
    return pl.concat(frames)


def canonical_rows(
    connection: Connection, dataset: Dataset, condition: sa.ColumnElement[bool] | None
) -> Iterator[tuple[str, bytes]]:
    """Id and canonical JSON (members sorted by name, no spaces, UTF-8) of every row."""
    shape = Shape.of(dataset)
    by_name = sorted(shape.fields, key=lambda field: field.name)
    ordered = Shape(
        shape.name, shape.version, shape.schema_id, tuple(by_name), shape.key, shape.order,
        shape.foreign_keys,
    )  # fmt: skip
    return _lines(connection, dataset, condition, ordered)


def existing(connection: Connection, dataset: Dataset, keys: Collection[str]) -> frozenset[str]:
    """Which of the keys have a row, whoever may see it."""
    if not keys:
        return frozenset()
    key = dataset.columns[0].source
    source = dataset.table if dataset.source is None else dataset.source
    query = sa.select(key).select_from(source).where(_among(connection, dataset, keys))
    if dataset.where is not None:
        query = query.where(dataset.where)
    return frozenset(str(each) for each in connection.scalars(query))


def _lines(
    connection: Connection,
    dataset: Dataset,
    condition: sa.ColumnElement[bool] | None,
    shape: Shape,
) -> Iterator[tuple[str, bytes]]:
    rows = JsonLinesRows(shape)
    for batch in read_batches(connection, dataset, condition):
        lines = bytes(rows.rows(batch.select(shape.names), first=True)).split(b"\n")
        yield from zip(uuid_texts(batch.column(shape.key)).to_pylist(), lines, strict=False)


def _one_of(
    connection: Connection, dataset: Dataset, keys: sa.Select[Any]
) -> sa.ColumnElement[bool]:
    """The condition that the key is among those, so written that either planner looks each up."""
    key: sa.ColumnElement[Any] = dataset.columns[0].source
    if connection.dialect.name == "sqlite":
        return key.in_(keys)
    return key == sa.any_(sa.func.array(keys.scalar_subquery()))


def _among(
    connection: Connection, dataset: Dataset, keys: Collection[str]
) -> sa.ColumnElement[bool]:
    """The condition that the key is one of `keys`, as one parameter however many they are."""
    key = dataset.columns[0].source
    if connection.dialect.name == "sqlite":
        listed = sa.func.json_each(json.dumps(list(keys)).replace("-", "")).table_valued("value")
        return sa.type_coerce(key, sa.String()).in_(sa.select(listed.c.value))
    text = sa.literal("{" + ",".join(keys) + "}", sa.String())
    array = sa.cast(text, sa.ARRAY(sa.Uuid(as_uuid=False)))
    return key == sa.any_(array)  # type: ignore[no-any-return]

"""The tables of a restored export, as SQL of either database."""

from __future__ import annotations

from collections.abc import Mapping

from coachops.export.shapes import Field, Shape

_CHECKS_SQLITE = {
    "uuid": "length({0}) = 36",
    "integer": "{0} BETWEEN -2147483648 AND 2147483647",
    "boolean": "{0} IN (0, 1)",
    "date": "length({0}) = 10",
    "instant": "length({0}) = 27",
    "json": "{0} IS NULL OR json_valid({0})",  # of NULL, older versions say that it is not
}
_TYPES_SQLITE = {"integer": "INTEGER", "int64": "INTEGER", "boolean": "INTEGER"}
_TYPES_POSTGRES = {
    "uuid": "uuid",
    "integer": "integer",
    "int64": "bigint",
    "boolean": "boolean",
    "date": "date",
    "instant": "timestamptz",
    "json": "json",  # not jsonb, which would write values anew
}


def quoted(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def create_sqlite(shape: Shape, keys: Mapping[str, str]) -> str:
    """The table with all its keys.

    Parameters:
        keys: primary key of each dataset that is restored.
    """
    lines = [
        _column(field, _TYPES_SQLITE.get(field.kind, "TEXT"), _checks_sqlite(field))
        for field in shape.fields
    ]
    lines += [_primary(shape), *_unique(shape), *foreign_keys(shape, keys)]
    return f"CREATE TABLE {quoted(shape.name)} (\n  " + ",\n  ".join(lines) + "\n) STRICT"


def create_postgres(shape: Shape) -> str:
    """The table without its keys: they are added when it is full."""
    lines = [
        _column(field, _TYPES_POSTGRES.get(field.kind, "text"), _enum(field))
        for field in shape.fields
    ]
    return f"CREATE TABLE {quoted(shape.name)} (\n  " + ",\n  ".join(lines) + "\n)"


def keys_postgres(shape: Shape) -> str:
    """Primary key and order of a full table."""
    parts = ", ".join(f"ADD {part}" for part in (_primary(shape), *_unique(shape)))
    return f"ALTER TABLE {quoted(shape.name)} {parts}"


def foreign_keys_postgres(shape: Shape, keys: Mapping[str, str]) -> str | None:
    """Foreign keys of a full table; None where it has none."""
    parts = ", ".join(f"ADD {key}" for key in foreign_keys(shape, keys))
    return f"ALTER TABLE {quoted(shape.name)} {parts}" if parts else None


def foreign_keys(shape: Shape, keys: Mapping[str, str]) -> list[str]:
    """One clause for each parent that is restored too."""
    return [
        f"FOREIGN KEY ({quoted(column)}) REFERENCES {quoted(parent)} ({quoted(keys[parent])})"
        for column, parent in shape.foreign_keys
        if parent in keys
    ]


def order_by(shape: Shape) -> str:
    """The dataset's order as SQL."""
    return ", ".join(map(quoted, shape.order))


def _primary(shape: Shape) -> str:
    return f"PRIMARY KEY ({quoted(shape.key)})"


def _unique(shape: Shape) -> list[str]:
    return [] if shape.order == (shape.key,) else [f"UNIQUE ({order_by(shape)})"]


def _column(field: Field, type_: str, checks: list[str]) -> str:
    null = "" if field.nullable else " NOT NULL"
    return f"{quoted(field.name)} {type_}{null}" + "".join(f" CHECK ({check})" for check in checks)


def _enum(field: Field) -> list[str]:
    if not field.enum:
        return []
    values = ", ".join("'" + value.replace("'", "''") + "'" for value in field.enum)
    return [f"{quoted(field.name)} IN ({values})"]


def _checks_sqlite(field: Field) -> list[str]:
    check = _CHECKS_SQLITE.get(field.kind)
    return _enum(field) + ([check.format(quoted(field.name))] if check else [])

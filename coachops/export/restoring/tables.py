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


ROW = "file_row"
"""Column of tables whose rows do not rise by any of their own: the row's place in the files, from 1.

Pseudonyms keep the order of the rows that they stand for, and the digest is of rows in that order.
"""


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
    lines += [f"{quoted(ROW)} INTEGER NOT NULL"] if numbered(shape) else []
    lines += [_primary(shape), *_unique(shape), *foreign_keys(shape, keys)]
    return f"CREATE TABLE {quoted(shape.name)} (\n  " + ",\n  ".join(lines) + "\n) STRICT"


def create_postgres(shape: Shape) -> str:
    """The table without its keys: they are added when it is full."""
    lines = [
        _column(field, _TYPES_POSTGRES.get(field.kind, "text"), _enum(field))
        for field in shape.fields
    ]
    lines += [f"{quoted(ROW)} bigint GENERATED ALWAYS AS IDENTITY"] if numbered(shape) else []
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


def numbered(shape: Shape) -> bool:
    """Whether its table has the column `ROW`."""
    return not shape.order


def order_by(shape: Shape) -> str:
    """The dataset's order as SQL, with the table's name: texts may be selected by the same names."""
    names = (ROW,) if numbered(shape) else shape.order
    return ", ".join(f"{quoted(shape.name)}.{quoted(name)}" for name in names)


def _primary(shape: Shape) -> str:
    return f"PRIMARY KEY ({quoted(shape.key)})"


def _unique(shape: Shape) -> list[str]:
    names = (ROW,) if numbered(shape) else shape.order
    return [] if names == (shape.key,) else [f"UNIQUE ({', '.join(map(quoted, names))})"]


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

"""One cache of compiled statements for all databases of a test process.

SQLAlchemy keeps what it compiled with each engine, and an engine lives as long as the product does.
Here nearly every test makes one of its own: a quarter of the time of such a test went into compiling
the statements that the test before had compiled. All engines of a kind are made with the same
arguments, so what was compiled for one holds for the others.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

_MANY = 3_000
"""Statements: more than the suite has."""


def share_compiled_statements() -> None:
    """From now on engines find what others compiled."""
    shared: Any = LRUCache(_MANY)
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):  # they are part of the cache's key
        dialect.__eq__ = _same_kind  # type: ignore[method-assign]
        dialect.__hash__ = _hash_of_kind  # type: ignore[method-assign, assignment]
    make = Engine.__init__

    def made(engine: Engine, *arguments: Any, **options: Any) -> None:
        make(engine, *arguments, **options)
        if engine._compiled_cache is not None:
            engine._compiled_cache = shared

    Engine.__init__ = made  # type: ignore[method-assign, assignment]


def _same_kind(one: object, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_kind(dialect: object) -> int:
    return hash(type(dialect))

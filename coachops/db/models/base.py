"""The declarative base, the column types that SQLite and PostgreSQL share, and constraint helpers."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from coachops.core import clock, ids


class UtcDateTime(sa.TypeDecorator[dt.datetime]):
    """An instant. TIMESTAMPTZ on PostgreSQL; on SQLite ISO text of fixed width, so it sorts.

    Naive datetimes are refused: a time without a zone is a mistake, not a default.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """The native type of the dialect."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(32))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        """UTC on the way in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: use coachops.core.clock")
        value = value.astimezone(clock.UTC)
        if dialect.name == "sqlite":
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        """UTC on the way out."""
        if value is None:
            return None
        if isinstance(value, str):
            return dt.datetime.fromisoformat(value)
        instant: dt.datetime = value
        return instant.astimezone(clock.UTC)


Json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

PrimaryKey = Annotated[uuid.UUID, mapped_column(sa.Uuid(), primary_key=True, default=ids.new_id)]
CreatedAt = Annotated[dt.datetime, mapped_column(UtcDateTime(), default=clock.now)]
UpdatedAt = Annotated[
    dt.datetime, mapped_column(UtcDateTime(), default=clock.now, onupdate=clock.now)
]
Instant = Annotated[dt.datetime, mapped_column(UtcDateTime())]
ShortText = Annotated[str, mapped_column(sa.String(200))]
Text = Annotated[str, mapped_column(sa.Text())]
JsonDocument = Annotated[Any, mapped_column(Json)]


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can refer to them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy reads this class attribute
        uuid.UUID: sa.Uuid(),
        dt.datetime: UtcDateTime(),
        dt.date: sa.Date(),
    }


class Identified:
    """A UUIDv7 key and the time of creation."""

    id: Mapped[PrimaryKey]
    created_at: Mapped[CreatedAt]


class Changing(Identified):
    """Also keeps when the row last changed."""

    updated_at: Mapped[UpdatedAt]


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """The column holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def few(name: str, *columns: str, flag: str) -> sa.Index:
    """An index of the rows whose flag is set: few, but asked for by number and by place."""
    return sa.Index(
        name,
        *columns,
        sqlite_where=sa.text(f"{flag} IS NOT 0"),
        postgresql_where=sa.text(f"{flag} IS NOT false"),
    )


def not_blank(column: str) -> sa.CheckConstraint:
    """The column holds more than spaces."""
    return sa.CheckConstraint(f"length(trim({column})) > 0", name=f"{column}_not_blank")


def at_most(column: str, characters: int) -> sa.CheckConstraint:
    """The column holds no more characters than the code lets in (SQLite ignores declared lengths)."""
    return sa.CheckConstraint(f"length({column}) <= {characters}", name=f"{column}_at_most")


def between(column: str, low: int, high: int) -> sa.CheckConstraint:
    """The column lies within the bounds, both included."""
    return sa.CheckConstraint(f"{column} BETWEEN {low} AND {high}", name=f"{column}_in_range")

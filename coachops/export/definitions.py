"""What a dataset is: its columns with their types, its keys, its query, and what derives from them.

A value travels through the export as its *canonical text* (or None): the same text in every format
and from every database, so that one digest can prove formats equal. `Column.kind` fixes that text:

    uuid      36 characters, lower case, with hyphens
    text      as stored
    code      text out of a fixed list (`enum`) or of a known short form
    integer   decimal digits, fits 32 bits: a JSON number
    int64     decimal digits, fits 64 bits: a JSON string, since JSON readers round above 2^53
    boolean   true or false
    date      2026-11-23
    instant   2026-11-23T09:30:00.000000Z, always UTC, always six digits
    json      keys sorted, no spaces, UTF-8; the JSON value null counts as NULL
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import sqlalchemy as sa

Kind = Literal["uuid", "text", "code", "integer", "int64", "boolean", "date", "instant", "json"]
Privacy = Literal[
    "plain", "id", "named_id", "external", "name", "free_text", "digest", "time", "cited", "figures"
]
"""What a column tells of a person; `pseudonyms` says what becomes of each class.

    plain      counts, codes, switches: kept
    id         an id of ours: replaced by a pseudonym
    named_id   an id written as text, of any sort of row: likewise
    external   an id that another system gave: left out
    name       a name or an address: left out
    free_text  words of people, or what a person named: left out
    digest     a fingerprint of words or files (digests, sizes): left out
    time       a day or an instant: the Monday of its week
    cited      positions and speakers with quotes: without the quotes
    figures    nested counts: numbers only
"""
Ids = Sequence[uuid.UUID]
Condition = Callable[[Ids], "sa.ColumnElement[bool]"]

SCHEMA_BASE = "https://coachops.example/schemas"
"""Prefix of every schema's `$id`: a name that stays, not an address that must answer."""

PATTERNS: dict[str, str] = {
    "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "int64": "^-?(0|[1-9][0-9]{0,18})$",
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "instant": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$",
}
"""Patterns of canonical texts, published in the schemas and checked by `verify`."""

_JSON_TYPES: dict[str, list[str]] = {
    "integer": ["integer"],
    "boolean": ["boolean"],
    "json": ["object", "array", "string", "number", "boolean"],
}
_FORMATS = {"uuid": "uuid", "date": "date", "instant": "date-time"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a dataset.

    Attributes:
        name: as in every file; stable within a major version.
        kind: see the module.
        source: the SQL expression.
        description: one sentence for the reference.
        nullable: whether it may be NULL.
        enum: the values it can have, if it is a closed list.
        privacy: its class. Text, JSON and codes that are no closed list must say it; ids, times and
            numbers have the class of their kind.
    """

    name: str
    kind: Kind
    source: Any
    description: str
    nullable: bool = False
    enum: tuple[str, ...] = ()
    privacy: Privacy | None = None

    @property
    def privacy_class(self) -> Privacy:
        """The class, stated or of the kind; `TypeError` where it must be stated and is not."""
        if self.privacy is not None:
            return self.privacy
        match self.kind:
            case "uuid":
                return "id"
            case "date" | "instant":
                return "time"
            case "integer" | "int64" | "boolean":
                return "plain"
            case "code" if self.enum:
                return "plain"
            case _:
                raise TypeError(f"the column '{self.name}' does not say what it tells of a person")

    def json_schema(self) -> dict[str, Any]:
        """The column as a JSON Schema of its value in the JSON formats."""
        types = _JSON_TYPES.get(self.kind, ["string"])
        types = [*types, "null"] if self.nullable else types
        schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
        if self.kind in PATTERNS:
            schema["pattern"] = PATTERNS[self.kind]
        if self.kind in _FORMATS:
            schema["format"] = _FORMATS[self.kind]
        if self.kind == "integer":
            schema |= {"minimum": -(2**31), "maximum": 2**31 - 1}
        if self.enum:
            schema["enum"] = [*self.enum, None] if self.nullable else list(self.enum)
        schema["description"] = self.description
        schema["x-kind"] = self.kind
        return schema


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`column` holds the primary key of a row of `dataset`, or NULL."""

    column: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Scope:
    """How filters find the rows of a dataset that is not selected together with a parent.

    Attributes:
        created: the instant that `--since` and `--until` are compared with.
        held_on: the session's day, compared first; rows without one are compared by `created`.
        coach, client: conditions for given ids; None where rows belong to no coach or client, so
            that such a filter leaves none of them.
        joined: a FROM clause with the tables these expressions need; None for the table itself.
    """

    created: Any
    held_on: Any = None
    coach: Condition | None = None
    client: Condition | None = None
    joined: Any = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A column that shows something of a parent, the same in all rows of it and never NULL.

    Whole exports look it up once for each parent; everybody else reads it by the join of `source`.

    Attributes:
        column: its name. by: the column that holds the parent's id, the first of the order.
        key: the parent's id.
    """

    column: str
    by: str
    key: Any


@dataclass(frozen=True, slots=True)
class Withheld:
    """What an export of some coaches does not tell of rows that are there as parents of theirs only.

    Attributes:
        told: ids of the rows of which it tells everything, for the ids of the coaches.
        instead: column -> the SQL expression that it has instead.
    """

    told: Callable[[Ids], sa.Select[uuid.UUID]]
    instead: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: one definition for files, schemas, frames, feeds and the reference.

    Attributes:
        version: semantic version of its columns: a new nullable column raises the minor part.
        columns: in file order; the first is the primary key.
        table: the table whose rows it holds.
        source: FROM clause of the whole query.
        order: columns whose values rise strictly from row to row; unique.
        shown: the column that a parent gives, where `source` joins it.
        where: rows that are never exported are excluded here.
        selected_with: a foreign key: filters select the row exactly when they select that parent.
        scope: for all other datasets.
        withheld: what exports of some coaches do not tell; not where `source` or `shown` is given.
        shard_blocks: most blocks of rows in one file, so that text files stay between 64 and 256 MB.
        profile: `full`, or `pseudonymous` for what `pseudonyms` made of it.
        ordered: whether the rows rise by `sort`; those of a pseudonymous dataset do not.
    """

    name: str
    version: str
    description: str
    table: Any
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    source: Any = None
    shown: Shown | None = None
    order: tuple[str, ...] = ()
    where: Any = None
    selected_with: str | None = None
    scope: Scope | None = None
    withheld: Withheld | None = None
    shard_blocks: int = 2
    profile: str = "full"
    ordered: bool = True
    _by_name: dict[str, Column] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._by_name.update({column.name: column for column in self.columns})
        if self.withheld and self.shown:
            raise TypeError(f"{self.name} cannot both show and withhold: each makes its own join")

    @property
    def key(self) -> str:
        """Name of the primary key."""
        return self.columns[0].name

    @property
    def sort(self) -> tuple[str, ...]:
        """Columns that order the rows; the primary key unless said otherwise."""
        if not self.ordered:
            return ()
        return self.order or (self.key,)

    @property
    def schema_id(self) -> str:
        """The stable `$id` of this version's schema."""
        if self.profile != "full":
            return f"{SCHEMA_BASE}/{self.profile}/{self.name}/{self.version}"
        return f"{SCHEMA_BASE}/{self.name}/{self.version}"

    def column(self, name: str) -> Column:
        """The column of that name; `KeyError` where there is none."""
        return self._by_name[name]

    def parent_key(self, name: str) -> ForeignKey:
        """The foreign key on the column `name`."""
        return next(key for key in self.foreign_keys if key.column == name)

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of one row, as the JSON formats hold it."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": self.schema_id,
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": {column.name: column.json_schema() for column in self.columns},
            "required": [column.name for column in self.columns],
            "additionalProperties": False,
            "x-version": self.version,
            "x-primary-key": self.key,
            "x-order": list(self.sort),
            "x-foreign-keys": [
                {"column": key.column, "dataset": key.dataset} for key in self.foreign_keys
            ],
        }

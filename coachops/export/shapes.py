"""The shape of a dataset as its files tell it, made from the registry or from a published schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from coachops.export.definitions import Dataset


class FormatError(ValueError):
    """A file is not what the format demands.

    Parameters:
        row: number of the first row that is wrong, from 1; None where no row can be named.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.row = row


@dataclass(frozen=True, slots=True)
class Field:
    """Name, kind and nullability of a column; its values, if they are a closed list."""

    name: str
    kind: str
    nullable: bool
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """A dataset as files need it; made from the registry or from a published schema."""

    name: str
    version: str
    schema_id: str
    fields: tuple[Field, ...]
    key: str
    order: tuple[str, ...]
    foreign_keys: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, dataset: Dataset) -> Shape:
        """The shape of a dataset of the registry."""
        return cls.from_schema(dataset.json_schema())

    @classmethod
    def from_schema(cls, schema: dict[str, Any]) -> Shape:
        """The shape that a published JSON Schema tells.

        Raises:
            KeyError: the schema is not one of ours.
        """
        return cls(
            name=schema["title"],
            version=schema["x-version"],
            schema_id=schema["$id"],
            fields=tuple(
                Field(
                    name,
                    rule["x-kind"],
                    "null" in rule["type"],
                    tuple(v for v in rule.get("enum", ()) if v is not None),
                )
                for name, rule in schema["properties"].items()
            ),
            key=schema["x-primary-key"],
            order=tuple(schema["x-order"]),
            foreign_keys=tuple((k["column"], k["dataset"]) for k in schema["x-foreign-keys"]),
        )

    @property
    def names(self) -> list[str]:
        """Names of the columns, in file order."""
        return [field.name for field in self.fields]

    def only(self, names: Sequence[str]) -> Shape:
        """The shape of nothing but these columns, the first of which names a row in messages."""
        fields = {field.name: field for field in self.fields}
        chosen = tuple(fields[name] for name in names)
        return replace(self, fields=chosen, key=names[0], order=(), foreign_keys=())

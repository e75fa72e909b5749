"""Released schemas, kept as data, and what may change between two versions of a dataset.

Whoever reads exports has pinned a version. So a change that could break a reader (a column removed,
moved, of another kind, newly NULL, with other values; another key or order) needs a new major
version; a new nullable column at the end needs a new minor one; words need none. A version that was
released never changes. `scripts/release_schemas.py` keeps the schemas of a release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coachops.export.pseudonyms import view_of

if TYPE_CHECKING:
    from coachops.export.definitions import Dataset

RELEASED = Path(__file__).with_name("released")

_RULES = ("format", "pattern", "minimum", "maximum")
"""What a schema says of the values of a column beside its kind."""

Change = Literal["none", "minor", "major"]
Version = tuple[int, int, int]


def schemas_of(dataset: Dataset) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas of a dataset as they are now, each with the profile that publishes it."""
    yield "full", dataset.json_schema()
    yield "pseudonymous", view_of(dataset).json_schema()


def folder_of(profile: str) -> Path:
    """Where the released schemas of a privacy profile are."""
    return RELEASED if profile == "full" else RELEASED / profile


def released_schemas(name: str, profile: str = "full") -> dict[Version, dict[str, Any]]:
    """Every released schema of a dataset, oldest first."""
    found = {}
    for path in folder_of(profile).glob(f"{name}-*.json"):
        schema = json.loads(path.read_text("utf-8"))
        if schema["title"] == name:
            found[version_of(schema)] = schema
    return dict(sorted(found.items()))


def version_of(schema: dict[str, Any]) -> Version:
    """The semantic version of a schema."""
    major, minor, patch = map(int, schema["x-version"].split("."))
    return major, minor, patch


def change_between(old: dict[str, Any], new: dict[str, Any]) -> tuple[Change, list[str]]:
    """How far `new` goes beyond `old`, and why: one line for each change."""
    breaking = [
        f"{what} is another one" for what in ("x-primary-key", "x-order") if old[what] != new[what]
    ]
    before, after = list(old["properties"]), list(new["properties"])
    breaking += [f"{name} is gone" for name in before if name not in after]
    kept = [name for name in after if name in before]
    if kept != [name for name in before if name in after] or after[: len(kept)] != kept:
        breaking.append("columns have moved")
    for name in kept:
        breaking += _column_changes(name, old["properties"][name], new["properties"][name])
    breaking += [f"a foreign key is gone: {key}" for key in _keys(old) - _keys(new)]
    added = [f"{key} is a new foreign key" for key in _keys(new) - _keys(old)]
    for name in after:
        if name not in before:
            nullable = "null" in new["properties"][name]["type"]
            (added if nullable else breaking).append(
                f"{name} is new" + ("" if nullable else " and never NULL")
            )
    added += [
        f"{name} is never NULL any more"
        for name in kept
        if _nullable(old, name) and not _nullable(new, name)
    ]
    if breaking:
        return "major", breaking
    return ("minor", added) if added else ("none", [])


def fault_of(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Why `new` must not follow `old` under its version; empty where it may."""
    change, reasons = change_between(old, new)
    before, after = version_of(old), version_of(new)
    if after < before:
        return f"version {new['x-version']} is older than the released {old['x-version']}"
    enough = {
        "none": True,
        "minor": after[:2] > before[:2],
        "major": after[0] > before[0],
    }[change]
    if enough:
        return ""
    return f"needs a new {change} version: {'; '.join(reasons)}"


def _column_changes(name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    changes = []
    if old["x-kind"] != new["x-kind"]:
        changes.append(f"{name} was {old['x-kind']} and is {new['x-kind']}")
    if "null" in new["type"] and "null" not in old["type"]:
        changes.append(f"{name} may be NULL now")
    if set(old.get("enum", ())) - {None} != set(new.get("enum", ())) - {None}:
        changes.append(f"{name} has other values")
    changes += [f"{name} has another {rule}" for rule in _RULES if old.get(rule) != new.get(rule)]
    return changes


def _nullable(schema: dict[str, Any], name: str) -> bool:
    return "null" in schema["properties"][name]["type"]


def _keys(schema: dict[str, Any]) -> set[str]:
    return {f"{key['column']} -> {key['dataset']}" for key in schema["x-foreign-keys"]}

"""What was released stays readable, and a change of a schema needs the right version."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coachops.export import DATASETS, restore_export, verify_export
from coachops.export.compatibility import (
    RELEASED,
    change_between,
    fault_of,
    released_schemas,
    schemas_of,
)
from coachops.export.pseudonyms import PROFILES, view_of
from tests.export.golden import GOLDEN, KEY

BUNDLES = sorted(path.parent for path in GOLDEN.glob("*/*/manifest.json"))


@pytest.mark.parametrize("name", DATASETS)
def test_the_registry_follows_the_newest_released_schema(name: str) -> None:
    profiles = []
    for profile, schema in schemas_of(DATASETS[name]):
        released = released_schemas(name, profile)
        assert released, "run scripts/release_schemas.py"
        assert fault_of(next(reversed(released.values())), schema) == ""
        profiles.append(profile)
    assert tuple(profiles) == PROFILES


def test_another_class_of_privacy_changes_what_pseudonymous_exports_promise() -> None:
    """A column that is left out from now on is a column less, though the full schema has it."""
    dataset = DATASETS["sessions"]
    kept = view_of(dataset).columns[-1]
    columns = tuple(
        replace(each, privacy="free_text") if each.name == kept.name else each
        for each in dataset.columns
    )
    changed = replace(dataset, columns=columns, _by_name={})
    faults = [
        fault_of(next(reversed(released_schemas("sessions", profile).values())), schema)
        for profile, schema in schemas_of(changed)
    ]
    assert faults == ["", f"needs a new major version: {kept.name} is gone"]


def test_a_released_dataset_is_never_taken_away() -> None:
    assert {json.loads(p.read_text())["title"] for p in RELEASED.glob("*.json")} <= set(DATASETS)


def test_released_schemas_are_named_as_they_say() -> None:
    for path in RELEASED.rglob("*.json"):
        schema = json.loads(path.read_text())
        assert path.name == f"{schema['title']}-{schema['x-version']}.json"
        assert schema["$id"].endswith(f"/{schema['title']}/{schema['x-version']}")


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_golden_export_verifies_with_the_code_of_today(bundle: Path) -> None:
    checks = verify_export(bundle, key=KEY.fingerprint)
    assert [check for check in checks if not check.ok] == []


def test_there_is_a_golden_export_of_every_released_schema() -> None:
    kept = set()
    for bundle in BUNDLES:
        manifest = json.loads((bundle / "manifest.json").read_bytes())
        kept |= {f"{d['name']}-{d['version']}.json" for d in manifest["datasets"]}
        for dataset in manifest["datasets"]:
            assert (bundle / dataset["schema"]).is_file()
    assert {path.name for path in RELEASED.glob("*.json")} <= kept


def test_a_golden_export_restores(tmp_path: Path) -> None:
    done = restore_export(BUNDLES[0], f"sqlite:///{tmp_path / 'golden.db'}")
    assert sum(table.rows for table in done) > 100


TEXT = {"type": "string", "x-kind": "text"}
NULLABLE = {"type": ["string", "null"], "x-kind": "text"}


def column(name: str, **new: Any) -> Callable[[dict[str, Any]], None]:
    """Change one column."""
    return lambda schema: schema["properties"][name].update(new)


def columns(make: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
    """Change the set of columns."""
    return lambda schema: schema.update(properties=make(schema["properties"]))


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "other words": (column("title", description="Another."), "none", "1.0.0"),
    "a nullable column at the end": (columns(lambda c: c | {"x": NULLABLE}), "minor", "1.1.0"),
    "never NULL any more": (column("duration_ms", type="string"), "minor", "1.1.0"),
    "a column never NULL": (columns(lambda c: c | {"x": TEXT}), "major", "2.0.0"),
    "a column in front": (columns(lambda c: {"x": NULLABLE} | c), "major", "2.0.0"),
    "a column less": (
        columns(lambda c: {k: v for k, v in c.items() if k != "title"}), "major", "2.0.0",
    ),
    "another kind": (column("duration_ms", **{"x-kind": "integer"}), "major", "2.0.0"),
    "NULL where none was": (column("title", type=["string", "null"]), "major", "2.0.0"),
    "other values": (column("title", enum=["a"]), "major", "2.0.0"),
    "another pattern": (column("session_id", pattern="^x"), "major", "2.0.0"),
    "another format": (column("held_on", format="date-time"), "major", "2.0.0"),
    "another order": (lambda s: s.update({"x-order": ["held_on"]}), "major", "2.0.0"),
    "a foreign key less": (lambda s: s.update({"x-foreign-keys": []}), "major", "2.0.0"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_needs_its_version(what: str) -> None:
    change, expected, enough = CHANGES[what]
    old = next(iter(released_schemas("sessions").values()))
    new = copy.deepcopy(old)
    change(new)
    assert change_between(old, new)[0] == expected
    versions = ["1.0.0", "1.1.0", "2.0.0"]
    for version in versions:
        new["x-version"] = version
        allowed = versions.index(version) >= versions.index(enough)
        assert (fault_of(old, new) == "") is allowed, version
    new["x-version"] = "0.9.0"
    assert "older" in fault_of(old, new)


@pytest.fixture
def released_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from coachops.export import compatibility

    folder = tmp_path / "released"
    monkeypatch.setattr(compatibility, "RELEASED", folder)
    return folder


def test_the_release_script_keeps_new_versions_and_refuses_too_small_ones(
    released_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scripts import release_schemas

    main: Callable[[], int] = release_schemas.main
    assert main() == 0
    assert len(list(released_folder.rglob("*.json"))) == 2 * len(DATASETS)
    assert main() == 0
    path = released_folder / "sessions-1.0.0.json"
    schema = json.loads(path.read_text())
    schema["properties"]["gone"] = {"type": "string", "x-kind": "text"}
    path.write_text(json.dumps(schema))
    capsys.readouterr()
    assert main() == 1
    assert (
        "sessions 1.0.0 (full): needs a new major version: gone is gone" in capsys.readouterr().out
    )

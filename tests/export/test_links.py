"""What the manifest tells of references: all hold within the bundle, and how many lead out of it."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import ActionItem, GoalRating
from coachops.export import DATASETS, run_export, verify_export
from coachops.export.manifest import make_manifest
from coachops.export.plan import ExportSpec, Plan
from coachops.export.planning import make_plan
from coachops.export.pseudonyms import pseudonymise
from coachops.export.shapes import Shape

ASKED = ["sessions", "utterances", "goal_ratings", "action_items", "messages"]
PSEUDONYMOUS = ("pseudonymous", partial(pseudonymise, key=b"a secret"))


@pytest.fixture
def with_gaps(organisation: Database) -> Database:
    """The organisation, in which some references that may be missing are."""
    with organisation.write() as session:
        for table, column in ((GoalRating, "session_id"), (ActionItem, "analysis_id")):
            some = sa.select(table.id).order_by(table.id).limit(3)
            where = table.id.in_(session.scalars(some).all())
            session.execute(sa.update(table).where(where).values({column: None}))
    return organisation


def leads_out(out: Path, names: list[str]) -> dict[tuple[str, str, str], int]:
    """How many rows of the files have each reference to another dataset."""
    found = {}
    for name in names:
        lines = (out / "data" / f"{name}-0001.jsonl").read_text().split("\n")[:-1]
        for key in DATASETS[name].foreign_keys:
            if key.dataset not in names:
                filled = [line for line in lines if json.loads(line)[key.column] is not None]
                found[name, key.column, key.dataset] = len(filled)
    return found


def told(manifest: dict[str, Any]) -> dict[tuple[str, str, str], int]:
    links = manifest["completeness"]["outside"]
    assert all(link["reason"] == "dataset_not_exported" for link in links)
    return {(link["dataset"], link["column"], link["parent"]): link["rows"] for link in links}


@pytest.mark.parametrize(
    "more",
    [{}, {"coaches": ["coach-0001@example.org"]}, {"privacy": PSEUDONYMOUS}],
    ids=["all", "filtered", "pseudonymous"],
)
def test_the_manifest_says_how_many_rows_refer_to_what_is_not_in_the_bundle(
    with_gaps: Database, tmp_path: Path, more: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    manifest = run_export(with_gaps, SYSTEM, out, ["jsonl", "csv"], ASKED, **more)
    found = told(manifest)
    assert found == leads_out(out, ASKED)
    rows = {listed["name"]: listed["rows"] for listed in manifest["datasets"]}
    assert found["utterances", "transcript_id", "transcripts"] == rows["utterances"] > 0
    if "coaches" not in more:
        assert 0 < found["action_items", "analysis_id", "analyses"] < rows["action_items"]
    checks = verify_export(out)
    assert [check for check in checks if not check.ok] == []
    assert {check.subject for check in checks if check.check == "outside"} == {
        f"{name} ({format_name})"
        for name in ASKED
        for format_name in ("jsonl", "csv")
    }  # fmt: skip


def test_nothing_leads_out_of_a_whole_export(organisation: Database, tmp_path: Path) -> None:
    manifest = run_export(organisation, SYSTEM, tmp_path / "out", ["jsonl"])
    assert manifest["completeness"]["outside"] == []
    checks = verify_export(tmp_path / "out")
    assert all(check.ok for check in checks)
    assert "outside" not in {check.check for check in checks}
    rows = {listed["name"]: listed["rows"] for listed in manifest["datasets"]}
    counted = {c.subject: c.detail for c in checks if c.check == "foreign_keys"}
    assert counted["utterances (jsonl)"] == (
        f"every parent is there, of {rows['utterances']} references"
    )


@pytest.mark.parametrize("forged", ["rows", "link"])
def test_another_number_or_a_link_that_is_not_told_is_found(
    sqlite_organisation: Database, tmp_path: Path, forged: str
) -> None:
    out = tmp_path / "out"
    manifest = run_export(sqlite_organisation, SYSTEM, out, ["jsonl"], ["sessions"])
    links = manifest["completeness"]["outside"]
    assert len(links) == 3
    if forged == "rows":
        links[1]["rows"] -= 1
    else:
        del links[1]
    (out / "manifest.json").write_text(json.dumps(manifest))
    reseal(out)
    (check,) = (check for check in verify_export(out) if not check.ok)
    assert (check.check, check.subject) == ("outside", "sessions (jsonl)")
    assert "coach_id" in check.detail


def test_all_references_without_a_parent_are_counted(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    names = ["coaches", "clients", "engagements", "sessions", "transcripts", "utterances"]
    manifest = run_export(sqlite_organisation, SYSTEM, out, ["jsonl"], names)
    path = out / "data" / "transcripts-0001.jsonl"
    lines = path.read_text().split("\n")[:-1]
    gone = {json.loads(line)["transcript_id"] for line in lines[3:5]}
    path.write_text("\n".join([*lines[:3], *lines[5:], ""]))
    for entry in manifest["files"]:
        if entry["path"] == "data/transcripts-0001.jsonl":
            entry |= {"rows": entry["rows"] - 2, "digest": None, "blocks": []}
    (out / "manifest.json").write_text(json.dumps(manifest))
    reseal(out)
    said = (out / "data" / "utterances-0001.jsonl").read_text().split("\n")[:-1]
    without = sum(json.loads(line)["transcript_id"] in gone for line in said)
    assert without > 2
    (check,) = (each for each in verify_export(out) if each.check == "foreign_keys" and not each.ok)
    assert check.detail == (
        f"transcript_id has no row in transcripts; {without} references in all are without"
    )


def test_the_database_itself_refuses_every_reference_to_nothing() -> None:
    """And no parent keeps rows back: so within a bundle every reference holds, and none is counted."""
    for dataset in DATASETS.values():
        for key in dataset.foreign_keys:
            parent = DATASETS[key.dataset]
            assert parent.where is None, parent.name
            (link,) = dataset.column(key.column).source.property.columns[0].foreign_keys
            assert link.column is parent.columns[0].source.property.columns[0]


def test_a_plan_of_a_version_that_did_not_count_is_still_carried_out(
    sqlite_organisation: Database,
) -> None:
    plan = make_plan(sqlite_organisation, ExportSpec(("jsonl",), ("sessions",)))
    assert plan.outside is not None
    old = json.loads(plan.to_json())
    del old["outside"]
    read = Plan.from_json(json.dumps(old))
    assert read.outside is None
    shapes = {"sessions": Shape.of(DATASETS["sessions"])}
    assert "outside" not in make_manifest(read, shapes, [], signed_by=None)["completeness"]
    assert "outside" in make_manifest(plan, shapes, [], signed_by=None)["completeness"]


def reseal(out: Path) -> None:
    """Make every hash fit again, as who has no key would."""
    manifest = json.loads((out / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        data = (out / entry["path"]).read_bytes()
        entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (out / "manifest.json").write_text(json.dumps(manifest))
    listed = sorted(path for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    (out / "SHA256SUMS").write_text(
        "".join(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}\n"
            for path in sorted(listed, key=lambda path: path.relative_to(out).as_posix())
        )
    )

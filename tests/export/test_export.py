"""Exports hold what the database holds, in every format, from both databases."""

from __future__ import annotations

import csv
import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent, Base, CoachingSession, Utterance
from coachops.export import DATASETS, FORMATS, blocks, run_export, verify_export
from coachops.export.publishing import draft_folder, finish
from coachops.export.recording import record_made
from tests.export.conftest import HARD_TEXTS

EXPECTED = [
    "coaches",
    "clients",
    "engagements",
    "sessions",
    "transcripts",
    "utterances",
    "analyses",
    "insights",
    "goals",
    "goal_ratings",
    "action_items",
    "messages",
    "feedback",
    "consents",
    "activity",
    "audit_events",
]


def read_csv(folder: Path, name: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted((folder / "data").glob(f"{name}-*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return rows


def read_json(folder: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in sorted((folder / "data").glob(f"{name}-*.json")):
        rows += json.loads(path.read_bytes())["rows"]
    return rows


def bad(folder: Path) -> list[str]:
    return [f"{c.check} {c.subject} {c.row}: {c.detail}" for c in verify_export(folder) if not c.ok]


def test_every_dataset_of_the_contract_is_defined() -> None:
    assert list(DATASETS) == EXPECTED
    assert [c.name for c in DATASETS["utterances"].columns] == [
        "utterance_id",
        "transcript_id",
        "source_name",
        "position",
        "speaker",
        "start_ms",
        "end_ms",
        "text",
        "behaviour",
    ]


def test_an_export_is_complete_and_verifies(organisation: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = run_export(organisation, SYSTEM, out, FORMATS)
    assert bad(out) == []
    with organisation.connect() as connection:
        for entry in manifest["datasets"]:
            dataset = DATASETS[entry["name"]]
            rows = connection.scalar(sa.select(sa.func.count()).select_from(dataset.table))
            hidden = 1 if dataset.name == "utterances" else 0
            later = 1 if dataset.name in {"audit_events", "activity"} else 0
            assert entry["rows"] == rows - hidden - later, dataset.name
    assert json.loads((out / "manifest.json").read_bytes()) == manifest
    assert (out / "data" / "utterances-0001.csv").is_file()
    assert not list(tmp_path.glob(".out*"))


def test_formats_hold_equal_values_and_hard_texts_survive(
    organisation: Database, tmp_path: Path
) -> None:
    run_export(organisation, SYSTEM, tmp_path / "out", ["csv", "json"], ["utterances", "insights"])
    by_json = read_json(tmp_path / "out", "utterances")
    by_csv = read_csv(tmp_path / "out", "utterances")
    assert [row["text"] for row in by_json[: len(HARD_TEXTS)]] == HARD_TEXTS
    escaped = {r"\N": r"\\N", r"\\N": r"\\\N"}
    assert [row["text"] for row in by_csv] == [
        escaped.get(row["text"], row["text"]) for row in by_json
    ]
    assert {row["behaviour"] for row in by_csv if row["speaker"] == "client"} == {r"\N"}
    assert all(type(row["position"]) is int for row in by_json)
    insights = read_json(tmp_path / "out", "insights")
    assert [row["text"] for row in insights if row["edited"]] == ["In the coach's words.", None]
    assert type(insights[0]["citations"]) is list


def test_cut_text_and_what_stood_under_a_redaction_are_nowhere_in_an_export(
    organisation: Database, tmp_path: Path
) -> None:
    with organisation.write() as session:
        cut = session.scalars(sa.select(Utterance).where(Utterance.is_cut)).one()
        cut.text = "MARKER-CUT"
        redacted = session.scalars(sa.select(Utterance).where(Utterance.text == "[redacted]")).one()
        redacted.original_text = "MARKER-REDACTED"
    run_export(organisation, SYSTEM, tmp_path / "out", FORMATS)
    everything = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert b"[redacted]" in everything
    assert b"MARKER" not in everything


def test_both_databases_give_the_same_content(
    new_database_url: Any, tmp_path: Path, postgres_server: object
) -> None:
    from tests.export.conftest import make_organisation

    digests = []
    for backend in ("sqlite", "postgres"):
        database = Database(new_database_url(backend))
        make_organisation(database, sessions=20)
        fixed = [n for n in DATASETS if n not in {"audit_events", "activity"}]
        manifest = run_export(database, SYSTEM, tmp_path / backend, ["json"], fixed)
        digests.append({d["name"]: d["digest"] for d in manifest["datasets"]})
        database.close()
    assert digests[0] == digests[1]


def test_long_datasets_are_cut_into_files_and_verify(
    sqlite_organisation: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    whole = run_export(
        sqlite_organisation, SYSTEM, tmp_path / "one", FORMATS, ["utterances"], shard_rows=64 * 99
    )
    split = run_export(
        sqlite_organisation, SYSTEM, tmp_path / "many", FORMATS, ["utterances"], shard_rows=128
    )
    assert bad(tmp_path / "many") == []
    assert len(list((tmp_path / "many" / "data").glob("utterances-*.json"))) == 5
    assert (tmp_path / "many" / "data" / "utterances-0002.parquet").is_file()
    assert whole["datasets"] == split["datasets"]
    assert read_json(tmp_path / "one", "utterances") == read_json(tmp_path / "many", "utterances")


def test_the_excel_profile_disarms_formulas_and_loses_nothing(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_export(sqlite_organisation, SYSTEM, out, ["csv", "json"], csv_profile="excel")
    assert bad(out) == []  # the digest of what is read back equals that of the JSON
    data = (out / "data" / "utterances-0001.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    with (out / "data" / "utterances-0001.csv").open(newline="", encoding="utf-8-sig") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    assert not any(text.startswith(("=", "+", "-", "@", "\t", "\r")) for text in texts)
    assert "'=1+1" in texts


def test_rows_conform_to_the_published_schemas(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    import jsonschema

    run_export(sqlite_organisation, SYSTEM, tmp_path / "out", ["json"])
    for name, dataset in DATASETS.items():
        path = tmp_path / "out" / "schemas" / f"{name}-{dataset.version}.json"
        schema = json.loads(path.read_bytes())
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        for row in read_json(tmp_path / "out", name)[:30]:
            validator.validate(row)
    wrong = {**read_json(tmp_path / "out", "audit_events")[0], "at": "yesterday"}
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)


def test_the_definitions_agree_with_the_database() -> None:
    """A column is nullable where the database says so, and foreign keys are the database's."""
    tables = {dataset.table.__table__: dataset for dataset in DATASETS.values()}
    for dataset in DATASETS.values():
        for column in dataset.columns:
            source = column.source
            if isinstance(getattr(source, "expression", source), sa.Column):
                assert source.expression.nullable == column.nullable, (dataset.name, column.name)
        named = {
            getattr(column.source, "expression", None): column.name for column in dataset.columns
        }
        expected = {
            (named[key.parent], tables[key.column.table].name)
            for key in dataset.table.__table__.foreign_keys
            if key.column.table in tables and key.parent in named
        }
        assert {(key.column, key.dataset) for key in dataset.foreign_keys} == expected


def test_every_table_is_exported_or_deliberately_not() -> None:
    exported = {dataset.table.__tablename__ for dataset in DATASETS.values()}
    kept_out = {
        "users", "user_permissions", "web_sessions", "sign_in_links", "kernel_tickets",
        "kernel_bindings", "worker_heartbeats", "api_tokens", "transcript_edits", "insight_edits", "outbound_records",
        # how the suite keeps going, and what it refused: no data about coaching
        "ai_budgets", "ai_circuits", "ai_replies", "ai_spend", "audit_head", "backups", "drills",
        "heartbeats", "key_escrows", "mail_events", "operations", "quarantine", "suppressions",
        "inbound_rows", "kept_replies", "change_inbox", "change_log", "feed_meta", "erasures",
        "issued_exports", "issued_export_parts", "legal_holds", "retention_periods",
        "webhook_deliveries", "webhook_endpoints", "webhook_events",
    }  # fmt: skip
    assert exported | kept_out == set(Base.metadata.tables)


def test_an_export_reads_one_moment(sqlite_organisation: Database, tmp_path: Path) -> None:
    """A session deleted with all its rows while the export runs is in it whole."""

    def disturb(name: str, _rows: int) -> None:
        if name == "sessions":
            with sqlite_organisation.write() as session:
                session.execute(sa.update(CoachingSession).values(title="changed meanwhile"))
                session.execute(sa.delete(Utterance))

    manifest = run_export(sqlite_organisation, SYSTEM, tmp_path / "out", ["json"], progress=disturb)
    rows = {entry["name"]: entry["rows"] for entry in manifest["datasets"]}
    assert rows["utterances"] == 40 * 14 - 1
    assert "changed meanwhile" not in {r["title"] for r in read_json(tmp_path / "out", "sessions")}
    assert bad(tmp_path / "out") == []


def test_a_failed_export_leaves_nothing(sqlite_organisation: Database, tmp_path: Path) -> None:
    def fail(name: str, _rows: int) -> None:
        if name == "analyses":
            raise OSError(28, "No space left on device")

    out = tmp_path / "deep" / "out"
    with pytest.raises(CoachError, match="No space left") as caught:
        run_export(sqlite_organisation, SYSTEM, out, ["csv"], progress=fail)
    assert caught.value.code == "COACH-EXP-006"
    assert list((tmp_path / "deep").iterdir()) == []


def test_bad_requests_are_refused_before_anything_is_written(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()
    day = dt.date(2026, 1, 1)
    coach = Actor(None, "coach", "A coach")
    for code, actor, out, formats, more in [
        ("COACH-EXP-001", SYSTEM, tmp_path / "o", ["csv"], {"datasets": ["tickets"]}),
        ("COACH-EXP-002", SYSTEM, tmp_path / "o", ["xml"], {}),
        ("COACH-EXP-002", SYSTEM, tmp_path / "o", [], {}),
        ("COACH-EXP-003", SYSTEM, taken, ["csv"], {}),
        ("COACH-EXP-003", SYSTEM, taken / "file", ["csv"], {}),
        ("COACH-EXP-007", SYSTEM, tmp_path / "o", ["csv"], {"since": day, "until": day}),
        ("COACH-EXP-008", SYSTEM, tmp_path / "o", ["csv"], {"csv_profile": "fancy"}),
        ("COACH-EXP-016", SYSTEM, tmp_path / "o", ["csv"], {"compression": "lz4"}),
        ("COACH-CCH-001", SYSTEM, tmp_path / "o", ["csv"], {"coaches": ["nobody@example.org"]}),
        ("COACH-CCH-001", SYSTEM, tmp_path / "o", ["csv"], {"clients": ["client-9999"]}),
        ("COACH-IDN-003", coach, tmp_path / "o", ["csv"], {}),
    ]:
        with pytest.raises(CoachError) as caught:
            run_export(sqlite_organisation, actor, out, formats, **more)  # type: ignore[arg-type]
        assert caught.value.code == code
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".o", "o"))] == []


def test_two_exports_to_one_folder_do_not_mix(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def race() -> None:
        with draft_folder(out) as folder:
            (folder / "mine").touch()
            out.mkdir()
            (out / "theirs").touch()
            finish(folder, out, ["mine"])

    with pytest.raises(CoachError) as caught:
        race()
    assert caught.value.code == "COACH-EXP-003"
    assert [path.name for path in out.iterdir()] == ["theirs"]


def test_who_exported_is_recorded(sqlite_organisation: Database, tmp_path: Path) -> None:
    manifest = run_export(sqlite_organisation, SYSTEM, tmp_path / "out", ["csv"], ["coaches"])
    # a commit of which nobody knows whether it arrived is tried again
    record_made(sqlite_organisation, SYSTEM, uuid.UUID(manifest["export_id"]), rows=1, datasets=1)
    with sqlite_organisation.read() as session:
        event = session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "export.made")
        ).one()
    assert event.subject_id == manifest["export_id"]

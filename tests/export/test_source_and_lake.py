"""An export compared with its database, and as Delta Lake tables."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pytest
import sqlalchemy as sa

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Utterance
from coachops.export import DATASETS, run_export, verify_export, verify_source, write_delta
from coachops.export.batches import ARROW_TYPES
from coachops.export.files.values import typed_batch
from coachops.export.shapes import Shape
from tests.export.rows import digest_of
from tests.support.s3 import S3Server, start_s3

STILL = [name for name in DATASETS if name not in {"activity", "audit_events"}]


def test_the_database_is_as_the_export_says_until_it_changes(
    organisation: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    coaches = ["coach-0001@example.org"]
    run_export(organisation, SYSTEM, out, ["jsonl"], STILL, coaches=coaches)
    checks = verify_source(organisation, out)
    assert [(c.check, c.ok) for c in checks] == [("source", True)] * len(STILL)
    with organisation.write() as session:
        client = session.scalars(sa.select(Client).order_by(Client.id)).first()
        assert client is not None
        client.name = "Another Name"
        session.execute(sa.delete(Utterance).where(Utterance.position == 2))
    bad = [c for c in verify_source(organisation, out) if not c.ok]
    assert [(c.subject, c.block) for c in bad] == [
        ("data/clients-0001.jsonl", 1), ("data/utterances-0001.jsonl", 1),
    ]  # fmt: skip
    assert "other rows since" in bad[0].detail


def test_values_of_files_that_the_database_wrote_are_compared_too(
    organisation: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    manifest = run_export(organisation, SYSTEM, out, ["csv"], ["clients", "utterances"])
    computed: dict[str, list[str]] = {}
    assert all(check.ok for check in verify_export(out, digests=computed))
    without = {listed["name"] for listed in manifest["datasets"] if listed["digest"] is None}
    assert without == (set() if organisation.is_sqlite else {"utterances"})
    for digests in (computed, None):
        checks = verify_source(organisation, out, digests=digests)
        assert [(check.ok, check.subject) for check in checks] == [
            (True, "clients"), (True, "utterances"),
        ]  # fmt: skip
        assert "as in the database now" in checks[1].detail
    with organisation.write() as session:
        last = session.scalar(sa.select(Utterance.id).order_by(Utterance.id.desc()).limit(1))
        session.execute(sa.update(Utterance).where(Utterance.id == last).values(text="Other words"))
    for digests in (computed, None):
        (bad,) = (c for c in verify_source(organisation, out, digests=digests) if not c.ok)
        assert (bad.subject, bad.block) == ("data/utterances-0001.csv", 1)
        assert "the database holds other rows since" in bad.detail
    with organisation.write() as session:
        session.execute(sa.delete(Utterance))
    (bad,) = (c for c in verify_source(organisation, out) if not c.ok)
    assert "(0 in all)" in bad.detail
    shutil.rmtree(out / "data")  # whoever hands the digests over has the files read once
    (bad,) = (c for c in verify_source(organisation, out, digests=computed) if not c.ok)
    assert bad.subject == "data/utterances-0001.csv"


def test_delta_tables_hold_the_same_rows_and_replace_each_other_as_versions(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    lake = str(tmp_path / "lake")
    first = run_export(sqlite_organisation, SYSTEM, tmp_path / "one", ["parquet"], STILL)
    assert {t.version for t in write_delta(tmp_path / "one", lake)} == {0}
    with sqlite_organisation.write() as session:
        session.execute(sa.update(Client).values(name="Another Name"))
    second = run_export(sqlite_organisation, SYSTEM, tmp_path / "two", ["csv"], STILL)
    done = write_delta(tmp_path / "two", lake)
    assert {table.version for table in done} == {1}
    for version, manifest in ((0, first), (1, second)):
        for listed in manifest["datasets"]:
            name = listed["name"]
            table = deltalake.DeltaTable(f"{lake}/{name}", version=version)
            assert digest_of_table(name, table.to_pyarrow_table()) == listed["digest"]
            history = deltalake.DeltaTable(f"{lake}/{name}").history()
            metadata = next(entry for entry in history if entry["version"] == version)
            assert metadata["coachops.export_id"] == manifest["export_id"]
            assert metadata["coachops.digest"] == listed["digest"]
    connection = duckdb.connect()
    files = deltalake.DeltaTable(f"{lake}/utterances").file_uris()
    seen = connection.sql("SELECT * FROM read_parquet($files)", params={"files": files})
    listed = next(d for d in second["datasets"] if d["name"] == "utterances")
    assert digest_of_table("utterances", seen.to_arrow_table()) == listed["digest"]


@pytest.fixture(scope="module")
def _s3() -> Iterator[S3Server]:
    yield from start_s3("coaching-lake")


@pytest.fixture
def s3(_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in _s3.environment().items():
        monkeypatch.setenv(name, value)
    return _s3


def test_delta_tables_go_into_a_bucket_and_are_read_from_there(
    sqlite_organisation: Database, tmp_path: Path, s3: S3Server
) -> None:
    out, lake = tmp_path / "out", f"s3://{s3.bucket}/tables/"
    manifest = run_export(sqlite_organisation, SYSTEM, out, ["parquet"], ["coaches", "sessions"])
    assert {table.version for table in write_delta(out, lake)} == {0}
    assert {table.version for table in write_delta(out, lake)} == {1}
    options = {**s3.environment(), "AWS_REGION": "eu-west-2", "AWS_ALLOW_HTTP": "true"}
    for listed in manifest["datasets"]:
        table = deltalake.DeltaTable(f"{lake}{listed['name']}", storage_options=options)
        assert digest_of_table(listed["name"], table.to_pyarrow_table()) == listed["digest"]


def test_a_bucket_that_is_not_there_is_named(
    sqlite_organisation: Database, tmp_path: Path, s3: S3Server
) -> None:
    run_export(sqlite_organisation, SYSTEM, tmp_path / "out", ["parquet"], ["coaches"])
    with pytest.raises(CoachError, match="s3://elsewhere/coaches") as caught:
        write_delta(tmp_path / "out", "s3://elsewhere")
    assert caught.value.code == "COACH-EXP-018"


def digest_of_table(name: str, table: pa.Table) -> str:
    """The content digest of a table whose ids are texts, put into the dataset's order."""
    shape = Shape.of(DATASETS[name])
    ordered = table.sort_by([(column, "ascending") for column in shape.order])
    columns = [
        ordered[field.name].combine_chunks().cast(
            pa.large_string() if field.kind in {"uuid", "text", "code", "json"}
            else ARROW_TYPES[field.kind]
        )
        for field in shape.fields
    ]  # fmt: skip
    return digest_of([typed_batch(columns, shape, 0)], shape)


def test_without_the_extra_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(CoachError) as caught:
        write_delta(tmp_path, "anywhere")
    assert caught.value.code == "COACH-EXP-014"
    assert "coachops[lake]" in caught.value.next_step


def test_a_damaged_export_and_a_store_that_refuses_are_told(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_export(sqlite_organisation, SYSTEM, out, ["jsonl"], ["coaches"])
    with pytest.raises(CoachError) as caught:
        write_delta(out, "/proc/nowhere")
    assert caught.value.code == "COACH-EXP-018"
    manifest = json.loads((out / "manifest.json").read_bytes())
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CoachError) as caught:
        write_delta(out, str(tmp_path / "lake"))
    assert caught.value.code == "COACH-EXP-004"

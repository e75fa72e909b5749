"""An export restored into an empty database holds the very same rows."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database, migrate
from coachops.db.models import Analysis
from coachops.export import DATASETS, SigningKey, restore_export, run_export
from coachops.export.pseudonyms import pseudonymise, view_of
from tests.export.conftest import HARD_TEXTS, make_organisation

KEY = SigningKey(b"a secret of the installation that signs" * 2)
FORMATS = ["csv", "json", "jsonl", "parquet"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restore")
    database = Database(f"sqlite:///{folder / 'coachops.db'}")
    migrate.upgrade(database)
    make_organisation(database, sessions=12)
    with database.write() as session:  # one that failed counts nothing
        newest = session.scalars(sa.select(Analysis).order_by(Analysis.id.desc())).first()
        assert newest is not None
        newest.counts, newest.status = None, "failed"
    run_export(database, SYSTEM, folder / "all", FORMATS, key=KEY)
    run_export(database, SYSTEM, folder / "excel", ["csv"], csv_profile="excel")
    run_export(
        database, SYSTEM, folder / "pseudonymous", FORMATS,
        privacy=("pseudonymous", partial(pseudonymise, key=b"a secret")),
    )  # fmt: skip
    database.close()
    return folder / "all"


def digests(bundle: Path) -> dict[str, str]:
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    return {dataset["name"]: dataset["digest"] for dataset in manifest["datasets"]}


@pytest.fixture(params=["sqlite", "postgres"])
def target(
    request: pytest.FixtureRequest, tmp_path: Path, new_empty_postgres: Callable[[], str]
) -> str:
    """The address of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'restored.db'}"
    return new_empty_postgres()


@pytest.fixture
def new_empty_postgres(request: pytest.FixtureRequest) -> Callable[[], str]:
    def make() -> str:
        server = request.getfixturevalue("postgres_server")
        url: str = server.create()
        return url.replace("postgresql+psycopg", "postgresql")

    return make


def fetch(target: str, query: str) -> list[tuple[Any, ...]]:
    if target.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(target.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            return connection.execute(query).fetchall()
    with psycopg.connect(target) as remote:
        return remote.execute(query).fetchall()


def test_a_restored_database_has_the_digests_of_the_manifest(bundle: Path, target: str) -> None:
    done = restore_export(bundle, target, key=KEY.fingerprint)
    assert {table.name: table.digest for table in done} == digests(bundle)
    assert set(digests(bundle)) == set(DATASETS)
    texts = {text for (text,) in fetch(target, "SELECT text FROM utterances")}
    assert set(HARD_TEXTS) <= texts
    assert fetch(target, "SELECT count(*) FROM insights WHERE text IS NULL") == [(1,)]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_restores_to_the_same(bundle: Path, tmp_path: Path, name: str) -> None:
    done = restore_export(bundle, f"sqlite:///{tmp_path / 'r.db'}", format_name=name)
    assert {table.name: table.digest for table in done} == digests(bundle)


def test_the_excel_profile_restores_too(bundle: Path, tmp_path: Path) -> None:
    folder = bundle.parent / "excel"
    done = restore_export(folder, f"sqlite:///{tmp_path / 'r.db'}")
    assert {table.name: table.digest for table in done} == digests(folder)


def test_a_pseudonymous_export_restores_with_its_digests_and_in_its_order(
    bundle: Path, target: str
) -> None:
    folder = bundle.parent / "pseudonymous"
    done = restore_export(folder, target)
    assert {table.name: table.digest for table in done} == digests(folder)
    assert len({table.digest for table in done} & set(digests(bundle).values())) == 0
    lines = (folder / "data" / "utterances-0001.jsonl").read_text().split("\n")[:-1]
    rows = [json.loads(line) for line in lines]
    assert len(rows) > 100
    assert sorted(row["utterance_id"] for row in rows) != [row["utterance_id"] for row in rows]
    query = "SELECT utterance_id FROM utterances ORDER BY file_row"
    assert [str(key) for (key,) in fetch(target, query)] == [row["utterance_id"] for row in rows]
    for bad in (
        "UPDATE utterances SET transcript_id = utterance_id",
        "INSERT INTO coaches SELECT * FROM coaches",
        "UPDATE utterances SET file_row = NULL",
    ):
        with pytest.raises((sqlite3.IntegrityError, psycopg.Error)):
            fetch(target, bad)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_a_pseudonymous_export_restores_to_the_same(
    bundle: Path, tmp_path: Path, name: str
) -> None:
    folder = bundle.parent / "pseudonymous"
    done = restore_export(folder, f"sqlite:///{tmp_path / 'r.db'}", format_name=name)
    assert {table.name: table.digest for table in done} == digests(folder)


def test_only_tables_without_an_order_of_their_own_have_one_more_column(
    bundle: Path, tmp_path: Path
) -> None:
    for folder, more in ((bundle, []), (bundle.parent / "pseudonymous", ["file_row"])):
        target = f"sqlite:///{tmp_path / folder.name}.db"
        restore_export(folder, target)
        for dataset in DATASETS.values():
            view = view_of(dataset) if more else dataset
            query = f"SELECT name FROM pragma_table_info('{dataset.name}')"  # noqa: S608 a dataset
            there = fetch(target, query)
            assert [name for (name,) in there] == [c.name for c in view.columns] + more


def test_tables_have_keys_and_checks(bundle: Path, target: str) -> None:
    restore_export(bundle, target)
    for bad in (
        "UPDATE utterances SET speaker = 'robot'",
        "UPDATE utterances SET transcript_id = utterance_id",
        "UPDATE clients SET external_id = NULL",
        "INSERT INTO coaches SELECT * FROM coaches",
    ):
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
            fetch(target, bad)


def test_a_target_that_holds_tables_is_refused(bundle: Path, target: str) -> None:
    restore_export(bundle, target)
    before = fetch(target, "SELECT count(*) FROM utterances")
    with pytest.raises(CoachError) as caught:
        restore_export(bundle, target)
    assert caught.value.code == "COACH-EXP-012"
    assert fetch(target, "SELECT count(*) FROM utterances") == before


def test_an_export_that_does_not_verify_is_not_restored(
    bundle: Path, tmp_path: Path, target: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    path = copy / "data" / "clients-0001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CoachError) as caught:
        restore_export(copy, target)
    assert caught.value.code == "COACH-EXP-004"
    if target.startswith("sqlite"):
        assert [p.name for p in tmp_path.iterdir()] == ["copy"]


def test_after_a_failure_nothing_is_left(
    bundle: Path, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target that changes a value while it stores it is found by the digest."""
    from coachops.export.restoring import postgres, sqlite

    for module in (postgres, sqlite):
        original = module.frame_of
        monkeypatch.setattr(
            module, "frame_of",
            lambda batch, shape, original=original: original(batch, shape).with_columns(
                *([original(batch, shape)["text"].str.to_uppercase()] if shape.name == "utterances"
                  else [])
            ),
        )  # fmt: skip
    with pytest.raises(CoachError) as caught:
        restore_export(bundle, target)
    assert caught.value.code == "COACH-EXP-013"
    if target.startswith("sqlite"):
        assert list(tmp_path.iterdir()) == []
    else:
        assert fetch(target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("mysql://root@localhost/x", "COACH-SYS-002"),
        ("somewhere.db", "COACH-SYS-002"),
        ("sqlite:////proc/nowhere/x.db", "COACH-EXP-018"),
        ("postgresql://nobody@127.0.0.1:1/x", "COACH-EXP-018"),
    ],
)
def test_bad_targets_are_refused(bundle: Path, url: str, code: str) -> None:
    with pytest.raises(CoachError) as caught:
        restore_export(bundle, url)
    assert caught.value.code == code


def test_a_format_that_is_not_there_is_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(CoachError) as caught:
        restore_export(
            bundle.parent / "excel", f"sqlite:///{tmp_path / 'r.db'}", format_name="parquet"
        )
    assert caught.value.code == "COACH-EXP-002"

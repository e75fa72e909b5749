"""Parts of an export: planned by rank, read at one moment, written alike by whoever writes them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.engine import sqlite_file
from coachops.db.models import CoachingSession, Insight, Utterance
from coachops.export import blocks
from coachops.export.cutting import _key, cuts, looks_longer
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset
from coachops.export.parts import Transform, order_of, write_part
from coachops.export.plan import ExportSpec, Part, PartResult, Plan
from coachops.export.planning import make_plan, plan_within
from coachops.export.queries import order_columns
from coachops.export.running import write_parts
from coachops.export.snapshot import hold_snapshot, open_moment
from coachops.export.workers.pool import Pool
from tests.support.patience import PATIENCE, command_line, descendants

ALL = tuple(DATASETS)
FORMATS = ("csv", "json", "jsonl", "parquet")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 rows, so that a small table has several files."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)


def written(
    database: Database, folder: Path, spec: ExportSpec, *, workers: int = 1, **how: Any
) -> tuple[Plan, list[PartResult]]:
    with open_moment(database, workers=workers) as moment:
        plan = plan_within(moment.connection, spec)
        return plan, write_parts(database, plan.spec, plan.parts, folder, moment.token, **how)


def digests(results: list[PartResult]) -> dict[str, str]:
    return {entry.path: entry.sha256 for result in results for entry in result.files}


def children() -> list[psutil.Process]:
    return [
        each
        for each in descendants()
        if "coachops.export.workers.child" in " ".join(command_line(each))
    ]


@pytest.mark.usefixtures("small_blocks")
def test_files_begin_at_every_so_manyth_row_and_join_to_the_whole(
    organisation: Database, tmp_path: Path
) -> None:
    one = ExportSpec(FORMATS, ("utterances",), shard_rows=64 * 1000)
    many = ExportSpec(FORMATS, ("utterances",), shard_rows=128)
    _, whole = written(organisation, tmp_path / "one", one)
    plan, split = written(organisation, tmp_path / "many", many)
    assert len(plan.parts) > 3
    assert [part.rows for part in plan.parts[:-1]] == [128] * (len(plan.parts) - 1)
    assert sum(part.rows for part in plan.parts) == plan.counts["utterances"]["rows"]
    assert [part.shard for part in plan.parts] == list(range(1, len(plan.parts) + 1))
    (parquet,) = (entry for entry in whole[0].files if entry.format == "parquet")
    joined = [block for result in split for block in result.files[-1].blocks]
    assert joined == list(parquet.blocks)
    lines = b"".join(p.read_bytes() for p in sorted((tmp_path / "many/data").glob("*.jsonl")))
    assert lines == (tmp_path / "one/data/utterances-0001.jsonl").read_bytes()


def test_one_process_and_several_write_the_same_bytes(
    organisation: Database, tmp_path: Path
) -> None:
    spec = ExportSpec(FORMATS, ALL)
    plan, alone = written(organisation, tmp_path / "one", spec)
    again, several = written(organisation, tmp_path / "two", spec, workers=2)
    assert plan.counts == again.counts
    assert plan.counts["utterances"]["never_exported"] == 1
    assert len(digests(alone)) == len(ALL) * len(FORMATS)
    assert digests(alone) == digests(several)
    assert [result.number for result in several] == list(range(len(ALL)))
    assert children() == []


@pytest.mark.postgres
def test_csv_that_is_passed_through_is_the_csv_that_is_made(
    new_database_url: Any, tmp_path: Path
) -> None:
    from tests.export.conftest import make_organisation

    database = Database(new_database_url("postgres"))
    make_organisation(database, sessions=12)
    _, passed = written(database, tmp_path / "a", ExportSpec(("csv",), ("utterances", "sessions")))
    _, made = written(
        database, tmp_path / "b", ExportSpec(("csv", "jsonl"), ("utterances", "sessions"))
    )
    for few, both in zip(passed, made, strict=True):
        assert few.files[0].sha256 == both.files[0].sha256
        assert few.rows == both.rows
    assert passed[0].files[0].blocks == ()
    assert passed[1].files[0].blocks == made[1].files[0].blocks != ()
    database.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_written_later_is_in_no_part(
    organisation: Database, tmp_path: Path, workers: int
) -> None:
    """Rows that come, change or go after the moment was taken are not seen by any process."""
    spec = ExportSpec(("jsonl",), ("sessions", "utterances"))
    _, before = written(organisation, tmp_path / "before", spec)
    with open_moment(organisation, workers=workers) as moment:
        with organisation.write() as session:
            session.execute(sa.update(CoachingSession).values(title="LATER"))
            session.execute(sa.delete(Utterance).where(Utterance.position > 3))
        plan = plan_within(moment.connection, spec)
        results = write_parts(organisation, plan.spec, plan.parts, tmp_path / "then", moment.token)
    assert digests(results) == digests(before)
    _, after = written(organisation, tmp_path / "after", spec)
    assert digests(after) != digests(before)


def test_a_plan_that_was_made_while_processes_started_is_made_anew_if_rows_changed(
    organisation: Database, tmp_path: Path
) -> None:
    if not organisation.is_sqlite:
        pytest.skip("on PostgreSQL a moment can be joined later")
    spec = ExportSpec(("jsonl",), ("sessions", "utterances"))
    with open_moment(organisation, workers=2, lightly=True) as moment:
        early = plan_within(moment.connection, spec)
        with organisation.write() as session:
            session.execute(sa.delete(Utterance).where(Utterance.position > 3))
        assert not moment.settle()
        plan = plan_within(moment.connection, spec)
        assert sum(part.rows for part in plan.parts) < sum(part.rows for part in early.parts)
        with organisation.write() as session:
            session.execute(sa.update(CoachingSession).values(title="LATER"))
        assert moment.settle()
        results = write_parts(organisation, plan.spec, plan.parts, tmp_path, moment.token)
    assert sum(result.rows for result in results) == sum(part.rows for part in plan.parts)
    assert b"LATER" not in (tmp_path / "data/sessions-0001.jsonl").read_bytes()


def test_a_plan_is_carried_out_later_if_the_rows_are_still_those(
    organisation: Database, tmp_path: Path
) -> None:
    plan = Plan.from_json(make_plan(organisation, ExportSpec(("csv", "jsonl"), ALL)).to_json())
    results = {}
    for turn in ("first", "again"):
        with hold_snapshot(organisation, plan) as token:
            results[turn] = [
                write_part(organisation, plan.spec, part, tmp_path / turn, token)
                for part in plan.parts
            ]
    assert digests(results["first"]) == digests(results["again"])
    with organisation.write() as session:
        session.execute(sa.delete(Utterance).where(Utterance.position == 2))
    part = next(part for part in plan.parts if part.dataset == "utterances")
    with (
        hold_snapshot(organisation, plan) as token,
        pytest.raises(CoachError) as caught,
    ):
        write_part(organisation, plan.spec, part, tmp_path / "changed", token)
    assert caught.value.code == "COACH-EXP-022"
    assert caught.value.details["planned"] == part.rows
    assert not list((tmp_path / "changed").rglob("*.csv"))
    assert not list((tmp_path / "changed").rglob("*.partial"))


def test_a_moment_that_is_gone_is_refused(organisation: Database, tmp_path: Path) -> None:
    plan = make_plan(organisation, ExportSpec(("csv",), ("coaches",)))
    with hold_snapshot(organisation, plan) as token:
        pass
    with pytest.raises(CoachError) as caught:
        write_part(organisation, plan.spec, plan.parts[0], tmp_path, token)
    assert caught.value.code == "COACH-EXP-020"


@pytest.mark.postgres
def test_a_moment_of_another_server_is_refused(
    new_database_url: Any, organisation: Database, tmp_path: Path
) -> None:
    if organisation.is_sqlite:
        pytest.skip("an embedded database has no servers")
    plan = make_plan(organisation, ExportSpec(("csv",), ("coaches",)))
    with hold_snapshot(organisation, plan) as token:
        other = token.replace('"system": "', '"system": "9')
        with pytest.raises(CoachError) as caught:
            write_part(organisation, plan.spec, plan.parts[0], tmp_path, other)
        assert caught.value.code == "COACH-EXP-020"
        embedded = Database(new_database_url("sqlite"))
        with pytest.raises(CoachError), hold_snapshot(embedded, plan):
            pass
        with pytest.raises(CoachError) as caught:
            write_part(embedded, plan.spec, plan.parts[0], tmp_path, token)
        assert caught.value.code == "COACH-EXP-020"
        embedded.close()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("CAST(x'ff41' AS TEXT)", "not UTF-8"),
        ("'not json'", "not JSON with finite numbers"),
        ("'{\"a\": 1e999}'", "not JSON with finite numbers"),
    ],
)
def test_a_value_of_sqlite_that_no_format_holds_names_its_row(
    sqlite_organisation: Database, tmp_path: Path, stored: str, reason: str, workers: int
) -> None:
    with sqlite_organisation.write() as session:
        guilty = session.scalars(sa.select(Insight.id).order_by(Insight.id).offset(3)).first()
        session.execute(
            sa.text(f"UPDATE insights SET citations = {stored} WHERE id = :id"),  # noqa: S608 words of this test
            {"id": guilty.hex if guilty else ""},
        )
    with pytest.raises(CoachError) as caught:
        written(sqlite_organisation, tmp_path, ExportSpec(FORMATS, ("insights",)), workers=workers)
    assert caught.value.code == "COACH-EXP-009"
    assert guilty is not None
    assert caught.value.details["column"] == "citations"
    assert str(caught.value.details["key"]).replace("-", "") == guilty.hex
    assert caught.value.details["reason"] == reason
    assert children() == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stored", ["1.5", "'word'", str(2**40)])
def test_a_number_of_sqlite_that_is_none_is_refused(
    sqlite_organisation: Database, tmp_path: Path, stored: str, workers: int
) -> None:
    """SQLite lets any value into any column; the types of an export are those of the registry."""
    with sqlite_organisation.write() as session:
        session.execute(sa.text(f"UPDATE insights SET ordinal = {stored} WHERE ordinal = 1"))  # noqa: S608 words of this test
    with pytest.raises(CoachError) as caught:
        written(sqlite_organisation, tmp_path, ExportSpec(("csv",), ("insights",)), workers=workers)
    assert caught.value.code == "COACH-EXP-009"
    assert caught.value.details["column"] == "ordinal"


def only_ids(dataset: Dataset) -> tuple[Dataset, Transform]:
    """A view for the tests: of every dataset its key alone."""
    view = Dataset(
        dataset.name, dataset.version, dataset.description, dataset.table, dataset.columns[:1]
    )

    def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.select([dataset.key])

    return view, transform


def test_a_view_of_a_dataset_is_all_that_is_written(organisation: Database, tmp_path: Path) -> None:
    spec = ExportSpec(("csv",), ("utterances",), privacy="pseudonymous")
    for workers in (1, 2):
        written(organisation, tmp_path / str(workers), spec, workers=workers, privacy=only_ids)
        data = (tmp_path / str(workers) / "data/utterances-0001.csv").read_bytes()
        assert data.startswith(b"utterance_id\n")
        assert b"," not in data


@contextlib.contextmanager
def killed_at_the_first_row(which: int) -> Iterator[Any]:
    """Progress that kills a writing process when the first rows are told."""
    done: list[int] = []

    def progress(_name: str, _rows: int) -> None:
        if not done:
            done.append(1)
            os.kill(children()[which].pid, signal.SIGKILL)

    yield progress


@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_is_killed_fails_the_export_and_leaves_none(
    organisation: Database, tmp_path: Path, which: int
) -> None:
    with killed_at_the_first_row(which) as progress, pytest.raises(CoachError) as caught:
        written(organisation, tmp_path, ExportSpec(FORMATS, ALL), workers=2, progress=progress)
    assert caught.value.code == "COACH-EXP-021"
    assert children() == []
    with organisation.write() as session:  # no lock was left behind
        session.execute(sa.update(CoachingSession).values(title="free"))


def test_an_interrupted_export_leaves_no_process(organisation: Database, tmp_path: Path) -> None:
    def progress(_name: str, _rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(organisation, tmp_path, ExportSpec(FORMATS, ALL), workers=2, progress=progress)
    assert children() == []


def test_the_second_sqlite_library_never_meets_the_first(
    sqlite_organisation: Database,
) -> None:
    """In a process that uses Python's own, the other one refuses to open any file."""
    from coachops.export.readers.sqlite import SqliteFile

    file = sqlite_file(sqlite_organisation.engine)
    assert file is not None
    with pytest.raises(RuntimeError, match="process of its own"):
        SqliteFile(file)


def test_a_process_that_dies_while_it_starts_leaves_nobody_waiting(
    sqlite_organisation: Database,
) -> None:
    file = sqlite_file(sqlite_organisation.engine)
    refused: list[str] = []

    def asked() -> None:
        with pytest.raises(CoachError) as caught:
            pool.wait()
        refused.append(caught.value.code)

    with Pool(2, sqlite=file) as pool:
        max(children(), key=lambda process: process.pid).kill()
        askers = [threading.Thread(target=asked, daemon=True) for _ in range(2)]
        for each in askers:
            each.start()
        for each in askers:
            each.join(PATIENCE)
        assert refused == ["COACH-EXP-021"] * 2
    assert children() == []


@pytest.mark.usefixtures("small_blocks")
def test_a_plan_whose_first_part_is_known_early_is_the_same_plan(organisation: Database) -> None:
    """PostgreSQL knows about how many rows a table has; SQLite begins nothing early."""
    spec = ExportSpec(("csv",), ALL, shard_rows=128)
    with organisation.connect(write=True) as connection:
        connection.exec_driver_sql("ANALYZE")
    told: list[Part] = []
    with organisation.connect() as connection:
        early = [n for n in ALL if looks_longer(connection, DATASETS[n], 128)]
        plain = plan_within(connection, spec)
        ahead = plan_within(connection, spec, announce=told.append)
    assert ahead.parts == plain.parts == tuple(told)
    assert ahead.counts == plain.counts
    assert bool(early) is not organisation.is_sqlite


@pytest.mark.parametrize("cut", [0.0, 0.02, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("name", ["utterances", "insights"])
def test_parts_begin_where_rows_that_are_never_exported_do_not_count(
    organisation: Database, name: str, cut: float
) -> None:
    dataset, most = DATASETS[name], 100 if name == "utterances" else 7
    flag = Utterance.is_cut if name == "utterances" else Insight.held_back
    order = order_columns(dataset)
    kept = sa.select(*order).where(flag.is_(False)).order_by(*order)
    chance = random.Random(str(cut))
    with organisation.connect(write=True) as connection:
        places = connection.execute(sa.select(*order).order_by(*order)).all()
        for number, place in enumerate(places):
            if (cut and number < 2 * most + 50) or chance.random() < cut:
                here = [column == value for column, value in zip(order, place, strict=True)]
                connection.execute(sa.update(flag.class_).where(*here).values({flag.key: True}))
        expected = [_key(row) for row in connection.execute(kept)]
        counts: dict[str, int] = {}
        found = list(cuts(connection, dataset, None, counts, most, early=False))
        again = list(cuts(connection, dataset, None, {}, most, early=True))
    assert counts == {
        "rows": len(expected), "left_out": 0, "never_exported": len(places) - len(expected)
    }  # fmt: skip
    assert [low for low, _, _ in found[1:]] == expected[most::most]
    assert [high for _, high, _ in found[:-1]] == expected[most::most]
    assert sum(rows for _, _, rows in found) == len(expected)
    assert again == found


@pytest.mark.parametrize("formats", [("csv",), ("jsonl",)])
def test_a_part_in_the_middle_is_bounded_in_every_table_that_it_reads(
    tmp_path: Path, formats: tuple[str, ...]
) -> None:
    """Else PostgreSQL looks for rows of every parent, walking through all before the part for each."""
    low, high = (str(uuid.UUID(int=5)), 3), (str(uuid.UUID(int=9)), 1)
    part = Part(1, "utterances", 2, low, high, 100)
    order = order_of(ExportSpec(formats, ("utterances",)), part, tmp_path, sqlite=False)
    assert order.passed is (formats == ("csv",))
    asked = {"utterances.transcript_id": order.query, "transcripts.id": order.query}
    if order.lookup is not None:
        asked["transcripts.id"] = order.lookup.query
    for column, query in asked.items():
        assert f"{column} >= '{low[0]}'" in query
        assert f"{column} <= '{high[0]}'" in query

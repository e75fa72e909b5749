"""Parts whose rows show something of their parent: looked up once for each, equal to a join."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import CoachingSession, Transcript, Utterance
from coachops.export import blocks
from coachops.export.datasets import DATASETS
from coachops.export.orders import Order
from coachops.export.parts import order_of, part_conditions
from coachops.export.plan import ExportSpec, Part
from coachops.export.readers import plain, read_batches
from coachops.export.readers.lookup import read_part
from coachops.export.readers.receiving import regrouped
from coachops.export.shapes import Shape

UTTERANCES = DATASETS["utterances"]


def spec(coaches: tuple[str, ...] = ()) -> ExportSpec:
    return ExportSpec(("parquet",), (UTTERANCES.name,), coaches=coaches)


def bulk(connection: Connection, order: Order) -> Iterator[pa.RecordBatch]:
    """The part as a whole export reads it, over the connection that is open."""
    raw: Any = connection.connection.driver_connection

    def read(shape: Shape, query: str) -> Iterator[pa.RecordBatch]:
        if connection.dialect.name == "sqlite":
            return regrouped(plain._from_sqlite(raw, shape, query))
        return plain._from_postgres(raw, shape, query)

    return read_part(order, read)


def rows(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_part_holds_what_a_join_gives_in_the_same_order(organisation: Database) -> None:
    """However a part is cut: at rows, between them, within or outside of what is there."""
    draw = random.Random(3)
    with organisation.connect() as connection:
        keys = [
            (str(parent), place)
            for parent, place in connection.execute(
                sa.select(Utterance.transcript_id, Utterance.position)
            )
        ]
        coach = connection.scalars(sa.select(CoachingSession.coach_id)).first()

        def cut() -> tuple[str, int] | None:
            parent, place = draw.choice(keys)
            if draw.random() < 0.2:
                parent = str(uuid.UUID(int=draw.getrandbits(128)))
            return draw.choice([None, (parent, place), (parent, place + draw.randint(-20, 20))])

        found = 0
        for _ in range(40):
            part = Part(0, UTTERANCES.name, 1, cut(), cut(), 0)
            asked = spec(draw.choice([(), (str(coach),)]))
            order = order_of(asked, part, Path(), sqlite=organisation.is_sqlite)
            assert order.lookup is not None
            assert "JOIN" not in order.query
            read = rows(bulk(connection, order))
            assert read == rows(read_batches(connection, UTTERANCES, *part_conditions(asked, part)))
            found += len(read)
        assert found > 1000


def test_parents_come_from_many_batches_and_rows_in_runs_over_the_ends_of_batches(
    organisation: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.export.readers.receiving.BATCH_ROWS", 7)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 28)
    part = Part(0, UTTERANCES.name, 1, None, None, 0)
    order = order_of(spec(), part, Path(), sqlite=organisation.is_sqlite)
    with organisation.connect() as connection:
        batches = list(bulk(connection, order))
        assert {batch.num_rows for batch in batches[:-1]} == {7}
        wanted = read_batches(connection, UTTERANCES)
        assert rows(iter(batches)) == rows(wanted)


def test_a_row_without_a_parent_is_missing_as_in_a_join(organisation: Database) -> None:
    """So that the count tells: rows were counted in their own table."""
    part = Part(0, UTTERANCES.name, 1, None, None, 0)
    order = order_of(spec(), part, Path(), sqlite=organisation.is_sqlite)
    with organisation.connect(write=True) as connection:
        before = rows(bulk(connection, order))
        by_key = sorted({row["transcript_id"] for row in before})
        lost = [by_key[0], by_key[len(by_key) // 2], by_key[-1]]
        raw: Any = connection.connection.driver_connection
        hidden = " OR ".join(f"id = '{uuid.UUID(bytes=key).hex}'" for key in lost)
        raw.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM transcripts WHERE NOT ({hidden})")  # noqa: S608
        raw.execute("CREATE TEMP VIEW transcripts AS SELECT * FROM kept")
        after = rows(bulk(connection, order))
        assert after == [row for row in before if row["transcript_id"] not in lost]
        assert 0 < len(after) < len(before)
        raw.execute("DROP VIEW transcripts")
        raw.execute("DELETE FROM kept")
        raw.execute("CREATE TEMP VIEW transcripts AS SELECT * FROM kept")
        assert rows(bulk(connection, order)) == []
        raw.rollback()


def test_a_value_that_cannot_be_read_is_named_with_its_parent_and_harms_nobody_else(
    sqlite_organisation: Database,
) -> None:
    with sqlite_organisation.connect(write=True) as connection:
        bad, coach, other = connection.execute(
            sa.select(Transcript.id, CoachingSession.coach_id, sa.null())
            .join(CoachingSession, CoachingSession.id == Transcript.session_id)
            .where(Transcript.id.in_(sa.select(Utterance.transcript_id)))
        ).first() or (None, None, None)
        other = connection.scalar(
            sa.select(CoachingSession.coach_id).where(CoachingSession.coach_id != coach)
        )
        assert bad is not None
        connection.exec_driver_sql(
            "UPDATE transcripts SET source_name = CAST(x'ff' AS TEXT) WHERE id = ?", (bad.hex,)
        )
    part = Part(0, UTTERANCES.name, 1, None, None, 0)
    with sqlite_organisation.connect() as connection:
        with pytest.raises(CoachError) as caught:
            rows(bulk(connection, order_of(spec(), part, Path(), sqlite=True)))
        assert caught.value.code == "COACH-EXP-009"
        assert caught.value.details["dataset"] == "transcripts"
        assert caught.value.details["column"] == "source_name"
        assert bad.hex in str(caught.value.details["key"]).replace("-", "")
        theirs = order_of(spec((str(other),)), part, Path(), sqlite=True)
        assert len(rows(bulk(connection, theirs))) > 0


def test_a_table_without_rows_gives_none(database: Database) -> None:
    part = Part(0, UTTERANCES.name, 1, None, None, 0)
    order = order_of(spec(), part, Path(), sqlite=database.is_sqlite)
    with database.connect() as connection:
        assert rows(bulk(connection, order)) == []

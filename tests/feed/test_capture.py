"""Every change is noted, whoever makes it and however; with the scope it left and the one entered."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import ids
from coachops.db import Database, bulk, capture, change_feed, migrate
from coachops.db.capture import TRACKED, source_tables
from coachops.db.models import (
    Analysis,
    ChangeLog,
    Coach,
    CoachingSession,
    Engagement,
    Goal,
    Insight,
    InsightEdit,
    Transcript,
    Utterance,
)
from coachops.export import DATASETS
from coachops.export.feed import Seen
from tests.feed.conftest import all_equal
from tests.feed.replica import Replica
from tests.support.patience import until

ANOTHER_ANCHOR = (
    sa.select(Insight.anchor)
    .where(Insight.transcript_id == InsightEdit.transcript_id, Insight.kind == InsightEdit.kind)
    .order_by(Insight.anchor.desc())
    .limit(1)
    .scalar_subquery()
)

NO_GOAL_HAS_RATINGS = sa.text("DELETE FROM goals WHERE id IN (SELECT goal_id FROM goal_ratings)")

AT = "2026-11-23T09:30:00.000000Z"


def copy_in(connection: Connection) -> None:
    """COPY on PostgreSQL, executemany on SQLite."""
    transcript = connection.scalar(sa.select(Transcript.id).limit(1))
    assert transcript is not None
    columns = ("id", "transcript_id", "position", "speaker", "text")
    rows = [(ids.new_id().hex, transcript.hex, n, "coach", "Copied.") for n in range(500, 520)]
    bulk.insert_rows(connection, Utterance.__table__, columns, rows)


def other_coach(connection: Connection) -> None:
    """A coach leaves: all sessions, engagements and goals go to another one."""
    first, *_, last = connection.scalars(sa.select(Engagement.coach_id).distinct())
    for table in (Engagement, CoachingSession, Goal):
        connection.execute(sa.update(table).where(table.coach_id == first).values(coach_id=last))


CHANGES: dict[str, Callable[[Connection], object]] = {
    "a bulk update": lambda c: c.execute(sa.update(Utterance).values(text="Other words.")),
    "raw SQL": lambda c: c.execute(sa.text("UPDATE sessions SET title = 'Renamed'")),
    "a cut": lambda c: c.execute(
        sa.update(Utterance).where(Utterance.position < 4).values(is_cut=True)
    ),
    "a name shown elsewhere": lambda c: c.execute(sa.update(Transcript).values(source_name="new")),
    "findings held back": lambda c: c.execute(sa.update(Insight).values(held_back=True)),
    "findings shown again": lambda c: c.execute(sa.update(Insight).values(held_back=False)),
    "an edit changed": lambda c: c.execute(sa.update(InsightEdit).values(text="Once more.")),
    "an edit that goes elsewhere": lambda c: c.execute(
        sa.update(InsightEdit).values(anchor=ANOTHER_ANCHOR)
    ),
    "an edit removed": lambda c: c.execute(sa.delete(InsightEdit)),
    "rows copied in": copy_in,
    "a coach who leaves": other_coach,
    "a key that changes": lambda c: c.execute(
        sa.update(Insight)
        .where(
            Insight.id == sa.select(sa.func.min(sa.cast(Insight.id, sa.String))).scalar_subquery()
        )
        .values(id=ids.new_id())
        if c.dialect.name == "sqlite"
        else sa.update(Insight).where(Insight.ordinal == 0).values(id=sa.func.gen_random_uuid())
    ),
    "a cascade from goals": lambda c: c.execute(NO_GOAL_HAS_RATINGS),
    "a cascade from analyses": lambda c: c.execute(
        sa.delete(Analysis).where(Analysis.status == "complete", Analysis.engine == "local")
    ),
    "a cascade from transcripts": lambda c: c.execute(sa.delete(Transcript)),
}


def test_followers_see_every_way_of_changing(
    organisation: Database, replicas: dict[str, Replica]
) -> None:
    assert all(each.rows for each in replicas.values())
    assert all_equal(replicas) == {}
    for name, change in CHANGES.items():
        with organisation.connect(write=True) as connection:
            before = change_feed.head(connection)
            change(connection)
        assert all_equal(replicas) == {}, name
        with organisation.connect() as connection:
            assert change_feed.head(connection) > before, f"{name} changed nothing"


def test_what_is_taken_back_is_in_no_page(
    organisation: Database, replicas: dict[str, Replica]
) -> None:
    with organisation.connect() as connection:
        before = change_feed.head(connection)
    with contextlib.suppress(ZeroDivisionError), organisation.connect(write=True) as connection:
        connection.execute(sa.update(Utterance).values(text="Never said."))
        raise ZeroDivisionError
    change_feed.sequence(organisation)
    with organisation.connect() as connection:
        assert change_feed.head(connection) == before


def test_insert_or_replace_tells_the_row_that_it_removed(sqlite_organisation: Database) -> None:
    database = sqlite_organisation
    replica = Replica(database, Seen(DATASETS["clients"]))
    replica.catch_up()
    with database.connect(write=True) as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql(
            "INSERT INTO clients (id, external_id, name, email, created_at, updated_at) "
            "VALUES (?, 'to be replaced', 'A', NULL, ?, ?)", ("1" * 32, AT, AT),
        )  # fmt: skip
    replica.catch_up()
    with database.connect(write=True) as connection:
        connection.exec_driver_sql(
            "INSERT OR REPLACE INTO clients (id, external_id, name, email, created_at, updated_at) "
            "VALUES (?, 'to be replaced', 'B', NULL, ?, ?)", ("2" * 32, AT, AT),
        )  # fmt: skip
    replica.catch_up()
    assert replica.reasons == ["deleted"]
    assert replica.wrong() == 0


@pytest.mark.postgres
def test_truncate_tells_every_row_that_it_removed(new_database_url: Callable[..., str]) -> None:
    from tests.export.conftest import make_organisation

    database = Database(new_database_url("postgres"))
    make_organisation(database, sessions=3)
    found = {name: Replica(database, Seen(dataset)) for name, dataset in DATASETS.items()}
    assert all_equal(found) == {}
    with database.connect(write=True) as connection:
        connection.execute(sa.text("TRUNCATE transcripts CASCADE"))
    assert all_equal(found) == {}
    assert not found["utterances"].rows
    database.close()


@pytest.mark.parametrize("doomed", [Transcript, Utterance])
def test_a_deletion_that_meets_a_move_is_told_to_the_coach_who_got_the_rows(
    new_database_url: Callable[..., str], doomed: type[Transcript] | type[Utterance]
) -> None:
    from tests.export.conftest import make_organisation

    database = Database(new_database_url("postgres"))
    make_organisation(database, sessions=3)
    with database.connect() as connection:
        session = connection.scalars(sa.select(Transcript.session_id)).first()
        had = connection.scalar(
            sa.select(CoachingSession.coach_id).where(CoachingSession.id == session)
        )
        gets = connection.scalars(sa.select(Coach.id).where(Coach.id != had)).first()
    found = Replica(database, Seen(DATASETS["utterances"], coaches=frozenset({gets})))  # type: ignore[arg-type]  # an id
    found.catch_up()
    of_session = sa.select(Transcript.id).where(Transcript.session_id == session)
    column = doomed.id if doomed is Transcript else Utterance.transcript_id

    def delete() -> None:
        with database.connect(write=True) as connection:
            connection.execute(sa.delete(doomed).where(column.in_(of_session)))

    deleting = threading.Thread(target=delete)
    with database.connect(write=True) as connection:
        moved = sa.update(CoachingSession).where(CoachingSession.id == session)
        connection.execute(moved.values(coach_id=gets))
        deleting.start()
        waiting = sa.text(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        until(lambda: not deleting.is_alive() or connection.scalar(waiting))
    found.read(10_000)  # the move, perhaps before the deletion
    deleting.join()
    found.catch_up()
    with database.connect() as connection:
        told = connection.scalars(
            sa.select(ChangeLog.coach_old).where(
                ChangeLog.op == "D", ChangeLog.entity == "utterances"
            )
        ).all()
    assert set(told) == {gets}
    assert all_equal({"utterances": found}) == {}
    database.close()


WRITES = {
    "a row": "INSERT INTO utterances (id, transcript_id, position, speaker, text) "
    "SELECT gen_random_uuid(), id, 900, 'coach', 'Hello.' FROM transcripts LIMIT 1",
    "a move": "UPDATE sessions SET coach_id = (SELECT max(id::text)::uuid FROM coaches)",
    "a deletion": "DELETE FROM goals",
    "a cascade": "DELETE FROM transcripts",
    "an edit": "UPDATE insight_edits SET text = 'Once more.'",
    "a copy": "COPY utterances (id, transcript_id, position, speaker, text) FROM STDIN",
    "all rows": "TRUNCATE transcripts CASCADE",
}


OLDER = (
    "CREATE OR REPLACE FUNCTION feed_utterances_insert() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN RETURN NULL; END$$"
)
"""A version before this rule; each migration replaces it."""


def run(outside: psycopg.Connection, statement: str) -> None:
    if statement.startswith("COPY"):
        with outside.cursor() as cursor, cursor.copy(statement):
            pass
    else:
        outside.execute(statement)


@pytest.mark.postgres
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_writer_on_a_fixed_snapshot_is_refused_with_what_to_do(
    level: str, new_database_url: Callable[..., str]
) -> None:
    """It would not see a session that moves meanwhile: the old coach's follower keeps the child."""
    from tests.export.conftest import make_organisation

    url = new_database_url("postgres")
    with contextlib.closing(Database(url)) as database:
        make_organisation(database, sessions=3)
        with database.connect(write=True) as connection:
            connection.exec_driver_sql(OLDER)
        migrate.upgrade(database)
    plain = sa.make_url(url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as outside:
        for name, statement in WRITES.items():
            outside.execute(f"BEGIN ISOLATION LEVEL {level}")
            assert outside.execute("SELECT count(*) FROM utterances").fetchone(), name  # may read
            with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
                run(outside, statement)
            outside.execute("ROLLBACK")
            assert level in (refused.value.diag.message_primary or ""), name
            assert "READ COMMITTED" in (refused.value.diag.message_hint or ""), name
            if name == "a move":
                outside.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                outside.execute(statement)
                outside.execute("COMMIT")


def test_the_feed_holds_keys_and_no_words(organisation: Database) -> None:
    change_feed.sequence(organisation)
    allowed = {"entity", "entity_id", "op", "coach_old", "coach_new", "client_old", "client_new",
               "at", "pos"}  # fmt: skip
    assert {column.name for column in ChangeLog.__table__.columns} == allowed
    with organisation.connect() as connection:
        entities = set(connection.scalars(sa.select(ChangeLog.entity).distinct()))
    assert entities == set(DATASETS)


def test_what_is_watched_is_what_datasets_are_made_of() -> None:
    assert TRACKED.keys() == DATASETS.keys()
    for name, dataset in DATASETS.items():
        source = dataset.table.__table__ if dataset.source is None else dataset.source
        tables = {
            each.name for each in sa.sql.visitors.iterate(source) if isinstance(each, sa.Table)
        }
        assert source_tables(name) == tables, name
        assert TRACKED[name].table == dataset.table.__tablename__
        if dataset.selected_with is not None:
            key = dataset.parent_key(dataset.selected_with)
            assert TRACKED[name].parent == (key.column, key.dataset)


def test_what_was_there_before_the_feed_is_in_it_afterwards(
    backend: str, new_database_url: Callable[..., str]
) -> None:
    from tests.export.conftest import make_organisation

    database = Database(new_database_url(backend))
    make_organisation(database, sessions=2)
    migrate.downgrade(database, "0011")
    with database.connect() as connection:
        rows = connection.scalar(sa.text("SELECT count(*) FROM utterances"))
        assert not sa.inspect(connection).has_table("change_log")
    migrate.upgrade(database)
    replica = Replica(database, Seen(DATASETS["utterances"]))
    replica.catch_up()
    assert replica.wrong() == 0
    assert rows is not None
    assert len(replica.rows) == rows - 1  # one is cut
    database.close()


def test_a_table_that_a_migration_rebuilt_is_watched_again_and_told_anew(
    sqlite_organisation: Database,
) -> None:
    """SQLite rebuilds tables to change them, and drops their triggers on the way."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    database = sqlite_organisation
    replica = Replica(database, Seen(DATASETS["goals"]))
    replica.catch_up()

    def rebuild(_settings: object) -> None:
        operations = Operations(MigrationContext.configure(held[0]))
        with operations.batch_alter_table("goals", recreate="always") as batch:
            batch.alter_column("title", existing_type=sa.String(200), nullable=False)
        held[0].execute(sa.text("UPDATE goals SET title = 'By a migration'"))

    held: list[Connection] = []
    with database.connect(write=True) as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        held.append(connection)
        connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
        connection.exec_driver_sql("DELETE FROM goal_ratings")
        rebuild(None)
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
        assert capture.install(connection) == ["goals"]
    replica.catch_up()
    assert replica.wrong() == 0
    assert {row["title"] for row in replica.rows.values()} == {"By a migration"}
    with database.connect(write=True) as connection:
        connection.execute(sa.text("UPDATE goals SET title = 'Watched'"))
        assert capture.install(connection) == []
    replica.catch_up()
    assert replica.wrong() == 0


def test_a_change_of_the_audit_chain_alone_is_no_change_of_the_dataset(
    organisation: Database,
) -> None:
    from coachops import audit

    change_feed.sequence(organisation)
    with organisation.connect() as connection:
        before = change_feed.head(connection)
    assert audit.seal(organisation) > 0
    change_feed.sequence(organisation)
    with organisation.connect() as connection:
        assert change_feed.head(connection) == before

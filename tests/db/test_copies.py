"""Databases of PostgreSQL that tests use one after another: nobody finds what another one left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from coachops.coaching.seed import seed_organisation
from coachops.db import Database
from tests.support import postgres_reuse
from tests.support.postgres import PostgresServer
from tests.support.postgres_reuse import Copies

pytestmark = pytest.mark.postgres


@pytest.fixture
def copies(postgres_server: PostgresServer) -> Iterator[Copies]:
    copies = Copies(postgres_server, "template_coachops")
    yield copies
    for name in copies._free:
        postgres_server.drop(postgres_server.url(name))


def seen(copies: Copies, url: str) -> postgres_reuse._State:
    with copies._server.connect(url.rpartition("/")[2]) as connection:
        return postgres_reuse._seen(connection)


def test_rows_and_sequences_are_those_of_the_template_again(copies: Copies) -> None:
    url = copies.take()
    before = seen(copies, url)
    database = Database(url)
    seed_organisation(
        database, coaches=4, clients=12, sessions=40, utterances_per_session=30, seed=1
    )
    with database.connect(write=True) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM change_inbox")) > 1000
        connection.exec_driver_sql("DELETE FROM alembic_version")
    assert seen(copies, url).sequences != before.sequences
    copies.give_back(url)
    assert len(copies._free) == 1
    again = copies.take()
    assert again != url
    assert copies._free == []
    assert seen(copies, again) == before
    with pytest.raises(Exception, match="does not exist"), database.connect():
        pass  # who still has the old name does not reach it
    database.close()
    copies.give_back(again)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE coaches ADD COLUMN more text",
        "ALTER TABLE coaches ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE coaches DISABLE TRIGGER USER",
        "DROP TRIGGER feed_coaches_insert ON coaches",
        "DROP INDEX ix_sessions_held_on",
        "CREATE INDEX more ON coaches (name)",
        "GRANT SELECT ON coaches TO PUBLIC",
        "CREATE SCHEMA dbos",
        "CREATE TABLE more (a int)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TYPE more AS ENUM ('a')",
        "ALTER TABLE coaches ALTER COLUMN name TYPE varchar(2000)",
        "CREATE POLICY more ON coaches USING (true)",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 50', current_database()); END $$",
    ],
)
def test_one_that_was_altered_is_used_by_nobody_else(copies: Copies, change: str) -> None:
    url = copies.take()
    name = url.rpartition("/")[2]
    with copies._server.connect(name) as connection:
        if "DROP INDEX" in change:
            found = connection.execute(
                "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON oid = indrelid "
                "WHERE relnamespace = 'public'::regnamespace AND NOT indisunique LIMIT 1"
            ).fetchone()
            assert found is not None
            change = f"DROP INDEX {found[0]}"
        connection.execute(change)
    copies.give_back(url)
    assert copies._free == []
    assert name not in databases(copies)


def test_one_that_is_in_use_or_gone_harms_nobody(copies: Copies) -> None:
    url, other = copies.take(), copies.take()
    with contextlib.closing(copies._server.connect(url.rpartition("/")[2])) as connection:
        copies.give_back(url)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert len(copies._free) == 1
    copies._server.drop(other)
    copies.give_back(other)
    assert len(copies._free) == 1


def databases(copies: Copies) -> set[str]:
    with copies._server.connect() as connection:
        return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}

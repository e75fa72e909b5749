"""Transactions: one moment for reads, all or nothing for writes, UTC in and out."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Coach


def _coach(number: int) -> Coach:
    return Coach(external_id=f"c{number}", name=f"Coach {number}", email=f"c{number}@example.org")


def test_a_read_sees_one_moment_of_all_tables(database: Database) -> None:
    with database.read() as reader:
        assert reader.scalar(sa.select(sa.func.count()).select_from(Coach)) == 0
        with database.write() as writer:
            writer.add_all([_coach(1), Client(external_id="k1", name="Kim")])
        assert reader.scalar(sa.select(sa.func.count()).select_from(Client)) == 0
    with database.read() as reader:
        assert reader.scalar(sa.select(sa.func.count()).select_from(Client)) == 1


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    def fail(session: sa.orm.Session) -> None:
        session.add(_coach(1))
        session.flush()
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        database.run(fail)
    with database.read() as session:
        assert session.scalars(sa.select(Coach)).all() == []


def test_many_writers_at_once_lose_nothing(database: Database) -> None:
    database.run(lambda session: session.add(_coach(0)))

    def rename() -> None:
        for _ in range(5):

            def work(session: sa.orm.Session) -> None:
                coach = session.scalars(sa.select(Coach).with_for_update()).one()
                coach.name += "x"

            database.run(work)

    threads = [threading.Thread(target=rename) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.scalars(sa.select(Coach.name)).one() == "Coach 0" + "x" * 20


def test_times_come_back_as_utc_and_naive_ones_are_refused(database: Database) -> None:
    at = dt.datetime(2026, 3, 29, 2, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    with clock.frozen(at):
        database.run(lambda session: session.add(_coach(1)))
    with database.read() as session:
        created = session.scalars(sa.select(Coach.created_at)).one()
    assert created == at
    assert created.utcoffset() == dt.timedelta(0)
    with pytest.raises(sa.exc.StatementError), database.write() as session:
        session.execute(sa.update(Coach).values(created_at=dt.datetime(2026, 1, 1)))  # noqa: DTZ001


def test_the_database_refuses_what_the_validation_refuses(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError), database.write() as session:
        session.add(Coach(external_id="c1", name="   ", email="c1@example.org"))


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    database = Database("postgresql+psycopg://u:hidden@127.0.0.1:1/x")
    with pytest.raises(CoachError) as caught, database.read():
        pass
    assert caught.value.code == "COACH-DB-001"
    assert "hidden" not in str(caught.value)


@pytest.mark.postgres
def test_a_question_that_takes_too_long_is_not_called_a_server_that_is_away(
    new_database_url: Callable[..., str],
) -> None:
    database = Database(new_database_url("postgres"))
    sleep = "SET LOCAL statement_timeout = 50; SELECT pg_sleep(600)"
    with pytest.raises(CoachError) as caught, database.connect() as connection:
        connection.exec_driver_sql(sleep)
    assert caught.value.code == "COACH-DB-013"
    assert "statement timeout" in str(caught.value)
    database.close()


def test_a_commit_of_the_embedded_database_is_on_the_disk_before_it_is_acknowledged(
    sqlite_database: Database,
) -> None:
    full = 2  # sqlite.org/pragma.html#pragma_synchronous: NORMAL may lose commits in a power cut
    with sqlite_database.connect(write=True) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == full

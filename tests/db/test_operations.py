"""Operations: done once, forgotten when nobody can repeat them any more."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db import Database, operations
from coachops.db.models import Coach, Operation


def add(number: int) -> Coach:
    return Coach(external_id=f"c{number}", name="Ada", email=f"c{number}@example.org")


def count(database: Database, table: type[Coach | Operation]) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_only_postgresql_pays_for_a_row_where_the_caller_gave_no_id(database: Database) -> None:
    database.run(lambda session: session.add(add(1)))
    assert count(database, Operation) == (0 if database.is_sqlite else 1)


def test_an_id_of_the_caller_is_done_once_on_both_kinds(database: Database) -> None:
    key = ids.new_id()

    def work(session: Session) -> str:
        session.add(add(1))
        return "done"

    assert database.run(work, operation_id=key) == "done"
    with pytest.raises(CoachError) as caught:
        database.run(work, operation_id=key)
    assert caught.value.code == "COACH-DB-010"
    assert database.run(work, operation_id=key, repeated=lambda session: "as before") == "as before"
    assert count(database, Coach) == 1


def test_a_failed_operation_may_be_repeated_with_its_id(database: Database) -> None:
    key = ids.new_id()

    def fail(session: Session) -> None:
        session.add(add(1))
        session.flush()
        raise CoachError("COACH-CCH-001", what="client", ref="k1")

    with pytest.raises(CoachError):
        database.run(fail, operation_id=key)
    database.run(lambda session: session.add(add(2)), operation_id=key)
    assert count(database, Coach) == 1


def test_old_rows_are_forgotten(database: Database) -> None:
    long_ago = clock.now() - operations.KEPT_FOR - dt.timedelta(minutes=1)
    with clock.frozen(long_ago):
        database.run(lambda session: None, operation_id=ids.new_id())
    database.run(lambda session: None, operation_id=ids.new_id())
    assert operations.forget(database) == 1
    assert count(database, Operation) == 1


@pytest.mark.parametrize("code", ["COACH-DB-001", "COACH-DB-009", "COACH-DB-013"])
def test_in_doubt_nobody_is_told_that_nothing_was_changed(
    sqlite_database: Database, code: str
) -> None:
    once = operations.Once(sqlite_database, lambda _: None, None, None)
    error = CoachError(code, reason="no answer")
    assert once.final(error) is error
    once._uncertain = True  # the answer of a COMMIT was lost
    told = once.final(error)
    assert isinstance(told, CoachError)
    assert told.code == "COACH-DB-004"
    refused = CoachError("COACH-DB-010")
    assert once.final(refused) is refused

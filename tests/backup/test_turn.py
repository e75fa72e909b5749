"""One backup, drill or restore at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.backup.turn import turn
from coachops.core.errors import CoachError
from coachops.db import Database


def test_an_act_that_ends_or_fails_lets_the_next_one_begin(
    database: Database, tmp_path: Path
) -> None:
    for _ in range(5):
        with turn(tmp_path, database, "backup"):
            pass
        with pytest.raises(RuntimeError), turn(tmp_path, database, "backup"):
            raise RuntimeError
    with (
        turn(tmp_path / "one", database, "backup"),
        pytest.raises(CoachError) as caught,
        turn(tmp_path / ("one" if database.is_sqlite else "two"), database, "drill"),
    ):
        pass
    assert caught.value.code == "COACH-BKP-005"


@pytest.mark.parametrize("fails", [False, True])
def test_the_server_need_not_notice_that_a_connection_ended_before_the_next_act_begins(
    new_database_url: Callable[..., str], tmp_path: Path, fails: bool
) -> None:
    database = Database(new_database_url("postgres"))
    held: list[int] = []

    def look(*_: Any) -> None:
        """Before the connection ends: what it holds now, a busy server holds a while longer."""
        counted = sa.text(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND d.datname = current_database()"
        )
        with database.connect() as connection:
            held.append(connection.scalar(counted) or 0)

    with database.connect():  # so that looking opens and closes no connection
        pass
    sa.event.listen(sa.pool.NullPool, "close", look)
    try:
        if fails:
            with pytest.raises(RuntimeError), turn(tmp_path, database, "backup"):
                raise RuntimeError
        else:
            with turn(tmp_path, database, "backup"):
                pass
    finally:
        sa.event.remove(sa.pool.NullPool, "close", look)
    database.close()
    assert held == [0]

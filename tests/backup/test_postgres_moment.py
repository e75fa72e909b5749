"""Numbers of a PostgreSQL database: what changes them, what does not, and that they have one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from coachops.backup.model import TableState
from coachops.backup.postgres import digests, moment
from coachops.coaching.seed import seed_organisation
from coachops.core.errors import CoachError
from coachops.db import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
def server_database(new_database_url: Callable[..., str]) -> Iterator[Database]:
    database = Database(new_database_url("postgres"))
    seed_organisation(database, coaches=2, clients=3, sessions=3, utterances_per_session=4, seed=1)
    yield database
    database.close()


def utterances(database: Database, *before: str) -> TableState:
    with database.connect(write=True) as connection:
        for statement in before:
            connection.execute(sa.text(statement))
        return digests.take(connection).tables["utterances"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE utterances SET text = text || ' ' WHERE position = 2",
        "DELETE FROM utterances WHERE position = 4",
        "INSERT INTO utterances SELECT * FROM doubled_rows",
        "UPDATE utterances SET behaviour = NULL WHERE behaviour IS NOT NULL",
    ],
)
def test_every_change_of_rows_changes_the_digest(server_database: Database, change: str) -> None:
    before = utterances(
        server_database,
        "CREATE TABLE doubled_rows AS SELECT * FROM utterances WHERE position = 1",
        "UPDATE doubled_rows SET id = gen_random_uuid(), position = position + 100",
    )
    assert utterances(server_database, change).digest != before.digest


def test_order_and_settings_of_the_server_do_not_change_the_digest(
    server_database: Database,
) -> None:
    before = utterances(server_database)
    after = utterances(
        server_database,
        "CREATE TABLE copy AS SELECT * FROM utterances ORDER BY text DESC",
        "DELETE FROM utterances",
        "INSERT INTO utterances SELECT * FROM copy",
        "SET LOCAL timezone = 'Asia/Tokyo'",
        "SET LOCAL datestyle = 'German, DMY'",
        "SET LOCAL extra_float_digits = -3",
    )
    assert after == before


def test_the_numbers_have_one_moment_while_others_write(server_database: Database) -> None:
    """Two tables are always changed together: the snapshot never sees one without the other."""
    with server_database.connect(write=True) as connection:
        for name in ("one", "two"):
            connection.execute(sa.text(f"CREATE TABLE {name} (n int)"))
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            with server_database.connect(write=True) as connection:
                connection.execute(sa.text("INSERT INTO one VALUES (1)"))
                connection.execute(sa.text("INSERT INTO two VALUES (1)"))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        marks = [moment.mark(server_database, f"point-{i}") for i in range(5)]
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    for marked in marks:
        tables = marked.snapshot.tables
        assert tables["one"] == tables["two"]
    assert [int(m.lsn.split("/")[1], 16) for m in marks] == sorted(
        int(m.lsn.split("/")[1], 16) for m in marks
    )


def test_a_writer_that_does_not_end_is_not_waited_for_for_ever(
    server_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moment, "_TRIES", 2)
    with server_database.connect(write=True) as connection:
        connection.execute(sa.text("DELETE FROM utterances WHERE position = 1"))
        with pytest.raises(CoachError) as caught:
            moment.mark(server_database, "point")
    assert caught.value.code == "COACH-BKP-021"


def test_a_role_without_the_right_is_told_which_one(server_database: Database) -> None:
    with server_database.connect(write=True) as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS plain"))
        connection.execute(sa.text("CREATE ROLE plain LOGIN"))
        for grant in ("ALL ON ALL TABLES IN SCHEMA public", "ALL ON SCHEMA public"):
            connection.execute(sa.text(f"GRANT {grant} TO plain"))
    url = server_database.engine.url.set(username="plain").render_as_string(hide_password=False)
    plain = Database(url)
    try:
        with pytest.raises(CoachError) as caught:
            moment.mark(plain, "point")
    finally:
        plain.close()
        with server_database.connect(write=True) as connection:
            connection.execute(sa.text("DROP OWNED BY plain"))
            connection.execute(sa.text("DROP ROLE plain"))
    assert caught.value.code == "COACH-BKP-028"
    assert "pg_create_restore_point" in caught.value.message
    assert not isinstance(caught.value.__cause__, exc.OperationalError)

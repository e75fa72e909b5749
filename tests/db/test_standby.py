"""Several servers: which is written to, what the command line says and does about them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from coachops.cli.main import app
from coachops.core.errors import CoachError
from coachops.db import Database, client_url
from coachops.db.engine import parsed_url, servers_of
from coachops.db.fence import Fence
from coachops.db.models import Coach
from coachops.db.standby import promote, status
from tests.support.postgres_pair import PATIENT, PostgresPair, hasty


@pytest.fixture
def name(postgres_pair: PostgresPair) -> str:
    return postgres_pair.create("template_coachops")


@pytest.fixture
def database(postgres_pair: PostgresPair, name: str, tmp_path: Path) -> Iterator[Database]:
    database = Database(postgres_pair.url(name), limits=PATIENT, home=tmp_path)
    yield database
    database.close()


@pytest.fixture
def command(
    postgres_pair: PostgresPair, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CliRunner:
    monkeypatch.setenv("COACHOPS_DATABASE_URL", postgres_pair.url(name))
    monkeypatch.setenv("COACHOPS_HOME", str(tmp_path))
    return CliRunner()


def add(database: Database, number: int) -> None:
    database.run(
        lambda session: session.add(
            Coach(external_id=f"c{number}", name="Ada", email=f"c{number}@example.org")
        )
    )


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Coach)) or 0


@pytest.mark.postgres
def test_while_there_is_no_primary_reading_goes_on_and_writing_says_why(
    postgres_pair: PostgresPair, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    add(database, 1)
    postgres_pair.wait_for_replay()
    assert database.state().mode == "read_write"
    postgres_pair.kill_primary()
    with caplog.at_level(logging.WARNING, "coachops.db"):
        assert count(database) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the state of the database changed"
    ]
    state = database.state()
    assert (state.mode, state.writable) == ("read_only", False)
    with pytest.raises(CoachError) as caught, hasty(database):
        add(database, 2)
    assert caught.value.code == "COACH-DB-007"
    assert caught.value.details["retry_after"] == 5
    assert database.aside(lambda session: None) is False
    postgres_pair.promote()
    add(database, 2)
    assert database.state().mode == "read_write"
    assert count(database) == 2


@pytest.mark.postgres
def test_a_server_that_is_made_read_only_is_left_by_open_connections(
    postgres_pair: PostgresPair, database: Database
) -> None:
    add(database, 1)
    postgres_pair.primary.query("ALTER SYSTEM SET default_transaction_read_only = on")
    postgres_pair.primary.query("SELECT pg_reload_conf()")
    try:
        shown = "SELECT current_setting('default_transaction_read_only') = 'on'"
        postgres_pair.primary.wait_until(lambda: postgres_pair.primary.query(shown))
        with pytest.raises(CoachError) as caught, hasty(database):
            add(database, 2)
        assert caught.value.code == "COACH-DB-007"
        assert count(database) == 1
    finally:
        with psycopg.connect(
            f"host=127.0.0.1 port={postgres_pair.primary.port} user=coachops dbname=postgres",
            autocommit=True,
        ) as admin:
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")
    postgres_pair.primary.wait_until(lambda: not postgres_pair.primary.query(shown))
    add(database, 2)


@pytest.mark.postgres
def test_status_says_that_a_failover_loses_nothing(
    postgres_pair: PostgresPair, database: Database, command: CliRunner
) -> None:
    add(database, 1)
    shown = command.invoke(app, ["db", "status", "--json"])
    found = json.loads(shown.stdout)
    assert shown.exit_code == 0, shown.stdout
    assert found["loses_nothing"] is True
    assert [row["role"] for row in found["servers"]] == (
        ["primary", "standby"]
        if postgres_pair.primary is postgres_pair.a
        else ["standby", "primary"]
    )
    assert {row["sync_state"] for row in found["followers"]} == {"sync"}
    text = command.invoke(app, ["db", "status"])
    assert "A failover loses nothing (RPO 0)." in text.stdout


@pytest.mark.postgres
def test_promotion_is_refused_while_the_primary_answers_and_without_a_standby(
    postgres_pair: PostgresPair, database: Database, command: CliRunner
) -> None:
    refused = command.invoke(app, ["db", "promote"])
    assert isinstance(refused.exception, CoachError)
    assert refused.exception.code == "COACH-DB-012"
    assert f"127.0.0.1:{postgres_pair.primary.port} answers" in refused.exception.message
    postgres_pair.standby.stop()
    shown = command.invoke(app, ["db", "status"])
    assert shown.exit_code == 1
    assert "RPO > 0" in shown.stdout or "writes stand still" in shown.stdout
    refused = command.invoke(app, ["db", "promote", "--force"])
    assert isinstance(refused.exception, CoachError)
    assert "no standby answers" in refused.exception.message


@pytest.mark.postgres
def test_a_planned_change_of_the_primary_loses_nothing_and_ends_the_old_one(
    postgres_pair: PostgresPair, database: Database, command: CliRunner
) -> None:
    pair = postgres_pair
    pair.set_mode("async")
    for number in range(20):
        add(database, number)
    old, new = pair.primary, pair.standby
    done = command.invoke(app, ["db", "promote", "--force", "--alone"])
    assert done.exit_code == 0, done.output
    assert f"127.0.0.1:{new.port} is the primary now" in done.stdout
    assert "pg_rewind" in done.stdout
    pair.primary, pair.standby = new, old
    assert count(database) == 20
    add(database, 20)
    assert new.query("SELECT count(*) FROM coaches", pair_name(database)) == 21
    found = status(database)
    assert {row.role for row in found.servers} == {"primary", "replaced"}
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        old.query("CREATE TABLE x (i int)")


@pytest.mark.postgres
def test_a_planned_change_to_a_standby_that_lags_leaves_the_primary_in_its_place(
    postgres_pair: PostgresPair, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = postgres_pair
    pair.set_mode("async")
    add(database, 0)
    pair.wait_for_replay()
    pair.standby.freeze_walreceiver()
    add(database, 1)
    monkeypatch.setattr("coachops.db.handover.CATCH_UP_SECONDS", 0.3)
    with pytest.raises(CoachError) as caught:
        promote(database, force=True)
    assert caught.value.code == "COACH-DB-012"
    assert "takes writes again" in caught.value.message
    pair.standby.unfreeze()
    add(database, 2)
    assert count(database) == 3
    assert {row.role for row in status(database).servers} == {"primary", "standby"}


@pytest.mark.postgres
def test_after_a_promotion_nobody_waits_unknowingly_for_a_standby_that_is_away(
    postgres_pair: PostgresPair, database: Database, command: CliRunner
) -> None:
    pair = postgres_pair
    add(database, 1)
    pair.standby.query("ALTER SYSTEM SET synchronous_standby_names = 'elsewhere'")
    pair.standby.query("SELECT pg_reload_conf()")
    pair.kill_primary()
    done = command.invoke(app, ["db", "promote"])
    pair.primary, pair.standby = pair.standby, pair.primary
    assert "wait for 'elsewhere'" in done.stdout
    with pytest.raises(CoachError) as caught, hasty(database):
        add(database, 2)
    assert caught.value.code == "COACH-DB-004"
    pair.primary.query("ALTER SYSTEM RESET synchronous_standby_names")
    pair.primary.query("SELECT pg_reload_conf()")
    add(database, 3)


def pair_name(database: Database) -> str:
    return str(database.engine.url.database)


@pytest.mark.postgres
def test_damage_of_a_page_is_found_by_the_full_check(
    postgres_pair: PostgresPair, database: Database, name: str
) -> None:
    for number in range(300):
        add(database, number)
    assert database.check_integrity(full=True) == []
    node = postgres_pair.primary
    node.query("CREATE EXTENSION amcheck", name)
    assert database.check_integrity(full=True) == []
    postgres_pair.wait_for_replay()
    path = node.query("SELECT pg_relation_filepath('ix_operations_at')", name)
    database.close()
    node.stop("fast")
    with (node.data / path).open("r+b") as file:
        file.seek(8192 + 4000)
        file.write(b"\xff" * 64)
    node.start()
    problems = database.check_integrity(full=True)
    assert problems
    assert "ix_operations_at" in problems[0]
    node.query(f'DROP DATABASE "{name}" WITH (FORCE)')


HOSTS = st.lists(
    st.tuples(
        st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True), st.integers(1, 65535)
    ),
    min_size=1,
    max_size=4,
)


@given(hosts=HOSTS, password=st.text("abcXYZ019-._~", min_size=1, max_size=12))
def test_both_ways_of_naming_several_servers_mean_the_same(
    hosts: list[tuple[str, int]], password: str
) -> None:
    listed = ",".join(f"{host}:{port}" for host, port in hosts)
    query = "&".join(f"host={host}:{port}" for host, port in hosts)
    ways = (
        f"postgresql+psycopg://u:{password}@{listed}/name",
        f"postgresql+psycopg://u:{password}@/name?{query}",
    )
    for url in ways:
        servers = servers_of(parsed_url(url), Fence())
        assert [(host.name, int(host.port)) for host in servers.hosts] == hosts
        other = sa.make_url(client_url(url))
        assert (other.username, other.password, other.database) == ("u", password, "name")
        assert other.query["target_session_attrs"] == "read-write"


def test_a_fence_is_shared_by_the_processes_of_a_home_folder(tmp_path: Path) -> None:
    one, other, alone = Fence(tmp_path), Fence(tmp_path), Fence()
    one.note("77", 2)
    other.note("88", 5)
    assert (one.highest("77"), one.highest("88"), alone.highest("77")) == (2, 5, 0)
    other.note("77", 1)
    assert one.highest("77") == 2
    other.accept("77", 1)
    assert one.highest("77") == 1
    (tmp_path / "database-timeline.json").write_text("half a li")
    assert Fence(tmp_path).highest("77") == 0


def test_an_embedded_database_has_no_servers(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACHOPS_DATABASE_URL", sqlite_database.url)
    monkeypatch.setenv("COACHOPS_HOME", str(tmp_path))
    runner = CliRunner()
    assert "read_write" in runner.invoke(app, ["db", "status"]).stdout
    assert runner.invoke(app, ["db", "check", "--full"]).stdout == "sound\n"
    for refused in (
        runner.invoke(app, ["db", "promote"]),
        runner.invoke(app, ["db", "accept", "a:1"]),
    ):
        assert isinstance(refused.exception, CoachError)
        assert refused.exception.code == "COACH-DB-012"


@pytest.mark.postgres
def test_without_its_synchronous_standby_the_primary_is_read_only_until_it_is_back(
    postgres_pair: PostgresPair, database: Database
) -> None:
    """Otherwise every change would wait, and end in doubt instead of a plain refusal."""
    add(database, 1)
    postgres_pair.standby.stop("fast")
    away = "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_replication)"
    postgres_pair.primary.wait_until(lambda: postgres_pair.primary.query(away))
    codes = []
    for number in (2, 3):
        with pytest.raises(CoachError) as caught, hasty(database):
            add(database, number)
        codes.append(caught.value.code)
    assert codes == ["COACH-DB-004", "COACH-DB-007"]  # who was first could not know
    assert database.state().detail == "commits wait for a standby that is not connected"
    assert count(database) == 1
    postgres_pair.standby.start()
    postgres_pair.set_mode("sync")
    add(database, 3)
    assert database.state().mode == "read_write"

"""Faults 1 to 7 and 9: servers of PostgreSQL that die, lag, stop answering and come back."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks.failover import failover
from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.db import Database, Limits
from coachops.db.models import Coach
from coachops.db.standby import accept, promote, status
from tests.support.patience import PATIENCE
from tests.support.postgres_pair import PATIENT, PostgresPair, hasty

pytestmark = pytest.mark.postgres
COACHOPS = Path(sys.executable).parent / "coachops"


@pytest.fixture
def name(postgres_pair: PostgresPair) -> str:
    return postgres_pair.create("template_coachops")


@pytest.fixture
def database(postgres_pair: PostgresPair, name: str) -> Iterator[Database]:
    database = Database(postgres_pair.url(name), limits=PATIENT)
    yield database
    database.close()


def add(number: int) -> Callable[[Session], int]:
    def work(session: Session) -> int:
        session.add(Coach(external_id=f"c{number}", name="Ada", email=f"c{number}@example.org"))
        return number

    return work


def coaches(pair: PostgresPair, name: str) -> int:
    return int(pair.primary.query("SELECT count(*) FROM coaches", name))


@pytest.mark.faults(1)
def test_nobody_notices_that_the_primary_was_killed(
    postgres_pair: PostgresPair, fault_runs: Callable[[int, int], int]
) -> None:
    for _ in range(fault_runs(1, 20)):
        done = failover(postgres_pair, detection=0.5, least=60, wait=PATIENCE)
        assert done.acknowledged > 50
        assert (done.lost, done.doubled, done.errors) == (0, 0, 0)


@pytest.mark.faults(2)
def test_a_synchronous_standby_that_lags_has_everything_that_was_acknowledged(
    postgres_pair: PostgresPair, fault_runs: Callable[[int, int], int]
) -> None:
    for _ in range(fault_runs(1, 5)):
        done = failover(postgres_pair, detection=0.3, lag=0.5, least=60, wait=PATIENCE)
        assert done.acknowledged > 50
        assert (done.lost, done.doubled, done.errors) == (0, 0, 0)


@pytest.mark.faults(3)
def test_what_an_asynchronous_standby_lost_is_counted(
    postgres_pair: PostgresPair, name: str, tmp_path: Path
) -> None:
    pair = postgres_pair
    pair.set_mode("async")
    database = Database(pair.url(name), limits=PATIENT, home=tmp_path)
    before = status(database)
    assert not before.loses_nothing
    assert any("RPO > 0" in warning for warning in before.warnings)
    database.run(add(0))
    pair.wait_for_replay()
    pair.standby.freeze_walreceiver()
    for number in range(1, 8):
        database.run(add(number))  # acknowledged by the primary alone
    old = pair.primary
    pair.kill_primary()
    pair.standby.drop_walreceiver()
    promoted = promote(database, alone=True)
    pair.primary, pair.standby = pair.standby, pair.primary
    assert promoted.replaced == ""
    old.start()
    shown = subprocess.run(
        [COACHOPS, "db", "status", "--json"],
        env={**os.environ, "COACHOPS_HOME": str(tmp_path), "COACHOPS_DATABASE_URL": pair.url(name)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 1, shown.stderr
    rows = {row["host"]: row for row in json.loads(shown.stdout)["servers"]}
    lost = 8 - coaches(pair, name)
    assert lost == 7
    assert rows[f"127.0.0.1:{old.port}"]["role"] == "replaced"
    assert rows[f"127.0.0.1:{old.port}"]["lost_writes"] == lost
    database.close()


@pytest.mark.faults(4)
def test_a_cancelled_wait_for_the_standby_is_never_acknowledged(
    postgres_pair: PostgresPair, name: str, database: Database
) -> None:
    pair = postgres_pair
    database.run(add(0))
    pair.standby.freeze_walreceiver()
    seen: list[CoachError] = []

    def write() -> None:
        try:
            with database.write() as session:
                session.execute(sa.text("SELECT 'cancel me'"))
                add(1)(session)
        except CoachError as error:
            seen.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query ILIKE 'commit%'"
    )
    pair.primary.wait_until(lambda: pair.primary.query(waiting))
    pair.primary.query(f"SELECT pg_cancel_backend(({waiting}))")
    thread.join()
    assert [error.code for error in seen] == ["COACH-DB-004"]
    assert coaches(pair, name) == 2  # the server said yes, though no standby has it
    pair.standby.unfreeze()


@pytest.mark.faults(4)
def test_a_write_found_on_a_primary_alone_is_no_proof_until_the_standby_confirms(
    postgres_pair: PostgresPair, name: str, database: Database
) -> None:
    pair = postgres_pair
    database.run(add(0))
    pair.standby.freeze_walreceiver()
    results: list[object] = []

    def write() -> None:
        try:
            results.append(database.run(add(1)))
        except CoachError as error:
            results.append(error.code)

    def cancel() -> None:
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        pair.primary.wait_until(lambda: pair.primary.query(waiting))
        pair.primary.query(f"SELECT pg_cancel_backend(({waiting}))")

    for expected in ("COACH-DB-004", 1):
        with hasty(database, 3.0) if expected != 1 else contextlib.nullcontext():
            thread = threading.Thread(target=write)
            thread.start()
            cancel()
            if expected == 1:  # the standby is back: the second try has the row confirmed
                pair.standby.unfreeze()
            thread.join()
        assert results.pop() == expected
        if expected != 1:
            assert coaches(pair, name) == 2
            with (
                database.engine.connect() as plain
            ):  # what the first left must not stand in the way
                plain.exec_driver_sql("SET synchronous_commit = local")
                plain.exec_driver_sql("DELETE FROM coaches WHERE external_id = 'c1'")
                plain.commit()
    assert coaches(pair, name) == 2


class Cutter:
    """A proxy before a server that forwards the n-th COMMIT and swallows its answer."""

    def __init__(self, port: int, cut: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._server = port
        self._left = cut
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            self._sockets += [client, server]
            cut = threading.Event()
            for forward in (self._up, self._down):
                thread = threading.Thread(target=forward, args=(client, server, cut))
                self._threads.append(thread)
                thread.start()

    def _up(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        while data := _received(client):
            if b"COMMIT\0" in data:
                self._left -= 1
                if self._left == 0:
                    cut.set()
            if not _sent(server, data):  # the cut has closed it: a farewell may come after
                break
        _end(server)

    def _down(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        while data := _received(server):
            if cut.is_set():  # it has committed and says so: nobody hears it
                break
            if not _sent(client, data):
                break
        _end(client)
        _end(server)


def _end(one: socket.socket) -> None:
    """Close both directions, which also wakes a thread that waits for data."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _sent(target: socket.socket, data: bytes) -> bool:
    try:
        target.sendall(data)
    except OSError:
        return False
    return True


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""


@pytest.mark.faults(5)
def test_the_answer_of_a_commit_is_lost_and_the_work_is_done_once(
    postgres_pair: PostgresPair, name: str
) -> None:
    cutter = Cutter(postgres_pair.primary.port, cut=2)
    url = f"postgresql+psycopg://coachops@127.0.0.1:{cutter.port}/{name}"
    database = Database(url, limits=PATIENT)
    calls: list[int] = []

    def work(session: Session) -> str:
        calls.append(1)
        add(len(calls))(session)
        return f"made in call {len(calls)}"

    database.run(lambda session: None)
    assert database.run(work) == "made in call 1"
    assert len(calls) == 1
    assert coaches(postgres_pair, name) == 1
    database.close()
    cutter.close()


@pytest.mark.faults(5)
def test_a_plain_write_whose_answer_is_lost_is_not_called_a_failure_nor_a_success(
    postgres_pair: PostgresPair, name: str
) -> None:
    cutter = Cutter(postgres_pair.primary.port, cut=1)
    url = f"postgresql+psycopg://coachops@127.0.0.1:{cutter.port}/{name}"
    database = Database(url, limits=PATIENT)
    with pytest.raises(CoachError) as caught, database.write() as session:
        add(1)(session)
    assert caught.value.code == "COACH-DB-004"
    assert coaches(postgres_pair, name) == 1
    database.close()
    cutter.close()


@pytest.mark.faults(5)
def test_a_caller_that_repeats_its_operation_gets_what_is_there(
    postgres_pair: PostgresPair, name: str, database: Database
) -> None:
    key = ids.new_id()
    assert database.run(add(1), operation_id=key) == 1
    other = Database(postgres_pair.url(name), limits=PATIENT)  # another process
    with pytest.raises(CoachError) as caught:
        other.run(add(2), operation_id=key)
    assert caught.value.code == "COACH-DB-010"
    assert other.run(add(2), operation_id=key, repeated=lambda session: -1) == -1
    assert coaches(postgres_pair, name) == 1
    other.close()


@pytest.mark.faults(7)
def test_the_old_primary_comes_back_and_is_not_written_to(
    postgres_pair: PostgresPair, name: str, tmp_path: Path
) -> None:
    pair = postgres_pair
    pair.set_mode("async")  # synchronous, it could not acknowledge anything alone
    database = Database(pair.url(name), limits=PATIENT, home=tmp_path)
    database.run(add(1))
    idle = Database(pair.url(name), limits=PATIENT, home=tmp_path / "another-machine")
    assert coaches(pair, name) == 1
    with idle.read():
        pass  # it knows the old primary and sees nothing of the failover
    pair.wait_for_replay()
    old = pair.primary
    pair.kill_primary()
    promote(database, alone=True)
    pair.primary, pair.standby = pair.standby, pair.primary
    database.run(add(2))
    old.start()  # a primary with an older history, and first in no order that matters
    idle.run(add(9))
    idle.close()
    database.engine.dispose()
    for number in range(3, 6):
        database.run(add(number))
    # a process that starts now on this machine, one on another machine, one that knows only the old
    for number, home in enumerate((tmp_path, None), start=6):
        other = Database(pair.url(name), limits=PATIENT, home=home)
        other.run(add(number))
        other.close()
    only_old = Database(pair.url(name, hosts=(old,)), limits=Limits(wait=3.0), home=tmp_path)
    with pytest.raises(CoachError) as caught:
        only_old.run(add(8))
    assert caught.value.code == "COACH-DB-011"
    with pytest.raises(CoachError) as caught, only_old.read():
        pass
    assert caught.value.code == "COACH-DB-011"
    assert old.query("SELECT count(*) FROM coaches", name) == 1
    assert coaches(pair, name) == 8
    accept(only_old, f"127.0.0.1:{old.port}")  # an operator's decision, by hand
    only_old.run(add(8))
    assert old.query("SELECT count(*) FROM coaches", name) == 2
    only_old.close()
    database.close()


@pytest.mark.faults(7, 9)
def test_pooled_connections_to_a_primary_that_was_only_silent_are_given_up(
    postgres_pair: PostgresPair, name: str, tmp_path: Path
) -> None:
    pair = postgres_pair
    pair.set_mode("async")
    database = Database(pair.url(name), home=tmp_path)
    database.run(add(1))
    pair.wait_for_replay()
    old = pair.primary
    old.freeze()
    pair.standby.query("SELECT pg_promote(true, 30)")
    pair.primary, pair.standby = pair.standby, pair.primary
    database.run(add(2))  # found the new primary
    old.unfreeze()
    with_old_pool = Database(pair.url(name, hosts=(old,)), limits=PATIENT)
    with_old_pool.run(add(99))  # an old process somewhere: what a fence cannot reach
    database.run(add(3))
    assert coaches(pair, name) == 3
    assert old.query("SELECT count(*) FROM coaches WHERE external_id = 'c3'", name) == 0
    with_old_pool.close()
    database.close()


@pytest.mark.faults(9)
def test_a_silent_host_fails_within_its_limit(postgres_pair: PostgresPair, name: str) -> None:
    pair = postgres_pair
    only = Database(pair.url(name, hosts=(pair.primary,)), limits=Limits(wait=2.0))
    only.run(add(1))
    codes: list[str] = []
    entered = threading.Event()

    def in_flight() -> None:
        try:
            with only.read() as session:
                entered.set()
                session.execute(sa.text("SELECT pg_sleep(60)"))
        except CoachError as error:
            codes.append(error.code)

    thread = threading.Thread(target=in_flight)
    thread.start()
    entered.wait()
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'"
    pair.primary.wait_until(lambda: pair.primary.query(sleeping))
    pair.primary.freeze()
    for attempt in (only.read, only.write):
        with pytest.raises(CoachError) as caught, attempt():
            pass
        codes.append(caught.value.code)
    thread.join()
    assert codes == ["COACH-DB-001"] * 3  # while it is silent still: the limits ended the waits
    pair.primary.unfreeze()
    assert only.run(add(2)) == 2
    only.close()

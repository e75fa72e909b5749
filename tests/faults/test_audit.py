"""Fault 44: rows of the audit record changed by hand are located, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.audit import AuditHead, chain, recording
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database, migrate
from coachops.db.models import AuditEvent

pytestmark = pytest.mark.faults(44)


def write(database: Database, count: int, name: str = "row") -> None:
    def work(session: Session) -> None:
        for number in range(count):
            audit.record(session, SYSTEM, "test.done", name, number, part=number, of=count, ok=True)

    database.run(work)


def tamper(database: Database, statement: str, **values: object) -> None:
    """What somebody does who can write to the database past the suite."""
    with database.connect(write=True) as connection:
        connection.execute(sa.text(statement), values)


@pytest.fixture
def chained(database: Database) -> Database:
    write(database, 12)
    assert audit.seal(database) == 12
    report = audit.verify(database)
    assert report.intact
    assert (report.checked, report.waiting, report.head.seq if report.head else 0) == (12, 0, 12)
    return database


EDITS = {
    "action": "UPDATE audit_events SET action = 'test.undone' WHERE seq = :n",
    "subject": "UPDATE audit_events SET subject_id = '999' WHERE seq = :n",
    "details": "UPDATE audit_events SET details = '{\"part\": 1}' WHERE seq = :n",
    "actor": "UPDATE audit_events SET actor_id = id WHERE seq = :n",
    "time": "UPDATE audit_events SET at = '2026-01-01T00:00:00.000000Z' WHERE seq = :n",
    "hash": "UPDATE audit_events SET hash = prev WHERE seq = :n",
}


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("row", [1, 7, 12])
def test_an_edited_row_is_named(chained: Database, what: str, row: int) -> None:
    tamper(chained, EDITS[what], n=row)
    first = audit.verify(chained).first
    assert first is not None
    assert (first.kind, first.seq) == ("edited", row)


def test_an_edited_row_with_its_seal_made_anew_is_found_at_its_follower(chained: Database) -> None:
    with chained.write() as session:
        row = session.scalars(sa.select(AuditEvent).where(AuditEvent.seq == 5)).one()
        row.action = "test.undone"
        row.digest = recording.digest_of(
            row.id, row.at, row.actor_id, row.action, row.subject_type, row.subject_id, row.details
        )
        row.hash = chain.link(row.prev or "", 5, row.digest)
    first = audit.verify(chained).first
    assert first is not None
    assert (first.kind, first.seq) == ("moved", 6)


def test_deleted_rows_are_named(chained: Database) -> None:
    tamper(chained, "DELETE FROM audit_events WHERE seq IN (4, 5)")
    report = audit.verify(chained)
    assert [(each.kind, each.seq) for each in report.breaks] == [("deleted", 4)]
    assert "up to row 5" in report.breaks[0].text


def test_two_rows_that_changed_places_are_found(chained: Database) -> None:
    for old, new in ((3, 1000), (8, 3), (1000, 8)):
        tamper(chained, "UPDATE audit_events SET seq = :new WHERE seq = :old", old=old, new=new)
    first = audit.verify(chained).first
    assert first is not None
    assert first.seq == 3


def test_a_row_put_in_by_hand_is_found_before_and_after_it_is_sealed(chained: Database) -> None:
    tamper(
        chained,
        "INSERT INTO audit_events (id, at, action, subject_type, subject_id, details, digest) "
        "SELECT :id, at, 'test.invented', subject_type, subject_id, details, digest "
        "FROM audit_events WHERE seq = 2",
        id="0" * 32 if chained.is_sqlite else "0" * 8 + "-0000-0000-0000-" + "0" * 12,
    )
    report = audit.verify(chained)
    assert [each.kind for each in report.breaks] == ["unknown"]
    assert audit.seal(chained) == 1
    first = audit.verify(chained).first
    assert first is not None
    assert (first.kind, first.seq) == ("edited", 13)


def test_a_cut_off_tail_is_found_by_the_head(chained: Database) -> None:
    tamper(chained, "DELETE FROM audit_events WHERE seq > 9")
    first = audit.verify(chained).first
    assert first is not None
    assert (first.kind, first.seq) == ("deleted", 10)


def test_a_tail_cut_off_with_its_head_is_found_by_the_head_of_a_backup(chained: Database) -> None:
    with chained.read() as session:
        kept = audit.head(session)
    tamper(chained, "DELETE FROM audit_events WHERE seq > 9")
    tamper(
        chained,
        "UPDATE audit_head SET seq = 9, hash = (SELECT hash FROM audit_events WHERE seq = 9)",
    )
    assert audit.verify(chained).intact  # nothing inside the database can know
    report = audit.verify(chained, against=[AuditHead.parse(str(kept))])
    assert [(each.kind, each.seq) for each in report.breaks] == [("cut", 12)]


def test_a_chain_written_anew_as_a_whole_is_found_by_the_head_of_a_backup(
    chained: Database,
) -> None:
    with chained.read() as session:
        kept = audit.head(session)
    tamper(chained, "DELETE FROM audit_events WHERE seq = 2")
    tamper(chained, "UPDATE audit_events SET seq = NULL, prev = NULL, hash = NULL")
    tamper(chained, "UPDATE audit_head SET seq = 0, hash = :zero", zero=chain.GENESIS)
    write(chained, 1)
    assert audit.seal(chained) == 12
    assert audit.verify(chained).intact
    first = audit.verify(chained, against=[kept]).first
    assert first is not None
    assert (first.kind, first.seq) == ("rewritten", 12)


def test_a_missing_head_is_said_and_nothing_is_sealed_onto_a_guess(chained: Database) -> None:
    tamper(chained, "DELETE FROM audit_head")
    write(chained, 1)
    first = audit.verify(chained).first
    assert first is not None
    assert first.kind == "head"
    with pytest.raises(CoachError) as caught:
        audit.seal(chained)
    assert caught.value.code == "COACH-SYS-009"


def test_values_that_no_column_of_ours_holds_are_located_too(sqlite_database: Database) -> None:
    write(sqlite_database, 3)
    audit.seal(sqlite_database)
    tamper(sqlite_database, "UPDATE audit_events SET at = 'never', details = '{' WHERE seq = 2")
    report = audit.verify(sqlite_database)
    assert [(each.kind, each.seq) for each in report.breaks] == [("edited", 2)]


def test_the_quick_look_covers_the_newest_rows(chained: Database) -> None:
    tamper(chained, EDITS["action"], n=11)
    assert audit.verify(chained, newest=1).intact
    first = audit.verify(chained, newest=5).first
    assert first is not None
    assert first.seq == 11


def test_many_writers_and_sealers_at_once_make_one_chain(
    database: Database, fault_runs: Callable[[int, int], int]
) -> None:
    rounds = fault_runs(5, 60)
    problems: list[BaseException] = []

    def act(name: str) -> None:
        try:
            for _ in range(rounds):
                write(database, 3, name)
                audit.seal(database)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=act, args=(f"writer {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    audit.seal(database)
    report = audit.verify(database)
    assert report.intact
    assert (report.checked, report.waiting) == (6 * rounds * 3, 0)


def test_an_act_that_is_taken_back_leaves_no_trace_in_the_chain(database: Database) -> None:
    def work(session: Session) -> None:
        audit.record(session, SYSTEM, "test.done", "row", 1)
        session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.run(work)
    assert audit.seal(database) == 0
    assert audit.verify(database).checked == 0


def test_the_migration_seals_the_rows_of_before(
    backend: str, new_database_url: Callable[..., str]
) -> None:
    database = Database(new_database_url(backend, migrated=False))
    migrate.upgrade(database, "0008")
    with database.connect(write=True) as connection:
        for number in range(1, 4):
            hexed = f"{number:032x}"
            connection.execute(
                sa.text(
                    "INSERT INTO audit_events (id, at, actor_id, action, subject_type, subject_id, "
                    "details) VALUES (:id, '2026-01-01T00:00:00.120000Z', NULL, 'a.b', 't', 's', "
                    '\'{"b": 1, "a": "\u00e4"}\')'
                ),
                {
                    "id": hexed
                    if backend == "sqlite"
                    else f"{hexed[:8]}-0000-0000-0000-{hexed[20:]}"
                },
            )
    migrate.upgrade(database)
    write(database, 2)
    assert audit.seal(database) == 2
    report = audit.verify(database)
    assert report.intact
    assert report.checked == 5
    database.close()

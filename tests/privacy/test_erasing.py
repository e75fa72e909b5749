"""Erasing a client: nothing of them is left anywhere, nothing of anybody else is touched."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops import audit, privacy
from coachops.bootstrap import Services
from coachops.coaching.roster import import_roster
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db.models import AuditEvent, Base, Client, Erasure, Message, QuarantineItem
from coachops.export import run_export, verify_export
from coachops.jobs.packaging import make_package
from coachops.jobs.privacy import erase_client, erased_id, look_at, run_retention
from coachops.jobs.queue import JobQueue
from coachops.privacy.rows import PARTS
from tests.coaching.builders import make_transcript
from tests.privacy.conftest import GONE, SQLITE, STAYS
from tests.support.subjects import Subject, activity_of, files_with, rows_of, tables_with

HEADER = (
    "coach_external_id,coach_name,coach_email,client_external_id,client_name,client_email,"
    "engagement_external_id,engagement_title,started_on\n"
)
ROW = "coach-9,Ann Lee,ann@example.org,{client},Maya,{email},eng-{client},Leading,2026-01-05\n"


def test_the_marker_is_in_every_place_before_and_in_none_afterwards(
    services: Services, gone: Subject, stays: Subject
) -> None:
    home = services.settings.home
    before = set(tables_with(services, GONE))
    assert {part.name for part in PARTS} - before <= {
        "engagements", "outbound_records", "transcript_edits", "mail_events",
    }  # these hold no words of the client  # fmt: skip
    assert "suppressions" in before
    touched = {Path(each).parts[0] for each in files_with(home, GONE)}
    assert touched >= {"outbox", "reports", "exports"}
    assert len(list((home / "mail-reports").iterdir())) == 2  # what they say is base64
    erased = erase_client(services, SYSTEM, str(gone.client_id))
    assert erased.remaining == ()
    assert tables_with(services, GONE) == []
    assert files_with(home, GONE) == []
    assert tables_with(services, STAYS) != []
    assert len(list((home / "mail-reports").iterdir())) == 1
    assert {Path(each).parts[0] for each in files_with(home, STAYS)} >= touched - {
        "coachops.db-wal"
    }


def test_rows_of_other_clients_are_untouched(
    services: Services, gone: Subject, stays: Subject
) -> None:
    def others(model: type[Base]) -> list[tuple[object, ...]]:
        return [row for row in rows_of(services, model) if STAYS in str(row)]

    before = {part.name: others(part.model) for part in PARTS}
    counts = look_at(services, SYSTEM, str(stays.client_id)).held.rows
    erase_client(services, SYSTEM, str(gone.client_id))
    assert {part.name: others(part.model) for part in PARTS} == before
    assert look_at(services, SYSTEM, str(stays.client_id)).held.rows == counts
    assert all(counts[part.name] for part in PARTS)


def test_what_is_shown_is_what_goes(services: Services, gone: Subject) -> None:
    subject = look_at(services, SYSTEM, f"ext-{GONE}")
    assert subject.held.on_hold is False
    assert {each.place for each in subject.held.files} == {"outbox", "mail_reports", "reports"}
    assert tables_with(services, GONE) != []  # looking changes nothing
    erased = erase_client(services, SYSTEM, f"{GONE}@example.org")
    assert erased.rows == subject.held.rows
    assert erased.files["outbox"] == 2
    assert [each.export_id for each in erased.exports] == [
        each.export_id for each in subject.held.exports
    ]


def test_the_audit_says_who_erased_with_ids_and_counts_only(
    services: Services, gone: Subject
) -> None:
    admin = Actor(None, "admin", "Ada")
    erase_client(services, admin, str(gone.client_id), "consent_withdrawn")
    with services.database.read() as session:
        event = session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "client.erased")
        ).one()
        row = session.get_one(Erasure, gone.client_id)
    assert event.subject_id == str(gone.client_id)
    assert event.details.keys() == {"reason", "rows"}
    assert (row.reason, row.remaining) == ("consent_withdrawn", [])
    assert row.finished_at is not None
    audit.seal(services.database)
    assert audit.verify(services.database).first is None


def test_activity_stays_as_counts_that_name_no_row(
    services: Services, gone: Subject, stays: Subject
) -> None:
    before = activity_of(services)
    assert gone.message_id in before
    erase_client(services, SYSTEM, str(gone.client_id))
    after = activity_of(services)
    assert len(after) == len(before)
    assert gone.message_id not in after
    assert stays.message_id in after


@SQLITE
def test_a_no_to_letters_outlives_the_client(services: Services, gone: Subject) -> None:
    erase_client(services, SYSTEM, str(gone.client_id))
    with services.database.read() as session:
        rows = session.execute(sa.text("SELECT reason, note, lifted_at FROM suppressions")).all()
    assert [tuple(row) for row in rows] == [("opt_out", "", None)]


@SQLITE
def test_a_whole_roster_that_was_refused_loses_its_bytes_but_is_not_forgotten(
    services: Services, gone: Subject
) -> None:
    erase_client(services, SYSTEM, str(gone.client_id))
    with services.database.read() as session:
        (kind, state, content) = session.execute(
            sa.select(QuarantineItem.kind, QuarantineItem.state, QuarantineItem.content)
        ).one()
    assert (kind, state, content) == ("roster", "expired", None)


@SQLITE
def test_only_admins_erase(services: Services, gone: Subject) -> None:
    for act in (erase_client, look_at):
        with pytest.raises(CoachError) as caught:
            act(services, gone.pair.actor, str(gone.client_id))
        assert caught.value.code == "COACH-IDN-003"
    with pytest.raises(CoachError, match="COACH-SYS-002"):
        erase_client(services, SYSTEM, str(gone.client_id), "because")
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        erase_client(services, SYSTEM, "nobody")
    assert tables_with(services, GONE) != []


@SQLITE
def test_a_letter_on_its_way_is_waited_for(services: Services, gone: Subject) -> None:
    with services.database.write() as session:
        message = session.get_one(Message, gone.message_id)
        message.state, message.sending_at = "sending", clock.now()
    before = files_with(services.settings.home, GONE)
    with pytest.raises(CoachError) as caught:
        erase_client(services, SYSTEM, str(gone.client_id))
    assert caught.value.code == "COACH-PRV-002"
    assert caught.value.spec.retryable
    assert files_with(services.settings.home, GONE) == before
    with services.database.write() as session:  # the program that sent it died
        session.get_one(Message, gone.message_id).sending_at = clock.now() - dt.timedelta(hours=1)
    assert erase_client(services, SYSTEM, str(gone.client_id)).remaining == ()


@SQLITE
def test_work_that_waits_for_the_client_is_cancelled(
    services: Services, gone: Subject, stays: Subject
) -> None:
    queue = JobQueue(services.settings)
    jobs = [queue.enqueue_pipeline(each.transcript_id) for each in (gone, stays)]
    erase_client(services, SYSTEM, str(gone.client_id))
    states = [queue.get(job).state for job in jobs]
    queue.close()
    assert states == ["cancelled", "waiting"]


def test_a_roster_does_not_bring_an_erased_client_back(services: Services, gone: Subject) -> None:
    erase_client(services, SYSTEM, str(gone.client_id))
    same_id = ROW.format(client=f"EXT-{GONE}", email="new@example.org")
    same_address = ROW.format(client="other", email=f"{GONE.upper()}@example.org")
    fine = ROW.format(client="fine", email="fine@example.org")
    result = import_roster(
        services.database, SYSTEM, (HEADER + same_id + same_address + fine).encode()
    )
    assert [row.line for row in result.rejected] == [2, 3]
    assert all(row.reason.startswith("COACH-PRV-003") for row in result.rejected)
    assert result.clients_created == 1
    assert tables_with(services, GONE) == []  # the rejected rows are not kept either
    assert tables_with(services, GONE.upper()) == []
    client_id = erased_id(services, f"ext-{GONE}")
    assert client_id == gone.client_id
    privacy.readmit(services.database, SYSTEM, client_id)
    again = import_roster(services.database, SYSTEM, (HEADER + same_id).encode())
    assert again.rejected == ()
    with services.database.read() as session:
        new = session.scalars(sa.select(Client).where(Client.external_id == f"EXT-{GONE}")).one()
    assert new.id != gone.client_id
    with pytest.raises(CoachError, match="COACH-PRV-006"):
        privacy.readmit(services.database, SYSTEM, client_id)
    with pytest.raises(CoachError, match="COACH-PRV-006"):
        erased_id(services, f"ext-{GONE}")


@SQLITE
def test_without_the_secret_of_the_list_no_new_client_is_taken_in(
    services: Services, gone: Subject
) -> None:
    erase_client(services, SYSTEM, str(gone.client_id))
    (services.settings.home / "secrets" / "erasures").unlink()
    row = ROW.format(client="new", email="new@example.org")
    (rejected,) = import_roster(services.database, SYSTEM, (HEADER + row).encode()).rejected
    assert rejected.reason.startswith("COACH-PRV-005")


@SQLITE
def test_exports_that_may_hold_the_client_are_listed_and_our_copies_go(
    services: Services, gone: Subject, stays: Subject, tmp_path: Path
) -> None:
    home, database = services.settings.home, services.database
    analyst = Actor(None, "analyst", "Ann")
    everybody = run_export(database, analyst, home / "exports" / "all", ["csv"])
    elsewhere = run_export(database, analyst, tmp_path / "given away", ["csv"])
    coaches = run_export(database, analyst, home / "exports" / "coaches", ["csv"], ["coaches"])
    erased = erase_client(services, SYSTEM, str(gone.client_id))
    listed = {each.export_id: each for each in erased.exports}
    assert listed.keys() >= {everybody["export_id"], elsewhere["export_id"]}
    assert coaches["export_id"] not in listed
    assert listed[elsewhere["export_id"]].folder is None
    left = {path.name for path in (home / "exports").iterdir()}
    assert left == {"coaches", f"of-{stays.client_id}"}
    assert all(check.ok for check in verify_export(home / "exports" / "coaches"))


@SQLITE
def test_an_export_that_was_under_way_is_removed_by_the_daily_run(
    services: Services, gone: Subject, stays: Subject
) -> None:
    """Its moment lies before the erasure, but it was published afterwards."""
    exports = services.settings.home / "exports"
    run_export(services.database, SYSTEM, exports / "late", ["csv"])
    shutil.move(exports / "late", exports.parent / "under way")
    erase_client(services, SYSTEM, str(gone.client_id))
    shutil.move(exports.parent / "under way", exports / "late")
    run_export(services.database, SYSTEM, exports / "newer", ["csv"])
    done = run_retention(services)
    assert done.remaining == ()
    assert {path.name for path in exports.iterdir()} == {"newer", f"of-{stays.client_id}"}


@SQLITE
def test_an_export_that_was_made_while_files_were_removed_goes_and_is_listed(
    services: Services, gone: Subject
) -> None:
    database, home = services.database, services.settings.home
    made: list[str] = []

    class Busy(privacy.RegisteredExports):
        """Somebody makes an export just after it was asked which there are."""

        def issued(self) -> list[privacy.Issued]:
            found = super().issued()
            if not made:
                manifest = run_export(database, SYSTEM, home / "exports" / "between", ["csv"])
                made.append(manifest["export_id"])
            return found

    erased = privacy.erase(database, SYSTEM, home, gone.client_id, "request", Busy(database, home))
    assert made[0] in {each.export_id for each in erased.exports}
    assert not (home / "exports" / "between").exists()


@SQLITE
def test_a_package_in_the_folder_of_exports_goes_as_a_whole(
    services: Services, gone: Subject, stays: Subject
) -> None:
    exports = services.settings.home / "exports"
    for each in (gone, stays):
        make_package(services, SYSTEM, str(each.client_id), exports / f"package-{each.client_id}")
    erase_client(services, SYSTEM, str(gone.client_id))
    left = {path.name for path in exports.iterdir()}
    assert f"package-{gone.client_id}" not in left
    assert f"package-{stays.client_id}" in left
    assert files_with(services.settings.home, GONE) == []


@SQLITE
def test_half_an_export_of_a_killed_process_goes_and_one_under_way_stays(
    services: Services, gone: Subject
) -> None:
    exports = services.settings.home / "exports"
    dead, alive = exports / ".a.partial-1", exports / ".b.partial-2"
    staged = exports / ".work" / "c" / "1"  # on its way to a bucket
    for folder in (dead, alive, staged):
        folder.mkdir(parents=True)
        (folder / "clients.csv").write_text(GONE)

    def age(*folders: Path) -> None:
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                os.utime(path, (1_600_000_000, 1_600_000_000))

    age(dead)
    os.utime(alive, (1_600_000_000, 1_600_000_000))  # its own time is that of its making
    erase_client(services, SYSTEM, str(gone.client_id))
    assert {path.name for path in exports.iterdir()} == {alive.name, ".work"}
    age(alive, staged.parent)  # their processes were killed, too
    run_retention(services)
    assert [path.name for path in exports.iterdir()] == [".work"]
    assert list((exports / ".work").iterdir()) == []


@SQLITE
def test_a_reader_that_stays_delays_the_files_of_the_database_until_the_daily_run(
    services: Services, gone: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.privacy.compacting.WAIT_SECONDS", 0.1)
    monkeypatch.setattr("coachops.privacy.compacting.compact.__defaults__", (0.1,))
    file = services.settings.home / "coachops.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM clients").fetchone()
        erased = erase_client(services, SYSTEM, str(gone.client_id))
        assert erased.remaining == ("database",)
        assert tables_with(services, GONE) == []
        reader.execute("COMMIT")
    assert run_retention(services).remaining == ()
    assert files_with(services.settings.home, GONE) == []
    with services.database.read() as session:
        assert session.get_one(Erasure, gone.client_id).finished_at is not None


@SQLITE
def test_a_file_that_cannot_be_removed_is_told_and_tried_again(
    services: Services, gone: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = services.settings.home / "outbox" / "forwarded.eml"
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stubborn:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        erased = erase_client(services, SYSTEM, str(gone.client_id))
    assert set(erased.remaining) == {str(stubborn)}
    assert run_retention(services).remaining == ()
    assert not stubborn.exists()


def test_an_erasure_that_was_cut_short_before_its_rows_went_is_simply_asked_for_again(
    services: Services, gone: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("coachops.privacy.rows.delete", _dies)
        with pytest.raises(KeyboardInterrupt):
            erase_client(services, SYSTEM, str(gone.client_id))
    with services.database.read() as session:
        assert session.get(Client, gone.client_id) is not None
        assert session.get(Erasure, gone.client_id) is None
    assert erase_client(services, SYSTEM, str(gone.client_id)).remaining == ()
    assert tables_with(services, GONE) == []


def test_an_erasure_that_was_cut_short_after_its_rows_went_is_finished_by_the_daily_run(
    services: Services, gone: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("coachops.privacy.journal.sync", _dies)
        with pytest.raises(KeyboardInterrupt):
            erase_client(services, SYSTEM, str(gone.client_id))
    journal = services.settings.home / "privacy" / "erased.jsonl"
    assert not journal.exists()
    assert run_retention(services).remaining == ()
    assert str(gone.client_id) in journal.read_text()
    assert files_with(services.settings.home, GONE) == []


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


@SQLITE
def test_databases_that_a_restore_kept_aside_lose_the_client_too(
    services: Services, gone: Subject, stays: Subject
) -> None:
    home = services.settings.home
    aside = home / "before-restore-20261101T000000Z"
    aside.mkdir()
    with (
        closing(sqlite3.connect(home / "coachops.db")) as source,
        closing(sqlite3.connect(aside / "coachops.db")) as copy,
    ):
        source.backup(copy)
    strange = home / "before-restore-20250101T000000Z"
    strange.mkdir()
    with closing(sqlite3.connect(strange / "coachops.db")) as other:
        other.execute("CREATE TABLE alembic_version (version_num TEXT)")
        other.execute("INSERT INTO alembic_version VALUES ('0003')")
        other.commit()
    assert len(look_at(services, SYSTEM, str(gone.client_id)).held.older) == 2
    erased = erase_client(services, SYSTEM, str(gone.client_id))
    assert erased.remaining == (str(strange / "coachops.db"),)
    assert files_with(aside, GONE) == []
    assert files_with(aside, STAYS) == ["coachops.db"]
    shutil.rmtree(strange)
    assert run_retention(services).remaining == ()


@SQLITE
def test_files_of_a_namesake_part_are_not_taken_for_the_client(
    services: Services, gone: Subject
) -> None:
    """`client-1` is not `client-10`, and a part of a word is no name."""
    report = services.settings.home / "reports" / "weekly" / "other"
    report.mkdir()
    (report / "weekly.html").write_text(f"ext-{GONE}0 and Maya {GONE}s and x{GONE}@example.org")
    erase_client(services, SYSTEM, str(gone.client_id))
    assert report.exists()


@SQLITE
def test_many_sessions_go_in_one_transaction(services: Services, gone: Subject) -> None:
    for _ in range(3):
        make_transcript(services.database, gone.pair)
    erased = erase_client(services, SYSTEM, str(gone.client_id))
    assert erased.rows["transcripts"] == 4

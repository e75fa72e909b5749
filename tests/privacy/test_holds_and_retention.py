"""What may not go yet stays; what is older than its period goes."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops import privacy
from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db.models import (
    ActionItem,
    Activity,
    Analysis,
    AuditEvent,
    CoachingSession,
    Feedback,
    Insight,
    Message,
    Transcript,
    Utterance,
)
from coachops.db.models.privacy import RETENTION_KINDS
from coachops.jobs import Jobs
from coachops.jobs.ids import keyed_id
from coachops.jobs.privacy import erase_client, look_at, run_retention
from tests.privacy.conftest import GONE, SQLITE
from tests.support.subjects import Subject, plant, rows_of, tables_with

ANALYST = Actor(None, "analyst", "Ann")


def _age(services: Services, days: int) -> None:
    """Everything of now happened so many days ago."""
    at = clock.now() - dt.timedelta(days=days)
    with services.database.write() as session:
        for statement in (
            sa.update(CoachingSession).values(held_on=at.date()),
            sa.update(Analysis).values(created_at=at),
            sa.update(Message).values(updated_at=at),
            sa.update(Activity).values(at=at),
        ):
            session.execute(statement.execution_options(synchronize_session=False))


def _count(services: Services, *models: type) -> list[int]:
    return [len(rows_of(services, model)) for model in models]


def test_a_hold_blocks_erasure_until_it_is_released(services: Services, gone: Subject) -> None:
    hold = privacy.add(services.database, SYSTEM, gone.client_id, "claim pending, file 12")
    second = privacy.add(services.database, SYSTEM, gone.client_id, "tax records")
    assert look_at(services, SYSTEM, str(gone.client_id)).held.on_hold
    for each in (hold, second):
        with pytest.raises(CoachError) as caught:
            erase_client(services, SYSTEM, str(gone.client_id))
        assert caught.value.code == "COACH-PRV-001"
        assert "hold list" in caught.value.next_step
        privacy.release(services.database, SYSTEM, str(each))
    assert tables_with(services, GONE) != []
    assert privacy.list_holds(services.database, SYSTEM) == []
    ended = privacy.list_holds(services.database, SYSTEM, ended=True)
    assert [each.reason for each in ended][:2] == ["tax records", "claim pending, file 12"]
    assert erase_client(services, SYSTEM, str(gone.client_id)).remaining == ()
    assert privacy.list_holds(services.database, SYSTEM, ended=True) == []


@SQLITE
def test_a_hold_that_comes_while_files_are_searched_still_saves_the_rows(
    services: Services, gone: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = privacy.erasing.folders.find

    def placed_meanwhile(*arguments: object) -> object:
        privacy.add(services.database, SYSTEM, gone.client_id, "just now")
        return find(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("coachops.privacy.folders.find", placed_meanwhile)
    with pytest.raises(CoachError, match="COACH-PRV-001"):
        erase_client(services, SYSTEM, str(gone.client_id))
    assert "utterances" in tables_with(services, GONE)


@SQLITE
def test_holds_are_for_admins_and_need_a_reason(services: Services, gone: Subject) -> None:
    database = services.database
    for reason, actor, code in (
        ("  ", SYSTEM, "COACH-PRV-008"), ("x" * 501, SYSTEM, "COACH-PRV-008"),
        ("duty", ANALYST, "COACH-IDN-003"), ("duty", gone.pair.actor, "COACH-IDN-003"),
    ):  # fmt: skip
        with pytest.raises(CoachError) as caught:
            privacy.add(database, actor, gone.client_id, reason)
        assert caught.value.code == code
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        privacy.add(database, SYSTEM, gone.message_id, "duty")
    for ref in ("nonsense", str(gone.message_id)):
        with pytest.raises(CoachError, match="COACH-PRV-006"):
            privacy.release(database, SYSTEM, ref)
    hold = str(privacy.add(database, SYSTEM, gone.client_id, "duty"))
    privacy.release(database, SYSTEM, hold)
    with pytest.raises(CoachError, match="COACH-PRV-006"):
        privacy.release(database, SYSTEM, hold)


def test_without_a_period_nothing_goes(services: Services, gone: Subject) -> None:
    _age(services, 4000)
    before = look_at(services, SYSTEM, str(gone.client_id)).held.rows
    assert run_retention(services).ran == ()
    assert look_at(services, SYSTEM, str(gone.client_id)).held.rows == before
    assert all(each.days is None for each in privacy.list_periods(services.database))


def test_transcripts_go_with_what_came_of_them_and_letters_stay(
    services: Services, gone: Subject
) -> None:
    privacy.set_period(services.database, SYSTEM, "transcripts", 730)
    _age(services, 720)
    assert [each.count for each in run_retention(services).ran] == [0]
    _age(services, 740)
    assert [each.count for each in run_retention(services, dry_run=True).ran] == [1]
    assert _count(services, Transcript) == [1]
    assert [each.count for each in run_retention(services).ran] == [1]
    assert _count(services, Transcript, Utterance, Analysis, Insight, ActionItem) == [0] * 5
    assert _count(services, CoachingSession, Message, Feedback) == [1, 1, 1]
    assert [each.count for each in run_retention(services).ran] == [0]
    with services.database.read() as session:
        details = session.scalars(
            sa.select(AuditEvent.details).where(AuditEvent.action == "retention.applied")
        ).all()
    assert details == [{"count": 1}]


def test_letters_and_activity_have_periods_of_their_own(services: Services, gone: Subject) -> None:
    privacy.set_period(services.database, SYSTEM, "messages", 100)
    privacy.set_period(services.database, SYSTEM, "activity", 100)
    _age(services, 101)
    with services.database.write() as session:
        session.get_one(Message, gone.message_id).state = "approved"
        session.flush()
        session.execute(sa.update(Message).values(updated_at=clock.now() - dt.timedelta(days=101)))
    assert {each.kind: each.count for each in run_retention(services).ran} == {
        "messages": 0, "activity": 2,
    }  # fmt: skip
    with services.database.write() as session:
        session.execute(
            sa.update(Message).values(state="sent", updated_at=clock.now() - dt.timedelta(days=101))
        )
    assert {each.kind: each.count for each in run_retention(services).ran}["messages"] == 1
    assert _count(services, Message, Feedback, Transcript) == [0, 0, 1]


def test_of_analyses_only_those_go_that_a_newer_one_replaced(
    services: Services, gone: Subject
) -> None:
    privacy.set_period(services.database, SYSTEM, "analyses", 30)
    _age(services, 60)
    assert [each.count for each in run_retention(services).ran] == [0]
    with services.database.write() as session:
        session.add(
            Analysis(
                transcript_id=gone.transcript_id, status="complete", engine="local", model="rules",
                input_sha256="1" * 64, dropped={},
            )
        )  # fmt: skip
    assert [each.count for each in run_retention(services).ran] == [1]
    assert _count(services, Analysis, Insight, ActionItem) == [1, 0, 1]


def test_nothing_expires_of_a_client_with_a_hold(services: Services, gone: Subject) -> None:
    other = plant(services, "zqxother", coach_of=gone.pair)
    for kind in RETENTION_KINDS:
        privacy.set_period(services.database, SYSTEM, kind, 1)
    hold = privacy.add(services.database, SYSTEM, gone.client_id, "claim pending")
    before = look_at(services, SYSTEM, str(gone.client_id)).held
    _age(services, 400)
    _old_files(services.settings)
    run_retention(services)
    held = look_at(services, SYSTEM, str(gone.client_id)).held
    assert held.rows == before.rows
    assert held.files == before.files
    assert "utterances" not in look_at(services, SYSTEM, str(other.client_id)).held.rows
    privacy.release(services.database, SYSTEM, str(hold))
    run_retention(services)
    held = look_at(services, SYSTEM, str(gone.client_id)).held
    assert "utterances" not in held.rows
    assert held.files == ()


def _old_files(settings: Settings) -> None:
    for path in settings.home.rglob("*"):
        if path.is_file() and path.suffix in {".eml", ".json", ".html"}:
            os.utime(path, (1_600_000_000, 1_600_000_000))
    for run in (settings.home / "reports").glob("*/*"):
        os.utime(run, (1_600_000_000, 1_600_000_000))


@SQLITE
def test_files_go_by_their_own_age(services: Services, gone: Subject, tmp_path: Path) -> None:
    for kind in ("exports", "reports", "outbox", "mail_reports"):
        privacy.set_period(services.database, SYSTEM, kind, 30)
    assert {each.kind: each.count for each in run_retention(services).ran} == {
        "exports": 0, "reports": 0, "outbox": 0, "mail_reports": 0,
    }  # fmt: skip
    _old_files(services.settings)
    export = services.settings.home / "exports" / f"of-{gone.client_id}" / "manifest.json"
    text = export.read_text()
    export.write_text(text.replace('"snapshot_at": "2', '"snapshot_at": "1'))
    shutil.copytree(services.settings.home / "secrets", tmp_path / "secrets")
    assert {each.kind: each.count for each in run_retention(services).ran} == {
        "exports": 1, "reports": 1, "outbox": 2, "mail_reports": 1,
    }  # fmt: skip


@SQLITE
def test_an_export_that_went_by_its_period_is_shown_as_expired(
    services: Services, gone: Subject
) -> None:
    with Jobs(services.settings, services) as jobs:
        queued = jobs.enqueue_export(SYSTEM, datasets=["coaches"])
        jobs.run_inline([queued])
        privacy.set_period(services.database, SYSTEM, "exports", 1)
        with clock.frozen(clock.now() + dt.timedelta(days=2)):
            run_retention(services)
            export = jobs.export_of(queued)
            assert not Path(export.place).exists()
            assert (export.state, export.files_deleted_at) == ("expired", clock.now())
            with pytest.raises(CoachError, match="COACH-EXP-044"):
                export.file("manifest.json")


@SQLITE
@pytest.mark.parametrize(
    ("kind", "days"), [("sessions", 10), ("messages", 0), ("messages", -1), ("messages", 99_999)]
)
def test_a_period_that_makes_no_sense_is_refused(services: Services, kind: str, days: int) -> None:
    with pytest.raises(CoachError) as caught:
        privacy.set_period(services.database, SYSTEM, kind, days)
    assert caught.value.code == "COACH-PRV-004"
    assert "messages" in caught.value.next_step
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        privacy.set_period(services.database, ANALYST, "messages", 10)


def test_a_period_can_be_changed_and_taken_back(services: Services) -> None:
    for days in (10, 20, None):
        privacy.set_period(services.database, SYSTEM, "outbox", days)
        (row,) = (e for e in privacy.list_periods(services.database) if e.kind == "outbox")
        assert row.days == days


def test_the_worker_applies_the_periods_by_the_calendar(
    services: Services, settings: Settings, gone: Subject
) -> None:
    privacy.set_period(services.database, SYSTEM, "transcripts", 30)
    _age(services, 60)
    with Jobs(settings, services) as jobs:
        (row,) = jobs.run_inline([jobs.queue.enqueue_as(keyed_id("retention", "by-hand"))])
    assert (row.state, row.error) == ("done", None)
    assert row.result == {"deleted": 1, "remaining": 0}
    assert _count(services, Transcript) == [0]

"""Restoring: where to, from when, with which key, and what must not happen afterwards."""

from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.backup import Backups, open_place
from coachops.bootstrap import Services, recovery
from coachops.bootstrap import services as open_services
from coachops.coaching import messages
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.db import Database, change_feed, migrate
from coachops.db.models import (
    AuditEvent,
    Client,
    Consent,
    KernelTicket,
    Message,
    SignInLink,
    Suppression,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebSession,
)
from coachops.jobs.queue import JobQueue
from coachops.privacy.replaying import Erasures
from coachops.webhooks import emit
from coachops.webhooks.delivering import switch_off
from coachops.webhooks.facade import Webhooks
from tests.support.backups import approve_some, content

CHANGED = (
    "messages", "web_sessions", "sign_in_links", "kernel_tickets", "kernel_bindings",
    "audit_events", "worker_heartbeats", "operations", "audit_head", "backups", "drills",
    "change_log", "feed_meta",
)  # fmt: skip
"""Tables that a restore settles, or that were written after the backup."""

FAILED: dict[str, object] = {
    "export_id": str(uuid.UUID(int=1)), "url": "/v1/exports/1", "code": "COACH-EXP-006",
}  # fmt: skip


@pytest.fixture
def empty(tmp_path: Path, place: Path) -> Settings:
    """Another machine: the place is reached, nothing else is there."""
    return load_settings(home=tmp_path / "new machine", storage_url=str(place))


def test_an_empty_machine_comes_back_with_place_and_key_alone(
    backups: Backups, services: Services, empty: Settings, tmp_path: Path
) -> None:
    backups.run()
    copy = tmp_path / "key.txt"
    backups.export_key(copy)
    before = content(services.settings.home / "coachops.db", without=CHANGED)
    services.close()
    shutil.rmtree(services.settings.home)
    fresh = recovery(empty)
    assert len(fresh.list()) == 1
    assert fresh.verify()[1] == []
    with pytest.raises(CoachError) as caught:
        fresh.restore()
    assert caught.value.code == "COACH-BKP-008"
    assert not (empty.home / "coachops.db").exists()
    done = fresh.restore(key_file=copy)
    assert done.into == str(empty.home)
    assert content(empty.home / "coachops.db", without=CHANGED) == before
    assert (empty.home / "outbox" / "letter-1.eml").read_bytes().startswith(b"To: somebody")
    assert (empty.home / "secrets" / "cookie").stat().st_mode & 0o777 == 0o600
    assert (empty.home / "jobs.db").exists()
    again = open_services(empty)  # the same installation goes on: same key, same series
    try:
        again.backups.run()
        assert again.backups.drill().passed
        assert len({row.installation for row in again.backups.list()}) == 1
    finally:
        again.close()


def test_a_database_that_is_there_is_not_touched(backups: Backups, services: Services) -> None:
    backups.run()
    before = content(services.settings.home / "coachops.db")
    with pytest.raises(CoachError) as caught:
        backups.restore()
    assert caught.value.code == "COACH-BKP-010"
    assert content(services.settings.home / "coachops.db") == before


def test_replacing_keeps_the_old_one_aside(
    backups: Backups, services: Services, installation: Settings
) -> None:
    saved = backups.run()
    with services.database.write() as session:
        session.execute(sa.text("DELETE FROM feedback"))
        session.execute(sa.text("DELETE FROM action_items"))
    services.close()
    (installation.outbox / "letter-3.eml").write_bytes(b"To: later\r\n")
    (installation.outbox / "letter-1.eml").unlink()
    old = content(installation.home / "coachops.db")
    done = recovery(installation).restore(replace=True)
    assert done.backup_id == saved.id
    assert done.aside is not None
    assert content(Path(done.aside) / "coachops.db") == old
    database = Database(installation.database_url)
    with database.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM action_items"))
    database.close()
    assert (installation.outbox / "letter-1.eml").exists()
    assert (installation.outbox / "letter-3.eml").exists()  # what was written since stays
    assert not list(installation.home.glob(".restore-*"))


def test_two_restores_within_a_second_keep_both_databases_aside(
    backups: Backups, services: Services
) -> None:
    backups.run()
    services.close()
    with clock.frozen(clock.now()):
        first, second = backups.restore(replace=True), backups.restore(replace=True)
    assert first.aside is not None
    assert second.aside is not None
    assert first.aside != second.aside
    assert all((Path(each) / "coachops.db").exists() for each in (first.aside, second.aside))


def test_a_no_that_was_said_since_is_not_forgotten_and_a_yes_is(
    backups: Backups, services: Services, installation: Settings
) -> None:
    with services.database.read() as session:
        clients = session.scalars(sa.select(Client.id).order_by(Client.id)).all()
        user = session.scalars(sa.select(User.id)).first()
    backups.run()
    now = clock.now()
    with services.database.write() as session:
        for client, granted in zip(clients[:2], (False, True), strict=True):
            session.add(
                Consent(client_id=client, kind="external_ai", granted=granted, recorded_at=now)
            )
        for letter in "ab":
            session.add(
                Suppression(
                    address_hash=letter * 32, key_id="k", reason="opt_out", source="link", since=now
                )
            )
        session.execute(sa.update(User).where(User.id == user).values(disabled_at=now))
    services.close()
    done = recovery(installation).restore(replace=True)
    [note] = [note for note in done.notes if "carried over" in note]
    assert "1 consent withdrawn" in note
    assert "2 addresses" in note
    assert "1 user disabled" in note
    database = Database(installation.database_url)
    with database.read() as session:
        since = sa.select(Consent.client_id, Consent.granted).where(Consent.recorded_at == now)
        assert session.execute(since).all() == [(clients[0], False)]
        assert session.scalar(sa.select(sa.func.count()).select_from(Suppression)) == 2
        disabled = session.scalars(sa.select(User.id).where(User.disabled_at == now)).all()
        assert disabled == [user]
    assert database.check_integrity(full=True) == []
    database.close()


def test_a_database_in_use_is_not_replaced(
    backups: Backups, services: Services, installation: Settings
) -> None:
    backups.run()
    with services.database.read() as session:
        session.scalar(sa.select(sa.func.count()).select_from(User))
        with pytest.raises(CoachError) as caught:
            backups.restore(replace=True)
    assert caught.value.code == "COACH-BKP-011"
    assert not list(installation.home.glob("before-restore-*"))


def test_a_worker_that_runs_keeps_its_database(backups: Backups, services: Services) -> None:
    from coachops.jobs.places import take_lowest

    backups.run()
    services.database.close()
    with take_lowest(services.settings), pytest.raises(CoachError) as caught:
        recovery(services.settings).restore(replace=True)
    assert caught.value.code == "COACH-BKP-011"


def test_a_damaged_database_can_be_replaced(
    backups: Backups, services: Services, installation: Settings
) -> None:
    backups.run()
    services.close()
    path = installation.home / "coachops.db"
    path.write_bytes(b"\x00not a database" * 10_000)
    done = recovery(installation).restore(replace=True)
    assert done.aside is not None
    assert (Path(done.aside) / "coachops.db").read_bytes().startswith(b"\x00not")
    opened = open_services(installation)
    opened.close()


def test_nothing_is_sent_twice_after_a_restore(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    chosen = approve_some(services.database, 3)
    with services.database.write() as session:
        first = session.get(Message, chosen[0])
        assert first is not None
        first.state, first.sending_at = "sending", clock.now()
    backups.run()
    done = backups.restore(tmp_path / "new")
    assert done.held == 3
    assert any("delivery unknown" in note for note in done.notes)
    database = Database(f"sqlite:///{tmp_path}/new/coachops.db")
    with database.read() as session:
        states = session.execute(
            sa.select(Message.state, Message.error_code).where(Message.id.in_(chosen))
        ).all()
    assert {tuple(row) for row in states} == {("uncertain", "COACH-BKP-018")}
    assert messages.unsent_approved(database) == []
    message_id = chosen[1]
    messages.resolve_uncertain(database, SYSTEM, message_id, "sent")
    assert messages.get(database, SYSTEM, message_id).state == "sent"
    database.close()


def test_sign_ins_links_and_tickets_of_then_have_ended(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    now = clock.now()
    with services.database.write() as session:
        user = session.scalars(sa.select(User)).first()
        web = session.scalars(sa.select(WebSession)).first()
        assert user is not None
        assert web is not None
        session.add(
            SignInLink(
                token_hash="a" * 64, user_id=user.id, purpose="invite",
                expires_at=now + dt.timedelta(days=3),
            )
        )  # fmt: skip
        session.add(
            KernelTicket(token_hash="b" * 64, web_session_id=web.id, page="x", expires_at=now)
        )
    backups.run()
    done = backups.restore(tmp_path / "new")
    assert done.signed_out == 1
    database = Database(f"sqlite:///{tmp_path}/new/coachops.db")
    with database.read() as session:
        assert session.scalars(sa.select(WebSession.ended_at)).all() != [None]
        assert None not in session.scalars(sa.select(SignInLink.used_at)).all()
        assert session.scalars(sa.select(KernelTicket)).all() == []
        acts = session.scalars(
            sa.select(AuditEvent.subject_id).where(AuditEvent.action == "backup.restored")
        )
        assert acts.all() == [done.backup_id]
    database.close()


def test_webhooks_of_then_are_told_of_nothing_until_a_person_has_looked(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    hooks = services.webhooks
    _, wanted = hooks.add(SYSTEM, "http://127.0.0.1:1/", ["export.failed"])
    _, removed = hooks.add(SYSTEM, "http://127.0.0.1:2/", ["export.failed"])
    _, failing = hooks.add(SYSTEM, "http://127.0.0.1:3/", ["export.failed"])
    with services.database.write() as session:
        switch_off(session, session.get_one(WebhookEndpoint, failing.id), "gone", clock.now())
        emit(session, "export.failed", FAILED, key="before")
    backups.run()
    hooks.remove(SYSTEM, removed.id)
    done = backups.restore(tmp_path / "new")
    assert any(note.startswith("Switched off: 2 webhooks") for note in done.notes)
    database = Database(f"sqlite:///{tmp_path}/new/coachops.db")
    with database.write() as session:
        found = session.execute(
            sa.select(WebhookEndpoint.id, WebhookEndpoint.disabled_reason)
        ).all()
        assert {tuple(each) for each in found} == {
            (wanted.id, "restored"), (removed.id, "restored"), (failing.id, "gone")
        }  # fmt: skip
        emit(session, "export.failed", FAILED, key="afterwards")
    with database.read() as session:
        assert set(session.scalars(sa.select(WebhookDelivery.state))) == {"dropped"}
        acts = sa.select(AuditEvent.subject_id).where(AuditEvent.action == "webhook.disabled")
        assert {str(wanted.id), str(removed.id)} <= set(map(str, session.scalars(acts)))
    again = Webhooks(database, services.settings, b"secret").enable(SYSTEM, wanted.id)
    assert (again.state, again.disabled_reason, again.waiting) == ("on", None, 0)
    database.close()


def test_jobs_that_were_open_then_are_made_anew_from_the_data(
    backups: Backups, services: Services, installation: Settings, tmp_path: Path
) -> None:
    from coachops.db.models import Transcript
    from coachops.jobs.findings import sweep_transcripts

    with services.database.write() as session:
        transcript = session.scalars(sa.select(Transcript)).first()
        assert transcript is not None
        transcript.state = "imported"
        transcript.updated_at = clock.now() - dt.timedelta(hours=1)
        transcript_id = transcript.id
    queue = JobQueue(installation)
    queue.enqueue_pipeline(transcript_id)
    queue.close()
    backups.run()
    backups.restore(tmp_path / "new")
    restored = load_settings(home=tmp_path / "new")
    jobs = JobQueue(restored)
    database = Database(restored.database_url)
    try:
        assert jobs.list_jobs() == []
        assert sweep_transcripts(database, jobs, restored) == 1
        assert len(jobs.list_jobs()) == 1
    finally:
        jobs.close()
        database.close()


def test_going_back_to_a_moment_takes_the_newest_backup_before_it(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    start = clock.now().replace(microsecond=0)
    ids = []
    for minutes in (0, 10, 20):
        with clock.frozen(start + dt.timedelta(minutes=minutes)):
            ids.append(backups.run().id)
            with services.database.write() as session:
                session.execute(
                    sa.text("UPDATE coaches SET name = :name"), {"name": f"at {minutes}"}
                )
    done = backups.restore(tmp_path / "new", start + dt.timedelta(minutes=19))
    assert done.backup_id == ids[1]
    assert done.lost_seconds == pytest.approx(9 * 60)
    with sqlite3.connect(tmp_path / "new" / "coachops.db") as connection:
        assert connection.execute("SELECT DISTINCT name FROM coaches").fetchall() == [("at 0",)]
    assert any("is not in it" in note for note in done.notes)
    with pytest.raises(CoachError) as caught:
        backups.restore(tmp_path / "other", start - dt.timedelta(seconds=1))
    assert caught.value.code == "COACH-BKP-006"
    with pytest.raises(CoachError, match="COACH-BKP-006"):
        backups.restore(tmp_path / "other", backup_id="20200101T000000Z-000000000000")
    assert not (tmp_path / "other" / "coachops.db").exists()


def test_a_place_shared_by_installations_asks_which_one(
    backups: Backups, installation: Settings, empty: Settings
) -> None:
    first = backups.run().id
    (installation.home / "secrets" / "backup-installation").unlink()
    backups.run()
    key = installation.home / "secrets" / "backup.key"
    with pytest.raises(CoachError, match="--backup"):
        recovery(empty).restore(key_file=key)
    assert recovery(empty).restore(backup_id=first, key_file=key).backup_id == first


def test_a_secret_that_this_machine_has_already_does_not_lose_that_of_the_backup(
    backups: Backups, services: Services, empty: Settings
) -> None:
    """Somebody set the new machine up, or even served, before restoring."""
    secrets = empty.home / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "cookie").write_text("made on the new machine")
    backups.run()
    done = recovery(empty).restore(key_file=services.settings.home / "secrets" / "backup.key")
    assert (secrets / "cookie").read_text() == "made on the new machine"
    assert (secrets / "cookie.from-backup").read_text() == "a secret of the installation"
    assert [note for note in done.notes if "secrets/cookie.from-backup" in note]
    again = backups.restore(replace=False, into=services.settings.home.parent / "beside")
    assert not [note for note in again.notes if "from-backup" in note]


def test_the_backups_of_another_installation_are_not_restored_by_themselves(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    other = backups.run().id
    (services.settings.home / "secrets" / "backup-installation").write_text("another one")
    with pytest.raises(CoachError, match="COACH-BKP-006"):
        backups.restore(tmp_path / "new")
    assert not (tmp_path / "new" / "coachops.db").exists()
    assert backups.restore(tmp_path / "new", backup_id=other).backup_id == other


def test_a_backup_of_an_older_version_comes_back_at_the_schema_of_this_one(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    migrate.downgrade(services.database, "0010")
    assert backups.run().revision == "0010"
    assert backups.drill().passed
    backups.restore(tmp_path / "new")
    restored = open_services(load_settings(home=tmp_path / "new"))
    assert migrate.current(restored.database) == migrate.head()
    restored.close()


def test_a_backup_of_a_newer_version_is_refused(
    backups: Backups, services: Services, tmp_path: Path
) -> None:
    with services.database.write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    backups.run()
    with pytest.raises(CoachError) as caught:
        backups.restore(tmp_path / "new")
    assert caught.value.code == "COACH-DB-006"
    assert not (tmp_path / "new" / "coachops.db").exists()


def test_a_newer_damaged_backup_is_passed_over_and_named(
    backups: Backups, place: Path, tmp_path: Path
) -> None:
    start = clock.now()
    with clock.frozen(start):
        older = backups.run().id
    with clock.frozen(start + dt.timedelta(minutes=5)):
        newer = backups.run().id
    next((place / "backups" / newer).glob("coachops*")).unlink()
    done = backups.restore(tmp_path / "new")
    assert done.backup_id == older
    assert any(newer in note for note in done.notes)
    with pytest.raises(CoachError) as caught:
        backups.restore(tmp_path / "other", backup_id=newer)
    assert caught.value.code == "COACH-BKP-007"


def test_without_space_nothing_begins(
    backups: Backups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.run()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(CoachError) as caught:
        backups.restore(tmp_path / "new")
    assert caught.value.code == "COACH-BKP-004"
    assert not (tmp_path / "new" / "coachops.db").exists()


def test_the_database_may_lie_outside_the_home(
    services: Services, backups: Backups, tmp_path: Path, place: Path
) -> None:
    backups.run()
    key = services.settings.home / "secrets" / "backup.key"
    elsewhere = load_settings(
        home=tmp_path / "h2", storage_url=str(place),
        database_url=f"sqlite:///{tmp_path}/data/own name.db",
    )  # fmt: skip
    recovery(elsewhere).restore(key_file=key)
    assert (tmp_path / "data" / "own name.db").exists()
    opened = open_services(elsewhere)
    opened.close()


def test_the_database_may_lie_on_another_disk_than_the_home(
    services: Services,
    backups: Backups,
    tmp_path: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two folders stand for two disks: no name and no move leads from one to the other."""
    backups.run()
    key = services.settings.home / "secrets" / "backup.key"
    disk = tmp_path / "data"

    def refusing(act: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def across(source: str, target: str, **_: object) -> None:
            if Path(source).is_relative_to(disk) != Path(target).is_relative_to(disk):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            act(source, target)

        return across

    for name in ("link", "rename", "replace"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    elsewhere = load_settings(
        home=tmp_path / "h2", storage_url=str(place), database_url=f"sqlite:///{disk}/coachops.db"
    )
    recovery(elsewhere).restore(key_file=key)
    done = recovery(elsewhere).restore(replace=True)
    assert done.aside is not None
    assert {path.name for path in Path(done.aside).iterdir()} >= {"coachops.db", "jobs.db"}
    for path in (elsewhere.home / "jobs.db", elsewhere.home / "secrets" / "cookie"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert (elsewhere.home / "outbox" / "letter-1.eml").exists()
    assert not list(tmp_path.rglob(".part-*"))
    open_services(elsewhere).close()


def test_no_database_means_no_backup_but_a_list(empty: Settings, place: Path) -> None:
    erasures = Erasures(empty.home, None)
    backups = Backups(empty, None, empty.home / "secrets", open_place(empty), erasures)
    assert backups.list() == []
    for act in (backups.run, backups.drill, backups.status, backups.beat):
        with pytest.raises(CoachError, match="COACH-DB-001"):
            act()
    with pytest.raises(CoachError, match="COACH-BKP-006"):
        backups.verify()


def test_a_log_left_behind_by_a_lost_database_is_not_played_into_the_restored_one(
    backups: Backups, services: Services
) -> None:
    backups.run()
    home = services.settings.home
    lost, log = home / "coachops.db", home / "coachops.db-wal"
    with sqlite3.connect(lost) as other:  # an open reader keeps the log from being emptied
        services.database.run(lambda session: session.execute(sa.update(Client).values(name="X")))
        written = log.read_bytes()
    other.close()
    services.close()
    lost.unlink()
    log.write_bytes(written)
    done = backups.restore()
    assert done.aside is not None
    assert (Path(done.aside) / log.name).read_bytes() == written
    with sqlite3.connect(lost) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert restored.execute("SELECT count(*) FROM clients WHERE name = 'X'").fetchone() == (0,)
    restored.close()


def test_followers_of_the_change_feed_are_told_that_the_data_were_set_back(
    backups: Backups, services: Services
) -> None:
    def epoch() -> str:
        with services.database.connect() as connection:
            return change_feed.epoch(connection)

    before = epoch()
    backups.run()
    assert epoch() == before
    services.database.close()
    backups.restore(replace=True)
    assert epoch() != before

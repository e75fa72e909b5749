"""A restore brings rows back, but not people who were erased since."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services, recovery
from coachops.bootstrap import services as open_services
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from coachops.db.models import AuditEvent, Client, Erasure
from coachops.jobs.privacy import erase_client, look_at
from coachops.privacy import journal
from coachops.privacy.replaying import Erasures
from tests.privacy.conftest import GONE, SQLITE, STAYS
from tests.support.postgres import PostgresServer
from tests.support.subjects import Subject, files_with, tables_with


@SQLITE
def test_backup_erase_restore_and_the_client_is_gone_before_anything_is_served(
    services: Services, settings: Settings, gone: Subject, stays: Subject
) -> None:
    services.backups.run()
    erase_client(services, SYSTEM, str(gone.client_id))
    services.close()
    done = recovery(settings).restore(replace=True)
    assert "1 client erased since the backup came back and went again." in done.notes
    assert files_with(settings.home, GONE) == []
    assert len(list((settings.home / "mail-reports").iterdir())) == 1
    restored = open_services(settings)
    try:
        assert tables_with(restored, GONE) == []
        assert tables_with(restored, STAYS) != []
        with restored.database.read() as session:
            row = session.get_one(Erasure, gone.client_id)
            events = session.scalars(
                sa.select(AuditEvent.details).where(AuditEvent.action == "client.erased")
            ).all()
        assert (row.reason, row.remaining) == ("request", [])
        assert [each["reason"] for each in events] == ["restored"]
        assert look_at(restored, SYSTEM, str(stays.client_id)).held.files
    finally:
        restored.close()


@SQLITE
def test_another_machine_learns_of_the_erasure_from_beside_the_backups(
    services: Services, settings: Settings, gone: Subject, stays: Subject, tmp_path: Path
) -> None:
    services.backups.run()
    key = tmp_path / "key.txt"
    services.backups.export_key(key)
    erase_client(services, SYSTEM, str(gone.client_id))
    services.close()
    shutil.rmtree(settings.home)
    empty = load_settings(home=tmp_path / "new machine", storage_url=settings.storage_url)
    recovery(empty).restore(key_file=key)
    assert files_with(empty.home, GONE) == []
    assert files_with(empty.home, STAYS) != []
    assert [each.client_id for each in journal.read(empty.home)] == [gone.client_id]
    restored = open_services(empty)
    assert tables_with(restored, GONE) == []
    assert restored.backups.drill().passed  # the backup of then is still whole
    restored.close()


@SQLITE
def test_a_crash_before_the_journal_was_written_does_not_bring_the_client_back(
    services: Services, settings: Settings, gone: Subject
) -> None:
    services.backups.run()
    erase_client(services, SYSTEM, str(gone.client_id))
    services.close()
    shutil.rmtree(settings.home / "privacy")
    for copy in (Path(settings.storage_url) / "erasures").iterdir():
        copy.unlink()
    recovery(settings).restore(replace=True)  # the replaced database still knows
    assert files_with(settings.home, GONE) == []


@SQLITE
def test_nothing_is_restored_while_the_list_of_the_erased_cannot_be_read(
    services: Services, settings: Settings, gone: Subject, stays: Subject
) -> None:
    services.backups.run()
    erase_client(services, SYSTEM, str(gone.client_id))
    services.close()
    path = journal.path_of(settings.home)
    path.write_text("not a journal\n" + path.read_text())
    with pytest.raises(CoachError) as caught:
        recovery(settings).restore(replace=True)
    assert caught.value.code == "COACH-PRV-009"
    restored = open_services(settings)
    assert tables_with(restored, STAYS) != []
    assert tables_with(restored, GONE) == []
    restored.close()


def test_a_last_line_that_a_crash_cut_is_passed_over(tmp_path: Path) -> None:
    entry = '{"client_id": "0197e3af-3580-7e0e-8f8b-2b83022bc320", "at": "2026-11-30T09:00:00Z", '
    entry += '"reason": "request", "born_at": "2026-01-01T00:00:00Z", "coach_ids": [], '
    entry += '"external_hash": "a", "email_hash": null, "address_hash": null, "key_id": "k"}\n'
    path = journal.path_of(tmp_path)
    path.parent.mkdir()
    path.write_text(entry + entry[:40])
    (read,) = journal.read(tmp_path)
    assert read.line().count("\n") == 1
    assert journal.write(tmp_path, [read]) == read.line()
    assert journal.read(tmp_path) == [read]


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_restored_server_database_loses_the_client_too(
    backend: str,
    services: Services,
    gone: Subject,
    stays: Subject,
    postgres_server: PostgresServer,
    new_database_url: Callable[..., str],
    tmp_path: Path,
) -> None:
    """The copy is the database as a backup from before the erasure would bring it."""
    services.close()
    name = sa.make_url(services.settings.database_url).database
    copy = Database(postgres_server.create(template=name))
    opened = open_services(services.settings)
    erase_client(opened, SYSTEM, str(gone.client_id))
    erasures = Erasures(opened.settings.home, opened.database)
    into = tmp_path / "into"
    assert erasures.replay(copy, tmp_path / "nothing", into, [erasures.journal()]) == 1
    with copy.read() as session:
        assert session.get(Client, gone.client_id) is None
        assert session.get(Client, stays.client_id) is not None
        assert session.get(Erasure, gone.client_id) is not None
    assert erasures.replay(copy, tmp_path / "nothing", into, []) == 0
    copy.close()
    opened.close()

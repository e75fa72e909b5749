"""The card of backup and recovery in each of its states."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.settings import load_settings
from coachops.dashboards.overview_recovery import READ_EVERY, RecoveryCard
from coachops.db import Database

NOW = dt.datetime(2026, 11, 26, 10, 0, tzinfo=dt.UTC)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def services(sqlite_template: Path, home: Path, place: Path) -> Iterator[Services]:
    home.mkdir()
    (home / "coachops.db").write_bytes(sqlite_template.read_bytes())
    settings = load_settings(home=home, storage_url=str(place))
    opened = Services(settings, Database(settings.database_url))
    yield opened
    opened.close()


def _shown(services: Services, at: dt.datetime = NOW) -> str:
    card = RecoveryCard(services)
    with clock.frozen(at):
        card.refresh(at)
    return str(card.widget.text())


def test_never_backed_up(services: Services) -> None:
    text = _shown(services)
    assert "Never backed up" in text
    assert "Everything" in text
    assert "coachops backup run" in text


def test_all_well_overdue_and_failed(services: Services, place: Path, tmp_path: Path) -> None:
    with clock.frozen(NOW):
        made = services.backups.run()
    assert "Not proven yet" in _shown(services)
    with clock.frozen(NOW):
        services.backups.export_key(tmp_path / "key.txt")
        services.backups.confirm_key(tmp_path / "key.txt")
        services.backups.drill()
    text = _shown(services)
    assert "Assured" in text
    assert "26 Nov 2026, 10:00" in text
    assert "as the drill measured" in text
    text = _shown(services, NOW + dt.timedelta(minutes=40))
    assert "Overdue" in text
    assert "40 min of work (limit 15 min)" in text
    assert "COACH-BKP-014" in text
    part = next((place / "backups" / made.id).glob("coachops*"))
    part.write_bytes(part.read_bytes()[:-1])
    with clock.frozen(NOW + dt.timedelta(minutes=1)):
        services.backups.drill()
    text = _shown(services, NOW + dt.timedelta(minutes=1))
    assert "Drill failed" in text
    assert "COACH-BKP-013" in text


def test_a_setting_that_is_wrong_is_said_on_the_card(services: Services) -> None:
    wrong = Services(
        services.settings.model_copy(update={"storage_url": "ftp://x"}), services.database
    )
    text = _shown(wrong)
    assert "Not known" in text
    assert "COACHOPS_STORAGE_URL" in text


def test_it_is_read_once_a_minute(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    card, reads = RecoveryCard(services), list[dt.datetime]()
    status = services.backups.status
    monkeypatch.setattr(services.backups, "status", lambda: reads.append(clock.now()) or status())
    every = READ_EVERY.total_seconds()
    for seconds in (0, every / 6, every - 1, every, every + 10):
        with clock.frozen(NOW + dt.timedelta(seconds=seconds)):
            card.refresh(clock.now())
    assert len(reads) == 2

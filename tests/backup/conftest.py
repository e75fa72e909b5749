"""A small organisation with letters and jobs, whose backups lie in a folder outside its home."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.backup import Backups, open_place
from coachops.bootstrap import Services
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from coachops.privacy.replaying import Erasures
from tests.support.backups import seeded


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder that tests copy."""
    home = tmp_path_factory.mktemp("seeded") / "home"
    seeded(load_settings(home=home))
    return home


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of the backups, on another disk in real life."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def installation(tmp_path: Path, place: Path, seeded_home: Path) -> Settings:
    """Settings of a home with data; nothing is opened."""
    home = tmp_path / "home"
    shutil.copytree(seeded_home, home)
    return load_settings(home=home, storage_url=str(place), time_zone="Europe/London")


@pytest.fixture
def services(installation: Settings) -> Iterator[Services]:
    """The services of that home."""
    opened = Services(installation, Database(installation.database_url, zone=installation.zone))
    yield opened
    opened.close()


@pytest.fixture
def backups(services: Services) -> Backups:
    """Its backups."""
    return services.backups


@pytest.fixture
def at(installation: Settings, services: Services) -> Callable[..., Backups]:
    """Its backups under other settings: `at(backup_escrow="…")`."""

    def make(**changes: object) -> Backups:
        settings = installation.model_copy(update=changes)
        secrets = installation.home / "secrets"
        erasures = Erasures(installation.home, services.database)
        return Backups(settings, services.database, secrets, open_place(settings), erasures)

    return make


HOUR = dt.timedelta(hours=1)

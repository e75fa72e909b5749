"""An installation with two clients about whom there is something in every place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.core.settings import Settings, load_settings
from tests.support.subjects import Subject, plant

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
"""For what does not depend on the kind of database."""
GONE, STAYS = "zqxmarkerone", "zqxmarkertwo"


@pytest.fixture
def settings(
    tmp_path: Path, home: Path, backend: str, new_database_url: Callable[..., str]
) -> Settings:
    """With SQLite the database lies in the home, as it does by default."""
    home.mkdir()
    (tmp_path / "place").mkdir()
    url = new_database_url(backend)
    if backend == "sqlite":
        source = Path(url.removeprefix("sqlite:///"))
        source.rename(home / "coachops.db")
        url = f"sqlite:///{home / 'coachops.db'}"
    return load_settings(home=home, database_url=url, storage_url=str(tmp_path / "place"))


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    opened = open_services(settings)
    yield opened
    opened.close()


@pytest.fixture
def gone(services: Services) -> Subject:
    """The client that tests erase."""
    return plant(services, GONE)


@pytest.fixture
def stays(services: Services, gone: Subject) -> Subject:
    """Another client of the same coach."""
    return plant(services, STAYS, coach_of=gone.pair)

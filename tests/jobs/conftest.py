"""An installation with a coach and a client, on both kinds of database, and its background work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.bootstrap import Services
from coachops.bootstrap import services as open_services
from coachops.core.settings import Settings, load_settings
from coachops.jobs import Jobs
from tests.coaching.builders import Pair, make_pair
from tests.jobs.parts import NOTHING
from tests.support import patience


@pytest.fixture
def settings(home: Path, backend: str, new_database_url: Callable[..., str]) -> Settings:
    return load_settings(
        home=home, database_url=new_database_url(backend), mail_from="coaching@example.org"
    )


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    opened = open_services(settings)
    yield opened
    opened.close()


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    """A schedule by which nothing runs; a test may write another one."""
    path = tmp_path / "schedule.toml"
    path.write_text(NOTHING)
    return path


@pytest.fixture
def jobs(settings: Settings, services: Services, schedule: Path) -> Iterator[Jobs]:
    with Jobs(settings, services, schedule_file=schedule) as jobs:
        yield jobs


@pytest.fixture
def pair(services: Services) -> Pair:
    return make_pair(services.database)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits for what another thread or process will bring about; it has no other signal."""

    return patience.until

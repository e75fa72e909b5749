"""A small organisation whose every dataset is followed."""

from __future__ import annotations

import pytest

from coachops.db import Database
from coachops.export import DATASETS
from coachops.export.feed import Seen
from tests.export.conftest import make_organisation
from tests.feed.replica import Replica


@pytest.fixture
def organisation(database: Database) -> Database:
    make_organisation(database, sessions=8)
    return database


@pytest.fixture
def sqlite_organisation(sqlite_database: Database) -> Database:
    make_organisation(sqlite_database, sessions=8)
    return sqlite_database


@pytest.fixture
def replicas(organisation: Database) -> dict[str, Replica]:
    """A follower of each dataset, caught up."""
    found = {name: Replica(organisation, Seen(dataset)) for name, dataset in DATASETS.items()}
    for each in found.values():
        each.catch_up()
    return found


def all_equal(replicas: dict[str, Replica]) -> dict[str, int]:
    """Buckets that differ by dataset, after everybody has read on."""
    for each in replicas.values():
        each.catch_up()
    return {name: wrong for name, each in replicas.items() if (wrong := each.wrong())}

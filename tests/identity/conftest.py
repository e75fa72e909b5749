"""An `identity` on each kind of database, with cheap password hashes where hashing is not the point."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from coachops.db import Database
from coachops.db.models import Coach
from coachops.identity import Identity, passwords


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2id with the smallest parameters: these tests sign in hundreds of times."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", cheap)
    passwords._nobody.cache_clear()


@pytest.fixture
def identity(database: Database) -> Identity:
    return Identity(database, b"a secret of the tests", 12)


@pytest.fixture
def coach(database: Database) -> Coach:
    row = Coach(external_id="c1", name="Anna Alder", email="anna@example.org")
    with database.write() as session:
        session.add(row)
    return row

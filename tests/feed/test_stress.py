"""Twelve writers, followers of every scope, bulk copies in between: at the end nothing is wrong.

`COACHOPS_FAULT_RUNS=long` runs it for a minute; `python -m benchmarks.feed_stress` prints its figures.
"""

from __future__ import annotations

from collections.abc import Callable

from coachops.db import Database
from tests.export.conftest import make_organisation
from tests.feed import stress


def test_followers_end_equal_whatever_twelve_writers_do(
    backend: str,
    new_database_url: Callable[..., str],
    fault_runs: Callable[[int, int], int],
) -> None:
    database = Database(new_database_url(backend), limits=stress.LIMITS)
    try:
        make_organisation(database, sessions=12)
        result = stress.run(database, fault_runs(4, 60))
    finally:
        database.close()
    assert result.wrong == {}
    assert result.committed >= stress.WRITERS
    assert result.rolled_back
    assert result.moves
    assert result.handoffs
    assert result.scope_removals
    assert result.exported

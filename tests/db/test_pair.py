"""The pair of servers that fault tests use behaves as one: what one commits the other shows."""

from __future__ import annotations

import pytest

from tests.support.postgres_pair import PostgresPair

pytestmark = pytest.mark.postgres


def test_the_standby_takes_over_with_everything_that_was_acknowledged(
    postgres_pair: PostgresPair,
) -> None:
    pair = postgres_pair
    name = pair.create("template_coachops")
    pair.primary.query("CREATE TABLE kept (i int)", name)
    pair.primary.query("INSERT INTO kept SELECT generate_series(1, 100)", name)
    pair.kill_primary()
    pair.promote()
    assert pair.primary.query("SELECT count(*) FROM kept", name) == 100
    pair.heal()
    assert pair.standby.query("SELECT count(*) FROM kept", name) == 100
    assert pair.standby.query("SELECT pg_is_in_recovery()") is True

"""Any sequence of edits, deletions and moves, read in any pieces: each follower ends equal."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from coachops.db import Database
from coachops.db.models import Client, Coach
from coachops.export import DATASETS
from coachops.export.feed import Seen
from tests.export.conftest import make_organisation
from tests.feed import stress
from tests.feed.replica import Replica


def test_followers_and_the_database_stay_equal(  # noqa: C901 a machine is one story
    backend: str, new_database_url: Callable[..., str], fault_runs: Callable[[int, int], int]
) -> None:
    url = new_database_url(backend)
    database = Database(url)
    make_organisation(database, sessions=4)
    with database.connect() as connection:
        coaches = connection.scalars(sa.select(Coach.id)).all()
        clients = connection.scalars(sa.select(Client.id)).all()

    class Followed(RuleBasedStateMachine):
        """The organisation goes on from example to example; the followers begin anew."""

        @initialize(coach=st.sampled_from(coaches), client=st.sampled_from(clients))
        def begin(self, coach: object, client: object) -> None:
            scopes: list[dict[str, frozenset[object]]] = [
                {}, {"coaches": frozenset({coach})}, {"clients": frozenset({client})},
            ]  # fmt: skip
            self.followers = [
                Replica(database, Seen(DATASETS[name], **scope))  # type: ignore[arg-type]  # ids
                for scope in scopes
                for name in ("utterances", "insights", "clients", "consents", "goal_ratings")
            ]

        @rule(acts=st.lists(st.sampled_from(stress.ACTS), min_size=1, max_size=4),
              seed=st.integers(0, 1000), undone=st.booleans())  # fmt: skip
        def write(self, acts: list[stress.Act], seed: int, undone: bool) -> None:
            rng = random.Random(seed)
            try:
                with database.connect(write=True) as connection:
                    for act in acts:
                        act(connection, rng)
                    if undone:
                        raise ZeroDivisionError  # noqa: TRY301 takes the transaction back
            except (ZeroDivisionError, sa.exc.IntegrityError):
                pass

        @rule(acts=st.lists(st.sampled_from(stress.PEOPLE), min_size=1, max_size=3),
              seed=st.integers(0, 1000))  # fmt: skip
        def hand_clients_on(self, acts: list[stress.Act], seed: int) -> None:
            self.write(acts, seed, undone=False)

        @rule(limit=st.integers(1, 60), which=st.integers(0, 14))
        def read_some(self, limit: int, which: int) -> None:
            self.followers[which].read(limit)

        @invariant()
        def nobody_has_what_never_was(self) -> None:
            for each in getattr(self, "followers", ()):
                assert each.rows.keys() <= each.versions.keys()

        def teardown(self) -> None:
            for each in getattr(self, "followers", ()):
                each.catch_up()
                assert each.wrong() == 0, each.seen

    runs = fault_runs(6, 150)
    try:
        run_state_machine_as_test(
            Followed, settings=settings(max_examples=runs, stateful_step_count=15, deadline=None)
        )
    finally:
        database.close()


@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_pages_of_any_size_lead_to_the_same(sqlite_organisation: Database, limit: int) -> None:
    replica = Replica(sqlite_organisation, Seen(DATASETS["action_items"]))
    replica.catch_up(limit)
    assert replica.rows
    assert replica.wrong() == 0

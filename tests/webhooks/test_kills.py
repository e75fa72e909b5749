"""Workers under kill -9 at random moments: no event is lost, and whatever comes twice has one id."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.support.forks import COURIER, ForkedWorkers
from tests.support.patience import until
from tests.support.receiver import Handler, Received, Receiver, answers
from tests.webhooks.conftest import House

ENDPOINTS = 3


def test_events_survive_workers_that_are_killed_at_any_moment(
    house: House,
    receiver: Receiver,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
) -> None:
    chance = random.Random(11)

    def slowly(handler: Handler, request: Received) -> None:
        time.sleep(0.02)  # the receiver works, so that kills meet attempts in the middle
        answers(204)(handler, request)

    receiver.behaviour = slowly
    hooks = [house.add(receiver.url(f"/{number}")) for number in range(ENDPOINTS)]
    kills, emitted = fault_runs(4, 100), 0
    with ForkedWorkers(
        house.services.settings, tmp_path, tmp_path / "worker.log", COURIER
    ) as worker:
        worker.start()
        for _ in range(kills):
            for _ in range(8):
                house.emit()
                emitted += 1
            receiver.wait_for(len(receiver.requests) + 1)
            time.sleep(chance.uniform(0, 0.3))  # the moment itself is what is random
            assert worker.kill() == -9
            # as if the minute were over after which a silent worker is taken for dead
            for _, hook in hooks:
                house.change(hook, busy_until=None)
            worker.start()
        until(lambda: sum(house.get(hook).waiting for _, hook in hooks) == 0)
        worker.kill()
    assert {house.get(hook).waiting for _, hook in hooks} == {0}
    got: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for request in receiver.requests:
        got[request.path][request.id].add(request.body)
    for number, (secret, hook) in enumerate(hooks):
        mine = got[f"/{number}"]
        assert len(mine) == emitted
        assert all(len(bodies) == 1 for bodies in mine.values())
        [one, *_] = [each for each in receiver.requests if each.path == f"/{number}"]
        assert one.verified(secret)["type"] == "export.ready"
        assert {each.state for each in house.deliveries(hook, limit=1000)} == {"delivered"}
    # at most the one attempt in progress at each endpoint is made again
    doubled = len(receiver.requests) - emitted * ENDPOINTS
    assert doubled <= kills * ENDPOINTS

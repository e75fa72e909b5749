"""The worker's courier: side by side, stopped, killed; each event arrives, and nobody is held up."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.jobs import courier
from coachops.jobs.courier import Courier
from coachops.webhooks.delivering import LEASE
from tests.support.patience import PATIENCE, until
from tests.support.receiver import Handler, Received, Receiver, answers
from tests.support.worker import run_python, start_worker
from tests.webhooks.conftest import House

KILLED_BEFORE_NOTING = """
    import os, signal
    from coachops.bootstrap import services
    from coachops.jobs import courier

    courier.note = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    courier.Courier(services()).start()
    while True:
        signal.pause()
"""


@pytest.fixture
def run(house: House) -> Iterator[Callable[..., Courier]]:
    """Starts a courier that is stopped at the end."""
    started = []

    def start(**more: object) -> Courier:
        made = Courier(house.services, **more)  # type: ignore[arg-type]  # changes
        started.append(made)
        made.start()
        return made

    yield start
    for each in started:
        each.stop()


def test_of_twenty_endpoints_one_that_hangs_holds_up_nobody(
    house: House, receiver: Receiver, run: Callable[..., Courier]
) -> None:
    hooks = {f"/{number}": house.add(receiver.url(f"/{number}")) for number in range(20)}

    def behave(handler: Handler, request: Received) -> None:
        (receiver.hang if request.path == "/7" else answers(204))(handler, request)

    receiver.behaviour = behave
    for _ in range(3):
        house.emit()
    made = run()
    requests = receiver.wait_for(19 * 3 + 1)
    for path, (secret, hook) in hooks.items():
        rows = house.deliveries(hook)
        if path == "/7":
            assert {each.state for each in rows} == {"waiting"}
            continue
        until(lambda hook=hook: house.get(hook).waiting == 0)  # type: ignore[misc]  # bound now
        mine = [each for each in requests if each.path == path]
        assert [each.verified(secret)["type"] for each in mine] == ["export.ready"] * 3
    assert Counter(each.path for each in requests)["/7"] == 1
    made.stop()
    [*_, first] = house.deliveries(hooks["/7"][1])
    assert (first.state, first.attempts, first.failure) == ("waiting", 0, "stopped")


def test_two_workers_share_the_work_and_no_endpoint_is_sent_two_things_at_a_time(
    house: House, receiver: Receiver, run: Callable[..., Courier]
) -> None:
    lock, now, most = threading.Lock(), Counter[str](), Counter[str]()

    def behave(handler: Handler, request: Received) -> None:
        with lock:
            now[request.path] += 1
            most[request.path] = max(most[request.path], now[request.path])
        with lock:
            now[request.path] -= 1
        answers(204)(handler, request)

    receiver.behaviour = behave
    hooks = [house.add(receiver.url(f"/{number}"))[1] for number in range(4)]
    for _ in range(10):
        house.emit()
    run()
    run()
    requests = receiver.wait_for(40)
    for hook in hooks:
        until(lambda hook=hook: house.get(hook).waiting == 0)  # type: ignore[misc]  # bound now
    assert len(receiver.requests) == 40
    assert set(most.values()) == {1}
    assert len({(each.path, each.id) for each in requests}) == 40


def test_endpoints_that_fail_share_half_of_the_places(
    house: House,
    receiver: Receiver,
    run: Callable[..., Courier],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(courier, "PLACES", 4)
    monkeypatch.setattr(courier, "FAILING_PLACES", 2)

    def behave(handler: Handler, request: Received) -> None:
        (answers(204) if request.path == "/well" else receiver.hang)(handler, request)

    receiver.behaviour = behave
    for number in range(6):
        _, hook = house.add(receiver.url(f"/hangs-{number}"))
        house.change(hook, failing_since=clock.now() - dt.timedelta(hours=2))
    house.emit()
    run()
    receiver.wait_for(2)
    _, well = house.add(receiver.url("/well"))
    for _ in range(5):
        house.emit()
    until(lambda: len(house.deliveries(well, states=["delivered"])) == 5)
    hanging = [each for each in receiver.requests if each.path != "/well"]
    assert len(hanging) == 2


def test_a_worker_killed_between_sending_and_noting_sends_the_same_event_again(
    house: House, receiver: Receiver, run: Callable[..., Courier]
) -> None:
    secret, hook = house.add(receiver.url())
    house.emit()
    child = run_python(house.services.settings, KILLED_BEFORE_NOTING)
    assert child.returncode == -signal.SIGKILL
    assert len(receiver.requests) == 1
    assert house.get(hook).waiting == 1
    with clock.frozen(clock.now() + LEASE + dt.timedelta(seconds=1)):
        run()
        first, again = receiver.wait_for(2)
        until(lambda: house.get(hook).waiting == 0)
    assert (first.id, first.body) == (again.id, again.body)
    assert again.verified(secret)["type"] == "export.ready"
    [row] = house.deliveries(hook)
    assert (row.state, row.attempts) == ("delivered", 2)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_worker_delivers_until_it_is_stopped(house: House, receiver: Receiver) -> None:
    secret, hook = house.add(receiver.url())
    house.emit()
    process = start_worker(house.services.settings)
    try:
        [request] = receiver.wait_for(1)
        assert request.verified(secret)["type"] == "export.ready"
        until(lambda: house.get(hook).waiting == 0)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said


def test_changes_are_told_by_the_courier_as_the_feed_moves_on(
    house: House, receiver: Receiver, run: Callable[..., Courier]
) -> None:
    from tests.webhooks.test_changes import Feed

    feed = Feed(house.services.database)
    secret, _ = house.add(receiver.url(), ("data.changed",))
    run(changes=feed)
    feed.add("sessions")
    [request] = receiver.wait_for(1)
    assert request.verified(secret)["data"]["datasets"] == ["sessions"]


def test_a_round_that_fails_stops_no_later_one(
    house: House,
    receiver: Receiver,
    run: Callable[..., Courier],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, failed = courier.due_endpoints, []

    def away(*arguments: object) -> object:
        if len(failed) < 2:
            failed.append(1)
            raise CoachError("COACH-DB-001", reason="away") if len(failed) == 1 else KeyError
        return real(*arguments)  # type: ignore[arg-type]  # as called

    monkeypatch.setattr(courier, "due_endpoints", away)
    house.add(receiver.url())
    house.emit()
    run()
    receiver.wait_for(1)
    assert len(failed) == 2

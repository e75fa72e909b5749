"""From the act to the receiver: signed, once per event, tried again by the clock, given up in the end."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.webhooks import emit
from coachops.webhooks.delivering import (
    GIVE_UP_AFTER,
    LEASE,
    WAITS,
    due_endpoints,
    note,
    take,
    wait_after,
)
from coachops.webhooks.sending import Answer
from tests.support.receiver import Receiver, answers, resets
from tests.webhooks.conftest import House, ready

NOW = dt.datetime(2026, 11, 30, 9, 0, tzinfo=dt.UTC)


def test_what_was_committed_arrives_signed_with_ids_counts_and_a_full_link(
    house: House, receiver: Receiver
) -> None:
    secret, hook = house.add(receiver.url())
    house.emit("e1")
    assert house.work_off() == [Answer(204)]
    [request] = receiver.requests
    document = request.verified(secret)
    assert document["type"] == "export.ready"
    assert document["data"]["url"] == "http://localhost:8000/v1/exports/e1"
    assert document["data"]["rows"] == 7
    at = dt.datetime.fromisoformat(document["timestamp"])
    assert clock.now() - at < dt.timedelta(minutes=5)
    [row] = house.deliveries(hook)
    assert (row.state, row.attempts, row.last_status, row.event_id) == (
        "delivered", 1, 204, request.id,
    )  # fmt: skip
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == document


def test_a_transaction_that_is_rolled_back_tells_nothing(house: House, receiver: Receiver) -> None:
    house.add(receiver.url())

    def work(session: Session) -> None:
        assert emit(session, "export.ready", ready("e1"), key="export.ready/e1") is not None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        house.services.database.run(work)
    assert house.work_off() == []
    assert house.count() == 0
    assert house.emit("e1") is not None


def test_one_key_is_one_event_however_often_it_is_emitted(house: House, receiver: Receiver) -> None:
    house.add(receiver.url())
    first, again = house.emit("e1"), house.emit("e1")
    assert (first is not None, again) == (True, None)
    house.add(receiver.url("/later"))
    assert house.emit("e1") is None
    assert len(house.work_off()) == 1


def test_a_failed_attempt_is_made_again_with_the_same_id_and_body(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    receiver.then = [answers(500), resets]
    with clock.frozen(NOW):
        house.emit()
        assert house.work_off() == [Answer(500, "status")]
        assert house.work_off() == []
    with clock.frozen(NOW + dt.timedelta(seconds=6)):
        assert house.work_off() == [Answer(failure="broken")]
        assert house.get(hook).state == "failing"
    with clock.frozen(NOW + dt.timedelta(seconds=6 + 331)):
        assert house.work_off() == [Answer(204)]
        assert house.get(hook).state == "on"
    assert len({request.id for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.requests}) == 3


def test_the_waits_grow_to_three_days_with_some_chance_and_then_it_is_given_up(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    receiver.behaviour = answers(500)
    at = NOW
    with clock.frozen(at):
        house.emit()
    waits = []
    for attempt in range(1, len(WAITS) + 2):
        with clock.frozen(at):
            assert house.work_off() == [Answer(500, "status")], attempt
            [row] = house.deliveries(hook)
        assert row.attempts == attempt
        if row.next_at is not None:
            waits.append((row.next_at - at).total_seconds())
            at = row.next_at
    assert all(w <= wait <= w * 1.1 for w, wait in zip(WAITS, waits, strict=True))
    assert any(wait % 1 for wait in waits)
    assert dt.timedelta(days=3) < at - NOW < dt.timedelta(days=3.6)
    assert (row.state, row.failure) == ("exhausted", "status")
    assert house.get(hook).state == "failing"


def test_an_endpoint_that_brings_nothing_home_is_switched_off_until_somebody_enables_it(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    receiver.behaviour = answers(404)
    for number in range(GIVE_UP_AFTER + 1):
        house.emit(f"e{number}")
    at = NOW
    while house.get(hook).state != "off":
        with clock.frozen(at):
            house.work_off()
        at += dt.timedelta(hours=6)
        assert at < NOW + dt.timedelta(days=9)
    row = house.get(hook)
    assert (row.disabled_reason, row.waiting) == ("exhausted", 0)
    states = [each.state for each in house.deliveries(hook)]
    assert sorted(set(states)) in (["dropped", "exhausted"], ["exhausted"])
    before = house.count()
    house.emit("while-off")
    assert house.count() == before
    receiver.behaviour = answers(200)
    house.services.webhooks.enable(SYSTEM, hook.id)
    house.emit("afterwards")
    assert house.work_off() == [Answer(200)]
    assert house.get(hook).state == "on"


def test_a_receiver_that_says_it_is_gone_is_told_nothing_more(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    receiver.behaviour = answers(410)
    house.emit("e1")
    house.emit("e2")
    assert house.work_off() == [Answer(410, "gone")]
    row = house.get(hook)
    assert (row.state, row.disabled_reason) == ("off", "gone")
    assert {each.state for each in house.deliveries(hook)} == {"dropped"}
    assert len(receiver.requests) == 1


def test_who_asks_to_be_left_alone_is_asked_again_then_and_not_before(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    receiver.behaviour = answers(503, Retry_After="Mon, 30 Nov 2026 09:10:00 GMT")
    with clock.frozen(NOW):
        house.emit()
        assert house.work_off() == [Answer(503, "status", 600.0)]
    [row] = house.deliveries(hook)
    assert row.next_at == NOW + dt.timedelta(minutes=10)


@pytest.mark.parametrize(
    ("asked", "low", "high"), [(None, 5, 5.5), (1, 5, 5.5), (1e9, 95_040, 95_040)]
)
def test_a_receiver_can_ask_for_longer_but_neither_for_less_nor_for_ever(
    asked: float | None, low: float, high: float
) -> None:
    assert low <= wait_after(1, asked).total_seconds() <= high


def test_one_delivery_at_a_time_goes_to_an_endpoint_and_others_are_not_held_up(
    house: House, receiver: Receiver
) -> None:
    database, origin = house.services.database, house.services.webhooks.origin
    _, one = house.add(receiver.url("/one"))
    _, two = house.add(receiver.url("/two"))
    with clock.frozen(NOW):
        house.emit("e1")
        house.emit("e2")
        first = take(database, one.id, origin)
        assert first is not None
        assert take(database, one.id, origin) is None
        assert take(database, two.id, origin) is not None
    with clock.frozen(NOW + LEASE + dt.timedelta(seconds=1)):  # its worker was killed
        again = take(database, one.id, origin)
        assert again is not None
        assert (again.message_id, again.body, again.attempt) == (
            first.message_id, first.body, 2,
        )  # fmt: skip
        # the dead one lives after all: its failure is old news, its success is one
        assert note(database, first, Answer(failure="timeout")) == "waiting"
        assert take(database, one.id, origin) is None
        assert note(database, first, Answer(200)) == "delivered"
        assert note(database, again, Answer(500, "status")) == "delivered"


def test_a_clock_that_was_set_back_holds_nothing_up(house: House, receiver: Receiver) -> None:
    house.add(receiver.url())
    with clock.frozen(NOW + dt.timedelta(days=400)):
        house.emit("e1")
        house.emit("e2")
        hooks = house.services.webhooks
        [(endpoint_id, _)] = due_endpoints(house.services.database, 5, hooks.seal.key_id)
        assert take(house.services.database, endpoint_id, hooks.origin) is not None
    with clock.frozen(NOW):
        assert len(house.work_off()) == 2


def test_an_event_can_be_delivered_again_under_its_id(house: House, receiver: Receiver) -> None:
    _, hook = house.add(receiver.url())
    _, other = house.add(receiver.url("/other"))
    house.emit()
    house.work_off()
    [row] = house.deliveries(hook)
    hooks = house.services.webhooks
    assert hooks.redeliver(SYSTEM, hook.id, row.id).state == "waiting"
    assert house.work_off() == [Answer(204)]
    to_hook = [each for each in receiver.requests if each.path == "/hook"]
    assert len({each.id for each in to_hook}) == 1
    assert len(to_hook) == 2
    with pytest.raises(CoachError) as refused:
        hooks.redeliver(SYSTEM, other.id, row.id)
    assert refused.value.code == "COACH-WHK-007"


def test_a_removed_endpoint_takes_its_deliveries_along_also_while_one_is_under_way(
    house: House, receiver: Receiver
) -> None:
    _, hook = house.add(receiver.url())
    house.emit()
    taken = take(house.services.database, hook.id, house.services.webhooks.origin)
    assert taken is not None
    house.services.webhooks.remove(SYSTEM, hook.id)
    assert note(house.services.database, taken, Answer(200)) == "dropped"
    assert house.count() == 0

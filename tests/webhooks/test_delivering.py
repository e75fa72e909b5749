"""From the act to the receiver: signed, once per event, tried again by the clock, given up in the end."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from coachops.core import clock
from coachops.webhooks.delivering import GIVE_UP_AFTER, LEASE, LONGEST_WAIT, WAITS, note, take
from coachops.webhooks.sending import Answer
from tests.support.receiver import Receiver, answers, resets
from tests.webhooks.conftest import House

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
    with pytest.raises(ZeroDivisionError), house.services.database.write() as session:
        from coachops.webhooks import emit
        from tests.webhooks.conftest import ready

        assert emit(session, "export.ready", ready("e1"), key="k") is not None
        raise ZeroDivisionError
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
    secret, hook = house.add(receiver.url())
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

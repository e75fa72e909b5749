"""What processes know together of a service, on both databases; and what happens without one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from coachops.ai.shared import BREAKER, BUDGET, Leave, SharedState
from coachops.ai.targets import Target
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AiCircuit, AiSpend
from coachops.resilience import Ended

NOW = dt.datetime(2026, 11, 23, 22, 30, tzinfo=dt.UTC)
TARGET = Target("https://ai.example.org/v1", SecretStr("sk-1"), "gpt-5-mini")


def spent(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.sum(AiSpend.spent_microusd))) or 0


def code(call: Callable[[], object]) -> str:
    with pytest.raises(CoachError) as caught:
        call()
    return caught.value.code


def test_what_one_process_finds_out_spares_the_others(database: Database) -> None:
    one, two = SharedState(database).guard(TARGET), SharedState(database).guard(TARGET)
    with clock.frozen(NOW):
        for _ in range(BREAKER.threshold):
            one.settle(one.admit(10, first=True), Ended.FAILED, 0, code="COACH-AI-003")
        error = None
        try:
            two.admit(10, first=True)
        except CoachError as raised:
            error = raised
    assert error is not None
    assert error.code == "COACH-AI-007"
    assert error.details["retry_after"] == 2
    assert "22:30:02 UTC" in error.message
    assert spent(database) == 0
    with clock.frozen(NOW + dt.timedelta(seconds=2)):
        probe = two.admit(10, first=True)
        assert code(lambda: one.admit(10, first=True)) == "COACH-AI-007"
        two.settle(probe, Ended.WELL, 7)
        one.settle(one.admit(10, first=True), Ended.WELL, 7)
    assert spent(database) == 14


def test_of_many_that_come_at_once_after_the_rest_one_probes(database: Database) -> None:
    state = SharedState(database).guard(TARGET)
    with clock.frozen(NOW):
        for _ in range(BREAKER.threshold):
            state.settle(state.admit(0, first=True), Ended.FAILED, 0)
    with clock.frozen(NOW + dt.timedelta(seconds=3)), ThreadPoolExecutor(8) as pool:

        def try_once(_: int) -> Leave | None:
            try:
                return SharedState(database).guard(TARGET).admit(0, first=True)
            except CoachError:
                return None

        leaves = [each for each in pool.map(try_once, range(8)) if each is not None]
    assert len(leaves) == 1


def test_a_refused_key_says_so_until_it_is_replaced(database: Database) -> None:
    guard = SharedState(database).guard(TARGET)
    guard.settle(guard.admit(0, first=True), Ended.REFUSED, 0, code="COACH-AI-002")
    assert code(lambda: guard.admit(0, first=True)) == "COACH-AI-002"
    replaced = Target(TARGET.base_url, SecretStr("sk-2"), TARGET.model)
    assert SharedState(database).guard(replaced).admit(0, first=True).passage is not None
    with database.read() as session:
        names = session.scalars(sa.select(AiCircuit.target)).all()
    assert not any("sk-" in name for name in names)


def test_the_budget_of_retries_is_one_for_all(database: Database) -> None:
    guards = [SharedState(database).guard(TARGET) for _ in range(3)]
    with clock.frozen(NOW):
        guards[0].admit(0, first=True)
        granted = [guards[number % 3].may_retry() for number in range(int(BUDGET.size) + 5)]
        assert sum(granted) == int(BUDGET.size)
        for _ in range(10):
            guards[1].admit(0, first=True)
        assert guards[2].may_retry()
        assert not guards[2].may_retry()


def test_the_days_limit_is_kept_by_all_and_ends_with_the_organisations_day(
    new_database_url: Callable[..., str], backend: str
) -> None:
    database = Database(new_database_url(backend), zone=ZoneInfo("Europe/Paris"))
    guards = [SharedState(database, 0.0001).guard(TARGET) for _ in range(4)]

    def pay(number: int) -> bool:
        try:
            leave = guards[number % 4].admit(30, first=True)
        except CoachError:
            return False
        guards[number % 4].settle(leave, Ended.WELL, 32)
        return True

    with clock.frozen(NOW), ThreadPoolExecutor(4) as pool:
        paid = list(pool.map(pay, range(12)))
        assert sum(paid) == 3
        assert spent(database) == 96
        assert code(lambda: guards[0].admit(30, first=True)) == "COACH-AI-008"
    with clock.frozen(NOW + dt.timedelta(hours=1)):  # past midnight in Paris
        assert guards[0].admit(30, first=True).microusd == 30
    database.close()


def test_a_call_that_never_came_back_stays_booked(database: Database) -> None:
    guard = SharedState(database, 1.0).guard(TARGET)
    guard.admit(500, first=True)  # its process was killed
    guard.settle(guard.admit(300, first=True), Ended.FAILED, None)  # the answer was cut off
    guard.settle(guard.admit(200, first=True), Ended.FAILED, 0)  # refused: nobody bills for it
    assert spent(database) == 800


def unreachable() -> Database:
    return Database("postgresql+psycopg://nobody@127.0.0.1:9/none")


def test_without_its_database_a_call_goes_through_but_never_past_a_limit() -> None:
    database = unreachable()
    free = SharedState(database).guard(TARGET)
    leave = free.admit(10, first=True)
    assert leave == Leave()
    free.settle(leave, Ended.FAILED, 0)
    assert free.may_retry()
    assert code(lambda: SharedState(database, 5.0).guard(TARGET).admit(10, first=True)) == (
        "COACH-AI-008"
    )
    database.close()


def test_a_database_that_failed_is_left_alone_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = unreachable()
    state, asked = SharedState(database), []
    real = database.connect

    def connect(**options: Any) -> Any:
        asked.append(1)
        return real(**options)

    monkeypatch.setattr(database, "connect", connect)
    for _ in range(5):
        assert state.attempt(lambda _session: True, False) is False
    assert len(asked) == 1
    database.close()

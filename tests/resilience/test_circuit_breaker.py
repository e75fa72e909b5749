"""The breaker: opens, rests, lets one probe through, and is never wedged, whatever the clock does."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from coachops.resilience import Circuit, CircuitBreaker, Ended, Passage, Resting

START = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
BREAKER = CircuitBreaker()


class Memory:
    """A store like the database's: compare-and-set by version."""

    def __init__(self) -> None:
        self.circuit = Circuit()
        self.writes = 0

    def load(self, name: str) -> Circuit:
        return self.circuit

    def swap(self, name: str, before: Circuit, after: Circuit) -> bool:
        if before.version != self.circuit.version:
            return False
        assert after.version == before.version + 1
        self.circuit, self.writes = after, self.writes + 1
        return True


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def opened(store: Memory, seconds: float = 0) -> None:
    for _ in range(BREAKER.threshold):
        passage = BREAKER.before(store, "x", at(seconds))
        assert isinstance(passage, Passage)
        BREAKER.after(store, passage, Ended.FAILED, at(seconds), code="COACH-AI-003")


def test_calls_that_do_well_write_nothing() -> None:
    store = Memory()
    for _ in range(3):
        passage = BREAKER.before(store, "x", START)
        assert isinstance(passage, Passage)
        BREAKER.after(store, passage, Ended.WELL, START)
    assert store.writes == 0


def test_failures_in_a_row_open_it_and_one_success_between_starts_the_count_again() -> None:
    store = Memory()
    for ended in [Ended.FAILED, Ended.FAILED, Ended.FAILED, Ended.WELL, *[Ended.FAILED] * 3]:
        passage = BREAKER.before(store, "x", START)
        assert isinstance(passage, Passage)
        BREAKER.after(store, passage, ended, START)
    assert store.circuit.opened_at is None
    assert store.circuit.failures == 3


def test_while_it_rests_nobody_calls_and_after_it_exactly_one() -> None:
    store = Memory()
    opened(store)
    assert BREAKER.before(store, "x", at(1)) == Resting(1.0, "COACH-AI-003")
    probe = BREAKER.before(store, "x", at(2))
    assert isinstance(probe, Passage)
    assert isinstance(BREAKER.before(store, "x", at(2)), Resting)
    BREAKER.after(store, probe, Ended.WELL, at(3))
    assert store.circuit == Circuit(version=store.circuit.version)


def test_each_probe_that_fails_doubles_the_rest_up_to_its_bound() -> None:
    store, now, rests = Memory(), 0.0, []
    opened(store)
    for _ in range(8):
        now += store.circuit.rest
        probe = BREAKER.before(store, "x", at(now))
        assert isinstance(probe, Passage)
        BREAKER.after(store, probe, Ended.FAILED, at(now))
        rests.append(store.circuit.rest)
    assert rests == [4, 8, 16, 32, 60, 60, 60, 60]


def test_one_refusal_is_enough_and_rests_longer() -> None:
    store = Memory()
    passage = BREAKER.before(store, "x", START)
    assert isinstance(passage, Passage)
    BREAKER.after(store, passage, Ended.REFUSED, START, code="COACH-AI-006")
    assert BREAKER.before(store, "x", at(59)) == Resting(1.0, "COACH-AI-006")


@pytest.mark.parametrize(("pause", "rest"), [(1, None), (30, 30), (600, 600), (10_000, 3600)])
def test_a_pause_the_service_asks_for_is_kept_by_all(pause: float, rest: float | None) -> None:
    store = Memory()
    passage = BREAKER.before(store, "x", START)
    assert isinstance(passage, Passage)
    BREAKER.after(store, passage, Ended.FAILED, START, pause=pause)
    assert (store.circuit.rest if store.circuit.opened_at else None) == rest


def test_a_call_that_began_before_the_rest_neither_closes_nor_prolongs_it() -> None:
    store = Memory()
    slow = BREAKER.before(store, "x", START)
    assert isinstance(slow, Passage)
    opened(store)
    before = store.circuit
    BREAKER.after(store, slow, Ended.WELL, at(1))
    BREAKER.after(store, slow, Ended.FAILED, at(1))
    assert store.circuit == before


def test_a_probe_that_was_lost_or_given_back_is_followed_by_another() -> None:
    store = Memory()
    opened(store)
    lost = BREAKER.before(store, "x", at(2))
    assert isinstance(lost, Passage)
    later = at(2 + BREAKER.probe_limit)
    second = BREAKER.before(store, "x", later)
    assert isinstance(second, Passage)
    BREAKER.after(store, lost, Ended.FAILED, later)  # its late news is nobody's
    assert store.circuit.probe_at == later
    BREAKER.release(store, second)
    assert isinstance(BREAKER.before(store, "x", later), Passage)


@pytest.mark.faults(39)
@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_jumps_a_day_does_not_wedge_it(days: int) -> None:
    store = Memory()
    opened(store)
    jumped = at(days * 86_400)
    probe = BREAKER.before(store, "x", jumped)
    assert isinstance(probe, Passage)
    assert isinstance(BREAKER.before(store, "x", jumped), Resting)
    BREAKER.after(store, probe, Ended.FAILED, jumped)
    assert isinstance(BREAKER.before(store, "x", at(0)), Passage)  # and back again


def test_a_faster_process_is_believed() -> None:
    """Between reading and writing another process took the probe."""

    class Raced(Memory):
        def swap(self, name: str, before: Circuit, after: Circuit) -> bool:
            if self.writes == BREAKER.threshold:
                self.circuit, self.writes = after, self.writes + 1  # the other one's
                return False
            return super().swap(name, before, after)

    store = Raced()
    opened(store)
    assert isinstance(BREAKER.before(store, "x", at(2)), Resting)


class Machine(RuleBasedStateMachine):
    """Calls, ends and clocks in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Memory()
        self.now = START
        self.under_way: list[Passage] = []

    @rule(seconds=st.floats(-90_000, 90_000))
    def clock_jumps(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @rule(seconds=st.floats(0, 70))
    def time_passes(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)

    @rule()
    def call(self) -> None:
        found = BREAKER.before(self.store, "x", self.now)
        if isinstance(found, Passage):
            self.under_way.append(found)

    @rule(ended=st.sampled_from(list(Ended)), which=st.integers(0, 5), pause=st.floats(0, 5000))
    def end(self, ended: Ended, which: int, pause: float) -> None:
        if self.under_way:
            passage = self.under_way.pop(which % len(self.under_way))
            BREAKER.after(self.store, passage, ended, self.now, pause=pause)

    @invariant()
    def no_rest_is_longer_than_its_bound(self) -> None:
        assert self.store.circuit.rest <= BREAKER.pause_limit
        bound = BREAKER.pause_limit + BREAKER.probe_limit
        assert BREAKER.resting(self.store.circuit, self.now) <= bound
        later = self.now + dt.timedelta(seconds=bound)
        last = self.store.circuit.probe_at
        assert last is not None or BREAKER.resting(self.store.circuit, later) == 0

    @invariant()
    def one_probe_at_a_time(self) -> None:
        circuit = self.store.circuit
        if circuit.probe_at is None:
            return
        gone = (self.now - circuit.probe_at).total_seconds()
        rested = circuit.opened_at is None or circuit.rest <= (
            (self.now - circuit.opened_at).total_seconds()
        )
        if rested and 0 <= gone < BREAKER.probe_limit:
            assert BREAKER.resting(circuit, self.now) > 0


TestMachine = Machine.TestCase


@given(st.lists(st.sampled_from(list(Ended)), max_size=30))
def test_a_closed_circuit_has_fewer_failures_than_its_threshold(ends: list[Ended]) -> None:
    store, now = Memory(), START
    for ended in ends:
        found = BREAKER.before(store, "x", now)
        if isinstance(found, Resting):
            now += dt.timedelta(seconds=found.seconds)
            found = BREAKER.before(store, "x", now)
        assert isinstance(found, Passage)
        BREAKER.after(store, found, ended, now)
        circuit = store.circuit
        assert circuit.opened_at is not None or circuit.failures < BREAKER.threshold

"""A circuit breaker whose state lies in a store that several processes share.

Closed: calls go through; failures in a row are counted. Open: calls rest, longer each time. After
the rest exactly one call, the probe, may try; its success closes, its failure opens anew (Nygard,
"Release It!", 2nd ed., 5.2; the three states as in Fowler, "CircuitBreaker", 2014).

Every change is a compare-and-set on what was read, so no process overwrites what another found out.
Times are compared as distances with both ends bounded: a clock that jumps can shorten a rest, but
never make it last longer than it was set to.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of a service.

    Attributes:
        failures: in a row.
        opened_at: when the present rest began; None while closed.
        rest: seconds it lasts.
        probe_at: when the call was let through that tries whether the service is back.
        last_code: of the failure that opened it; for people.
        version: grows with every change; for the store's compare-and-set.
    """

    failures: int = 0
    opened_at: dt.datetime | None = None
    rest: float = 0.0
    probe_at: dt.datetime | None = None
    last_code: str | None = None
    version: int = 0


class Ended(StrEnum):
    """How a call ended, as far as the service's health goes."""

    WELL = "well"
    FAILED = "failed"
    REFUSED = "refused"
    """For good: the key or the account is refused; one such answer is enough."""


class CircuitStore(Protocol):
    """Where circuits lie."""

    def load(self, name: str) -> Circuit:
        """The circuit; closed and pristine where there is none."""

    def swap(self, name: str, before: Circuit, after: Circuit) -> bool:
        """Put `after` (with the version after `before`'s) in place of `before`; False where another was faster."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave to make one call; to be handed back with how it ended."""

    name: str
    probe_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Resting:
    """No call now: the service rests for `seconds` more, because of the failure `code`."""

    seconds: float
    code: str | None = None


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """The policy.

    Attributes:
        threshold: failures in a row that open it.
        rest: seconds of the first rest after failures; doubled with each failed probe up to `longest`.
        refused_rest, refused_longest: the same after a refusal.
        probe_limit: seconds after which a probe of which nothing was heard counts as lost.
        short_pause: seconds of a pause (Retry-After) that only the call itself waits; a longer one
            opens the circuit for everybody.
        pause_limit: seconds at most that a service may ask for.
    """

    threshold: int = 4
    rest: float = 2.0
    longest: float = 60.0
    refused_rest: float = 60.0
    refused_longest: float = 900.0
    probe_limit: float = 75.0
    short_pause: float = 5.0
    pause_limit: float = 3600.0

    def before(self, store: CircuitStore, name: str, now: dt.datetime) -> Passage | Resting:
        """Ask for leave to make a call."""
        while True:
            circuit = store.load(name)
            resting = self.resting(circuit, now)
            if resting > 0:
                return Resting(resting, circuit.last_code)
            if circuit.opened_at is None:
                return Passage(name)
            if store.swap(name, circuit, _next(circuit, probe_at=now)):
                return Passage(name, now)
            # another process was faster: read what it left

    def resting(self, circuit: Circuit, now: dt.datetime) -> float:
        """Seconds until the next call may try; 0 where it may now."""
        if circuit.opened_at is None:
            return 0.0
        left = _left(circuit.opened_at, circuit.rest, now)
        if left <= 0 and circuit.probe_at is not None:
            left = _left(circuit.probe_at, self.probe_limit, now)
        return left

    def after(
        self,
        store: CircuitStore,
        passage: Passage,
        ended: Ended,
        now: dt.datetime,
        *,
        code: str | None = None,
        pause: float = 0.0,
    ) -> None:
        """Tell how a call ended.

        Parameters:
            code: of the failure.
            pause: seconds the service asked to be left alone.
        """
        while True:
            circuit = store.load(passage.name)
            changed = self._changed(circuit, passage, ended, now, code, pause)
            if changed == circuit or store.swap(passage.name, circuit, changed):
                return

    def release(self, store: CircuitStore, passage: Passage) -> None:
        """Give a passage back that was not used: the next one may probe."""
        if passage.probe_at is None:
            return
        circuit = store.load(passage.name)
        if circuit.probe_at == passage.probe_at:
            store.swap(passage.name, circuit, _next(circuit, probe_at=None))

    def _changed(
        self,
        circuit: Circuit,
        passage: Passage,
        ended: Ended,
        now: dt.datetime,
        code: str | None,
        pause: float,
    ) -> Circuit:
        is_open = circuit.opened_at is not None
        is_probe = passage.probe_at is not None and passage.probe_at == circuit.probe_at
        if is_open and not is_probe:
            return circuit  # it began before the rest: it says nothing about the service now
        if ended is Ended.WELL:
            pristine = not is_open and circuit.failures == 0
            return circuit if pristine else Circuit(version=circuit.version + 1)
        failures = circuit.failures + 1
        pause = min(pause, self.pause_limit)
        refused = ended is Ended.REFUSED
        if not (is_open or refused or pause > self.short_pause or failures >= self.threshold):
            return _next(circuit, failures=failures, last_code=code)
        first, longest = (
            (self.refused_rest, self.refused_longest) if refused else (self.rest, self.longest)
        )
        rest = min(longest, max(first, circuit.rest * 2 if is_open else 0.0))
        return _next(
            circuit,
            failures=failures,
            opened_at=now,
            rest=max(rest, pause),
            probe_at=None,
            last_code=code,
        )


def _left(since: dt.datetime, seconds: float, now: dt.datetime) -> float:
    """Seconds that are left of a span; 0 where it is over, or lies in the future by a set clock."""
    gone = (now - since).total_seconds()
    return seconds - gone if 0 <= gone < seconds else 0.0


def _next(circuit: Circuit, **changes: object) -> Circuit:
    return dataclasses.replace(circuit, version=circuit.version + 1, **changes)  # type: ignore[arg-type]  # fields of Circuit

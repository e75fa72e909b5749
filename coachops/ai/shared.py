"""What one process does with the knowledge that all share: ask before a call, tell after it.

When the database does not answer, no analysis is lost for it: breaker and retry budget let calls
through (they only spare the service), kept replies are neither found nor kept. The daily limit of
spending does not: with a limit set, nothing is paid that cannot be booked, and the local engine
stands in. After a failure the database is left alone for some seconds, so that one analysis does not
wait for it again and again.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai import stores
from coachops.ai.targets import Target
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.resilience import CircuitBreaker, Ended, Passage, Resting, RetryBudget

T = TypeVar("T")

BREAKER = CircuitBreaker()
BUDGET = RetryBudget()

MENDED_BY_PEOPLE = frozenset({"COACH-AI-002", "COACH-AI-006"})
"""A refused key, an empty account: of no use to try again before somebody did something."""

_PATIENCE = 1.0
"""Seconds that a call waits for SQLite's lock before it goes on without what others know."""

_AWAY = 5.0
"""Seconds for which a database that failed is not asked again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave to send one request, to be settled when its fate is known.

    Attributes:
        passage: of the breaker; None where the database did not answer.
        day, microusd: what was booked before the call; None where nothing was.
    """

    passage: Passage | None = None
    day: dt.date | None = None
    microusd: int = 0


class Guard(Protocol):
    """What an engine asks before and tells after each request."""

    def admit(self, microusd: int, *, first: bool) -> Leave:
        """Leave for a request that will cost about `microusd`; `first` of its call.

        Raises:
            CoachError: COACH-AI-007 the service rests, COACH-AI-008 the day's limit.
        """

    def settle(
        self,
        leave: Leave,
        ended: Ended | None,
        microusd: int | None,
        *,
        code: str | None = None,
        pause: float = 0.0,
    ) -> None:
        """The request's end: None where it says nothing; its cost, None where nobody knows it."""

    def may_retry(self) -> bool:
        """Whether the budget allows one more try."""


class Unshared:
    """No shared knowledge: for a call on its own."""

    def admit(self, microusd: int, *, first: bool) -> Leave:
        """Always."""
        return Leave()

    def settle(
        self,
        leave: Leave,
        ended: Ended | None,
        microusd: int | None,
        *,
        code: str | None = None,
        pause: float = 0.0,
    ) -> None:
        """Nobody to tell."""

    def may_retry(self) -> bool:
        """Always."""
        return True


class Permitted:
    """A guard behind a question that is asked before each request, such as for a consent.

    Parameters:
        before_request: raises what shall end the call.
    """

    def __init__(self, guard: Guard, before_request: Callable[[], None]) -> None:
        self._guard = guard
        self._before_request = before_request
        self.settle = guard.settle
        self.may_retry = guard.may_retry

    def admit(self, microusd: int, *, first: bool) -> Leave:
        """Leave of the guard, where the question was answered well."""
        self._before_request()
        return self._guard.admit(microusd, first=first)


class SharedState:
    """The database as the place of shared knowledge, for all services of one gateway.

    Parameters:
        daily_limit_usd: 0 for none.
    """

    def __init__(self, database: Database, daily_limit_usd: float = 0.0) -> None:
        self._database = database
        self._limit = round(daily_limit_usd * 1_000_000) or None
        self._away_until = 0.0

    @property
    def limit_microusd(self) -> int | None:
        """Millionths of a US dollar a day; None without a limit."""
        return self._limit

    def next_day(self) -> dt.datetime:
        """When the organisation's next day begins."""
        zone = self._database.zone
        tomorrow = self._database.today() + dt.timedelta(days=1)
        return dt.datetime.combine(tomorrow, dt.time(), zone).astimezone(clock.UTC)

    def guard(self, target: Target) -> Guard:
        """The guard of one service."""
        return _TargetGuard(self, target.name)

    def attempt(self, work: Callable[[Session], T], otherwise: T, *, patient: bool = False) -> T:
        """`work` in one short transaction, tried once; `otherwise` where the database is away.

        Parameters:
            patient: wait for a lock as any write does, and ask also a database that failed a moment
                ago: what it knows was paid for.
        """
        if not patient and clock.monotonic() < self._away_until:
            return otherwise
        busy = None if patient else _PATIENCE
        try:
            with (
                self._database.connect(write=True, busy=busy) as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                if not self._database.is_sqlite:
                    # one's own disk is enough: a standby that is away must not hold up calls
                    session.execute(sa.text("SET LOCAL synchronous_commit = local"))
                done = work(session)
                session.flush()
                return done
        except CoachError as error:
            if error.code.startswith("COACH-AI-"):
                raise
            reason = error.code
        except sa.exc.SQLAlchemyError as error:
            reason = type(error).__name__
        self._away_until = clock.monotonic() + _AWAY
        _log.warning("the shared state of the AI services is away", extra={"reason": reason})
        return otherwise

    def admit(self, name: str, microusd: int, *, first: bool) -> Leave:
        """As `Guard.admit`."""
        day = self._database.today()

        def work(session: Session) -> Leave:
            now = clock.now()
            circuits = stores.SqlCircuits(session)
            passage = BREAKER.before(circuits, name, now)
            if isinstance(passage, Resting):
                raise _spared(passage)
            if first:
                stores.first_try(session, name, BUDGET, now)
            if not stores.reserve(session, day, microusd, self._limit):
                dollars = (self._limit or 0) / 1_000_000
                wait = round((self.next_day() - now).total_seconds())
                raise CoachError(
                    "COACH-AI-008", reason=f"{dollars:.2f} US dollars a day", retry_after=wait
                )
            return Leave(passage, day, microusd)

        leave = self.attempt(work, Leave())
        if leave.passage is None and self._limit is not None:
            raise CoachError("COACH-AI-008", reason="what was spent cannot be read now")
        return leave

    def settle(
        self,
        leave: Leave,
        ended: Ended | None,
        microusd: int | None,
        code: str | None,
        pause: float,
    ) -> None:
        """As `Guard.settle`."""
        passage, day = leave.passage, leave.day
        if passage is None or day is None:
            return

        def work(session: Session) -> None:
            circuits = stores.SqlCircuits(session)
            if ended is None:
                BREAKER.release(circuits, passage)
            else:
                BREAKER.after(circuits, passage, ended, clock.now(), code=code, pause=pause)
            if microusd is not None and microusd != leave.microusd:
                stores.correct(session, day, microusd - leave.microusd)

        self.attempt(work, None)

    def may_retry(self, name: str) -> bool:
        """As `Guard.may_retry`."""
        return self.attempt(
            lambda session: stores.take_retry(session, name, BUDGET, clock.now()), True
        )

    def next_try(self, name: str) -> float:
        """Seconds until the service may be asked again; 0 where it may now, or nobody knows."""
        return self.attempt(
            lambda session: BREAKER.resting(stores.SqlCircuits(session).load(name), clock.now()),
            0.0,
        )


@dataclass(frozen=True, slots=True)
class _TargetGuard:
    state: SharedState
    name: str

    def admit(self, microusd: int, *, first: bool) -> Leave:
        return self.state.admit(self.name, microusd, first=first)

    def settle(
        self,
        leave: Leave,
        ended: Ended | None,
        microusd: int | None,
        *,
        code: str | None = None,
        pause: float = 0.0,
    ) -> None:
        self.state.settle(leave, ended, microusd, code, pause)

    def may_retry(self) -> bool:
        return self.state.may_retry(self.name)


def _spared(resting: Resting) -> CoachError:
    """Why the service is not asked now: a refusal that a person must mend keeps its own code."""
    if resting.code in MENDED_BY_PEOPLE:
        return CoachError(resting.code)
    return busy(resting.seconds)


def busy(seconds: float) -> CoachError:
    """COACH-AI-007: the service is to be asked again in `seconds`."""
    until = clock.now() + dt.timedelta(seconds=seconds)
    return CoachError(
        "COACH-AI-007",
        until=f"until {until:%Y-%m-%d %H:%M:%S} UTC",
        retry_after=max(1, round(seconds)),
    )

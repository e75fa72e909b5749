"""A plan that is made by a thread while the first of its parts are written already."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from coachops.export.plan import Part, Plan

Announce = Callable[[Part], None]

_CANCEL_AGAIN = 1.0
"""Seconds: a cancellation that arrives between two statements ends none of them."""


class _UnwantedError(Exception):
    """Nobody wants the plan any more."""


class PlanAhead:
    """A context manager: at its end the thread is done; after an error it does not finish the plan.

    Parameters:
        make: makes the plan, and tells each part as soon as nothing of it can change.
        cancel: ends the statement that `make` waits for.
    """

    def __init__(self, make: Callable[[Announce], Plan], cancel: Callable[[], None]) -> None:
        self._make, self._cancel = make, cancel
        self._unwanted = threading.Event()
        self._told: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        self._plan: Plan | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="export-plan", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.give_up()
            while self._thread.is_alive():
                self._cancel()
                self._thread.join(_CANCEL_AGAIN)
        self._thread.join()

    def give_up(self) -> None:
        """The plan is of no use any more: `parts` ends. May be called by any thread."""
        self._unwanted.set()
        self._told.put(None)

    def parts(self) -> Iterator[Part]:
        """The parts as they become known. Raises what making the plan raised."""
        while (part := self._told.get()) is not None:
            yield part
        if self._error is not None:
            raise self._error

    def plan(self) -> Plan:
        """The whole plan. Raises what making it raised."""
        self._thread.join()
        if self._plan is None:
            raise self._error or RuntimeError("the plan was not begun")
        return self._plan

    def _run(self) -> None:
        try:
            self._plan = self._make(self._tell)
        except BaseException as error:
            self._error = error
        finally:  # whatever happened, who waits is told
            self._told.put(None)

    def _tell(self, part: Part) -> None:
        if self._unwanted.is_set():
            raise _UnwantedError
        self._told.put(part)

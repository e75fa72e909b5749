"""A plan that is made by a thread while the first of its parts are written already."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from coachops.export.plan import Part, Plan

Announce = Callable[[Part], None]


class PlanAhead:
    """A context manager: at its end the thread is done.

    Parameters:
        make: makes the plan, and tells each part as soon as nothing of it can change.
    """

    def __init__(self, make: Callable[[Announce], Plan]) -> None:
        self._make = make
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
        self._thread.join()

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
            self._plan = self._make(self._told.put)
        except BaseException as error:
            self._error = error
        finally:  # whatever happened, who waits is told
            self._told.put(None)

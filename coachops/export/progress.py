"""How far an export is, for who waits for it: rows of how many, bytes, and the time that is left."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coachops.core import clock

if TYPE_CHECKING:
    from coachops.export.plan import Plan

_LOOK_EVERY = 0.1
"""Seconds between two looks at the files."""


@dataclass(frozen=True, slots=True)
class Far:
    """How far an export is.

    Attributes:
        rows, bytes: that are written.
        rows_expected: in all; None until they are counted.
        eta_seconds: how long it takes yet, by the rows so far; None where nothing tells.
    """

    rows: int
    bytes: int
    rows_expected: int | None
    eta_seconds: float | None


Watch = Callable[[Far], object]


class Meter:
    """Measures an export that this process makes.

    Parameters:
        folder: in which it is written, by whatever processes.
        watch: told now and then.
    """

    def __init__(self, folder: Path, watch: Watch) -> None:
        self._data, self._watch = folder / "data", watch
        self._began = clock.monotonic()
        self._looked = -math.inf
        self._rows = 0
        self._expected: int | None = None

    def expect(self, plan: Plan) -> Plan:
        """The plan is whole, so the rows are counted; returns it."""
        self._expected = sum(part.rows for part in plan.parts)
        return plan

    def add(self, rows: int) -> None:
        """So many more are written."""
        self._rows += rows
        if clock.monotonic() - self._looked >= _LOOK_EVERY:
            self.tell()

    def tell(self) -> None:
        """Tell how far it is now."""
        self._looked = clock.monotonic()
        eta = None
        if self._rows and self._expected is not None:
            eta = (self._looked - self._began) * max(0, self._expected - self._rows) / self._rows
        self._watch(Far(self._rows, self._size(), self._expected, eta))

    def _size(self) -> int:
        size = 0
        with contextlib.suppress(OSError):  # there is nothing yet
            for path in self._data.iterdir():
                with contextlib.suppress(OSError):  # it was given its name meanwhile
                    size += path.stat().st_size
        return size

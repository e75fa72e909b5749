"""A deadline for a whole piece of work, handed down to everything that is done for it.

A time limit per step adds up with the steps; a deadline does not. It is counted on the monotonic
clock, so a clock that is set forwards or back does not move it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from coachops.core import clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a piece of work must have ended.

    Attributes:
        at: on the monotonic clock, seconds.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """`seconds` from now."""
        return cls(clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that are left; 0 once it has passed."""
        return max(0.0, self.at - clock.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.left() <= 0

    def within(self, seconds: float) -> Deadline:
        """The earlier one of this deadline and one `seconds` from now."""
        return Deadline(min(self.at, clock.monotonic() + seconds))

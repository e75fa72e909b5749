"""The span of days that the overview looks at: whole weeks up to today, and the same span before.

Weeks begin on Monday in the organisation's time zone. The last week is the one under way, so it is
marked wherever it is shown. The span before has as many days and ends on the same weekday, so the
two are fair to compare.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Final

CHOICES: Final[tuple[tuple[str, int], ...]] = (
    ("Last 4 weeks", 4),
    ("Last 12 weeks", 12),
    ("Last 18 months", 78),
)
"""What a person can choose: words, and weeks with the one under way."""
DEFAULT_WEEKS: Final = 12


@dataclass(frozen=True)
class Period:
    """A number of weeks up to a day.

    Attributes:
        weeks: how many, with the one that holds `last_day`.
        last_day: the last day, in the organisation's calendar.
        zone: of the organisation.
    """

    weeks: int
    last_day: dt.date
    zone: dt.tzinfo

    @cached_property
    def mondays(self) -> list[dt.date]:
        """The first day of each week, oldest first."""
        last = self.last_day - dt.timedelta(days=self.last_day.weekday())
        return [last - dt.timedelta(weeks=back) for back in range(self.weeks - 1, -1, -1)]

    @property
    def since(self) -> dt.date:
        """The first day."""
        return self.mondays[0]

    @property
    def until(self) -> dt.date:
        """The day after the last."""
        return self.last_day + dt.timedelta(days=1)

    @cached_property
    def start(self) -> dt.datetime:
        """The first moment."""
        return self._midnight(self.since)

    @cached_property
    def end(self) -> dt.datetime:
        """The moment after the last."""
        return self._midnight(self.until)

    def before(self) -> Period:
        """The span of the same length that ends as many weeks earlier."""
        return Period(self.weeks, self.last_day - dt.timedelta(weeks=self.weeks), self.zone)

    def week_of(self, at: dt.datetime) -> int:
        """The position of the week that holds a moment of the period."""
        return (at.astimezone(self.zone).date() - self.since).days // 7

    def words(self) -> str:
        """The span in words, such as `2 Nov to 23 Nov 2026`."""
        first, last = self.since, self.last_day
        start = f"{first:%-d %b}" if first.year == last.year else f"{first:%-d %b %Y}"
        return f"{start} to {last:%-d %b %Y}"

    def _midnight(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(), self.zone)

"""The span of time that the overview looks at: whole weeks up to now, and the same span before it.

Weeks begin on Monday in the organisation's time zone. The last week is the one under way, so it is
marked wherever it is shown. The span before has the same length and ends at the same weekday and
hour, so the two are fair to compare.
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


@dataclass(frozen=True)
class Period:
    """A number of weeks up to a moment.

    Attributes:
        weeks: how many, with the one under way.
        now: the moment up to which figures count.
        zone: of the organisation.
    """

    weeks: int
    now: dt.datetime
    zone: dt.tzinfo

    @cached_property
    def today(self) -> dt.date:
        """The organisation's date at `now`."""
        return self.now.astimezone(self.zone).date()

    @cached_property
    def mondays(self) -> list[dt.date]:
        """The first day of each week, oldest first."""
        last = self.today - dt.timedelta(days=self.today.weekday())
        return [last - dt.timedelta(weeks=back) for back in range(self.weeks - 1, -1, -1)]

    @property
    def first_day(self) -> dt.date:
        """The first day."""
        return self.mondays[0]

    @property
    def start(self) -> dt.datetime:
        """The first moment."""
        return self._midnight(self.first_day)

    def before(self) -> Period:
        """The span of the same length that ends as many weeks earlier."""
        # the same hour of the clock, also when summer time began or ended between
        local = self.now.astimezone(self.zone).replace(tzinfo=None) - dt.timedelta(weeks=self.weeks)
        return Period(self.weeks, local.replace(tzinfo=self.zone), self.zone)

    def edges(self) -> list[dt.datetime]:
        """The moments between the weeks: `weeks` + 1 of them."""
        days = self.mondays
        return [self._midnight(day) for day in [*days, days[-1] + dt.timedelta(weeks=1)]]

    def words(self) -> str:
        """The span in words, such as `2 Nov to 23 Nov 2026`."""
        first = self.first_day
        same_year = first.year == self.today.year
        start = f"{first:%-d %b}" if same_year else f"{first:%-d %b %Y}"
        return f"{start} to {self.today:%-d %b %Y}"

    def _midnight(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(), self.zone)

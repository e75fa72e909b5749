"""What is kept: everything of the last day, then days, weeks and months; never the last proof.

Periods are counted over the backups that exist, so a pause deletes nothing. The newest backup of a
period stands for it: the last of a week is also the last of its day, so that it lives on as a day
until the week takes it over.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

ALL_WITHIN = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Policy:
    """How many days, weeks (ISO) and months are kept."""

    days: int = 7
    weeks: int = 5
    months: int = 12

    @classmethod
    def parse(cls, text: str) -> Policy:
        """From `7d 5w 12m`."""
        days, weeks, months = (int(number) for number in re.findall(r"\d+", text))
        return cls(days, weeks, months)


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup, as far as its keeping is concerned.

    Attributes:
        proven: a drill restored it.
        needs: ids of backups without which it is worth nothing.
    """

    id: str
    made_at: dt.datetime
    proven: bool = False
    needs: tuple[str, ...] = ()


def to_keep(
    backups: Sequence[Kept], now: dt.datetime, policy: Policy, zone: dt.tzinfo = dt.UTC
) -> set[str]:
    """Ids of the backups that stay.

    Parameters:
        zone: whose midnight ends a day.
    """
    newest_first = sorted(backups, key=lambda one: (one.made_at, one.id), reverse=True)
    keep = {one.id for one in newest_first if now - one.made_at <= ALL_WITHIN}
    keep.update(one.id for one in newest_first[:1])
    keep.update([one.id for one in newest_first if one.proven][:1])

    def local(one: Kept) -> dt.datetime:
        return one.made_at.astimezone(zone)

    periods: list[tuple[int, Callable[[Kept], Hashable]]] = [
        (policy.days, lambda one: local(one).date()),
        (policy.weeks, lambda one: local(one).isocalendar()[:2]),
        (policy.months, lambda one: (local(one).year, local(one).month)),
    ]
    for count, period in periods:
        keep.update(_newest_of_each(newest_first, period, count))
    return _with_needs(keep, {one.id: one for one in backups})


def _newest_of_each(
    newest_first: Iterable[Kept], period: Callable[[Kept], Hashable], count: int
) -> set[str]:
    found: dict[Hashable, str] = {}
    for one in newest_first:
        if len(found) >= count and period(one) not in found:
            break
        found.setdefault(period(one), one.id)
    return set(found.values()) if count else set()


def _with_needs(keep: set[str], by_id: dict[str, Kept]) -> set[str]:
    done: set[str] = set()
    waiting = list(keep)
    while waiting:
        one = waiting.pop()
        if one in done:
            continue
        done.add(one)
        if one in by_id:
            waiting.extend(by_id[one].needs)
    return done & by_id.keys()

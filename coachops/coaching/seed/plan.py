"""The shape of a made-up organisation: who works when, with whom, how often and how long.

Everything is drawn from one seeded generator, so equal parameters give an equal organisation. The
shape follows what real ones show: coaches join over time and some leave, so that clients move on
to another coach; engagements differ widely in length (a long tail); summers, Christmas and single
clients pause; the number of sessions grows.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_SEASON = (0.9, 1.0, 1.05, 1.0, 1.05, 1.0, 0.75, 0.55, 1.1, 1.15, 1.1, 0.6)
"""Share of usual working days with sessions, January to December."""


@dataclass(frozen=True, slots=True)
class CoachPlan:
    """A coach: number from 1, first and (for leavers) last day with the organisation."""

    number: int
    joined_on: dt.date
    left_on: dt.date | None


@dataclass(frozen=True, slots=True)
class EngagementPlan:
    """A client works with a coach from `started_on` until `ended_on` (None: still)."""

    coach: int
    client: int
    part: int
    started_on: dt.date
    ended_on: dt.date | None
    session_days: tuple[dt.date, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The organisation; `sizes` holds the utterances of each session in the order of `engagements`."""

    coaches: tuple[CoachPlan, ...]
    engagements: tuple[EngagementPlan, ...]
    sizes: tuple[int, ...]
    until: dt.date


def make_plan(
    rng: Random,
    *,
    coaches: int,
    clients: int,
    sessions: int,
    utterances_per_session: int,
    until: dt.date,
    months: int = 18,
) -> Plan:
    """Draw an organisation with exactly `sessions` sessions and their mean length.

    Parameters:
        utterances_per_session: mean; the total is exactly sessions times this.
        until: the day after the last session.
        months: length of the history.
    """
    since = until - dt.timedelta(days=round(months * 30.4))
    team = [_coach(rng, number, coaches, since, until) for number in range(1, coaches + 1)]
    windows = [_window(rng, number, team, since, until) for number in range(1, clients + 1)]
    weights = [
        rng.lognormvariate(0.0, 0.7) * max(1, (window[-1].end - window[0].start).days)
        for window in windows
    ]
    counts = apportion(sessions, weights)
    engagements: list[EngagementPlan] = []
    for number, (parts, count) in enumerate(zip(windows, counts, strict=True), start=1):
        days = _days(rng, parts[0].start, parts[-1].end, count)
        engagements += [
            EngagementPlan(
                coach=part.coach,
                client=number,
                part=index,
                started_on=part.start,
                ended_on=part.end if part.closed else None,
                session_days=tuple(
                    day
                    for day in days
                    if part.start <= day and (day < part.end or part is parts[-1])
                ),
            )
            for index, part in enumerate(parts, start=1)
        ]
    raw = [rng.lognormvariate(0.0, 0.45) for _ in range(sessions)]
    sizes = apportion(sessions * utterances_per_session, raw, least=min(2, utterances_per_session))
    return Plan(tuple(team), tuple(engagements), tuple(sizes), until)


def apportion(total: int, weights: Sequence[float], *, least: int = 0) -> list[int]:
    """Split `total` into whole parts in proportion to `weights`, each at least `least`.

    Largest remainders (Hamilton's method), so that the parts add up exactly.
    """
    if not weights:
        return []
    free = total - least * len(weights)
    whole = math.fsum(weights)
    exact = [free * weight / whole for weight in weights]
    parts = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for index in by_remainder[: free - sum(parts)]:
        parts[index] += 1
    return [part + least for part in parts]


@dataclass(frozen=True, slots=True)
class _Part:
    coach: int
    start: dt.date
    end: dt.date
    closed: bool


def _coach(rng: Random, number: int, coaches: int, since: dt.date, until: dt.date) -> CoachPlan:
    """Half of the team is there from the start, the others join evenly; one in eight leaves."""
    days = (until - since).days
    founders = max(1, coaches // 2)
    joined = since
    if number > founders:
        share = (number - founders) / (coaches - founders + 1)
        joined = since + dt.timedelta(days=round(days * 0.7 * share))
    left = None
    if number % 8 == 0:
        left = since + dt.timedelta(days=round(days * rng.uniform(0.75, 0.9)))
    return CoachPlan(number, joined, left)


def _window(
    rng: Random, client: int, team: Sequence[CoachPlan], since: dt.date, until: dt.date
) -> list[_Part]:
    """When a client is coached, by whom; clients are dealt to the coaches in turn."""
    coach = team[(client - 1) % len(team)]
    last = coach.left_on or until
    room = max(30, (last - coach.joined_on).days - 60)
    start = coach.joined_on + dt.timedelta(days=round(room * rng.random() ** 1.3))
    length = round(min(720, max(60, rng.lognormvariate(5.6, 0.6))))
    end = start + dt.timedelta(days=length)
    closed = end < until
    end = min(end, until)
    if coach.left_on is None or end <= coach.left_on:
        return [_Part(coach.number, start, max(end, start + dt.timedelta(days=1)), closed)]
    staying = [other for other in team if other.left_on is None and other.joined_on <= last]
    if not staying:
        return [_Part(coach.number, start, coach.left_on, True)]
    heir = staying[client % len(staying)]
    return [
        _Part(coach.number, start, coach.left_on, True),
        _Part(heir.number, coach.left_on, end, closed),
    ]


def _days(rng: Random, start: dt.date, end: dt.date, count: int) -> list[dt.date]:
    """`count` days from `start` to `end`, roughly even, on weekdays, with one pause, by season."""
    span = max(1, (end - start).days)
    pause_from = rng.uniform(0.3, 0.7)
    pause = rng.choice((0.0, 0.0, 0.12, 0.2))
    days = []
    for index in range(count):
        place = (index + rng.uniform(0.1, 0.9)) / count * (1 - pause)
        if place > pause_from:
            place += pause
        day = start + dt.timedelta(days=min(span - 1, int(place * span)))
        for _ in range(6):
            if day.weekday() < 5 and rng.random() < _SEASON[day.month - 1]:
                break
            day += dt.timedelta(days=rng.randint(1, 9))
            if day >= end:
                day = start + dt.timedelta(days=rng.randrange(span))
        days.append(day)
    return sorted(days)

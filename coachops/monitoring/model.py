"""What the overview says."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number for people who decide.

    Attributes:
        key: stable name.
        label: what it is, in two or three words.
        value: the number; None where there is nothing to count.
        n: how many rows it rests on.
        unit: `s`, `h`, `%`, `USD`, or what is counted.
        definition: exactly what is counted, in one or two sentences.
    """

    key: str
    label: str
    value: float | int | None
    n: int
    unit: str
    definition: str


@dataclass(frozen=True, slots=True)
class Week:
    """A week from Monday (`start`); `complete` is False while it is running."""

    start: dt.date
    transcripts: int
    sessions: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows have these labels, such as engine and status."""

    labels: tuple[str, ...]
    n: int


@dataclass(frozen=True, slots=True)
class CoachRow:
    """What a coach did in the span: sessions held, transcripts uploaded, follow-ups sent."""

    coach_id: str
    name: str
    sessions: int
    transcripts: int
    follow_ups_sent: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that waits for a person.

    Attributes:
        kind: `transcript` or `message`.
        id: of the row.
        state: where it stands.
        coach_name: whose client it concerns.
        at: since when.
        code: the error's code; None where it only waits.
        next_step: what to do.
        who: who can: `you` (the coach), `admin` or `support`.
    """

    kind: str
    id: str
    state: str
    coach_name: str
    at: dt.datetime
    code: str | None
    next_step: str
    who: str


@dataclass(frozen=True, slots=True)
class Fresh:
    """How new the newest row of a dataset is; `newest` is None where there is none."""

    dataset: str
    newest: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The admin overview of a span of days.

    Attributes:
        as_of: when it was computed.
        since, until: its days, inclusive and exclusive, in the organisation's time zone.
        figures: see `Figure`.
        weeks: each week of the span, without gaps.
        analyses: runs by engine and status.
        follow_ups: messages by state.
        feedback: answers by helpfulness, 1 to 5.
        by_coach: coaches with anything in the span, by name.
        failures: what waits for a person, the oldest first, at most `failures_shown`.
        failures_total: how many there are in all, whatever their age.
        freshness: newest rows.
    """

    as_of: dt.datetime
    since: dt.date
    until: dt.date
    figures: tuple[Figure, ...]
    weeks: tuple[Week, ...]
    analyses: tuple[Count, ...]
    follow_ups: tuple[Count, ...]
    feedback: tuple[Count, ...]
    by_coach: tuple[CoachRow, ...]
    failures: tuple[Failure, ...]
    failures_total: int
    freshness: tuple[Fresh, ...]

    def figure(self, key: str) -> Figure:
        """The figure of that key; `KeyError` where there is none."""
        for figure in self.figures:
            if figure.key == key:
                return figure
        raise KeyError(key)

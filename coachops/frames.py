"""The datasets as pandas frames, with the types of the registry, and the few sums analysts need.

    database = frames.connect()
    sessions = frames.load("sessions", database, since="2026-01-01")
    frames.weekly(sessions["held_on"])

One definition (`export/datasets.py`) serves files and frames, so a notebook and an export agree.
Ids and texts are `str`, closed lists `category`, whole numbers `int64` (`Int64` with NULL), days
`datetime64[s]` without a zone, instants `datetime64[us, UTC]`, JSON columns Python values.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database, migrate
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Column
from coachops.export.reader import read
from coachops.export.selection import Selection, make_filters

Day = dt.date | str | None


def connect(url: str | None = None) -> Database:
    """The database that the settings name (or `url`), refused where it is of another version.

    Raises:
        CoachError: COACH-DB-001, -005, -006.
    """
    database = Database(url) if url else Database.of(load_settings())
    migrate.require_head(database)
    return database


def load(
    name: str,
    database: Database,
    *,
    since: Day = None,
    until: Day = None,
    coaches: Sequence[str] = (),
    clients: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    zone: dt.tzinfo | None = None,
    actor: Actor = SYSTEM,
) -> pd.DataFrame:
    """A dataset as a frame, filtered as an export would be.

    Parameters:
        since, until: days (inclusive, exclusive) of the organisation's calendar.
        columns: only these, in this order; None is all.
        zone: of the organisation; None takes the setting.

    The frame's `attrs` hold `dataset`, `version` and `as_of`.

    Raises:
        CoachError: COACH-EXP-001 for an unknown dataset, COACH-SYS-002 for an unknown column or a
            day that is not one, COACH-IDN-003, and those of the filters.
    """
    actor.require_role("admin", "analyst", "service", what="read every coach's data")
    if name not in DATASETS:
        raise CoachError("COACH-EXP-001", name=name)
    dataset = DATASETS[name]
    known = [column.name for column in dataset.columns]
    for wanted in columns or ():
        if wanted not in known:
            raise CoachError("COACH-SYS-002", reason=f"{name} has no column '{wanted}'.")
    collected: list[list[str | None]] = [[] for _ in known]
    with database.connect() as connection:
        as_of = clock.now()
        filters = make_filters(
            connection,
            since=_day(since),
            until=_day(until),
            coaches=coaches,
            clients=clients,
            zone=zone or load_settings().zone,
        )
        for chunk in read(connection, dataset, Selection(filters).condition(dataset)):
            for whole, part in zip(collected, chunk, strict=True):
                whole.extend(part)
    frame = pd.DataFrame(
        {
            column.name: _series(column, values)
            for column, values in zip(dataset.columns, collected, strict=True)
            if columns is None or column.name in columns
        }
    )
    frame.attrs = {"dataset": name, "version": dataset.version, "as_of": as_of.isoformat()}
    return frame if columns is None else frame[list(columns)]


def weekly(days: pd.Series[Any], *, as_of: dt.date | None = None) -> pd.DataFrame:
    """How many values fall into each week, Monday to Sunday, without gaps.

    Parameters:
        days: days or instants; instants are counted by their UTC day.
        as_of: the current day; None is today in the organisation's time zone.

    Returns `week` (its Monday), `n` and `complete`: False for the week that is still running.
    """
    stamps = pd.to_datetime(days.dropna())
    if getattr(stamps.dtype, "tz", None) is not None:
        stamps = stamps.dt.tz_localize(None)
    mondays = stamps.dt.normalize() - pd.to_timedelta(stamps.dt.day_of_week, unit="D")
    counts = mondays.value_counts().sort_index()
    if len(counts):
        weeks = pd.date_range(counts.index[0], counts.index[-1], freq="7D")
        counts = counts.reindex(weeks, fill_value=0)
    today = pd.Timestamp(as_of or clock.today(load_settings().zone))
    return pd.DataFrame(
        {
            "week": counts.index,
            "n": counts.to_numpy(dtype="int64"),
            "complete": counts.index <= today - pd.Timedelta(days=7),
        }
    )


def weeks_ago(weeks: int) -> dt.date:
    """The Monday `weeks` weeks before the current week, in the organisation's time zone."""
    today = clock.today(load_settings().zone)
    return today - dt.timedelta(days=today.weekday() + 7 * weeks)


def current_analyses(analyses: pd.DataFrame) -> pd.DataFrame:
    """One row per transcript: its newest analysis that did not fail, which is the one that holds."""
    usable = analyses[analyses["status"] != "failed"]
    return usable.sort_values(["created_at", "analysis_id"]).drop_duplicates(
        "transcript_id", keep="last"
    )


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its counts and the 95 % interval of Wilson (1927).

    Attributes:
        k: how many.
        n: of how many.
        value: k / n; None where n is 0.
        low, high: the interval; None where n is 0.
    """

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """As a reader needs it: never without its n."""
        if self.value is None or self.low is None or self.high is None:
            return "no data (n = 0)"
        return f"{self.value:.0%} ({self.k} of {self.n}; 95 % interval {self.low:.0%} to {self.high:.0%})"


def share(k: int, n: int) -> Share:
    """`k` of `n` with its interval; refuses `k` outside 0..n with a `ValueError`."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is not a share")
    if n == 0:
        return Share(k, n, None, None, None)
    z = 1.959963984540054  # 97.5 % quantile of the normal distribution
    p = k / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Share(k, n, p, max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True, slots=True)
class Median:
    """A median with its n and a 95 % interval from order statistics (no assumption on the shape)."""

    n: int
    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """As a reader needs it."""
        if self.value is None:
            return "no data (n = 0)"
        if self.low is None or self.high is None:
            return f"{self.value:.3g} (n = {self.n}, too few for an interval)"
        return f"{self.value:.3g} (n = {self.n}; 95 % interval {self.low:.3g} to {self.high:.3g})"


def median(values: Iterable[float]) -> Median:
    """The median; the interval's ranks are those of the binomial sign test, from n = 6 on."""
    data = sorted(float(v) for v in values if not math.isnan(v))
    n = len(data)
    if n == 0:
        return Median(0, None, None, None)
    middle = (data[(n - 1) // 2] + data[n // 2]) / 2
    rank, tail = 0, 0.5**n
    while tail <= 0.025 and rank < n // 2:
        rank += 1
        tail += math.comb(n, rank) * 0.5**n if n < 1000 else 1.0
    if n >= 1000:  # the normal approximation, where 0.5**n is too small for a float
        rank = max(1, math.floor(n / 2 - 1.959963984540054 * math.sqrt(n) / 2))
    if rank == 0:
        return Median(n, middle, None, None)
    return Median(n, middle, data[rank - 1], data[n - rank])


def field(documents: pd.Series[Any], key: str) -> pd.Series[Any]:
    """One number out of a JSON column, such as `field(analyses["counts"], "coach_talk_share")`."""
    return pd.Series(
        [document.get(key) if isinstance(document, dict) else None for document in documents],
        index=documents.index,
        name=key,
        dtype="float64",
    )


def _series(column: Column, values: list[str | None]) -> pd.Series[Any]:
    match column.kind:
        case "integer" | "int64":
            numbers = [None if v is None else int(v) for v in values]
            return pd.Series(numbers, dtype="Int64" if column.nullable else "int64")
        case "boolean":
            flags = [None if v is None else v == "true" for v in values]
            return pd.Series(flags, dtype="boolean" if column.nullable else "bool")
        case "date":
            return pd.Series(np.array(["NaT" if v is None else v for v in values], "M8[s]"))
        case "instant":
            plain = np.array(["NaT" if v is None else v[:-1] for v in values], "M8[us]")
            return pd.Series(plain).dt.tz_localize("UTC")
        case "json":
            parsed = [None if v is None else json.loads(v) for v in values]
            return pd.Series(parsed, dtype="object")
        case _ if column.enum:
            return pd.Series(pd.Categorical(values, categories=list(column.enum)))
        case _:
            return pd.Series(values, dtype="str")


def _day(value: Day) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise CoachError(
            "COACH-SYS-002", reason=f"A day looks like 2026-03-31, not '{value}'."
        ) from None

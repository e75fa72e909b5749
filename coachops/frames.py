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
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database, migrate
from coachops.export.batches import arrow_schema
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Column, Dataset
from coachops.export.readers import read_batches
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
        selection = Selection(filters)
        condition = selection.condition(dataset)
        batches = list(read_batches(connection, selection.shown(dataset), condition))
    table = pa.Table.from_batches([_plain(batch) for batch in batches], _plain_schema(dataset))
    frame = pd.DataFrame(
        {
            column.name: _series(column, table.column(column.name))
            for column in dataset.columns
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


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts of all batches as one type, whatever the database's reader found cheapest."""
    arrays = [
        pc.cast(array, pa.large_string()) if _is_text(array.type) else array
        for array in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _plain_schema(dataset: Dataset) -> pa.Schema:
    return pa.schema(
        [
            (field.name, pa.large_string() if _is_text(field.type) else field.type)
            for field in arrow_schema(dataset.columns)
        ]
    )


def _is_text(kind: pa.DataType) -> bool:
    return kind in {pa.string(), pa.large_string(), pa.string_view()}


def _series(column: Column, values: Any) -> pd.Series[Any]:
    match column.kind:
        case "integer" | "int64":
            numbers = values.cast(pa.int64()).to_pandas(
                types_mapper={pa.int64(): pd.Int64Dtype()}.get
            )
            return numbers if column.nullable else numbers.astype("int64")  # type: ignore[no-any-return]
        case "boolean":
            flags = values.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
            return flags if column.nullable else flags.astype("bool")  # type: ignore[no-any-return]
        case "date":
            return pd.Series(values.cast(pa.timestamp("s")).to_numpy())
        case "instant":
            return pd.Series(values.cast(pa.timestamp("us")).to_numpy()).dt.tz_localize("UTC")
        case "json":
            parsed = [None if v is None else json.loads(v) for v in values.to_pylist()]
            return pd.Series(parsed, dtype="object")
        case "uuid":
            texts = [None if v is None else str(uuid.UUID(bytes=v)) for v in values.to_pylist()]
            return pd.Series(texts, dtype="str")
        case _ if column.enum:
            return pd.Series(pd.Categorical(values.to_pylist(), categories=list(column.enum)))
        case _:
            return pd.Series(values.to_pylist(), dtype="str")


def _day(value: Day) -> dt.date | None:
    if value is None or isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise CoachError(
            "COACH-SYS-002", reason=f"A day looks like 2026-03-31, not '{value}'."
        ) from None

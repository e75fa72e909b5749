"""Frames hold what the export holds, with the types of the registry; intervals are honest."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops import frames
from coachops.coaching.seed import seed_organisation
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.export import DATASETS, run_export


@pytest.fixture
def organisation(database: Database) -> Database:
    seed_organisation(
        database, coaches=3, clients=8, sessions=40, utterances_per_session=6, seed=5,
        until=dt.date(2026, 11, 23),
    )  # fmt: skip
    return database


def test_frames_equal_the_export(organisation: Database, tmp_path: Path) -> None:
    run_export(organisation, SYSTEM, tmp_path / "out", ["json"], list(DATASETS))
    for name in DATASETS:
        frame = frames.load(name, organisation)
        if name in {"activity", "audit_events"}:
            frame = frame.iloc[:-1]  # the newest row is what the export itself recorded
        rows = json.loads((tmp_path / "out" / "data" / f"{name}-0001.json").read_bytes())["rows"]
        assert len(frame) == len(rows), name
        for row, values in zip(rows[:20], frame.itertuples(index=False), strict=False):
            for (column, expected), found in zip(row.items(), values, strict=True):
                kind = DATASETS[name].column(column).kind
                if expected is None:
                    assert found is None or found is pd.NA or pd.isna(found), (name, column)
                elif kind == "instant":
                    assert found == pd.Timestamp(expected), (name, column)
                elif kind == "date":
                    assert found.date().isoformat() == expected, (name, column)
                elif kind == "int64":
                    assert found == int(expected), (name, column)
                else:
                    assert found == expected, (name, column)


def test_types_are_those_of_the_registry_even_without_rows(sqlite_database: Database) -> None:
    frame = frames.load("utterances", sqlite_database)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "utterance_id": "str", "transcript_id": "str", "source_name": "str", "position": "int64",
        "speaker": "category", "start_ms": "Int64", "end_ms": "Int64", "text": "str",
        "behaviour": "category",
    }  # fmt: skip
    types = frames.load("sessions", sqlite_database).dtypes
    assert str(types["held_on"]) == "datetime64[s]"
    assert str(types["created_at"]) == "datetime64[us, UTC]"
    assert str(types["duration_ms"]) == "Int64"


def test_filters_columns_and_refusals(organisation: Database) -> None:
    some = frames.load("sessions", organisation, since="2026-09-01", columns=["held_on", "title"])
    assert list(some.columns) == ["held_on", "title"]
    assert some.attrs["dataset"] == "sessions"
    assert (some["held_on"] >= "2026-09-01").all()
    assert 0 < len(some) < 40
    for code, call in [
        ("COACH-EXP-001", lambda: frames.load("nothing", organisation)),
        ("COACH-SYS-002", lambda: frames.load("sessions", organisation, columns=["x"])),
        ("COACH-SYS-002", lambda: frames.load("sessions", organisation, since="soon")),
        (
            "COACH-IDN-003",
            lambda: frames.load("sessions", organisation, actor=Actor(None, "coach", "C")),
        ),
    ]:
        with pytest.raises(CoachError) as caught:
            call()
        assert caught.value.code == code


def test_connect_refuses_a_database_that_is_not_set_up(tmp_path: Path) -> None:
    with pytest.raises(CoachError) as caught:
        frames.connect(f"sqlite:///{tmp_path / 'empty.db'}")
    assert caught.value.code == "COACH-DB-005"


@given(days=st.lists(st.dates(dt.date(2025, 1, 1), dt.date(2026, 12, 31)), max_size=40))
def test_weeks_have_no_gaps_and_lose_no_day(days: list[dt.date]) -> None:
    made = frames.weekly(pd.Series(days, dtype="datetime64[s]"), as_of=dt.date(2026, 6, 3))
    assert made["n"].sum() == len(days)
    assert (made["week"].dt.day_of_week == 0).all()
    assert (made["week"].diff().dropna() == pd.Timedelta(days=7)).all()
    over = made["week"] + pd.Timedelta(days=7) <= pd.Timestamp("2026-06-03")
    assert (made["complete"] == over).all()


def test_shares_never_come_without_their_n() -> None:
    """Figures of Wilson's interval from Newcombe (1998), table I."""
    some = frames.share(81, 263)
    assert some.low is not None
    assert some.high is not None
    assert (round(some.low, 4), round(some.high, 4)) == (0.2553, 0.3662)
    assert str(frames.share(0, 0)) == "no data (n = 0)"
    assert "81 of 263" in str(some)
    assert frames.share(0, 20).low == 0
    with pytest.raises(ValueError, match="not a share"):
        frames.share(3, 2)


@given(values=st.lists(st.floats(-1e6, 1e6), max_size=60))
def test_medians_lie_in_their_interval(values: list[float]) -> None:
    made = frames.median([*values, math.nan])
    assert made.n == len(values)
    if made.value is None:
        assert not values
    elif made.low is not None and made.high is not None:
        assert made.low <= made.value <= made.high
    else:
        assert made.n < 6


def test_the_interval_of_a_median_has_the_ranks_of_the_tables() -> None:
    """Ranks for 95 %: n = 10 takes the 2nd and 9th, n = 50 the 18th and 33rd value."""
    for n, low in ((6, 1), (10, 2), (20, 6), (50, 18), (100, 40)):
        made = frames.median(range(1, n + 1))
        assert (made.low, made.high) == (low, n + 1 - low), n
    wide = frames.median(range(1, 10_001))
    assert wide.low is not None
    assert 4890 <= wide.low <= 4910


def test_the_analysis_that_holds_is_the_newest_that_did_not_fail() -> None:
    rows = pd.DataFrame(
        {
            "analysis_id": ["a", "b", "c", "d"],
            "transcript_id": ["t", "t", "t", "u"],
            "status": ["complete", "degraded", "failed", "failed"],
            "created_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-01"]),
            "counts": [{"x": 1}, {"x": 2}, None, None],
        }
    )
    held = frames.current_analyses(rows)
    assert held["analysis_id"].tolist() == ["b"]
    assert frames.field(held["counts"], "x").tolist() == [2.0]

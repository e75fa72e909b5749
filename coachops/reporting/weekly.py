"""What `reports/weekly_operations.ipynb` shows: a week beside the one before, and the trend.

The notebook loads once and shows one part a cell. Every number comes from `monitoring.overview` or
from a frame, so the report, the dashboard and an export agree.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database, migrate
from coachops.monitoring import Figure, Overview, overview
from coachops.reporting.catalog import find_report
from coachops.reporting.figures import Html, bars, duration, number, table, tiles, title_block

_WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class WeeklyOperations:
    """The figures of a week.

    Attributes:
        week, before: this week and the one before, as the admin overview counts.
        trend: `weeks` weeks, this one last.
        organisation: its name.
        partial: the week is not over yet.
    """

    week: Overview
    before: Overview
    trend: Overview
    organisation: str
    partial: bool

    def title(self) -> Html:
        """The week, where the numbers come from, and whether it is over."""
        last = self.week.until - dt.timedelta(days=1)
        when = f"{self.week.since:%-d %B %Y} to {last:%-d %B %Y}"
        rows = self.week.figure("transcripts").n
        sessions = sum(week.sessions for week in self.week.weeks)
        meta = (
            f"{self.organisation} · as of {self.week.as_of:%Y-%m-%d %H:%M} UTC · "
            f"{sessions} sessions, {rows} transcripts in the week"
        )
        warning = "This week is not over yet: its numbers will grow." if self.partial else ""
        return title_block(when, meta, warning)

    def summary(self) -> Html:
        """The week at a glance, each number beside that of the week before."""
        sessions, earlier = (sum(w.sessions for w in o.weeks) for o in (self.week, self.before))
        rows = [("Sessions held", number(sessions), f"week before {number(earlier)}")]
        for key in ("transcripts", "active_coaches", "analysis_median", "approval_lag",
                    "helpfulness", "spend"):  # fmt: skip
            now, then = self.week.figure(key), self.before.figure(key)
            rows.append((now.label, _shown(now), f"{_basis(now)} · week before {_shown(then)}"))
        return tiles(rows)

    def sessions_by_week(self) -> Html:
        """The trend of sessions."""
        return self._trend("Sessions a week", [w.sessions for w in self.trend.weeks], "sessions",
                           "Sessions by the day they were held.")  # fmt: skip

    def transcripts_by_week(self) -> Html:
        """The trend of uploads."""
        return self._trend("Transcripts a week", [w.transcripts for w in self.trend.weeks],
                           "transcripts", self.trend.figure("transcripts").definition)  # fmt: skip

    def analyses(self) -> Html:
        """Runs by engine and how they ended."""
        runs = sum(count.n for count in self.week.analyses)
        rows = [(*count.labels, count.n) for count in self.week.analyses]
        p90 = self.week.figure("analysis_p90")
        note = f"{runs} runs in the week. {p90.label}: {_shown(p90)} ({_basis(p90)})."
        return table(
            "Analyses by engine and outcome", ["engine", "outcome", "runs"], rows, note=note
        )

    def follow_ups(self) -> Html:
        """Follow-ups drafted in the week by where they stand now."""
        total = sum(count.n for count in self.week.follow_ups)
        rows = [(*count.labels, count.n) for count in self.week.follow_ups]
        lag = self.week.figure("approval_lag")
        note = f"{total} drafted in the week. {lag.label}: {_shown(lag)} ({_basis(lag)})."
        return table("Follow-ups by state", ["state", "follow-ups"], rows, note=note)

    def feedback(self) -> Html:
        """Clients' answers."""
        mean = self.week.figure("helpfulness")
        return bars(
            "Clients' answers: how helpful was the session?",
            ["1 not at all", "2", "3", "4", "5 very"],
            [count.n for count in self.week.feedback],
            unit="answers",
            note=f"Mean {_shown(mean)}, {_basis(mean)}. {mean.definition}",
        )

    def by_coach(self) -> Html:
        """The week of each coach."""
        note = (
            "Ordered by name: it shows where work is, not who is better. Sessions by the day they "
            "were held, transcripts by upload, follow-ups by the time they were sent."
        )
        return table(
            "By coach",
            ["coach", "sessions", "transcripts", "follow-ups sent"],
            [(c.name, c.sessions, c.transcripts, c.follow_ups_sent) for c in self.week.by_coach],
            note=note,
        )

    def waiting(self, limit: int = 15) -> Html:
        """What waits for a person now, the oldest first."""
        shown = self.week.failures[:limit]
        note = f"{len(shown)} of {self.week.failures_total} shown, whatever week they are from."
        rows = [
            (f.at.date().isoformat(), f.kind, f.state.replace("_", " "), f.coach_name,
             f.code or "", f.next_step)
            for f in shown
        ]  # fmt: skip
        columns = ["since", "what", "state", "coach", "code", "next step"]
        return table("Waiting for a person", columns, rows, note=note)

    def definitions(self) -> Html:
        """What each number counts."""
        rows = [(f.label, f.definition) for f in self.week.figures]
        return table("What is counted", ["figure", "definition"], rows)

    def _trend(self, title: str, values: list[int], unit: str, note: str) -> Html:
        weeks = self.trend.weeks
        return bars(
            title,
            [f"{week.start:%-d %b}" for week in weeks],
            values,
            unit=unit,
            note=f"{note} n = {sum(values)} in {len(weeks)} weeks, named by their Monday.",
            unfinished=[not week.complete for week in weeks],
        )


def load(week_start: str = "", weeks: int = 12) -> WeeklyOperations:
    """The report's figures out of the database that the environment names.

    Parameters:
        week_start: Monday of the week, YYYY-MM-DD; empty is the last complete week.
        weeks: length of the trends, this week included.

    Raises:
        CoachError: COACH-REP-002 for parameters that the catalog refuses and for weeks that have
            not begun; COACH-DB-… where the database cannot be read.
    """
    find_report("weekly_operations").check({"week_start": week_start, "weeks": weeks})
    settings = load_settings()
    today = clock.today(settings.zone)
    current = today - dt.timedelta(days=today.weekday())
    start = dt.date.fromisoformat(week_start) if week_start else current - _WEEK
    if start > current:
        raise CoachError(
            "COACH-REP-002", name="weekly_operations", reason=f"the week of {start} has not begun"
        )
    end = start + _WEEK
    database = Database.of(settings)
    migrate.require_head(database)
    try:
        week = overview(database, SYSTEM, start, end, zone=settings.zone)
        before = overview(database, SYSTEM, start - _WEEK, start, zone=settings.zone)
        trend = overview(database, SYSTEM, end - weeks * _WEEK, end, zone=settings.zone)
    finally:
        database.close()
    return WeeklyOperations(week, before, trend, settings.organisation, end > today)


def _shown(figure: Figure) -> str:
    if figure.unit in {"s", "h"}:
        seconds = figure.value
        return duration(seconds * 3600 if seconds is not None and figure.unit == "h" else seconds)
    if figure.unit == "coaches":
        return f"{number(figure.value)} of {figure.n}"
    if figure.unit in {"%", "USD"}:
        return number(figure.value, figure.unit)
    return number(figure.value)


def _basis(figure: Figure) -> str:
    return f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{figure.n:,}"  # no-break spaces

"""The organisation in figures: the tiles, the charts over the weeks, and what makes up the whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from coachops.dashboards import charts
from coachops.dashboards.charts import Series
from coachops.dashboards.components import Element, Tone, card, html, join
from coachops.dashboards.overview_figures import SMALL_GROUP, Figures, Waits, Weeks
from coachops.dashboards.overview_parts import (
    Bar,
    Tile,
    bars,
    change,
    counted,
    duration,
    money,
    share,
)
from coachops.monitoring import Count, Figure, Overview

_STATES: Final[tuple[tuple[str, str, Tone], ...]] = (
    ("sent", "Sent", "ok"),
    ("draft", "Draft, to approve", "info"),
    ("approved", "Approved", "info"),
    ("sending", "Being sent", "info"),
    ("uncertain", "Uncertain", "bad"),
    ("failed", "Not sent", "bad"),
)
_ENGINES: Final = {"openai": "External AI", "local": "Local"}
_CONSENTS: Final = (
    ("processing", "Analysis on this system"),
    ("external_ai", "Analysis by an external AI"),
)


class Tiles:
    """The headline numbers: those of monitoring with its definitions, and sums of its counts."""

    def __init__(self) -> None:
        self.sessions = Tile(
            "Sessions held",
            "Sessions whose day lies in the period, with or without a transcript.",
        )
        self.transcripts = Tile("Transcripts")
        self.coaches = Tile("Active coaches")
        self.waits = Tile("Upload to analysis")
        self.failed = Tile(
            "Failed analyses",
            "Runs of the analysis in the period that failed, of all runs. A later run may have "
            "succeeded.",
        )
        self.sent = Tile(
            "Follow-ups sent",
            "Follow-ups drafted in the period that have been sent to the client since.",
        )
        self.approval = Tile("Draft to approval")
        self.answers = Tile("Client answers")
        self.consent = Tile("Consent coverage")
        self.spend = Tile("AI spend")
        self.all = [
            self.sessions, self.transcripts, self.coaches, self.waits, self.failed,
            self.sent, self.approval, self.answers, self.consent, self.spend,
        ]  # fmt: skip
        self.widget = Element(children=self.all, classes="ov-tiles")

    def show(self, figures: Figures) -> None:
        """Replace all numbers."""
        now, before, weeks = figures.now, figures.before, figures.weeks
        self.sessions.show(
            f"{_sessions(now):,}",
            f"in {counted(figures.period.weeks, 'week')}",
            change=_moved(_sessions(now), _sessions(before) if before else None),
            trend=_trend([week.sessions for week in now.weeks]),
        )
        transcripts = now.figure("transcripts")
        analysed = now.figure("analysis_median").n
        waiting = transcripts.n - analysed
        self.transcripts.define(transcripts)
        self.transcripts.show(
            f"{transcripts.n:,}",
            f"{waiting:,} without an analysis" if waiting > 0 else "all analysed",
            change=_moved(transcripts.n, before.figure("transcripts").n if before else None),
            trend=_trend([week.transcripts for week in now.weeks]),
        )
        coaches = now.figure("active_coaches")
        self.coaches.define(coaches)
        self.coaches.show(
            f"{coaches.value or 0:,}",
            f"of {counted(coaches.n, 'coach', 'coaches')}",
            change=_moved(
                int(coaches.value or 0),
                int(before.figure("active_coaches").value or 0) if before else None,
            ),
        )
        self._show_waits(figures)
        runs, failed = _total(now.analyses), _total(now.analyses, "failed")
        earlier = _total(before.analyses, "failed") if before and before.analyses else None
        self.failed.show(
            f"{failed:,}",
            f"{share(failed, runs) or '0%'} of {counted(runs, 'run')}",
            change=_moved(failed, earlier),
            tone="warn" if failed > (earlier or 0) else "neutral",
            trend=_trend(weeks.failed()),
        )
        drafted, sent = _total(now.follow_ups), _total(now.follow_ups, "sent")
        self.sent.show(
            f"{sent:,}",
            f"of {drafted:,} drafted",
            change=_moved(sent, _total(before.follow_ups, "sent") if before else None),
        )
        helpful = now.figure("helpfulness")
        self.answers.define(helpful)
        self.answers.show(
            f"{helpful.n:,}",
            f"{helpful.value:.1f} of 5 on average"
            if helpful.value is not None and helpful.n >= SMALL_GROUP
            else f"fewer than {SMALL_GROUP}: no average",
            change=_moved(helpful.n, before.figure("helpfulness").n if before else None),
        )
        consent = now.figure("consent_processing")
        self.consent.define(consent)
        self.consent.show(
            "\u2013" if consent.value is None else f"{consent.value:.0f}%",
            f"of {counted(consent.n, 'active client')}",
        )
        spend = now.figure("spend")
        self.spend.define(spend)
        self.spend.show(
            money(spend.value or 0),
            f"for {counted(spend.n, 'analysis', 'analyses')}",
            change=_moved_money(spend, before.figure("spend")) if before else "",
            trend=_trend(weeks.cost),
        )

    def _show_waits(self, figures: Figures) -> None:
        now, before = figures.now, figures.before
        median, p90 = now.figure("analysis_median"), now.figure("analysis_p90")
        self.waits.define(median)
        self.waits.show(
            duration(_enough(median)),
            f"90% within {duration(p90.value)}, {_n(median)}"
            if _enough(p90) is not None
            else f"too few to say, {_n(median)}",
            change=_slower(median, before.figure("analysis_median") if before else None, 1),
            trend=_trend([week.median for week in figures.weeks.waits]),
        )
        lag = now.figure("approval_lag")
        hours = _enough(lag)
        self.approval.define(lag)
        self.approval.show(
            duration(None if hours is None else hours * 3_600),
            f"half within that, {_n(lag)}" if hours is not None else f"too few to say, {_n(lag)}",
            change=_slower(lag, before.figure("approval_lag") if before else None, 3_600),
        )


def _sessions(overview: Overview) -> int:
    return sum(week.sessions for week in overview.weeks)


def _total(counts: Sequence[Count], label: str = "") -> int:
    """How many rows have the label, or all."""
    return sum(count.n for count in counts if not label or label in count.labels)


def _enough(figure: Figure) -> float | None:
    """The value, where it rests on enough things to be told."""
    return figure.value if figure.n >= SMALL_GROUP else None


def _n(figure: Figure) -> str:
    return f"n\u00a0=\u00a0{figure.n:,}"


def _moved(now: int, before: int | None) -> str:
    return change(now, before, f"{before:,}") if before is not None else ""


def _moved_money(now: Figure, before: Figure) -> str:
    return change(float(now.value or 0), float(before.value or 0), money(before.value or 0))


def _slower(now: Figure, before: Figure | None, seconds: int) -> str:
    """How a duration moved; `seconds` is its unit."""
    earlier = _enough(before) if before else None
    if earlier is None:
        return ""
    return change(_enough(now), float(earlier), duration(earlier * seconds))


def _trend(weeks: Sequence[float | None]) -> list[float | None]:
    """The full weeks; the one under way would look like a drop."""
    return list(weeks[:-1])


class Panels:
    """The charts and bars."""

    def __init__(self) -> None:
        self.transcripts = charts.stacked_bars(
            [],
            "Transcripts a week",
            "transcripts",
            empty="No transcript in this period.",
            height=300,
        )
        self.analyses = charts.stacked_bars(
            [], "Analyses a week", "runs", empty="No analysis in this period."
        )
        self.waits = charts.line_chart(
            [], "From upload to analysis", empty="Too few analyses in each week to say."
        )
        self.spend = charts.bar_chart(
            [], "AI spend a week", empty="No external AI was paid in this period."
        )
        self._follow_ups, self._answers, self._consent = Element(), Element(), Element()
        self.main = charts.chart_card(self.transcripts)
        self.halves = Element(
            children=[charts.chart_card(self.analyses), charts.chart_card(self.waits)],
            classes="ov-halves",
        )
        self.money = charts.chart_card(self.spend)
        self.thirds = Element(
            children=[
                card(
                    "Follow-ups by state",
                    [self._follow_ups],
                    subtitle="Drafted in the period, as they stand now",
                ),
                card(
                    "How helpful clients found it",
                    [self._answers],
                    subtitle="Answers received in the period, 5 is best",
                ),
                card(
                    "Consent in force",
                    [self._consent],
                    subtitle="Clients with a running engagement today",
                ),
            ],
            classes="ov-thirds",
        )

    def show(self, figures: Figures) -> None:
        """Replace what the charts show; they keep their place."""
        now, weeks, days = figures.now, figures.weeks, figures.period.mondays
        uploaded = [week.transcripts for week in now.weeks]
        partial = f"The last bar is the week so far, from {days[-1]:%a %-d %b}."
        self.transcripts.update(
            [
                Series("Full weeks", days, [*uploaded[:-1], None]),
                Series("Week so far", days, [None] * (len(days) - 1) + [uploaded[-1]]),
            ]
            if sum(uploaded)
            else [],
            summary=f"{_average(uploaded)} {partial}",
        )
        self.analyses.update(_engine_series(weeks, days), summary=partial)
        unit, size = _unit(weeks.waits)
        self.waits.update(
            [
                Series("Half of them within", days, _scaled(weeks.waits, "median", size)),
                Series("90% within", days, _scaled(weeks.waits, "p90", size)),
            ],
            summary=f"In {unit}, by week of the upload; a week with fewer than {SMALL_GROUP} is a gap.",
        )
        # small sums are told in cents
        coin, worth = ("US dollars", 1_000_000) if max(weeks.cost) >= 2_000_000 else _CENTS
        self.spend.update(
            [Series(coin, days, [round(paid / worth, 2) for paid in weeks.cost])]
            if sum(weeks.cost)
            else [],
            summary=f"In {coin}. {partial}",
        )
        self._show_bars(now)

    def _show_bars(self, now: Overview) -> None:
        drafted = _total(now.follow_ups)
        states = {state: _total(now.follow_ups, state) for state, _, _ in _STATES}
        self._follow_ups.set_content(
            _bars(
                [
                    Bar(label, states[state], tone)
                    for state, label, tone in _STATES
                    if states[state] or state in {"sent", "draft"}
                ],
                drafted,
                f"{counted(drafted, 'follow-up')} in all.",
            )
            if drafted
            else _foot("No follow-up was drafted in this period.")
        )
        answers = _total(now.feedback)
        self._answers.set_content(
            _bars(
                [Bar(count.labels[0], count.n, "ok") for count in reversed(now.feedback)],
                answers,
                f"{counted(answers, 'answer')} in all.",
            )
            if answers >= SMALL_GROUP
            else _foot(
                f"{counted(answers, 'answer')}: fewer than {SMALL_GROUP} are not broken down, so "
                "that nobody can be told from them."
            )
        )
        kinds = [(label, now.figure(f"consent_{kind}")) for kind, label in _CONSENTS]
        clients = kinds[0][1].n
        self._consent.set_content(
            _bars(
                [
                    Bar(label, round((figure.value or 0) * figure.n / 100), "ok")
                    for label, figure in kinds
                ],
                clients,
                f"Of {counted(clients, 'active client')}.",
            )
            if clients
            else _foot("No client has a running engagement.")
        )


_CENTS: Final = ("US cents", 10_000)


def _bars(rows: Sequence[Bar], whole: int, foot: str) -> Markup:
    return join([bars(rows, whole), _foot(foot)])


def _foot(text: str) -> Markup:
    return html('<p class="ov-foot">{}</p>', text)


def _engine_series(weeks: Weeks, days: Sequence[dt.date]) -> list[Series]:
    order = {"complete": 0, "degraded": 1, "failed": 2}
    kinds = sorted(weeks.by_engine, key=lambda kind: (order[kind[1]], kind[0]))
    return [
        Series(f"{_ENGINES.get(engine, engine)}, {status}", days, weeks.by_engine[engine, status])
        for engine, status in kinds
    ]


def _average(weeks: Sequence[int]) -> str:
    full = weeks[:-1]
    return f"{sum(full) / len(full):.1f} in a full week on average." if full else ""


def _unit(weeks: Sequence[Waits]) -> tuple[str, float]:
    longest = max((week.p90 or 0 for week in weeks), default=0)
    if longest < 180:
        return "seconds", 1
    return ("minutes", 60) if longest < 10_800 else ("hours", 3_600)


def _scaled(weeks: Sequence[Waits], name: str, size: float) -> list[float | None]:
    values = [getattr(week, name) for week in weeks]
    return [None if value is None else round(value / size, 2) for value in values]

"""The organisation in figures: the tiles, the charts over the weeks, and what makes up the whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from coachops.dashboards import charts
from coachops.dashboards.charts import Series
from coachops.dashboards.components import Element, Tone, card, html, join
from coachops.dashboards.overview_figures import SMALL_GROUP, Figures, Span
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
    """The headline numbers."""

    def __init__(self) -> None:
        self.sessions = Tile(
            "Sessions held",
            "Sessions whose day lies in the period, with or without a transcript.",
        )
        self.transcripts = Tile(
            "Transcripts", "Transcripts and typed notes that were uploaded in the period."
        )
        self.coaches = Tile(
            "Active coaches",
            "Coaches with at least one session in the period, beside all who are with the "
            "organisation today.",
        )
        self.waits = Tile(
            "Upload to analysis",
            "Time from the upload of a transcript to its first analysis that did not fail, for "
            f"uploads in the period; half of them took less. Withheld under {SMALL_GROUP}.",
        )
        self.failed = Tile(
            "Failed analyses",
            "Runs of the analysis in the period that failed, of all runs. A later run may have "
            "succeeded.",
        )
        self.sent = Tile("Follow-ups sent", "Follow-up e-mails sent to clients in the period.")
        self.approval = Tile(
            "Draft to approval",
            "Time from the first draft of a follow-up to the coach's approval, for approvals in "
            f"the period; half of them took less. Withheld under {SMALL_GROUP}.",
        )
        self.answers = Tile(
            "Client answers",
            "Answers received in the period to the question how helpful the session was, from 1 "
            f"to 5. Shares are withheld under {SMALL_GROUP} answers.",
        )
        self.consent = Tile(
            "Consent coverage",
            "Clients with a running engagement today whose newest consent to processing is given.",
        )
        self.spend = Tile(
            "AI spend",
            "What the external AI engine cost for analyses run in the period, failed ones "
            "included, at the price in force on the day, in US dollars.",
        )
        self.all = [
            self.sessions, self.transcripts, self.coaches, self.waits, self.failed,
            self.sent, self.approval, self.answers, self.consent, self.spend,
        ]  # fmt: skip
        self.widget = Element(children=self.all, classes="ov-tiles")

    def show(self, figures: Figures) -> None:
        """Replace all numbers."""
        now, before, standing = figures.now, figures.before, figures.standing
        sessions, transcripts = sum(now.sessions), sum(now.transcripts)
        self.sessions.show(
            f"{sessions:,}",
            f"in {counted(len(now.sessions), 'week')}",
            change=_moved(sessions, before and sum(before.sessions)),
            trend=_trend(now.sessions),
        )
        self.transcripts.show(
            f"{transcripts:,}",
            f"{now.waiting:,} without an analysis" if now.waiting else "all analysed",
            change=_moved(transcripts, before and sum(before.transcripts)),
            trend=_trend(now.transcripts),
        )
        self.coaches.show(
            f"{now.active_coaches:,}",
            f"of {counted(standing.coaches, 'coach', 'coaches')} today",
            change=_moved(now.active_coaches, before and before.active_coaches),
        )
        self.waits.show(
            duration(now.waits.median),
            _base(now.waits.n, f"nine of ten within {duration(now.waits.p90)}"),
            change=_slower(now.waits.median, before and before.waits.median),
            trend=_trend([week.median for week in now.wait_weeks]),
        )
        runs, failed = sum(now.analyses), sum(now.failed)
        earlier = sum(before.failed) if before and sum(before.analyses) else None
        self.failed.show(
            f"{failed:,}",
            f"{share(failed, runs) or '0%'} of {counted(runs, 'run')}",
            change=_moved(failed, earlier),
            tone="warn" if failed and failed > (earlier or 0) else "neutral",
            trend=_trend(now.failed),
        )
        sent = sum(now.sent)
        self.sent.show(
            f"{sent:,}",
            f"{now.follow_ups.get('draft', 0):,} drafts to approve",
            change=_moved(sent, before and sum(before.sent)),
            trend=_trend(now.sent),
        )
        self.approval.show(
            duration(now.approvals.median),
            _base(now.approvals.n, f"nine of ten within {duration(now.approvals.p90)}"),
            change=_slower(now.approvals.median, before and before.approvals.median),
        )
        answers = sum(now.answers)
        helpful = sum(now.answers[3:])
        self.answers.show(
            f"{answers:,}",
            f"{share(helpful, answers)} gave 4 or 5"
            if answers >= SMALL_GROUP
            else f"fewer than {SMALL_GROUP}: no shares",
            change=_moved(answers, before and sum(before.answers)),
        )
        given = standing.consented.get("processing", 0)
        self.consent.show(
            share(given, standing.clients) or "\u2013",
            f"{given:,} of {counted(standing.clients, 'active client')}",
        )
        cost = sum(now.cost)
        self.spend.show(
            money(cost),
            f"for {counted(now.external, 'external run')}",
            change=change(
                cost,
                sum(before.cost) if before else None,
                money(sum(before.cost)) if before else "",
            ),
            trend=_trend(now.cost),
        )


def _moved(now: int, before: int | None) -> str:
    return change(now, before, f"{before:,}") if before is not None else ""


def _slower(now: float | None, before: float | None) -> str:
    return change(now, before, duration(before)) if before is not None else ""


def _base(n: int, words: str) -> str:
    return f"{words}, n = {n:,}" if n >= SMALL_GROUP else f"too few to say, n = {n}"


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
        now, days = figures.now, figures.period.mondays
        partial = f"The last bar is the week so far, from {days[-1]:%a %-d %b}."
        self.transcripts.update(
            [
                Series("Full weeks", days, [*now.transcripts[:-1], None]),
                Series("Week so far", days, [None] * (len(days) - 1) + [now.transcripts[-1]]),
            ]
            if sum(now.transcripts)
            else [],
            summary=f"{_average(now.transcripts)} {partial}",
        )
        self.analyses.update(_engine_series(now, days), summary=partial)
        unit, size = _unit(now)
        self.waits.update(
            [
                Series(f"Half of them within ({unit})", days, _scaled(now, "median", size)),
                Series(f"Nine of ten within ({unit})", days, _scaled(now, "p90", size)),
            ],
            summary=f"In {unit}, by week of the upload; weeks with fewer than {SMALL_GROUP} are gaps.",
        )
        # a cent is 10,000 micro-dollars; small sums are told in cents
        coin, worth = (
            ("US dollars", 1_000_000) if max(now.cost) >= 2_000_000 else ("US cents", 10_000)
        )
        self.spend.update(
            [Series(coin, days, [round(paid / worth, 2) for paid in now.cost])]
            if sum(now.cost)
            else [],
            summary=f"In {coin}. {partial}",
        )
        self._show_bars(figures)

    def _show_bars(self, figures: Figures) -> None:
        now, standing = figures.now, figures.standing
        drafted = sum(now.follow_ups.values())
        self._follow_ups.set_content(
            join(
                [
                    bars(
                        [
                            Bar(label, now.follow_ups.get(state, 0), tone)
                            for state, label, tone in _STATES
                            if now.follow_ups.get(state) or state in {"sent", "draft"}
                        ],
                        drafted,
                    ),
                    _foot(f"{counted(drafted, 'follow-up')} in all."),
                ]
            )
            if drafted
            else _foot("No follow-up was drafted in this period.")
        )
        answers = sum(now.answers)
        self._answers.set_content(
            join(
                [
                    bars(
                        [
                            Bar(str(level), now.answers[level - 1], "ok")
                            for level in range(5, 0, -1)
                        ],
                        answers,
                    ),
                    _foot(
                        f"{counted(answers, 'answer')} to {counted(sum(now.sent), 'follow-up')} sent "
                        "in the period."
                    ),
                ]
            )
            if answers >= SMALL_GROUP
            else _foot(
                f"{counted(answers, 'answer')}: fewer than {SMALL_GROUP} are not broken down, so "
                "that nobody can be told from them."
            )
        )
        self._consent.set_content(
            join(
                [
                    bars(
                        [
                            Bar(label, standing.consented.get(kind, 0), "ok")
                            for kind, label in _CONSENTS
                        ],
                        standing.clients,
                    ),
                    _foot(f"Of {counted(standing.clients, 'active client')}."),
                ]
            )
            if standing.clients
            else _foot("No client has a running engagement.")
        )


def _foot(text: str) -> object:
    return html('<p class="ov-foot">{}</p>', text)


def _engine_series(now: Span, days: Sequence[dt.date]) -> list[Series]:
    order = {"complete": 0, "degraded": 1, "failed": 2}
    kinds = sorted(now.by_engine, key=lambda kind: (order[kind[1]], kind[0]))
    return [
        Series(f"{_ENGINES.get(engine, engine)}, {status}", days, now.by_engine[engine, status])
        for engine, status in kinds
    ]


def _average(weeks: Sequence[int]) -> str:
    full = weeks[:-1]
    return f"{sum(full) / len(full):.1f} in a full week on average." if full else ""


def _unit(now: Span) -> tuple[str, float]:
    longest = max((week.p90 or 0 for week in now.wait_weeks), default=0)
    if longest < 180:
        return "seconds", 1
    return ("minutes", 60) if longest < 10_800 else ("hours", 3_600)


def _scaled(now: Span, name: str, size: float) -> list[float | None]:
    values = [getattr(week, name) for week in now.wait_weeks]
    return [None if value is None else round(value / size, 2) for value in values]

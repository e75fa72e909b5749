"""The admin overview: the organisation at a glance, live.

`page()` shows figures of a period beside those of the span before it, what waits for a person, and
how the suite itself is. It reads again every ten seconds while somebody looks (a hidden or closed
page is quiet, so its kernel can end), and only numbers change in place.

Invariants: counts of the organisation, never of a coach; groups under five are not broken down;
each number says how it is counted. Figures come from `overview_figures`; a new one is a field there
and a tile in `overview_panels`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any, Final

from coachops.ai.health import health
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.dashboards import (
    identity,
    overview_ai,
    overview_figures,
    overview_jobs,
    overview_needs,
    overview_recovery,
    overview_system,
)
from coachops.dashboards.components import (
    Element,
    Page,
    busy,
    every,
    notice,
    page_frame,
    select,
    stack,
)
from coachops.dashboards.overview_first import FirstSteps
from coachops.dashboards.overview_jobs import Work
from coachops.dashboards.overview_panels import Panels, Tiles
from coachops.dashboards.overview_parts import navigation, style
from coachops.dashboards.overview_period import CHOICES, DEFAULT_WEEKS, Period
from coachops.jobs import Jobs

if TYPE_CHECKING:
    from coachops.bootstrap import Services

REFRESH_SECONDS: Final = 10.0
_BEATS_OF_BEFORE: Final = 60
"""After so many readings the span before is read again, too."""
_LONG_AGO: Final = dt.date(1990, 1, 1)


class Overview:
    """The overview of one signed-in person.

    Parameters:
        actor: an admin or an analyst; only an admin is offered what changes something.
        services: database and settings.
        work: background work, to look at and to steer.

    Raises:
        CoachError: COACH-IDN-003 for others.
    """

    def __init__(self, actor: Actor, services: Services, work: Work) -> None:
        actor.require_role("admin", "analyst", what="the overview of the organisation")
        self.actor, self.services, self.work = actor, services, work
        settings = services.settings
        self._zone = settings.zone
        self._read_at: dt.datetime | None = None
        self._failing = False
        self._known: overview_figures.Figures | None = None
        self._beats = 0
        self.period = select("Period", CHOICES, value=DEFAULT_WEEKS, label_hidden=True)
        self.period.on_change(lambda _: self._changed())
        self.fresh = overview_system.Freshness()
        self.tiles, self.panels = Tiles(), Panels()
        is_admin = actor.role == "admin"
        self.needs = overview_needs.NeedsCard(self._zone, self._again if is_admin else None)
        self.jobs = overview_jobs.JobsCard(work, actor, self._zone, self.refresh)
        self.system = overview_system.SystemCards(settings.home, self._zone)
        self.ai = overview_ai.AiCard(self._zone)
        self.recovery = overview_recovery.RecoveryCard(services)
        self.ticker = every(REFRESH_SECONDS, self.refresh)
        self._figures = stack(
            [
                self.tiles.widget,
                Element(
                    # what is pressing comes first for the keyboard and on a phone
                    children=[
                        Element(
                            children=[
                                self.needs.widget,
                                self.recovery.widget,
                            ],
                            classes="co-stack ov-right",
                        ),
                        Element(
                            children=[
                                self.panels.main,
                                self.panels.money,
                                self.system.processes,
                                *([self.ai.widget] if settings.ai_connected else []),
                            ],
                            classes="co-stack ov-left",
                        ),
                    ],
                    classes="ov-columns",
                ),
                self.panels.halves,
                self.panels.thirds,
                self.jobs.widget,
                self.system.products,
            ]
        )
        self._figures.classes += " co-page-body"
        self._first_steps = FirstSteps()
        self._mount = stack([])
        self._top = Element(children=[self.fresh.widget], classes="ov-top")
        self.page: Page = page_frame(
            "Overview",
            settings.organisation,
            user=actor.name,
            nav=navigation(actor, "overview"),
            body=[
                style(),
                self._top,
                self._mount,
                self.ticker,
            ],
        )
        self.refresh()

    def refresh(self) -> None:
        """Read everything again and show it; a failed reading keeps what is shown and says so."""
        now = clock.now()
        try:
            self._show(now)
        except Exception as problem:
            self._failing = True
            self.fresh.failed(self._read_at, self._zone)
            self.page.banner.show_exception(problem)
            return
        if self._failing:
            self.page.banner.clear()
        self._failing, self._read_at = False, now

    def _show(self, now: dt.datetime) -> None:
        database = self.services.database
        today = now.astimezone(self._zone).date()
        period = Period(self.period.data or DEFAULT_WEEKS, today, self._zone)
        # the span before is over: what still changes in it is worth no reading every ten seconds
        known = self._known if self._beats % _BEATS_OF_BEFORE else None
        figures = overview_figures.load(database, self.actor, period, known)
        self._known, self._beats = figures, self._beats + 1
        needs = overview_needs.load(database, now, today)
        system = overview_system.load(database, self.services.settings, now)
        self.tiles.show(figures)
        self.panels.show(figures)
        self.needs.show(needs)
        self.system.show(system, now, figures.newest_transcript)
        self.recovery.refresh(now)
        if self.services.settings.ai_connected:
            self.ai.show(health(database, self.services.settings))
        self.jobs.show(overview_jobs.load(self.work))
        self.fresh.show(
            now, self._zone, _span(figures) if figures.newest_transcript else "", system
        )
        self._first_steps.show(figures.standing)
        started = figures.newest_transcript is not None
        body = self._figures if started else self._first_steps.widget
        if self._mount.children != (body,):
            self._mount.children = (body,)
            self._top.children = (self.fresh.widget, *([self.period] if started else []))

    def _again(self, transcript_id: uuid.UUID) -> None:
        """Start the analysis of a transcript again; the row goes when it has moved."""
        self.actor.require_role("admin", what="background work")
        self.work.enqueue_pipeline(transcript_id)
        self.page.banner.show(
            notice(
                "ok", "The analysis was put into the queue.", "It runs as soon as a worker is free."
            )
        )
        self.refresh()

    def _changed(self) -> None:
        with busy(self._mount):
            self.refresh()


def _span(figures: overview_figures.Figures) -> str:
    shown = f"{figures.period.words()}, the week so far included"
    if figures.before is None:
        return f"{shown}; no comparison: there was no session before"
    return f"{shown}; compared with {figures.period.before().words()}"


def page(
    actor: Actor | None = None, services: Services | None = None, work: Work | None = None
) -> Any:
    """The admin overview as a widget; an error card where the viewer may not see it.

    Parameters:
        actor: who looks; None asks who sits in this Voila kernel.
        services: None builds those of this process.
        work: background work; None is that of the installation.
    """
    if actor is None:
        _warm_up()

    def build(who: Actor, wired: Services) -> Page:
        return Overview(who, wired, work or Jobs(wired.settings, wired)).page

    return identity.shown(build, actor, services)


def _warm_up() -> None:
    """Do what the first visitor would wait for, while a warm kernel still waits for one.

    Imports, connections, and the queries once over days from which there is nothing: nobody's data
    is read before it is known who looks.
    """
    with contextlib.suppress(CoachError):  # said when the page is shown
        wired = identity.kernel_services()
        overview_jobs.load(Jobs(wired.settings, wired))
        overview_figures.load(wired.database, SYSTEM, Period(4, _LONG_AGO, wired.settings.zone))

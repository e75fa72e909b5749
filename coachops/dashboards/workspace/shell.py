"""The frame around the views: heading, the way back, one view at a time, one poll.

A view hands its parts to `Shell.show`. The poll asks the kernel once a second, and only while the
view says that something is pending; a hidden or closed page is quiet (see `components.every`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from coachops.dashboards.components import (
    NavItem,
    Page,
    area,
    busy,
    dispose,
    every,
    html,
    join,
    page_frame,
    report,
    report_to,
    stack,
)
from coachops.dashboards.workspace.parts import Choices, Style

POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of the way back: its words, and what opens it."""

    label: str
    open: Callable[[], object]


@dataclass(slots=True)
class View:
    """What a view shows.

    Attributes:
        title: the heading.
        subtitle: below it.
        trail: the way back, home first; empty on the home view.
        body: its widgets.
        actions: buttons beside the heading.
        watch: called every second while it returns True (something is pending); None never.
    """

    title: str
    subtitle: str = ""
    trail: Sequence[Crumb] = ()
    body: Iterable[Any] = ()
    actions: Iterable[Any] = ()
    watch: Callable[[], bool] | None = None


class Shell:
    """The page with its one view.

    Parameters:
        user: name of the signed-in person.
        nav: links of the top bar.
    """

    def __init__(self, user: str, nav: Sequence[NavItem]) -> None:
        self._watch: Callable[[], bool] | None = None
        self.news = area()
        self._mount = stack([])
        self._mount.classes += " ws-view"
        self._ticker = every(POLL_SECONDS, self._tick)
        self._ticker.paused = True
        self._trail = Choices(tag="nav", classes="ws-trail", attributes={"aria-label": "Way back"})
        self.page: Page = page_frame(
            "Workspace", user=user, nav=nav, body=[Style(), self.news, self._mount, self._ticker]
        )
        self.page.fill("trail", [self._trail])
        report_to(self._complain)

    def show(self, view: View) -> None:
        """Show a view instead of what is shown now, and tell screen readers where they are."""
        with busy(self._mount):
            old = (*self._mount.children, *self.page.slot("actions"))
            self._watch = view.watch
            self._ticker.paused = view.watch is None
            self.page.banner.clear()
            self.news.clear()
            self._set_trail(view)
            self.page.set_title(view.title, view.subtitle)
            self.page.fill("actions", view.actions)
            self._mount.children = view.body
            dispose(widget for widget in old if widget not in self._mount.children)
        self._trail.focus()

    def _complain(self, problem: BaseException) -> None:
        """Show an exception on top, and bring the reader there: the click may have been far below."""
        self.page.banner.show_exception(problem)
        self._trail.focus()

    def watch_again(self, watch: Callable[[], bool]) -> None:
        """Start the poll of the view shown now, because something became pending."""
        self._watch = watch
        self._ticker.paused = False

    @property
    def watching(self) -> bool:
        """Whether the page polls."""
        return not self._ticker.paused

    def _tick(self) -> None:
        watch = self._watch
        try:
            go_on = watch is not None and watch()
        except Exception as problem:
            go_on = False
            report(problem)
        if watch is self._watch:  # else the view changed meanwhile and said so itself
            self._ticker.paused = not go_on

    def _set_trail(self, view: View) -> None:
        # the first words of a view, so that the keyboard and the screen reader start there
        here = html('<span class="co-hidden" tabindex="-1" data-focus>{}</span>', view.title)
        steps = join(
            html(
                '<li><button type="button" class="ws-crumb" data-event="back" data-value="{}">'
                "{}{}</button></li>",
                crumb.label,
                Markup('<span aria-hidden="true">\u2190 </span>') if position == 0 else "",
                crumb.label,
            )
            for position, crumb in enumerate(view.trail)
        )
        self._trail.offer(
            html('{}<ol class="ws-crumbs">{}</ol>', here, steps) if view.trail else here,
            {("back", crumb.label): crumb.open for crumb in view.trail},
        )

"""The page for exports: compose one, start it, watch it, fetch its files, take it back.

`page()` shows the form (`exports_form`) beside the exports that this person may see, each with its
progress (`exports_item`). Invariants: every act goes through `jobs.exports.Exports`, which checks
what may be exported and audits it; files are fetched from `/v1/exports` with the session's cookie;
what the browser sends is a choice out of what is shown. To add a choice: `exports_form`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from coachops.core.actor import Actor
from coachops.dashboards import identity
from coachops.dashboards.components import (
    Area,
    Element,
    Page,
    area,
    button,
    card,
    dispose,
    empty_state,
    every,
    html,
    link,
    notice,
    page_frame,
)
from coachops.dashboards.exports_form import Composer
from coachops.dashboards.exports_item import ExportItem
from coachops.dashboards.overview_parts import counted, navigation, style
from coachops.export.issued import Issued, Owner
from coachops.jobs.heartbeat import worker_status

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.jobs.exports import Exports

SHOWN: Final = 10
MOST: Final = 200
QUICK: Final = 1.5
"""Seconds between two looks."""


class ExportsPage:
    """The page of one signed-in admin, analyst or coach.

    Raises:
        CoachError: COACH-IDN-003 for others.
    """

    def __init__(self, actor: Actor, services: Services, exports: Exports) -> None:
        actor.require_role("admin", "analyst", "coach", what="exports")
        self.actor, self.services, self.exports = actor, services, exports
        self.owner = Owner.of(actor)
        self.limit = SHOWN
        self.items: dict[str, ExportItem] = {}
        self.composer = Composer(self)
        self._list = Element(classes="ex-list")
        self._more = Element(classes="ov-maybe")
        self._news: Area = area()
        self.page: Page = page_frame(
            "Exports",
            "",
            user=actor.name,
            nav=navigation(actor, "exports"),
            body=[
                style(),
                Element(Markup(f"<style>{_rules()}</style>"), classes="ov-style"),  # noqa: S704 our own file
                every(QUICK, self.refresh),
                Element(
                    children=[
                        self.composer.widget,
                        card(
                            "Asked for so far",
                            [self._news, self._list, self._more],
                            subtitle="Everybody's, the newest first."
                            if self.owner.sees_all
                            else "",
                        ),
                    ],
                    classes="ex-columns ex-ready",
                ),
            ],
        )
        self.refresh()

    def start(self, **wanted: Any) -> None:
        """Ask for an export; it stands on top of the list afterwards."""
        made, _ = self.exports.start(self.owner, **wanted)
        self.refresh()
        self.items[str(made.id)].widget.focus()

    def refresh(self) -> None:
        """Read the list again; what is open on the page stays open."""
        rows = self.exports.page(self.owner, limit=self.limit + 1)
        shown = rows[: self.limit]
        wanted = [str(row.id) for row in shown]
        old = [self.items.pop(ref) for ref in list(self.items) if ref not in wanted]
        for row in shown:
            known = self.items.get(str(row.id))
            if known is None:
                self.items[str(row.id)] = ExportItem(self, row)
            else:
                known.show(row)
        widgets = tuple(self.items[ref].widget for ref in wanted) or (self._empty(),)
        if widgets != self._list.children and (wanted or not self._is_empty()):
            self._list.children = widgets
        dispose(item.widget for item in old)
        self._show_more(len(rows) > self.limit)
        self._say_who_works(shown)
        self._say(shown)

    def _is_empty(self) -> bool:
        return bool(self._list.children) and not self.items

    def _empty(self) -> Element:
        return empty_state(
            "No exports yet",
            "Choose on this page what you need and start: it is made in the background, and its "
            "files can be fetched here for "
            f"{counted(self.services.settings.export_days, 'day')}.",
        )

    def _show_more(self, there_is: bool) -> None:
        if there_is != bool(self._more.children):
            self._more.children = (
                [button("Show older ones", self._older, "quiet")] if there_is else []
            )

    def _older(self) -> None:
        self.limit = MOST
        self.refresh()

    def _say_who_works(self, rows: list[Issued]) -> None:
        waits = any(row.open for row in rows)
        idle = waits and not worker_status(self.services.database).running
        if idle and not self._news.children:
            self._news.show(
                notice(
                    "warn",
                    "Nobody works on exports now",
                    "No worker runs; exports that wait begin when one does.",
                    "Start it with 'coachops worker', or ask an admin to.",
                )
            )
        elif not idle and self._news.children:
            self._news.clear()

    def _say(self, rows: list[Issued]) -> None:
        running = sum(row.open for row in rows)
        whose = "your own clients" if self.actor.role == "coach" else "the organisation"
        text = f"Data of {whose} as files for spreadsheets, BI and other systems."
        if running:
            text = f"Data of {whose} as files. {counted(running, 'export')} under way."
        self.page.set_title("Exports", text)

    def guide(self) -> Markup:
        """Where to read more."""
        return html("<p>{}</p>", link("Read more in the guide", "/guide/guides/export/"))


def _rules() -> str:
    return (Path(__file__).parent / "exports.css").read_text(encoding="utf-8")


def page(
    actor: Actor | None = None, services: Services | None = None, exports: Exports | None = None
) -> Any:
    """The exports as a widget, or an error card that says what to do.

    Parameters:
        actor: who looks; None asks who sits in this Voila kernel.
        services: None builds those of this process.
        exports: None takes those of the services.
    """
    made: Callable[[Services], Exports] = _maker() if exports is None else lambda _: exports
    return identity.shown(
        lambda who, wired: ExportsPage(who, wired, made(wired)).page, actor, services
    )


def _maker() -> Callable[[Services], Exports]:
    """Imported before anybody is waited for, since it is heavy."""
    from coachops.jobs import Jobs  # noqa: PLC0415 tests bring their own

    return lambda services: Jobs(services.settings, services).exports

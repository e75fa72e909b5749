"""The quarantine page: what could not be accepted, each with why, what stands there, and a way out.

`page()` shows the list and, beside it, the item chosen (`quarantine_item`). Coaches see what belongs
to their clients, admins everything and the rosters. Invariants: every act goes through
`coaching.quarantine`, which checks ownership and audits it; contents are shown as plain text only;
what the browser sends is an item out of the list shown. To add an act: a method of `ItemCard`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from coachops.coaching import quarantine
from coachops.coaching.quarantine import QuarantineRow
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.dashboards import identity
from coachops.dashboards.components import (
    Column,
    Element,
    Page,
    Table,
    button,
    card,
    checkbox,
    empty_state,
    html,
    link,
    page_frame,
    paragraph,
    table,
)
from coachops.dashboards.overview_parts import ago, counted, navigation, style
from coachops.dashboards.quarantine_item import KINDS, ItemCard, Work

if TYPE_CHECKING:
    from coachops.bootstrap import Services

SHOWN: Final = 50
MOST: Final = 1_000
_ENDED: Final = ("replayed", "discarded", "expired")


class QuarantinePage:
    """The page of one signed-in coach or admin.

    Raises:
        CoachError: COACH-IDN-003 for others.
    """

    def __init__(self, actor: Actor, services: Services, work: Work) -> None:
        actor.require_role("admin", "coach", what="the quarantine")
        self.actor, self.services, self.work = actor, services, work
        self.database = services.database
        self.limit = SHOWN
        self.rows: list[QuarantineRow] = []
        self.ended = checkbox("Show what was replayed or is gone, too")
        self.ended.on_change(lambda _: self.refresh())
        self.table: Table = table(
            [
                Column("file", "What", kind="html"),
                Column("why", "Why"),
                Column("when", "Came in"),
                Column("open", "", kind="button", width="fit"),
            ],
            [],
            caption="What could not be accepted",
            empty="Nothing waits.",
            on_action=lambda _, value: self.open(uuid.UUID(value)),
        )
        self._list = Element(classes="co-stack")
        self._side = Element(classes="qu-side")
        self.page: Page = page_frame(
            "Quarantine",
            "",
            user=actor.name,
            nav=navigation(actor, "quarantine"),
            body=[
                style(),
                Element(Markup(f"<style>{_rules()}</style>"), classes="ov-style"),  # noqa: S704 our own file
                Element(children=[self._list, self._side], classes="ov-columns qu-ready"),
            ],
        )
        quarantine.expire(self.database, services.settings.quarantine_days)
        self.refresh()
        self.close()

    def refresh(self) -> None:
        """Read the list again."""
        states = ("waiting", *_ENDED) if self.ended.data else ("waiting",)
        self.rows = quarantine.list_items(self.database, self.actor, states=states, limit=MOST)
        waiting = quarantine.count_waiting(self.database, self.actor)
        self.page.set_title(
            "Quarantine",
            f"{counted(waiting, 'thing')} could not be accepted and {_wait(waiting)} for a decision."
            if waiting
            else "Nothing waits: everything that came in was accepted.",
        )
        self._show()

    def open(self, item_id: uuid.UUID) -> None:
        """Show an item."""
        made = ItemCard(self, item_id)
        # on a phone the card stands below the list: the focus takes the reader there
        self._side.set_content(
            html('<span class="co-hidden" tabindex="-1" data-focus>{}</span>', made.name)
        )
        self._side.children = (made.widget,)
        self._side.focus()

    def close(self) -> None:
        """Show how it works instead of an item."""
        days = self.services.settings.quarantine_days
        self._side.set_content("")
        self._side.children = (
            card(
                "How this works",
                [
                    paragraph(
                        "What the suite cannot read is not lost: the file, line or row is kept here "
                        "with the reason. Look at it, correct it and replay it, or discard it."
                    ),
                    paragraph(
                        f"After {days} days the contents are deleted. Lines take their place in the "
                        "transcript when they are replayed; the rest of their file was imported.",
                        muted=True,
                    ),
                    Element(
                        html(
                            "<p>{}</p>", link("Read more in the guide", "/guide/guides/quarantine/")
                        )
                    ),
                ],
            ),
        )

    def _show(self) -> None:
        if not self.rows:
            parts: list[Any] = [
                empty_state(
                    "Nothing waits",
                    "Files, lines and rows that cannot be accepted appear here, with the reason.",
                )
            ]
        else:
            self.table.set_rows([self._row(row) for row in self.rows[: self.limit]])
            parts = [self.table]
            if len(self.rows) > self.limit:
                parts.append(button(f"Show all {len(self.rows)}", self._show_all, "quiet"))
        self._list.children = (card("What came in", [*parts, self.ended]),)

    def _show_all(self) -> None:
        self.limit = MOST
        self._show()

    def _row(self, row: QuarantineRow) -> dict[str, object]:
        whose = row.client_name or ("All clients" if row.coach_id is None else "")
        if self.actor.role == "admin" and row.coach_name:
            whose = f"{whose} ({row.coach_name})"
        state = "" if row.state == "waiting" else f", {row.state}"
        return {
            "file": html(
                '<span class="qu-name">{}</span><br><span class="ov-bar-note">{}{}{}</span>',
                row.name,
                KINDS[row.kind] if row.line is None else f"Line {row.line}",
                f" · {whose}" if whose else "",
                state,
            ),
            "why": row.short,
            "when": ago(row.created_at, clock.now()),
            "open": ("Look at it", str(row.id)),
        }


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def _rules() -> str:
    return (Path(__file__).parent / "quarantine.css").read_text(encoding="utf-8")


def page(
    actor: Actor | None = None, services: Services | None = None, jobs: Work | None = None
) -> Any:
    """The quarantine as a widget, or an error card that says what to do.

    Parameters:
        actor: who looks; None asks who sits in this Voila kernel.
        services: None builds those of this process.
        jobs: who takes analyses over; None hands them to the worker process.
    """
    worker: Callable[[Services], Work] = _worker_maker() if jobs is None else lambda _: jobs
    return identity.shown(
        lambda who, wired: QuarantinePage(who, wired, worker(wired)).page, actor, services
    )


def _worker_maker() -> Callable[[Services], Work]:
    """The queue of the worker; imported before anybody is waited for, since it is heavy."""
    from coachops.jobs import Jobs  # noqa: PLC0415 tests bring their own

    return lambda services: Jobs(services.settings, services)

"""The next steps of a session: who promised what, until when; proposals stay proposals."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from coachops.coaching.review import (
    ReviewAction,
    add_action,
    edit_action,
    set_action_status,
)
from coachops.core import ids
from coachops.dashboards.components import (
    area,
    button,
    card,
    date_input,
    details,
    empty_state,
    html,
    join,
    paragraph,
    row,
    select,
    stack,
    status_pill,
    text_area,
)
from coachops.dashboards.transcript_view import citations
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.panels import Panel
from coachops.dashboards.workspace.parts import Choices, small_button

if TYPE_CHECKING:
    from coachops.dashboards.workspace.session import SessionView

_STATES: Final[dict[str, wording.State]] = {
    "open": ("Open", "info"),
    "done": ("Done", "ok"),
    "dropped": ("Dropped", "neutral"),
}


class ActionsPanel(Panel):
    """Commitments by who made them, then proposals that nobody took."""

    title = "Next steps"

    def data(self) -> object:
        """As the base says."""
        return self.review.actions, self.review.analysis is None

    def build(self) -> Iterable[Any]:
        """As the base says."""
        found = self.review
        if found.analysis is None and not found.actions:
            yield empty_state(
                "No next steps yet",
                "Promises and proposals of the session appear here after the analysis.",
            )
        else:
            promised = [a for a in found.actions if a.modality == "commitment"]
            for owner, title in (
                ("client", f"{found.client_name} will"),
                ("coach", f"{found.coach_name} will"),
                ("unassigned", "Without a name to it"),
            ):
                rows = [a for a in promised if a.owner == owner]
                if rows:
                    yield card(title, [ActionList(self.view, rows)])
            if not promised:
                yield card(
                    "Commitments",
                    [paragraph("Nobody promised anything in this session.", muted=True)],
                )
            proposals = [a for a in found.actions if a.modality != "commitment"]
            if proposals:
                yield card(
                    "Proposals",
                    [ActionList(self.view, proposals)],
                    subtitle="Ideas that came up; nobody has promised them",
                )
        if self.view.may_change:
            yield self._adding()

    def _adding(self) -> Any:
        view, found = self.view, self.review
        errors = area()
        words = text_area("What is to be done?", rows=2, max_length=4_000, required=True)
        owner = select("Who does it?", _owners(view))
        due = date_input("Until when?", mark_optional=True)
        tried: dict[object, uuid.UUID] = {}  # the same words again, after a doubt, are one step

        def add() -> None:
            given = (words.data, owner.data, due.data)
            add_action(
                view.workspace.database,
                view.workspace.actor,
                view.transcript_id,
                text=words.data,
                owner=owner.data or "unassigned",
                due_date=due.data,
                modality="commitment" if owner.data != "unassigned" else "proposal",
                action_id=tried.setdefault(given, ids.new_id()),
            )
            tried.clear()
            view.reload()

        return details(
            "Add a next step",
            [words, row([owner, due]), errors, row([button("Add", add, "primary", area=errors)])],
            opened=found.analysis is not None and not found.actions,
        )


def _owners(view: SessionView) -> list[tuple[str, str]]:
    return [
        (view.review.client_name, "client"),
        (view.review.coach_name, "coach"),
        ("Nobody yet", "unassigned"),
    ]


class ActionList(Choices):
    """Next steps with what a coach may do about each."""

    def __init__(self, view: SessionView, actions: Sequence[ReviewAction]) -> None:
        super().__init__(classes="ws-findings")
        self._view = view
        handlers: dict[tuple[str, str], Callable[[], object]] = {}
        items = [self._item(each, handlers) for each in actions]
        self.offer(html('<ul class="co-cited">{}</ul>', join(items)), handlers)

    def _item(
        self, each: ReviewAction, handlers: dict[tuple[str, str], Callable[[], object]]
    ) -> Markup:
        tools: list[Markup] = []
        about = f"step: {each.text[:60]}"

        def tool(label: str, name: str, run: Callable[[], object]) -> None:
            handlers[name, str(each.id)] = run
            tools.append(
                small_button(
                    label, name, each.id, about=about, kind="quiet", changes=name != "edit"
                )
            )

        if self._view.may_change:
            if each.status == "open":
                tool("Done", "done", lambda: self._status(each, "done"))
                tool("Drop", "drop", lambda: self._status(each, "dropped"))
            else:
                tool("Open again", "reopen", lambda: self._status(each, "open"))
            tool("Edit", "edit", lambda: self._edit(each))
        facts = wording.listed(
            [
                wording.due(each.due_date, each.due_phrase, self._view.workspace.today)
                if each.status == "open"
                else "",
                f"done on {wording.day(each.done_on)}" if each.done_on else "",
                f"first said on {wording.day(each.carried_from)}" if each.carried_from else "",
                "added by you" if each.by_hand else "",
            ]
        )
        pills = [status_pill(*_STATES[each.status])] if each.status != "open" else []
        if each.edited and not each.by_hand:
            pills.append(status_pill("Your words", "ok"))
        return html(
            '<li class="ws-finding"><p>{} {} {}</p>{}<div class="ws-tools">{}</div>'
            '<div data-slot="{}"></div></li>',
            each.text,
            join(pills, " "),
            citations(sorted({c.position for c in each.citations}), self._view.transcript),
            html('<p class="ws-facts">{}</p>', facts) if facts else "",
            join(tools),
            f"edit-{each.id}",
        )

    def _edit(self, each: ReviewAction) -> None:
        view, slot = self._view, f"edit-{each.id}"
        errors = area()
        words = text_area("What is to be done?", value=each.text, rows=2, max_length=4_000)
        owner = select("Who does it?", _owners(view), value=each.owner)
        due = date_input("Until when?", value=each.due_date, mark_optional=True)

        def save() -> None:
            edit_action(
                view.workspace.database,
                view.workspace.actor,
                each.id,
                text=words.data,
                owner=owner.data,
                due_date=due.data,
                version=each.version,
            )
            view.reload()

        words.on_submit(save)
        self.fill(
            slot,
            [
                stack(
                    [
                        words,
                        row([owner, due]),
                        errors,
                        row(
                            [
                                button("Save", save, "primary", area=errors),
                                button("Cancel", lambda: self.fill(slot, []), "quiet"),
                            ]
                        ),
                    ]
                )
            ],
        )

    def _status(self, each: ReviewAction, status: str) -> None:
        view = self._view
        view.do(
            lambda: set_action_status(
                view.workspace.database,
                view.workspace.actor,
                each.id,
                status,
                version=each.version,
            )
        )

"""A client: the thirty-second read before the next session, and everything known about them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from coachops.coaching import people
from coachops.coaching.brief import Brief, OpenStep, brief
from coachops.coaching.feedback import list_feedback
from coachops.coaching.review import set_action_status
from coachops.dashboards.components import (
    Element,
    button,
    card,
    empty_state,
    html,
    join,
    row,
    stack,
    status_pill,
)
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.client_consents import ConsentCard
from coachops.dashboards.workspace.client_goals import GoalsCard
from coachops.dashboards.workspace.client_mail import MailCard
from coachops.dashboards.workspace.home import session_rows
from coachops.dashboards.workspace.parts import Choices, fill_rows, row_list, small_button
from coachops.dashboards.workspace.shell import View

if TYPE_CHECKING:
    from coachops.coaching.people import ClientRow
    from coachops.dashboards.workspace.page import Workspace


class ClientView:
    """One client on the page.

    Parameters:
        client_id: refused where the actor may not see this client.
    """

    def __init__(self, workspace: Workspace, client_id: uuid.UUID) -> None:
        self.workspace, self.client_id = workspace, client_id
        self.row: ClientRow = workspace.client_row(client_id)
        self.may_change = workspace.actor.may_change(self.row.coach_id)
        self._brief_place, self._steps_place = stack([]), stack([])
        self.refresh()

    def refresh(self) -> None:
        """Show what holds now."""
        self.brief: Brief = brief(self.workspace.database, self.workspace.actor, self.client_id)
        self._brief_place.children = [self._before()]
        self._steps_place.children = [self._steps()]

    def widgets(self) -> Iterable[Any]:
        """The cards, the wide ones first."""
        yield Element(
            Markup(
                '<div class="co-stack" data-slot="wide"></div>'
                '<div class="co-stack" data-slot="narrow"></div>'
            ),
            classes="ws-columns",
            slots={
                "wide": [stack([self._brief_place, self._steps_place, self._sessions()])],
                "narrow": [
                    stack(
                        [
                            MailCard(self).element,
                            GoalsCard(self).element,
                            ConsentCard(self).element,
                            self._answers(),
                        ]
                    )
                ],
            },
        )

    def _before(self) -> Element:
        """Thirty seconds: what was, how it was received, what to begin with."""
        found = self.brief
        if found.last_held_on is None:
            return empty_state(
                "No session yet",
                "After the first one, this is where you prepare the next in half a minute.",
                self._upload_button(),
            )
        parts = [html('<p class="ws-lead">{}</p>', each.text) for each in found.summary[:3]] or [
            html('<p class="co-muted">The last session has no summary yet.</p>')
        ]
        if found.themes:
            parts.append(
                html(
                    '<p class="ws-themes">{}</p>',
                    join((status_pill(t.text, "neutral") for t in found.themes[:5]), " "),
                )
            )
        answers = found.last_answers
        if answers is not None and answers.next_focus:
            parts.append(
                html(
                    '<p class="ws-quote"><span class="co-cited-label">Wants to look at next</span>'
                    "\u201c{}\u201d</p>",
                    answers.next_focus,
                )
            )
        goals = [g for g in found.goals if g.level is not None]
        if goals:
            parts.append(
                html(
                    '<p class="ws-facts">{}</p>',
                    wording.listed([f"{g.title}: {g.level:+d}" for g in goals[:3]]),
                )
            )
        widgets: list[Any] = [Element(join(parts), classes="ws-brief")]
        transcript_id = found.transcript_id
        if transcript_id is not None:
            widgets.append(
                row([button("Open this session", lambda: self.workspace.session(transcript_id))])
            )
        subtitle = wording.listed(
            [
                f"Last session {wording.ago(found.last_held_on, self.workspace.today)}",
                found.engine_label or "",
            ]
        )
        return card("Before you meet", widgets, subtitle=subtitle, tone="ok")

    def _steps(self) -> Element:
        found = self.brief
        groups = (
            (f"{found.client_name} promised", found.client_steps),
            (f"{self.row.coach_name} promised", found.coach_steps),
            ("Proposals, promised by nobody", found.proposals),
        )
        handlers: dict[tuple[str, str], Callable[[], object]] = {}
        parts = [
            html(
                '<h3 class="ws-group">{}</h3><ul class="ws-steps">{}</ul>',
                title,
                join(self._step(step, handlers) for step in steps),
            )
            for title, steps in groups
            if steps
        ]
        if not parts:
            return card(
                "Open next steps",
                [Element(html('<p class="co-empty-line">Nothing is open.</p>'))],
            )
        return card("Open next steps", [Choices(join(parts), handlers)])

    def _step(
        self, step: OpenStep, handlers: dict[tuple[str, str], Callable[[], object]]
    ) -> Markup:
        tools = []
        if self.may_change:
            for label, status in (("Done", "done"), ("Drop", "dropped")):
                handlers[status, str(step.id)] = self._marking(step, status)
                about = f"step: {step.text[:60]}"
                tools.append(small_button(label, status, step.id, about=about, changes=True))
        facts = wording.listed(
            [
                wording.due(step.due_date, step.due_phrase, self.workspace.today),
                f"since {wording.day(step.since)}",
            ]
        )
        return html(
            '<li><div><p>{}</p><p class="ws-facts{}">{}</p></div><div class="ws-tools">{}</div></li>',
            step.text,
            " co-text-warn" if step.overdue else "",
            facts,
            join(tools),
        )

    def _marking(self, step: OpenStep, status: str) -> Callable[[], None]:
        def run() -> None:
            try:
                set_action_status(
                    self.workspace.database,
                    self.workspace.actor,
                    step.id,
                    status,
                    version=step.version,
                )
            finally:
                self.refresh()

        return run

    def _sessions(self) -> Element:
        sessions = people.list_sessions(
            self.workspace.database, self.workspace.actor, self.client_id, limit=100
        )
        rows = session_rows(self.workspace, sessions, with_client=False)
        more = stack([])
        listed = row_list(rows[:8], empty="No session yet.", label="Sessions")

        def show_all() -> None:
            fill_rows(listed, rows, label="Sessions")
            more.children = ()

        if len(rows) > 8:
            more.children = [button(f"Show all {len(rows)}", show_all, "quiet")]
        return card("Sessions", [listed, more])

    def _answers(self) -> Element:
        rows = list_feedback(self.workspace.database, self.workspace.actor, self.client_id, limit=5)
        if not rows:
            return card(
                "What they answered",
                [
                    Element(
                        html(
                            '<p class="co-empty-line">No answers yet. Each follow-up carries a link '
                            "with two questions.</p>"
                        )
                    )
                ],
            )
        items = join(
            html(
                '<li><p><strong>{} of 5</strong> <span class="ws-facts">helpful, session of {}</span>'
                "</p>{}</li>",
                each.helpfulness,
                wording.day(each.held_on),
                html('<p class="ws-quote">\u201c{}\u201d</p>', each.next_focus)
                if each.next_focus
                else "",
            )
            for each in rows
        )
        return card("What they answered", [Element(html('<ul class="ws-answers">{}</ul>', items))])

    def _upload_button(self) -> Any | None:
        if not self.may_change:
            return None
        return button("Upload a session", lambda: self.workspace.upload(self.client_id), "primary")


def view(workspace: Workspace, client_id: uuid.UUID) -> View:
    """The view of a client; refused where the actor may not see this client."""
    shown = ClientView(workspace, client_id)
    found = shown.row
    actions: list[Any] = []
    if shown.may_change:
        actions = [
            button("Upload a session", lambda: workspace.upload(client_id), "primary"),
            button("Write notes", lambda: workspace.upload(client_id, notes=True)),
        ]
    return View(
        title=found.name,
        subtitle=wording.listed(
            [
                found.engagement_title,
                found.email or "No e-mail address: follow-ups cannot be sent",
                wording.count(found.sessions, "session"),
                "" if found.active else "The engagement has ended",
                found.coach_name if workspace.actor.sees_all else "",
            ]
        ),
        trail=(workspace.home_crumb(),),
        body=list(shown.widgets()),
        actions=[*actions, workspace.help_button()],
    )

"""What a client has agreed to, and recording what they say."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from coachops.ai.targets import connected
from coachops.coaching import consent
from coachops.coaching.scope import open_client
from coachops.dashboards.components import (
    Element,
    area,
    button,
    card,
    confirm,
    details,
    dispose,
    html,
    paragraph,
    report,
    row,
    stack,
    status_pill,
    text_input,
)
from coachops.dashboards.workspace import wording

if TYPE_CHECKING:
    from coachops.coaching import people
    from coachops.dashboards.workspace.client import ClientView


class ConsentCard:
    """The two kinds of consent with a button for each change."""

    def __init__(self, view: ClientView) -> None:
        self._view = view
        # where the keyboard and the screen reader go when the buttons were drawn anew
        self._top = Element(
            html('<span class="co-hidden" tabindex="-1" data-focus>Consent</span>'),
            classes="ws-top",
        )
        self._kinds = stack([])
        self.element: Element = card(
            "Consent",
            [self._top, self._kinds],
            subtitle="Asked by you, recorded here; it can be withdrawn at any time",
        )
        self._fill()

    @property
    def _row(self) -> people.ClientRow:
        return self._view.row

    def _fill(self) -> None:
        workspace = self._view.workspace
        with workspace.database.read() as session:
            open_client(session, workspace.actor, self._view.client_id)
            now = consent.current(session, self._view.client_id)
        old = self._kinds.children
        self._kinds.children = [self._kind(kind, granted=now[kind]) for kind in now]
        dispose(old)

    def _kind(self, kind: str, *, granted: bool) -> Element:
        title, text = wording.CONSENTS[kind]
        if kind == "external_ai":
            text = f"{text} {self._hosts()}"
        head = Element(
            html(
                '<h3 class="ws-consent-title">{} {}</h3>',
                title,
                status_pill("Given", "ok") if granted else status_pill("Not given", "neutral"),
            )
        )
        parts: list[Any] = [head, paragraph(text, muted=True)]
        if self._view.may_change:
            parts += self._change(kind, title, granted=granted)
        return Element(
            children=parts, classes="co-stack", attributes={"role": "group", "aria-label": title}
        )

    def _hosts(self) -> str:
        """Where words would go: what a client is asked about."""
        hosts = {each.host: None for each in connected(self._view.workspace.services.settings)}
        if not hosts:
            return "None is connected now."
        return f"Connected: {wording.listed(list(hosts))}."

    def _change(self, kind: str, title: str, *, granted: bool) -> list[Any]:
        name = self._row.name
        errors = area()
        note = text_input(
            "Note",
            placeholder="How and when they said so",
            max_length=200,
            mark_optional=True,
        )

        def record() -> None:
            workspace = self._view.workspace
            consent.record(
                workspace.database,
                workspace.actor,
                self._view.client_id,
                kind,
                granted=not granted,
                note=note.data,
            )
            self._fill()  # first: it is recorded, whatever becomes of the analyses
            self._top.focus()
            self._analyse_waiting(kind, granted=not granted)

        change = (
            confirm(
                f"Has {name} withdrawn this consent?",
                record,
                label="Withdraw",
                text="What waits for it stops. What is analysed already stays until you remove it.",
                yes="Record the withdrawal",
                kind="secondary",
                area=errors,
                description=title,
            )
            if granted
            else button(f"{name} has agreed", record, area=errors, description=title)
        )
        return [details("Record a change", [note, errors, row([change])])]

    def _analyse_waiting(self, kind: str, *, granted: bool) -> None:
        """What waited for this consent goes on by itself."""
        if kind != "processing" or not granted:
            return
        try:
            for transcript_id in self._waiting():
                self._view.workspace.work.enqueue_pipeline(transcript_id)
        except Exception as problem:
            report(problem)  # on top of the page; the worker finds them by itself later

    def _waiting(self) -> list[uuid.UUID]:
        from coachops.coaching.people import list_sessions  # noqa: PLC0415 see TYPE_CHECKING

        workspace = self._view.workspace
        rows = list_sessions(workspace.database, workspace.actor, self._view.client_id, limit=500)
        return [
            each.transcript_id
            for each in rows
            if each.transcript_id is not None and each.transcript_state == "imported"
        ]

"""Bringing sessions in: many files at once, or notes typed instead of a recording."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coachops.coaching import attention
from coachops.coaching.importing import ImportResult, import_notes, import_transcript
from coachops.core.errors import CoachError
from coachops.dashboards.components import (
    Element,
    Tone,
    UploadedFile,
    area,
    button,
    card,
    date_input,
    details,
    dispose,
    empty_state,
    file_upload,
    html,
    link,
    paragraph,
    report,
    row,
    select,
    stack,
    table,
    tabs,
    text_area,
)
from coachops.dashboards.components_base import as_coach_error
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.parts import Choices, small_button
from coachops.dashboards.workspace.shell import View

if TYPE_CHECKING:
    from coachops.coaching.people import ClientRow
    from coachops.dashboards.workspace.page import Workspace

SUFFIXES: Final = (".vtt", ".srt", ".txt", ".md", ".docx", ".json")
_NOTES_LIMIT: Final = 200_000
_PATIENCE: Final = 300
"""Polls (seconds) after which the page stops asking."""


@dataclass(slots=True)
class _Done:
    """A file or notes that went through the import, and how far the analysis has come."""

    name: str
    result: ImportResult | None
    error: CoachError | None
    state: str = "imported"


class UploadView:
    """Files and notes of one visit, each with what became of it."""

    def __init__(self, workspace: Workspace, client_id: uuid.UUID | None, *, notes: bool) -> None:
        self.workspace = workspace
        clients = [c for c in workspace.clients() if workspace.actor.may_change(c.coach_id)]
        self._done: list[_Done] = []
        self._held: list[UploadedFile] = []
        self._polls = 0
        self._late = False
        self.results = stack([])
        self.empty = not clients
        if self.empty:
            return
        choices: list[tuple[str, ClientRow | None]] = [
            (self._label(c, clients), c) for c in clients
        ]
        chosen = next((c for c in clients if c.id == client_id), None)
        if chosen is None and len(clients) > 1:
            choices = [("Choose a client", None), *choices]
        self.client = select("Client", choices, value=chosen)
        self.client.on_change(lambda _: self._take_held())
        self.notes_client = select("Client", choices, value=chosen)
        today = workspace.today
        self.date = date_input(
            "Date of the session", most=today, mark_optional=True,
            help="Empty: taken from each file, else today.",
        )  # fmt: skip
        self.files = file_upload(
            "Add transcripts",
            SUFFIXES,
            help="WebVTT, SRT, text, Word or JSON; up to 10 MB each, many at once.",
            on_files=self._take,
        )
        self.notes_date = date_input("Date of the session", value=today, most=today, required=True)
        self.notes = text_area(
            "Your notes",
            rows=12,
            max_length=_NOTES_LIMIT,
            placeholder="What you talked about, what was promised, and by whom.",
            required=True,
        )
        self._notes_errors = area()
        self.tabs = tabs(
            [
                ("Transcript files", self._files_panel()),
                ("Write notes", self._notes_panel()),
            ],
            name="How to bring a session in",
        )
        self.tabs.selected = 1 if notes else 0

    def _label(self, client: ClientRow, clients: list[ClientRow]) -> str:
        same = sum(c.name == client.name for c in clients) > 1 or self.workspace.actor.sees_all
        return f"{client.name} ({client.coach_name})" if same else client.name

    def _files_panel(self) -> list[Any]:
        return [
            card(
                "1. Whose sessions are these?",
                [row([self.client, self.date])],
                subtitle="For all files that you drop together",
            ),
            card("2. The files", [self.files]),
        ]

    def _notes_panel(self) -> list[Any]:
        return [
            card(
                "Notes instead of a recording",
                [
                    paragraph(
                        "For a session without a recording. The analysis is labelled as your own "
                        "account: it cites your notes, and counts nothing.",
                        muted=True,
                    ),
                    row([self.notes_client, self.notes_date]),
                    self.notes,
                    self._notes_errors,
                    row(
                        [
                            button(
                                "Save and analyse",
                                self._save_notes,
                                "primary",
                                area=self._notes_errors,
                                busy_label="Saving\u2026",
                            )
                        ]
                    ),
                ],
            )
        ]

    def widgets(self) -> Iterable[Any]:
        """The cards."""
        if self.empty:
            yield empty_state(
                "You have no clients yet", "Your admin adds clients to you; then you can upload."
            )
            return
        yield self.tabs
        yield self.results

    def _require(self, client: ClientRow | None) -> ClientRow:
        if client is None:
            raise CoachError("COACH-CCH-005", field="Client", reason="nobody is chosen")
        return client

    def _take(self, files: list[UploadedFile]) -> None:
        """Import the files that arrived, and have each analysed."""
        client = self.client.data
        if client is None:
            self.client.error = "Choose whose sessions these are; then the files are imported."
            self.client.focus()
            self._held += files
            for file in files:
                self.files.set_status(file.key, "Waits", "warn", "Choose the client.")
            return
        batch = []
        for file in files:
            self.files.set_status(file.key, "Reading\u2026", "info")
            done = self._import(file.name, client, file.content)
            batch.append(done)
            if done.error is not None:
                self.files.set_status(file.key, *_outcome(done))
            elif done.result is not None and done.result.duplicate:
                self.files.set_status(file.key, "Here already", "neutral")
            else:
                self.files.set_status(file.key, "Imported", "ok")
        self._done = [*batch, *self._done]
        self._show()
        self._watch()

    def _take_held(self) -> None:
        """The client of the files that came before it was chosen."""
        if self.client.data is not None and self._held:
            held, self._held = self._held, []
            self._take(held)

    def _import(self, name: str, client: ClientRow, content: bytes) -> _Done:
        try:
            result = import_transcript(
                self.workspace.database,
                self.workspace.actor,
                content,
                name,
                coach=str(client.coach_id),
                client=str(client.id),
                held_on=self.date.data,
                source="page",
            )
        except Exception as problem:
            return _Done(name, None, as_coach_error(problem))
        done = _Done(name, result, None)
        self._start(done)
        return done

    def _start(self, done: _Done) -> None:
        """Have it analysed, unless it was there already or the coach must decide first."""
        result = done.result
        if result is None or result.role_state == "unclear":
            done.state = "waiting_roles"
            return
        if result.duplicate:
            return
        try:
            self.workspace.work.enqueue_pipeline(result.transcript_id)
        except Exception as problem:
            report(problem)

    def _save_notes(self) -> None:
        client = self._require(self.notes_client.data)
        held_on: dt.date | None = self.notes_date.data
        if held_on is None:
            raise CoachError("COACH-CCH-005", field="Date of the session", reason="it is empty")
        if not self.notes.data.strip():
            raise CoachError("COACH-CCH-005", field="Your notes", reason="they are empty")
        result = import_notes(
            self.workspace.database,
            self.workspace.actor,
            self.notes.data,
            coach=str(client.coach_id),
            client=str(client.id),
            held_on=held_on,
        )
        done = _Done(f"Notes on {client.name}", result, None)
        self._done.insert(0, done)
        self._start(done)
        self.notes.data = ""
        self._show()
        self._watch()

    def _watch(self) -> None:
        self._polls, self._late = 0, False
        if self.poll():
            self.workspace.shell.watch_again(self.poll)

    def poll(self) -> bool:
        """Look how far the analyses have come; returns whether to ask again."""
        self._polls += 1
        states = attention.transcript_states(
            self.workspace.database,
            self.workspace.actor,
            [d.result.transcript_id for d in self._done if d.result is not None],
        )
        changed = False
        for done in self._done:
            state = states.get(done.result.transcript_id) if done.result else None
            if state is not None and state != done.state:
                done.state, changed = state, True
        pending = any(d.result is not None and d.state in wording.PENDING for d in self._done)
        if pending and self._polls >= _PATIENCE:
            self._late, changed, pending = True, True, False
        if changed:
            self._show()
        return pending

    def _show(self) -> None:
        old = self.results.children
        self.results.children = [self._summary(), *self._reports()]
        dispose(old)

    def _summary(self) -> Element:
        taken = [d for d in self._done if d.result is not None]
        ready = sum(d.state == "analysed" for d in taken)
        handlers = {
            ("open", str(d.result.transcript_id)): self._opener(d.result.transcript_id)
            for d in taken
            if d.result is not None
        }
        rows = html(
            '<ul class="ws-results" aria-label="What became of each file">{}</ul>',
            html("").join(self._result(d) for d in self._done),
        )
        text = f"{ready} of {len(taken)} analysed" if taken else "Nothing was imported"
        if self._late:
            text += ". It takes longer than usual: you may leave this page, the work goes on."
        return card("What became of them", [Choices(rows, handlers)], subtitle=text)

    def _opener(self, transcript_id: uuid.UUID) -> Any:
        return lambda: self.workspace.session(transcript_id)

    def _result(self, done: _Done) -> Any:
        text, tone, detail = _outcome(done)
        action: Any = ""
        if done.result is not None:
            label = {
                "analysed": "Read the analysis",
                "waiting_roles": "Confirm speakers",
                "waiting_consent": "Record consent",
                "failed": "See why",
            }.get(done.state, "Open")
            action = small_button(label, "open", done.result.transcript_id, about=done.name)
        return html(
            '<li class="ws-result ws-need-{}"><div class="ws-need-text"><p class="ws-need-title">{}'
            '</p><p class="co-muted">{}</p></div><span class="co-pill co-tone-{}">{}</span>{}</li>',
            tone,
            done.name,
            detail,
            tone,
            text,
            action,
        )

    def _reports(self) -> list[Element]:
        """The lines that were not imported, and the way to what waits."""
        lines = self._lines()
        if not lines and not any(_is_kept(done) for done in self._done):
            return lines
        way = html(
            "<p>{} {}</p>",
            "What could not be imported is kept in the quarantine, also when you close this page.",
            link("Look at it, correct it or discard it", "/app/quarantine"),
        )
        return [Element(way), *lines]

    def _lines(self) -> list[Element]:
        return [
            details(
                f"{done.name}: {wording.count(len(done.result.unparsed), 'line')} not imported",
                [
                    table(
                        [("line", "Line"), ("reason", "Why"), ("excerpt", "What stands there")],
                        [
                            {"line": str(u.line), "reason": u.reason, "excerpt": u.excerpt}
                            for u in done.result.unparsed[:200]
                        ],
                        caption=f"Lines of {done.name} that were not imported",
                    )
                ],
            )
            for done in self._done
            if done.result is not None and done.result.unparsed
        ]


def _is_kept(done: _Done) -> bool:
    return done.error is not None and bool(done.error.details.get("quarantine_whole"))


def _outcome(done: _Done) -> tuple[str, Tone, str]:
    """A pill and a sentence for what became of a file."""
    if done.error is not None or done.result is None:
        error = done.error or CoachError("COACH-SYS-003", reason="unknown")
        kept = ""
        if _is_kept(done):
            kept = " It is kept in the quarantine."
        elif "quarantine_id" in error.details:
            kept = " Only its name and the reason are noted in the quarantine: keep the file."
        return "Not imported", "bad", f"{error.message} {error.next_step} ({error.code}){kept}"
    result = done.result
    parts = [f"{wording.count(result.cues, 'utterance')} imported"]
    if result.duplicate:
        parts = ["This file was here already; nothing was imported twice"]
    if result.unparsed:
        parts.append(f"{wording.count(len(result.unparsed), 'line')} not imported, see below")
    parts += [warning for warning in result.warnings if "could not be imported" not in warning]
    pill, tone = wording.TRANSCRIPT[done.state]
    if result.unparsed and tone == "ok":
        tone = "warn"
    return pill, tone, wording.listed(parts)


def view(workspace: Workspace, client_id: uuid.UUID | None, *, notes: bool) -> View:
    """The upload."""
    shown = UploadView(workspace, client_id, notes=notes)
    return View(
        title="Bring sessions in",
        subtitle="Upload what your meeting tool saved, or write down what you remember.",
        trail=(workspace.home_crumb(),),
        body=list(shown.widgets()),
        actions=[workspace.help_button()],
    )

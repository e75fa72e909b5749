"""A session: its transcript beside the analysis, the next steps, the follow-up, corrections."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from coachops.coaching import attention, review
from coachops.coaching.messages import MessageRow, list_messages
from coachops.coaching.review import Review, ReviewUtterance
from coachops.core import clock
from coachops.dashboards.components import Element, html, split, tabs
from coachops.dashboards.transcript_view import TranscriptView
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.followup import FollowUpPanel
from coachops.dashboards.workspace.session_actions import ActionsPanel
from coachops.dashboards.workspace.session_analysis import AnalysisPanel
from coachops.dashboards.workspace.session_corrections import CorrectionsPanel
from coachops.dashboards.workspace.session_details import DetailsPanel
from coachops.dashboards.workspace.session_state import NowPanel, StatePanel
from coachops.dashboards.workspace.shell import Crumb, View

if TYPE_CHECKING:
    from coachops.dashboards.workspace.page import Workspace

PARTS: Final = ("analysis", "next-steps", "follow-up", "corrections", "details")
_PATIENCE: Final = 180
"""Polls (seconds) after which the page stops asking for a result that does not come."""


class SessionView:
    """One transcript on the page, with everything a coach may do about it.

    Parameters:
        workspace: who looks and where.
        transcript_id: of the transcript; refused where the actor may not see it.
        part: one of `PARTS` to open.
    """

    def __init__(self, workspace: Workspace, transcript_id: uuid.UUID, part: str) -> None:
        self.workspace = workspace
        self.transcript_id = transcript_id
        self._polls = 0
        self._wanted: attention.Progress | None = None
        self._load()
        self.transcript = TranscriptView(
            _utterances(self.review),
            label="Your notes" if self.review.kind == "notes" else "Transcript",
            height=680,
            selectable=self.may_change,
            on_select=self._selected,
        )
        self.state = StatePanel(self)
        self.now = NowPanel(self)
        self.corrections = CorrectionsPanel(self)
        self._panels = (
            AnalysisPanel(self),
            ActionsPanel(self),
            FollowUpPanel(self),
            self.corrections,
            DetailsPanel(self),
        )
        self.tabs = tabs(
            [(panel.title, panel.element) for panel in self._panels],
            name="About this session",
        )
        self.tabs.selected = PARTS.index(part) if part in PARTS else 0
        self._refresh()

    @property
    def may_change(self) -> bool:
        """Whether this person may change the session; the capabilities check it again."""
        return self.workspace.actor.may_change(self.review.coach_id)

    @property
    def pending(self) -> bool:
        """Whether background work will change what is shown."""
        letter = self.message
        sending = letter is not None and letter.state in {"approved", "sending"}
        if letter is not None and letter.retry_at is not None:
            sending = letter.retry_at <= clock.now()  # put off by the mail server until then
        return self.review.state in wording.PENDING or sending or self._wanted is not None

    def do(self, work: Callable[[], object]) -> None:
        """Run a change and show what holds afterwards, also where the change was refused."""
        try:
            work()
        finally:
            self.reload()

    def analyse(self, engine: str = "auto") -> None:
        """Have the transcript analysed in the background, and watch for the result."""
        self.workspace.work.enqueue_pipeline(self.transcript_id, engine)
        self._wanted = self._progress
        self.reload()
        self.watch()
        self.state.focus()

    def send(self, message_id: uuid.UUID) -> None:
        """Have an approved follow-up sent in the background, and watch for the result."""
        self.workspace.work.enqueue_send(message_id)
        self.reload()
        self.watch()
        self.open("follow-up")  # the news stands on top of it

    def reload(self) -> None:
        """Load what holds now, and draw what changed."""
        before = self.review.utterances
        self._load()
        if self._wanted is not None and self._moved():
            self._wanted = None
        if self.review.utterances != before:
            self.transcript.set_utterances(_utterances(self.review))
        self._refresh()

    def _refresh(self) -> None:
        for panel in (self.now, self.state, *self._panels):
            panel.refresh()

    def watch(self) -> None:
        """Ask every second while something is pending."""
        self._polls = 0
        if self.pending:
            self.workspace.shell.watch_again(self.poll)

    def poll(self) -> bool:
        """Look whether background work changed something; returns whether to ask again."""
        self._polls += 1
        now = attention.progress(self.workspace.database, self.workspace.actor, self.transcript_id)
        if now != self._progress:
            self.reload()
        if self._polls >= _PATIENCE:
            self._wanted = None
            self.state.give_up()
            return False
        return self.pending

    def open(self, part: str) -> None:
        """Show one of `PARTS` and go there."""
        self.tabs.selected = PARTS.index(part)
        self._panels[PARTS.index(part)].focus()

    def _moved(self) -> bool:
        """Whether the analysis that was asked for has ended, in whatever way."""
        wanted, now = self._wanted, self._progress
        if wanted is None or now is None or now.state in wording.PENDING:
            return False
        return (
            now.analysis_id != wanted.analysis_id
            or now.state != wanted.state
            or (self.review.analysis is not None and not self.review.analysis.stale)
        )

    def _load(self) -> None:
        database, actor = self.workspace.database, self.workspace.actor
        self._progress = attention.progress(database, actor, self.transcript_id)
        self.review = review.load_review(database, actor, self.transcript_id)
        found = list_messages(database, actor, transcript_id=self.transcript_id, limit=1)
        self.message: MessageRow | None = found[0] if found else None

    def _selected(self, _positions: tuple[int, ...]) -> None:
        self.corrections.show_selection()


def view(workspace: Workspace, transcript_id: uuid.UUID, part: str) -> View:
    """The view of a session; refused where the actor may not see it."""
    shown = SessionView(workspace, transcript_id, part)
    found = shown.review
    client_id = found.client_id
    spoken = [u.end_ms or u.start_ms or 0 for u in found.utterances]
    return View(
        title=f"{found.client_name}, {wording.day(found.held_on)}",
        subtitle=wording.listed(
            [
                found.title,
                "Your notes" if found.kind == "notes" else wording.length(max(spoken, default=0)),
                "" if found.kind == "notes" else found.source_name,
                wording.count(len(found.utterances), "utterance"),
            ]
        ),
        trail=(
            workspace.home_crumb(),
            Crumb(found.client_name, lambda: workspace.client(client_id)),
        ),
        body=[
            shown.state.element,
            split(
                [shown.tabs],
                [
                    Element(
                        html('<h2 class="ws-beside">{}</h2>', shown.transcript.label),
                        [shown.transcript],
                    )
                ],
            ),
        ],
        actions=[shown.now.element, workspace.help_button()],
        watch=shown.poll if shown.pending else None,
    )


def _utterances(found: Review) -> list[dict[str, object]]:
    return [_utterance(each) for each in found.utterances]


def _utterance(each: ReviewUtterance) -> dict[str, object]:
    behaviour = wording.BEHAVIOURS.get(each.behaviour or "")
    return {
        "position": each.position,
        "speaker": each.speaker,
        "name": each.name,
        "time": each.start_ms,
        "text": each.text,
        "behaviour": behaviour,
        "corrected": bool(each.flags & {"speaker_corrected", "behaviour_corrected"}),
        "inferred": False,
        "redacted": "redacted" in each.flags,
        "cut": each.is_cut,
        "instruction": "instruction" in each.flags,
    }

"""What stands beside the list of the quarantine: one item, what came in, and what can be done."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, Protocol

from coachops.coaching import quarantine, quarantine_replay
from coachops.coaching.quarantine import QuarantineDetail
from coachops.core.errors import CoachError
from coachops.dashboards.components import (
    Element,
    TextField,
    UploadedFile,
    area,
    button,
    card,
    confirm,
    definition_list,
    error_card,
    file_upload,
    html,
    link,
    notice,
    paragraph,
    report,
    row,
    section,
    text_area,
)
from coachops.dashboards.overview_parts import counted, moment

if TYPE_CHECKING:
    from coachops.coaching.quarantine_replay import Replayed
    from coachops.dashboards.quarantine import QuarantinePage

KINDS: Final = {
    "transcript": "Whole file",
    "cue": "Line of a transcript",
    "roster": "Whole roster",
    "roster_row": "Row of a roster",
}
SOURCES: Final = {
    "page": "Uploaded on a page",
    "api": "Sent by another system",
    "cli": "On the command line",
    "program": "By the suite itself",
}
EDITABLE: Final = 100_000
"""Characters up to which a file that is text can be corrected on the page."""
PREVIEW: Final = 20_000


class Work(Protocol):
    """What the page asks of background work; `jobs.Jobs` does it in a worker."""

    def enqueue_pipeline(self, transcript_id: uuid.UUID, engine: str = "auto") -> object:
        """Analyse a transcript and draft its follow-up, soon."""


class ItemCard:
    """An item: why, what stands there, and the ways out."""

    def __init__(self, page: QuarantinePage, item_id: uuid.UUID) -> None:
        self.page, self.item_id = page, item_id
        self.news = area()
        self.name = ""
        self._text: TextField | None = None
        self.widget = Element(classes="qu-card")
        self.show()

    def show(self) -> None:
        """Read the item again."""
        found = quarantine.get(self.page.database, self.page.actor, self.item_id)
        item, zone = found.row, self.page.services.settings.zone
        self.name = item.name
        facts: list[tuple[str, object]] = [
            ("What", KINDS[item.kind] if item.line is None else f"Line {item.line}"),
            ("Came in", f"{moment(item.created_at, zone)}. {SOURCES[item.source]}"),
        ]
        if item.client_name:
            facts.append(("Client", f"{item.client_name} (coach: {item.coach_name})"))
        if item.held_on:
            facts.append(("Date of the session", item.held_on.isoformat()))
        if item.seen > 1:
            facts.append(("Came in again", f"{item.seen} times in all"))
        if item.state != "waiting":
            when = moment(item.resolved_at, zone) if item.resolved_at else ""
            facts.append(("State", f"{item.state.capitalize()} {when}".strip()))
        self._text = None
        body: list[Any] = [self.news, self._why(found), definition_list(facts)]
        body += self._ways_out(found) if item.state == "waiting" else self._preview(found)
        body.append(row([button("Done", self.page.close, "quiet")]))
        self.widget.children = (card(item.name, body),)

    def _why(self, found: QuarantineDetail) -> Element:
        return notice(
            "warn" if found.row.state == "waiting" else "neutral",
            found.row.reason,
            next_step=found.row.next_step if found.row.state == "waiting" else "",
            code=found.row.code,
        )

    def _ways_out(self, found: QuarantineDetail) -> list[Any]:
        item = found.row
        text = quarantine.preview(found, EDITABLE + 1)
        parts: list[Any] = []
        if text is not None and len(text) <= EDITABLE:
            self._text = text_area(
                "What stands there",
                value=text,
                rows=6 if item.kind == "cue" else 14,
                max_length=EDITABLE * 2,
                help="Correct it here, then replay it.",
            )
            parts.append(self._text)
            parts.append(
                row(
                    [
                        button(
                            "Replay with my correction", self._replay_text, "primary",
                            area=self.news, busy_label="Replaying\u2026", changes=True,
                        )
                    ]
                )
            )  # fmt: skip
        else:
            parts += self._preview(found)
        if item.kind in {"transcript", "roster"}:
            upload = file_upload(
                "Replay with a corrected file",
                multiple=False,
                help="It is taken for the same coach, client and date."
                if item.kind == "transcript"
                else "It is taken instead of this one.",
                on_files=self._replay_file,
            )
            self._upload = upload
            parts.append(upload)
        again = [
            confirm(
                f"Discard {item.name}?",
                self._discard,
                text="What came in is deleted. That it came in, and that you discarded it, stays "
                "on record.",
                label="Discard",
                area=self.news,
            )
        ]
        if found.content is not None:
            again.insert(
                0,
                button(
                    "Try it again as it is", self._replay_as_it_is, area=self.news,
                    busy_label="Trying\u2026", changes=True,
                ),
            )  # fmt: skip
        return [section("What you can do", [*parts, row(again)], level=3)]

    def _preview(self, found: QuarantineDetail) -> list[Any]:
        text = quarantine.preview(found, PREVIEW)
        if text is not None:
            return [Element(html('<pre class="qu-text" tabindex="0">{}</pre>', text))]
        if found.content is None:
            return [paragraph("The contents are not kept.", muted=True)]
        size = counted(found.row.size_bytes, "byte")
        return [
            paragraph(f"The contents are not text ({size}), so they are not shown.", muted=True)
        ]

    def _replay_text(self) -> None:
        words = self._text.data if self._text is not None else ""
        self._replay(words.encode("utf-8", errors="replace"), None)

    def _replay_as_it_is(self) -> None:
        self._replay(None, None)

    def _replay_file(self, files: list[UploadedFile]) -> None:
        for file in files[:1]:
            try:
                self._replay(file.content, file.name)
            except CoachError as error:
                self._upload.set_status(file.key, "Not accepted", "bad", error.message)
                self.news.show(error_card(error))

    def _replay(self, fix: bytes | None, fix_name: str | None) -> None:
        done = quarantine_replay.replay(
            self.page.database, self.page.actor, self.item_id, fix=fix, fix_name=fix_name,
            source="page",
        )  # fmt: skip
        queued = done.needs_analysis and self._queue(done)
        self.page.refresh()
        self.show()
        self.news.show(notice("ok", "It was accepted.", _told(done, queued=queued)), *_links(done))

    def _queue(self, done: Replayed) -> bool:
        if done.transcript_id is None:
            return False
        try:
            self.page.work.enqueue_pipeline(done.transcript_id)
        except Exception as problem:  # it is imported, and the worker looks for such transcripts
            report(problem)
            return False
        return True

    def _discard(self) -> None:
        quarantine.discard(self.page.database, self.page.actor, self.item_id)
        self.page.refresh()
        self.show()
        self.news.show(notice("ok", f"{self.name} was discarded."))


def _told(done: Replayed, *, queued: bool) -> str:
    if done.transcript_id is None:
        words = "Everything in it was imported."
        if done.rejected:
            words = f"{counted(done.rejected, 'row')} of it could not be imported, see the list."
        return words
    words = f"{counted(done.cues, 'utterance')} imported."
    if done.rejected:
        words += f" {counted(done.rejected, 'line')} of it could not be imported, see the list."
    if done.stale:
        words += " The session was analysed before: open it and analyse it again."
    elif queued:
        words += " The analysis is under way."
    return words


def _links(done: Replayed) -> list[Any]:
    if done.transcript_id is None:
        return []
    return [Element(html("<p>{}</p>", link("Open the workspace", "/app/workspace")))]

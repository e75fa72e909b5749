"""A transcript to read beside its analysis, and sentences with citations that jump into it.

    view = TranscriptView([{"position": 1, "speaker": "coach", "name": "Ada", "time": 0,
                            "text": "How are you?", "behaviour": "question"}, …])
    findings = cited_list([Cited("Maya wants to delegate.", [12, 15])], view)

A citation jumps within the page, without asking the kernel. Positions count from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import traitlets
from markupsafe import Markup

from coachops.dashboards.components_base import Element, Part, html, join, log

SPEAKERS: Final = frozenset({"coach", "client", "other"})
# what is said of an utterance beside its text
NOTES: Final[dict[str, str]] = {
    "corrected": "corrected by you",
    "inferred": "speaker inferred",
    "redacted": "redacted",
    "cut": "cut: not analysed",
    "instruction": "reads as if addressed to an AI",
}


class TranscriptView(Part):
    """The utterances of a transcript, with search, jumps and, when `selectable`, a selection.

    Parameters:
        utterances: mappings with `position` (int, unique), `speaker` (coach, client or other),
            `text`, and optionally `name`, `time` (milliseconds or words), `behaviour` (words) and
            the flags of `NOTES` (`corrected`, `inferred`, `redacted`, `cut`, `instruction`).
        label: what the region is called by screen readers.
        height: of the list at most, pixels.
        selectable: whether utterances have tick boxes.
        on_select: called with the chosen positions, ascending.
    """

    LIBRARY = "transcript"
    kind = "transcript"
    label = traitlets.Unicode("Transcript").tag(sync=True)
    rows: Any = traitlets.List().tag(sync=True)
    notes = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(640).tag(sync=True)
    selectable = traitlets.Bool(False).tag(sync=True)
    empty = traitlets.Unicode("").tag(sync=True)
    chosen: Any = traitlets.List().tag(sync=True)
    view_id = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        utterances: Iterable[Mapping[str, object]] = (),
        *,
        label: str = "Transcript",
        height: int = 640,
        selectable: bool = False,
        on_select: Callable[[tuple[int, ...]], object] | None = None,
        empty: str = "This transcript has no utterances.",
    ) -> None:
        self._selected: list[Callable[[tuple[int, ...]], object]] = []
        super().__init__(
            label=label,
            height=height,
            selectable=selectable,
            empty=empty,
            notes=NOTES,
            rows=_rows(utterances),
        )
        self.view_id = self.model_id
        if on_select:
            self.on_select(on_select)

    def set_utterances(self, utterances: Iterable[Mapping[str, object]]) -> None:
        """Replace what is shown; the reader keeps the place, chosen utterances stay chosen."""
        rows = _rows(utterances)
        known = {row[0] for row in rows}
        self.rows = rows
        self.chosen = [p for p in self.chosen if p in known]

    @property
    def selected(self) -> tuple[int, ...]:
        """The chosen positions, ascending."""
        return tuple(self.chosen)

    @selected.setter
    def selected(self, positions: Iterable[int]) -> None:
        known = {row[0] for row in self.rows}
        self.chosen = sorted(set(positions) & known)

    def on_select(self, callback: Callable[[tuple[int, ...]], object]) -> None:
        """Call `callback(positions)` whenever the person changes the selection."""
        self._selected.append(callback)

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """`{"event": "select", "positions"}` from the browser."""
        positions = message.get("positions")
        if message["event"] != "select" or not self.selectable or not isinstance(positions, list):
            return
        known = {row[0] for row in self.rows}
        chosen = {p for p in positions if isinstance(p, int) and not isinstance(p, bool)}
        if len(chosen) != len(positions) or not chosen <= known:
            log.warning("transcript: a selection of utterances that are not there")
            return
        self._from_browser("chosen", sorted(chosen), positions)
        for callback in self._selected:
            callback(self.selected)

    def text(self) -> str:
        """All texts: for tests."""
        return " ".join(str(row[4]) for row in self.rows)


def _rows(utterances: Iterable[Mapping[str, object]]) -> list[list[Any]]:
    """The utterances as short lists: five thousand of them travel over a websocket."""
    rows: list[list[Any]] = []
    seen: set[int] = set()
    for utterance in utterances:
        position, speaker = utterance["position"], utterance["speaker"]
        if not isinstance(position, int) or position in seen or speaker not in SPEAKERS:
            raise ValueError(f"utterance {position!r}: needs its own position and a known speaker")
        seen.add(position)
        behaviour = utterance.get("behaviour")
        flags = [flag for flag in NOTES if utterance.get(flag)]
        rows.append(
            [
                position,
                speaker,
                str(utterance.get("name") or str(speaker).capitalize()),
                _clock(utterance.get("time")),
                str(utterance["text"]),
                str(behaviour).capitalize() if behaviour else "",
                flags,
            ]
        )
    return rows


def _clock(time: object) -> str:
    """Milliseconds as `m:ss` or `h:mm:ss`; words stay."""
    if time is None or isinstance(time, str):
        return time or ""
    if not isinstance(time, int | float):
        raise TypeError("the time of an utterance is in milliseconds, or words")
    minutes, seconds = divmod(int(time) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence with the utterances that support it.

    Attributes:
        text: the sentence.
        positions: of the utterances cited.
        label: a word above it, such as "Proposal, not said in the session".
        pills: HTML from `status_pill`, shown before the citations.
    """

    text: str
    positions: Sequence[int] = ()
    label: str = ""
    pills: Sequence[Markup] = ()


def citation(position: int, view: TranscriptView) -> Markup:
    """A chip that jumps to an utterance, as HTML for `table` cells and `html(...)`."""
    return html(
        '<button type="button" class="co-chip" data-jump="{0}" data-view="{1}">'
        '<span aria-hidden="true">¶{0}</span><span class="co-hidden">Show utterance {0}</span>'
        "</button>",
        int(position),
        view.model_id,
    )


def citations(positions: Iterable[int], view: TranscriptView) -> Markup:
    """Several chips in a row, as HTML."""
    return html('<span class="co-chips">{}</span>', join(citation(p, view) for p in positions))


def cited_list(
    items: Iterable[Cited], view: TranscriptView, *, empty: str = "Not discussed in this session."
) -> Element:
    """Sentences with chips that jump to what supports them."""
    rows = join(
        html(
            "<li>{}{} {}{}</li>",
            html('<span class="co-cited-label">{}</span>', item.label) if item.label else "",
            item.text,
            join(item.pills, " "),
            citations(item.positions, view) if item.positions else "",
        )
        for item in items
    )
    if not rows:
        return Element(html('<p class="co-empty-line">{}</p>', empty))
    return Element(html('<ul class="co-cited">{}</ul>', rows))

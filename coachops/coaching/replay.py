"""What holds in a transcript: what stood first, and the corrections in force applied in their order.

Pure: no database. Offsets of redactions are those of the text that stood first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from coachops.coaching.citations import REDACTED

_SWAP = {"coach": "client", "client": "coach", "other": "other"}


class Correction(Protocol):
    """The part of a correction that matters here (a row of `transcript_edits`)."""

    @property
    def kind(self) -> str:
        """One of the kinds of corrections."""

    @property
    def from_position(self) -> int | None:
        """First utterance it is about."""

    @property
    def to_position(self) -> int | None:
        """Last utterance; for a speaker None means all with the same label."""

    @property
    def from_char(self) -> int | None:
        """Start of a redaction."""

    @property
    def to_char(self) -> int | None:
        """End of a redaction, not included."""

    @property
    def value(self) -> str | None:
        """The speaker or behaviour chosen."""


@dataclass(frozen=True, slots=True)
class Held:
    """An utterance as it stands."""

    position: int
    label: str | None
    speaker: str
    text: str
    is_cut: bool = False


def replay(first: Sequence[Held], edits: Sequence[Correction]) -> list[Held]:
    """The utterances after `edits`, in the order of `first`."""
    speakers = {each.position: each.speaker for each in first}
    labels = {each.position: each.label for each in first}
    cuts: set[int] = set()
    for edit in edits:
        start = edit.from_position or 0
        if edit.kind == "swap_roles":
            speakers = {position: _SWAP[speaker] for position, speaker in speakers.items()}
        elif edit.kind == "speaker":
            speakers.update(dict.fromkeys(_meant(edit, start, labels), edit.value or "other"))
        elif edit.kind == "cut":
            cuts.update(range(start, (edit.to_position or start) + 1))
    hidden = redactions(edits)
    return [
        replace(
            each,
            speaker=speakers[each.position],
            text=hide(each.text, hidden.get(each.position, [])),
            is_cut=each.position in cuts,
        )
        for each in first
    ]


def redactions(edits: Iterable[Correction]) -> dict[int, list[tuple[int, int]]]:
    """The redacted spans of each utterance."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for edit in edits:
        if edit.kind == "redact" and edit.from_position is not None:
            span = (edit.from_char or 0, edit.to_char or 0)
            spans.setdefault(edit.from_position, []).append(span)
    return spans


def merge_spans(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping and touching spans as one each, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def hide(original: str, spans: Sequence[tuple[int, int]]) -> str:
    """`original` with each span (merged before) replaced by `[redacted]`."""
    pieces, done = [], 0
    for start, end in merge_spans(spans):
        pieces += [original[done:start], REDACTED]
        done = end
    return "".join([*pieces, original[done:]])


def to_original(spans: Sequence[tuple[int, int]], from_char: int, to_char: int) -> tuple[int, int]:
    """Offsets in the original text for a piece of the text as shown with `spans` hidden."""
    start, end = from_char, to_char
    shift = 0  # what must be added to an offset behind the spans seen so far
    for low, high in merge_spans(spans):
        shown_low = low - shift
        shown_high = shown_low + len(REDACTED)
        if shown_low < from_char < shown_high:
            start = low
        elif from_char >= shown_high:
            start = from_char + shift + (high - low) - len(REDACTED)
        if shown_low < to_char < shown_high:
            end = high
        elif to_char >= shown_high:
            end = to_char + shift + (high - low) - len(REDACTED)
        shift += (high - low) - len(REDACTED)
    return start, end


def _meant(edit: Correction, start: int, labels: dict[int, str | None]) -> list[int]:
    """The utterances whose speaker a correction names."""
    if edit.to_position is not None:
        return [start]
    label = labels.get(start)
    return [position for position, each in labels.items() if each == label]

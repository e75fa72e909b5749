"""Correcting a transcript: who speaks, what the coach does, what nobody shall read; and undoing it.

The coach ticks utterances in the transcript; what can be done with them stands here. Everything is
kept beside the original and can be undone.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from coachops.coaching import corrections
from coachops.coaching.corrections import EditRow
from coachops.coaching.review import ReviewUtterance
from coachops.core.errors import CoachError
from coachops.dashboards.components import (
    Area,
    Button,
    Element,
    area,
    button,
    card,
    confirm,
    dispose,
    html,
    join,
    paragraph,
    row,
    select,
    stack,
    text_input,
)
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.panels import Panel
from coachops.dashboards.workspace.parts import Choices, small_button

_ROLES: Final[dict[str, str]] = {
    "certain": "The file names both speakers.",
    "inferred": "The speakers were told apart by the names in the file. If they are the wrong way "
    "round, swap them.",
    "unclear": "It is not certain who is who.",
    "confirmed": "You confirmed who is who.",
}
_SPEAKERS: Final = {"coach": "the coach", "client": "the client", "other": "somebody else"}


class CorrectionsPanel(Panel):
    """Speakers, the ticked utterances, and the list of corrections."""

    title = "Corrections"

    def data(self) -> object:
        """As the base says."""
        found = self.review
        return found.revision, found.role_state, found.state

    def build(self) -> Iterable[Any]:
        """As the base says."""
        self._ticked = stack([])
        self._fill_ticked()
        if self.view.may_change:
            yield self._speakers()
            yield card(
                "Ticked utterances",
                [self._ticked],
                subtitle="Tick utterances in the transcript, then choose what to do with them",
            )
        yield self._history()

    def show_selection(self) -> None:
        """Offer what can be done with the utterances that are ticked now."""
        old = self._ticked.children
        self._fill_ticked()
        dispose(old)

    def _speakers(self) -> Element:
        voices = {"coach", "client"} <= {u.speaker for u in self.review.utterances}
        actions: list[Any] = []
        if voices:
            actions.append(
                confirm(
                    "Swap coach and client in the whole transcript?",
                    self._swap,
                    label="Swap coach and client",
                    text="The analysis then reads it the other way round. You can undo this.",
                    kind="secondary",
                )
            )
        if self.review.role_state == "inferred":
            actions.append(button("They are right", self._confirm_roles, changes=True))
        return card(
            "Speakers", [paragraph(_ROLES[self.review.role_state]), row(actions, align="center")]
        )

    def _swap(self) -> None:
        self._correct(corrections.swap_roles)

    def _confirm_roles(self) -> None:
        self._correct(corrections.confirm_roles)

    def _chosen(self) -> list[ReviewUtterance]:
        ticked = set(self.view.transcript.selected)
        return [u for u in self.review.utterances if u.position in ticked]

    def _fill_ticked(self) -> None:
        chosen = self._chosen()
        if not chosen:
            self._ticked.children = [
                paragraph(
                    "Nothing is ticked. With Shift you tick everything between two utterances.",
                    muted=True,
                )
            ]
            return
        errors = area()
        self._ticked.children = [
            Element(html('<p class="ws-ticked">{}</p>', _places(chosen))),
            errors,
            *self._tools(chosen, errors),
        ]

    def _tools(self, chosen: Sequence[ReviewUtterance], errors: Area) -> Iterator[Any]:
        speaker = select("Who says this?", [(v.capitalize(), k) for k, v in _SPEAKERS.items()])
        yield row(
            [
                speaker,
                button(
                    "Change speaker", lambda: self._set_speaker(chosen, speaker.data), area=errors
                ),
            ]
        )
        if all(u.speaker == "coach" for u in chosen) and self.review.kind == "recording":
            kinds = [(v, k) for k, v in wording.BEHAVIOURS.items()]
            behaviour = select("What does the coach do here?", kinds, value=chosen[0].behaviour)
            yield row(
                [
                    behaviour,
                    button(
                        "Change behaviour",
                        lambda: self._set_behaviour(chosen, behaviour.data),
                        area=errors,
                    ),
                ]
            )
        words = text_input(
            "Words to hide",
            placeholder="Copy them from the transcript",
            help="They are replaced by [redacted] in the ticked utterances before anything reads them.",
            max_length=500,
        )

        def hide() -> None:
            self._redact(chosen, words.data)

        words.on_submit(hide)
        yield row([words, button("Hide words", hide, area=errors)])
        yield row(self._cuts(chosen, errors), align="center")

    def _cuts(self, chosen: Sequence[ReviewUtterance], errors: Area) -> Iterator[Button]:
        """Leaving talk out: what is ticked, and what lies before or after it."""
        positions = [u.position for u in self.review.utterances]
        first, last = chosen[0].position, chosen[-1].position
        yield button(
            "Leave these out",
            lambda: self._cut(_runs([u.position for u in chosen], positions)),
            area=errors,
        )
        before = [p for p in positions if p < first]
        after = [p for p in positions if p > last]
        if before:
            yield button(
                f"Leave out everything before \u00b6{first}",
                lambda: self._cut([(before[0], before[-1])]),
                area=errors,
            )
        if after:
            yield button(
                f"Leave out everything after \u00b6{last}",
                lambda: self._cut([(after[0], after[-1])]),
                area=errors,
            )

    def _set_speaker(self, chosen: Sequence[ReviewUtterance], speaker: str | None) -> None:
        self._each(
            corrections.set_speaker,
            [(u.position, speaker) for u in chosen if u.speaker != speaker],
        )

    def _set_behaviour(self, chosen: Sequence[ReviewUtterance], behaviour: str | None) -> None:
        self._each(
            corrections.set_behaviour,
            [(u.position, behaviour) for u in chosen if u.behaviour != behaviour],
        )

    def _cut(self, runs: Sequence[tuple[int, int]]) -> None:
        self._each(corrections.cut, runs)
        self.view.transcript.selected = ()
        self.show_selection()

    def _redact(self, chosen: Sequence[ReviewUtterance], words: str) -> None:
        spans = [
            (u.position, *found.span())
            for u in chosen
            # from the end, so that the places of the earlier ones stay true
            for found in reversed(_occurrences(words, u.text))
        ]
        if not spans:
            raise CoachError(
                "COACH-CCH-005",
                field="Words to hide",
                reason="they do not stand in the ticked utterances",
            )
        self._each(corrections.redact, spans)

    def _each(self, correct: Callable[..., object], rows: Sequence[tuple[Any, ...]]) -> None:
        """Make several corrections; the first one compares with what was shown."""
        view = self.view
        revision: str | None = self.review.revision

        def work() -> None:
            nonlocal revision
            for values in rows:
                correct(
                    view.workspace.database,
                    view.workspace.actor,
                    view.transcript_id,
                    *values,
                    revision=revision,
                )
                revision = None

        view.do(work)
        self.focus()  # what was clicked has been drawn anew: the reader starts at the top of this

    def _correct(self, correct: Callable[..., object]) -> None:
        self._each(correct, [()])

    def _history(self) -> Element:
        edits = self.review.edits
        if not edits:
            return card(
                "Your corrections",
                [
                    paragraph(
                        "None yet. The file you uploaded is always kept as it was.", muted=True
                    )
                ],
            )
        handlers: dict[tuple[str, str], Callable[[], object]] = {}
        items = []
        zone = self.view.workspace.services.settings.zone
        for each in edits:
            at = each.made_at.astimezone(zone)
            text = _said(each)
            tool = ""
            if each.undone_at is None and self.view.may_change:
                tool = small_button("Undo", "undo", each.id, about=text, kind="quiet", changes=True)
                handlers["undo", str(each.id)] = self._undoing(each.id)
            items.append(
                html(
                    '<li class="ws-edit{}"><div><p>{}{}</p><p class="ws-facts">{}</p></div>{}</li>',
                    "" if each.undone_at is None else " ws-edit-undone",
                    text,
                    "" if each.undone_at is None else " (undone)",
                    f"{each.made_by}, {wording.day(at.date())} {at:%H:%M}",
                    tool,
                )
            )
        return card(
            "Your corrections",
            [Choices(html('<ul class="ws-edits">{}</ul>', join(items)), handlers)],
            subtitle="The file you uploaded is always kept as it was",
        )

    def _undoing(self, edit_id: uuid.UUID) -> Callable[[], None]:
        def run() -> None:
            view = self.view
            view.do(
                lambda: corrections.undo(
                    view.workspace.database, view.workspace.actor, view.transcript_id, edit_id
                )
            )
            self.focus()

        return run


def _occurrences(words: str, text: str) -> list[re.Match[str]]:
    """Where `words` stand in `text`, whatever their case and spacing."""
    parts = [re.escape(part) for part in words.split()]
    return list(re.finditer(r"\s+".join(parts), text, re.IGNORECASE)) if parts else []


def _runs(chosen: Sequence[int], all_positions: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring positions as (first, last)."""
    place = {position: index for index, position in enumerate(all_positions)}
    runs: list[tuple[int, int]] = []
    for position in chosen:
        if runs and place[position] == place[runs[-1][1]] + 1:
            runs[-1] = (runs[-1][0], position)
        else:
            runs.append((position, position))
    return runs


def _places(chosen: Sequence[ReviewUtterance]) -> str:
    first = chosen[0]
    if len(chosen) == 1:
        return f"\u00b6{first.position} {first.name}: \u201c{_beginning(first.text)}\u201d"
    return (
        f"{len(chosen)} utterances ticked, from \u00b6{first.position} to "
        f"\u00b6{chosen[-1].position}"
    )


def _beginning(text: str, longest: int = 120) -> str:
    """The first words of `text`, with a mark where more follows."""
    if len(text) <= longest:
        return text
    return text[:longest].rpartition(" ")[0].rstrip(" ,;:") + "\u2026"


def _said(each: EditRow) -> str:
    """A correction in words."""
    where = f"\u00b6{each.from_position}" if each.from_position else "the transcript"
    if each.to_position and each.to_position != each.from_position:
        where += f" to \u00b6{each.to_position}"
    if each.kind == "speaker":
        every = "" if each.to_position else " and everything with the same name"
        return f"{where}{every} is said by {_SPEAKERS.get(each.value or '', 'somebody else')}"
    if each.kind == "behaviour":
        return f"{where} is: {wording.BEHAVIOURS.get(each.value or '', '').lower()}"
    return {
        "confirm_roles": "You confirmed who is who",
        "swap_roles": "You swapped coach and client",
        "cut": f"{where} left out",
        "redact": f"Words hidden in {where}",
    }[each.kind]

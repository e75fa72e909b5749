"""The citation check: an engine proposes, this decides what holds against the transcript.

A finding stands on its citations: the position exists, the speaker is the one of that utterance, and
the quote is a literal piece of it (runs of white space count as one space). What does not hold is
dropped and counted by reason; nothing is repaired. Reasons are keys of `REASONS`.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coachops.ai.types import (
    ActionItem,
    AnalysisRequest,
    Citation,
    CitedText,
    CoachBehaviour,
    EngineResult,
    Modality,
    Owner,
    Speaker,
    Utterance,
)

REASONS = {
    "no_citation": "no utterance was named that supports it",
    "position_unknown": "it names an utterance that does not exist",
    "speaker_mismatch": "the utterance it names was said by somebody else",
    "quote_not_found": "its quote does not stand in the utterance it names",
    "citation_removed": "one of several citations did not hold and was taken out; the finding stays",
    "owner_not_speaker": "a commitment that its owner did not say",
    "date_not_said": "the date was taken out, because nobody said it",
    "date_before_session": "the date was taken out, because it lies before the session",
    "behaviour_not_coach": "a behaviour for an utterance that is not the coach's",
    "behaviour_repeated": "a second behaviour for the same utterance",
    "carries_unknown": "it pointed to an earlier commitment that is not open; kept as a new one",
}
"""What the coach reads for each reason that a finding, or a part of one, was dropped."""

REDACTED = "[redacted]"
PHRASE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """What holds, and how many findings (or parts) were dropped for each reason."""

    result: EngineResult
    dropped: dict[str, int]

    @property
    def dropped_count(self) -> int:
        """All that was dropped."""
        return sum(self.dropped.values())


def check(result: EngineResult, request: AnalysisRequest) -> Checked:
    """The part of `result` that holds against the utterances of `request`."""
    checker = _Checker(request.utterances, {each.id for each in request.open_commitments})
    checked = EngineResult(
        summary=checker.texts(result.summary),
        themes=checker.texts(result.themes),
        behaviours=[] if request.coach_account else checker.behaviours(result.behaviours),
        action_items=checker.actions(result.action_items, request.session_date),
        follow_up=checker.texts(result.follow_up),
    )
    return Checked(checked, dict(sorted(checker.dropped.items())))


def normal(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())


def quote_holds(quote: str, text: str) -> bool:
    """Whether `quote` is a literal piece of `text` that says something."""
    wanted = normal(quote)
    says_something = any(c.isalnum() for c in wanted.replace(REDACTED, ""))
    return says_something and wanted in normal(text)


class _Checker:
    def __init__(self, utterances: Sequence[Utterance], commitments: Collection[str]) -> None:
        self._by_position = {each.position: each for each in utterances}
        self._commitments = commitments
        self.dropped: Counter[str] = Counter()

    def texts(self, found: Sequence[CitedText]) -> list[CitedText]:
        kept = []
        for each in found:
            citations = self._citations(each.citations)
            if citations and each.text.strip():
                kept.append(CitedText(text=normal(each.text), citations=citations))
        return kept

    def behaviours(self, found: Sequence[CoachBehaviour]) -> list[CoachBehaviour]:
        kept: dict[int, CoachBehaviour] = {}
        for each in found:
            utterance = self._by_position.get(each.position)
            if utterance is None or utterance.speaker is not Speaker.COACH:
                self.dropped["behaviour_not_coach"] += 1
            elif each.position in kept:
                self.dropped["behaviour_repeated"] += 1
            else:
                kept[each.position] = each
        return [kept[position] for position in sorted(kept)]

    def actions(self, found: Sequence[ActionItem], session_date: dt.date) -> list[ActionItem]:
        kept = []
        for each in found:
            citations = self._citations(each.citations)
            if not citations or not each.text.strip():
                continue
            carries = each.carries
            if carries is not None and carries not in self._commitments:
                self.dropped["carries_unknown"] += 1
                carries = None
            speakers = {citation.speaker.value for citation in citations}
            owner = each.owner
            if carries is None and owner.value not in speakers:
                if each.modality is Modality.COMMITMENT:
                    self.dropped["owner_not_speaker"] += 1
                    continue
                owner = Owner.UNASSIGNED  # nobody took the proposal in their own words
            due_date, due_phrase = self._due(each, citations, session_date)
            kept.append(
                each.model_copy(
                    update={
                        "text": normal(each.text),
                        "owner": owner,
                        "carries": carries,
                        "done": each.done and carries is not None,
                        "due_date": due_date,
                        "due_phrase": due_phrase,
                        "citations": citations,
                    }
                )
            )
        return kept

    def _citations(self, found: Sequence[Citation]) -> list[Citation]:
        """The citations that hold; a finding left without any counts once, for its first reason."""
        kept: list[Citation] = []
        failed: list[str] = []
        for each in found:
            reason = self._fault(each)
            if reason is None:
                kept.append(each)
            else:
                failed.append(reason)
        if not kept:
            self.dropped[failed[0] if failed else "no_citation"] += 1
        elif failed:
            self.dropped["citation_removed"] += len(failed)
        return list(dict.fromkeys(kept))

    def _fault(self, citation: Citation) -> str | None:
        utterance = self._by_position.get(citation.position)
        if utterance is None:
            return "position_unknown"
        if utterance.speaker is not citation.speaker:
            return "speaker_mismatch"
        return None if quote_holds(citation.quote, utterance.text) else "quote_not_found"

    def _due(
        self, item: ActionItem, citations: Sequence[Citation], session_date: dt.date
    ) -> tuple[dt.date | None, str | None]:
        if item.due_date is None and item.due_phrase is None:
            return None, None
        phrase = normal(item.due_phrase or "")
        said = any(
            phrase.casefold() in normal(self._by_position[each.position].text).casefold()
            for each in citations
        )
        if not phrase or not said or len(phrase) > PHRASE_LIMIT:
            self.dropped["date_not_said"] += 1
            return None, None
        if item.due_date is not None and item.due_date < session_date:
            self.dropped["date_before_session"] += 1
            return None, phrase
        return item.due_date, phrase

"""The answer's form as the service sees it: plain types only, since strict schemas allow no more.

Every text is cleaned like any text that comes from outside (NUL, controls, half characters). Values are checked when the answer is turned into the types of `ai.types`; whatever does not fit
there is left out here (and would not have passed the citation check either).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from coachops.ai.types import (
    ActionItem,
    Behaviour,
    Citation,
    CitedText,
    CoachBehaviour,
    EngineResult,
    Modality,
    Owner,
    Speaker,
)
from coachops.core.text import clean

SpeakerName = Literal["coach", "client", "other"]


Words = Annotated[str, AfterValidator(lambda text: clean(text).text)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WireCitation(_Wire):
    """Where it stands."""

    position: int
    speaker: SpeakerName
    quote: Words


class WireText(_Wire):
    """A sentence or label with its citations."""

    text: Words
    citations: list[WireCitation]


class WireBehaviour(_Wire):
    """What the coach does in one utterance."""

    position: int
    behaviour: Literal["question", "reflection", "input", "other"]
    open_question: bool


class WireAction(_Wire):
    """A next step."""

    text: Words
    owner: Literal["coach", "client", "unassigned"]
    modality: Literal["commitment", "proposal"]
    due_date: Words | None
    due_phrase: Words | None
    carries: Words | None
    done: bool
    citations: list[WireCitation]


class SessionAnalysis(_Wire):
    """The whole answer."""

    summary: list[WireText]
    themes: list[WireText]
    behaviours: list[WireBehaviour]
    action_items: list[WireAction]
    follow_up: list[WireText]


def to_result(answer: SessionAnalysis) -> EngineResult:
    """The answer in the types that all engines share."""
    return EngineResult(
        summary=_texts(answer.summary),
        themes=_texts(answer.themes),
        behaviours=[
            CoachBehaviour(
                position=each.position,
                behaviour=Behaviour(each.behaviour),
                open_question=each.open_question and each.behaviour == "question",
            )
            for each in answer.behaviours
            if each.position >= 1
        ],
        action_items=[
            ActionItem(
                text=each.text,
                owner=Owner(each.owner),
                modality=Modality(each.modality),
                due_date=_date(each.due_date),
                due_phrase=each.due_phrase or None,
                carries=each.carries or None,
                done=each.done,
                citations=_citations(each.citations),
            )
            for each in answer.action_items
            if each.text.strip()
        ],
        follow_up=_texts(answer.follow_up),
    )


def _texts(found: list[WireText]) -> list[CitedText]:
    return [
        CitedText(text=each.text, citations=_citations(each.citations))
        for each in found
        if each.text.strip()
    ]


def _citations(found: list[WireCitation]) -> list[Citation]:
    return [
        Citation(position=each.position, speaker=Speaker(each.speaker), quote=each.quote)
        for each in found
        if each.position >= 1 and each.quote
    ]


def _date(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        return None

"""Counts of a session with their definitions: exact, and never computed by a model.

Every share stands beside the whole numbers it was made of; it is None where the denominator is 0.
The texts `*_DEFINITION` are what the surfaces show beside a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from coachops.ai.types import Behaviour, CoachBehaviour, Speaker, Utterance

WORDS_DEFINITION = (
    "A word is an unbroken run of letters or digits; an apostrophe or hyphen inside it does not break "
    "it (don't and follow-up are one word each). Text in square brackets, such as [laughs] or "
    "[redacted], is not counted."
)
TALK_SHARE_DEFINITION = (
    "Words spoken by the coach, divided by the words spoken by coach and client together. Other "
    "speakers are left out."
)
TIME_SHARE_DEFINITION = (
    "Time of the coach's cues, divided by the time of the coach's and the client's cues together. "
    "Shown only where every cue of the transcript has a start and an end; cues that overlap count in "
    "full for each speaker."
)
TURNS_DEFINITION = "A turn is a run of utterances by the same speaker, however many cues it has."
OPEN_QUESTION_DEFINITION = (
    "Open questions of the coach, divided by all utterances of the coach marked as a question. Open "
    "means that the wording invites to tell (what, how, why, tell me); a question to be answered by "
    "yes or no, a number, a name, a time or a place is closed."
)

_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TalkShare(_Frozen):
    """How the talk is shared.

    Attributes:
        coach_words, client_words, other_words: as `WORDS_DEFINITION`.
        coach_talk_share: 0 to 1, as `TALK_SHARE_DEFINITION`; None where nobody of the two spoke.
        coach_ms, client_ms: sums of cue durations in milliseconds; None unless every cue has times.
        coach_time_share: 0 to 1, as `TIME_SHARE_DEFINITION`.
        coach_turns, client_turns: as `TURNS_DEFINITION`.
    """

    coach_words: int = Field(ge=0)
    client_words: int = Field(ge=0)
    other_words: int = Field(ge=0)
    coach_talk_share: float | None = Field(ge=0, le=1)
    coach_ms: int | None = Field(ge=0)
    client_ms: int | None = Field(ge=0)
    coach_time_share: float | None = Field(ge=0, le=1)
    coach_turns: int = Field(ge=0)
    client_turns: int = Field(ge=0)


class QuestionShare(_Frozen):
    """How many of the coach's questions are open: `share` is None where no question was asked."""

    open_questions: int = Field(ge=0)
    questions: int = Field(ge=0)
    share: float | None = Field(ge=0, le=1)


class Counts(TalkShare):
    """Everything counted in a session.

    Attributes:
        utterances: all cues, of every speaker.
        coach_utterances: those with a behaviour.
        questions, reflections, inputs, others: coach utterances by behaviour.
        open_questions, open_question_share: as `OPEN_QUESTION_DEFINITION`.
    """

    utterances: int = Field(ge=0)
    coach_utterances: int = Field(ge=0)
    questions: int = Field(ge=0)
    reflections: int = Field(ge=0)
    inputs: int = Field(ge=0)
    others: int = Field(ge=0)
    open_questions: int = Field(ge=0)
    open_question_share: float | None = Field(ge=0, le=1)


def count_words(text: str) -> int:
    """Number of words by `WORDS_DEFINITION`."""
    if "[" in text:
        text = _BRACKETED.sub(" ", text)
    return sum(1 for _ in _WORD.finditer(text))


def talk_share(utterances: Sequence[Utterance]) -> TalkShare:
    """Who speaks how much, by words and, where every cue has a start and an end, by time."""
    words = dict.fromkeys(Speaker, 0)
    turns = dict.fromkeys(Speaker, 0)
    spent = dict.fromkeys(Speaker, 0)
    timed = bool(utterances)
    before: Speaker | None = None
    for each in utterances:
        words[each.speaker] += count_words(each.text)
        turns[each.speaker] += each.speaker is not before
        before = each.speaker
        if each.start_ms is None or each.end_ms is None or each.end_ms < each.start_ms:
            timed = False
        else:
            spent[each.speaker] += each.end_ms - each.start_ms
    coach, client = words[Speaker.COACH], words[Speaker.CLIENT]
    coach_ms, client_ms = spent[Speaker.COACH], spent[Speaker.CLIENT]
    return TalkShare(
        coach_words=coach,
        client_words=client,
        other_words=words[Speaker.OTHER],
        coach_talk_share=_share(coach, coach + client),
        coach_ms=coach_ms if timed else None,
        client_ms=client_ms if timed else None,
        coach_time_share=_share(coach_ms, coach_ms + client_ms) if timed else None,
        coach_turns=turns[Speaker.COACH],
        client_turns=turns[Speaker.CLIENT],
    )


def open_question_share(behaviours: Sequence[CoachBehaviour]) -> QuestionShare:
    """Open questions among the coach's questions, by `OPEN_QUESTION_DEFINITION`."""
    questions = [each for each in behaviours if each.behaviour is Behaviour.QUESTION]
    opened = sum(each.open_question for each in questions)
    return QuestionShare(
        open_questions=opened, questions=len(questions), share=_share(opened, len(questions))
    )


def count(utterances: Sequence[Utterance], behaviours: Sequence[CoachBehaviour]) -> Counts:
    """All counts of a session; `behaviours` as an engine returned them (or the coach corrected)."""
    questions = open_question_share(behaviours)
    by_kind = dict.fromkeys(Behaviour, 0)
    for each in behaviours:
        by_kind[each.behaviour] += 1
    return Counts(
        **talk_share(utterances).model_dump(),
        utterances=len(utterances),
        coach_utterances=len(behaviours),
        questions=by_kind[Behaviour.QUESTION],
        reflections=by_kind[Behaviour.REFLECTION],
        inputs=by_kind[Behaviour.INPUT],
        others=by_kind[Behaviour.OTHER],
        open_questions=questions.open_questions,
        open_question_share=questions.share,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

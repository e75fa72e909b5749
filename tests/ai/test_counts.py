"""Counts: exact whole numbers, shares beside them, None where undefined."""

from __future__ import annotations

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.counts import count, count_words, open_question_share, talk_share
from coachops.ai.types import Behaviour, CoachBehaviour, Speaker, Utterance


def said(position: int, speaker: str, text: str, ms: tuple[int, int] | None = None) -> Utterance:
    start, end = ms or (None, None)
    return Utterance(
        position=position, speaker=Speaker(speaker), text=text, start_ms=start, end_ms=end
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("Don't you follow-up?", 3),
        ("I\u2019m 42 -- really", 3),
        ("[laughs] Yes [redacted].", 1),
        ("well-", 1),
        ("naïve café 東京", 3),
        ("an [open bracket", 3),
    ],
)
def test_words_follow_the_definition(text: str, words: int) -> None:
    assert count_words(text) == words


def test_talk_share_is_exact_and_leaves_others_out() -> None:
    share = talk_share(
        [
            said(1, "coach", "How are you?", (0, 1000)),
            said(2, "client", "Fine, thanks a lot, and you over there?", (1000, 4000)),
            said(3, "client", "All good.", (4000, 5000)),
            said(4, "other", "Tea for everybody here?", (5000, 9000)),
            said(5, "coach", "Good.", (9000, 9500)),
        ]
    )
    assert (share.coach_words, share.client_words, share.other_words) == (4, 10, 4)
    assert share.coach_talk_share == 4 / 14
    assert (share.coach_ms, share.client_ms) == (1500, 4000)
    assert share.coach_time_share == 1500 / 5500
    assert (share.coach_turns, share.client_turns) == (2, 1)


def test_time_is_undefined_where_one_cue_has_none() -> None:
    share = talk_share([said(1, "coach", "Hi", (0, 10)), said(2, "client", "Hi")])
    assert (share.coach_ms, share.client_ms, share.coach_time_share) == (None, None, None)
    assert share.coach_talk_share == 0.5


def test_shares_are_none_where_nobody_spoke() -> None:
    counts = count([], [])
    assert counts.coach_talk_share is None
    assert counts.coach_time_share is None
    assert counts.open_question_share is None
    assert counts.utterances == 0


def test_open_questions_are_a_share_of_questions() -> None:
    behaviours = [
        CoachBehaviour(position=1, behaviour=Behaviour.QUESTION, open_question=True),
        CoachBehaviour(position=3, behaviour=Behaviour.QUESTION),
        CoachBehaviour(position=5, behaviour=Behaviour.QUESTION),
        CoachBehaviour(position=7, behaviour=Behaviour.REFLECTION),
    ]
    share = open_question_share(behaviours)
    assert (share.open_questions, share.questions, share.share) == (1, 3, 1 / 3)
    counts = count([said(1, "coach", "Why?")], behaviours)
    assert (counts.questions, counts.reflections, counts.inputs, counts.others) == (3, 1, 0, 0)
    assert (counts.coach_utterances, counts.open_question_share) == (4, 1 / 3)


def test_counts_are_frozen() -> None:
    with pytest.raises(pydantic.ValidationError):
        count([], []).coach_words = 3


@given(st.lists(st.tuples(st.sampled_from(Speaker), st.lists(st.text("ab'é", min_size=1)))))
def test_words_add_up(spoken: list[tuple[Speaker, list[str]]]) -> None:
    utterances = [said(n, who, " ".join(words)) for n, (who, words) in enumerate(spoken, start=1)]
    share = talk_share(utterances)
    total = sum(count_words(each.text) for each in utterances)
    assert share.coach_words + share.client_words + share.other_words == total

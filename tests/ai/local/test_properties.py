"""What holds for any text: no crash, literal citations, the same result twice."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.providers.local import analyse, classify
from coachops.ai.types import (
    AnalysisRequest,
    EngineResult,
    OpenCommitment,
    Owner,
    Speaker,
    Utterance,
)

PHRASES = st.sampled_from(
    [
        *(
            "I'll call Maria by Friday.",
            "I\u2019ll do that",
            "Let me send you the sheet.",
            "[redacted]",
        ),
        *("You could ask Tom", "what if you told him?", "Yes, I'll do that.", "I sent it to Tom."),
        *(
            "it sounds like",
            "the quarterly report",
            "um",
            "-",
            "—",
            "you-you feel",
            "[laughs]",
            "“",
        ),
        *(
            '"',
            "if",
            "not",
            "on 31 February",
            "in 999 years",
            "next Friday",
            "\n",
            "...",
            "İ",
            "ß",
            "'",
        ),
    ]
)
TEXT = st.lists(st.one_of(PHRASES, st.text(max_size=20)), max_size=8).map(" ".join)
UTTERANCES = st.lists(st.tuples(st.sampled_from(Speaker), TEXT), max_size=12).map(
    lambda spoken: tuple(
        Utterance(position=n, speaker=speaker, text=text)
        for n, (speaker, text) in enumerate(spoken, start=1)
    )
)
OPEN = st.lists(
    st.builds(OpenCommitment, id=st.uuids().map(str), owner=st.sampled_from(Owner), text=TEXT),
    max_size=3,
    unique_by=lambda each: each.id,
).map(tuple)
REQUESTS = st.builds(
    AnalysisRequest,
    utterances=UTTERANCES,
    session_date=st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    open_commitments=OPEN,
    coach_account=st.booleans(),
)


def citations(result: EngineResult) -> list[tuple[int, Speaker, str]]:
    cited = [*result.summary, *result.themes, *result.follow_up, *result.action_items]
    return [(c.position, c.speaker, c.quote) for each in cited for c in each.citations]


@given(REQUESTS)
def test_citations_are_literal_and_nothing_redacted_is_used(request: AnalysisRequest) -> None:
    result = analyse(request)
    said = {each.position: each for each in request.utterances}
    for position, speaker, quote in citations(result):
        assert quote in said[position].text
        assert said[position].speaker is speaker
        assert "[redacted]" not in quote
    assert all(each.citations for each in (*result.summary, *result.themes, *result.action_items))


@given(REQUESTS)
def test_the_same_request_gives_the_same_result(request: AnalysisRequest) -> None:
    assert analyse(request) == analyse(request.model_copy(deep=True))


@given(REQUESTS)
def test_others_own_nothing_and_carried_ids_exist(request: AnalysisRequest) -> None:
    items = analyse(request).action_items
    carried = [each.carries for each in items if each.carries is not None]
    assert len(carried) == len(set(carried))
    assert set(carried) <= {each.id for each in request.open_commitments}
    for each in items:
        assert all(citation.speaker is not Speaker.OTHER for citation in each.citations)
        assert each.due_date is None or each.due_phrase is not None


@given(UTTERANCES)
def test_exactly_one_behaviour_per_coach_utterance(utterances: tuple[Utterance, ...]) -> None:
    coach = [each.position for each in utterances if each.speaker is Speaker.COACH]
    assert [each.position for each in classify(utterances)] == coach

"""Summary, themes and follow-up: literal quotes in fixed frames, nothing where nothing was said."""

from __future__ import annotations

from coachops.ai.types import EngineResult
from tests.ai.local.talk import DELEGATION, analysed


def texts(result: EngineResult) -> str:
    every = [*result.summary, *result.themes, *result.follow_up]
    return "\n".join(each.text for each in every)


def test_the_summary_names_topic_statement_step_and_takeaway_in_order() -> None:
    result = analysed(*DELEGATION)
    assert result.summary[0].text == (
        "Asked what to talk about, the client says: “I'd like to talk about delegation.”"
    )
    assert result.summary[-1].text.startswith(
        "Asked what to take away, the client says: “That dele"
    )
    positions = [each.citations[-1].position for each in result.summary]
    assert positions == sorted(positions)
    assert any("takes up" in each.text for each in result.summary)


def test_each_sentence_shows_the_quote_it_cites() -> None:
    result = analysed(*DELEGATION)
    for each in result.summary:
        assert all(citation.quote in each.text for citation in each.citations)


def test_themes_are_repeated_words_of_the_talk() -> None:
    labels = [each.text for each in analysed(*DELEGATION).themes]
    assert labels[:2] == ["quarterly reports", "delegation"]
    assert not {"yeah", "good", "know", "dana"} & set(labels)


def test_names_are_no_themes() -> None:
    lines = [f"client: I asked Robert about the budget, number {n}." for n in range(4)]
    assert [each.text for each in analysed(*lines).themes] == ["budget"]


def test_numbers_are_no_themes_and_names_of_two_words_keep_their_capitals() -> None:
    lines = ["client: Frau D\u00f6ring and eleven pages.", "coach: Eleven?"]
    lines += ["client: Yes, eleven, for Frau D\u00f6ring."] * 2
    assert "Frau D\u00f6ring" in [each.text for each in analysed(*lines).themes]
    assert "eleven" not in [each.text for each in analysed(*lines).themes]


def test_the_follow_up_has_two_to_five_cited_sentences() -> None:
    result = analysed(*DELEGATION)
    assert 2 <= len(result.follow_up) <= 5
    assert all(each.citations for each in result.follow_up)
    assert result.follow_up[0].text.startswith("Among other things we talked about")


def test_nothing_said_gives_nothing() -> None:
    for lines in ((), ("coach: Mm-hmm.", "client: Yeah.")):
        result = analysed(*lines)
        assert (result.summary, result.themes, result.action_items, result.follow_up) == (
            [],
            [],
            [],
            [],
        )


def test_redacted_spans_yield_nothing() -> None:
    lines = [f"client: I'll tell [redacted] about the [redacted] contract {n}." for n in range(5)]
    result = analysed("coach: What would you like to talk about?", *lines)
    assert result.action_items == []
    assert "redacted" not in texts(result).lower()


def test_notes_of_the_coach_are_quoted_and_have_no_behaviours() -> None:
    result = analysed(
        "coach: Dana arrived tired from the budget round.",
        "coach: She named delegation as the topic. Delegation came up in every example.",
        "coach: What does delegation mean to her?",
        coach_account=True,
    )
    assert result.behaviours == []
    assert result.follow_up == []
    assert result.summary
    assert all(each.text.startswith("The notes say: “") for each in result.summary)


def test_a_long_sentence_is_quoted_up_to_a_whole_word() -> None:
    line = "I'd like to talk about " + "the very long list of unfinished projects " * 12
    (summary,) = analysed(f"client: {line}").summary[:1]
    quote = summary.citations[0].quote
    assert len(quote) <= 220
    assert line.startswith(quote + " ")

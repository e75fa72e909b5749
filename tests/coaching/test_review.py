"""The review: one moment of everything, the coach's words over the engine's."""

from __future__ import annotations

import pytest

from coachops.ai.gateway import Gateway
from coachops.coaching import consent
from coachops.coaching.analysis import analyse
from coachops.coaching.review import edit_insight, load_review, restore_insight
from coachops.core import ids
from coachops.core.errors import CoachError
from coachops.db import Database
from tests.coaching.builders import make_pair, make_transcript


def test_a_transcript_not_yet_analysed_shows_its_words_and_why_it_waits(
    database: Database,
) -> None:
    pair = make_pair(database, consents=())
    review = load_review(database, pair.actor, make_transcript(database, pair))
    assert review.analysis is None
    assert review.insights == review.actions == review.counts == ()
    assert review.consents == {"processing": False, "external_ai": False}
    assert [each.name for each in review.utterances[:2]] == ["Ada Reyes", "Maya Okafor"]
    assert not review.stale
    assert (review.error, review.waiting) == (None, None)


def test_what_an_analysis_waits_for_is_told_with_the_next_step(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database, consents=())
    transcript_id = make_transcript(database, pair, role_state="unclear")
    assert analyse(database, gateway, pair.actor, transcript_id).error_code == "COACH-CCH-002"
    waiting = load_review(database, pair.actor, transcript_id).waiting
    assert waiting is not None
    assert "consent" in waiting.message
    consent.record(database, pair.actor, pair.client_id, "processing", True)
    assert analyse(database, gateway, pair.actor, transcript_id).error_code == "COACH-CCH-003"
    waiting = load_review(database, pair.actor, transcript_id).waiting
    assert waiting is not None
    assert "swap" in waiting.next_step


def test_every_finding_leads_to_an_utterance_that_holds_its_quote(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    review = load_review(database, pair.actor, transcript_id)
    words = {each.position: each for each in review.utterances}
    assert review.of_kind("summary")
    for finding in (*review.insights, *review.actions):
        assert finding.citations
        for citation in finding.citations:
            assert citation.quote in words[citation.position].text
            assert citation.speaker == words[citation.position].speaker


def test_every_count_stands_beside_its_numbers_and_its_definition(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    counts = {each.name: each for each in load_review(database, pair.actor, transcript_id).counts}
    assert counts["coach_talk_share"].made_of == "25 of 58 words"
    assert counts["open_question_share"].value == 1
    assert all(each.definition and each.made_of for each in counts.values())


def test_an_edit_lies_over_the_engine_s_words_and_can_be_taken_back(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    before = load_review(database, pair.actor, transcript_id)
    sentence = before.of_kind("summary")[0]
    version = edit_insight(
        database, pair.actor, transcript_id, "summary", sentence.anchor, "  Mine. "
    )
    after = load_review(database, pair.actor, transcript_id).of_kind("summary")[0]
    assert (after.text, after.engine_text, after.edited) == ("Mine.", sentence.text, True)
    assert after.version == version
    restore_insight(
        database, pair.actor, transcript_id, "summary", sentence.anchor, version=version
    )
    assert load_review(database, pair.actor, transcript_id).insights == before.insights


def test_two_people_cannot_edit_over_each_other(database: Database, gateway: Gateway) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, transcript_id)
    shown = load_review(database, pair.actor, transcript_id).insights[0]
    key = (database, pair.actor, transcript_id, shown.kind, shown.anchor)
    edit_insight(*key, "First.", version=shown.version)
    for attempt in (
        lambda: edit_insight(*key, "Second.", version=shown.version),
        lambda: restore_insight(*key, version=shown.version),
    ):
        with pytest.raises(CoachError) as caught:
            attempt()
        assert caught.value.code == "COACH-CCH-004"
    assert load_review(database, pair.actor, transcript_id).insights[0].text == "First."


@pytest.mark.parametrize("text", ["", "  ", "\x00", "x" * 4001])
def test_an_empty_or_endless_wording_is_refused(
    sqlite_database: Database, gateway: Gateway, text: str
) -> None:
    pair = make_pair(sqlite_database)
    transcript_id = make_transcript(sqlite_database, pair)
    analyse(sqlite_database, gateway, pair.actor, transcript_id)
    shown = load_review(sqlite_database, pair.actor, transcript_id).insights[0]
    with pytest.raises(CoachError) as caught:
        edit_insight(sqlite_database, pair.actor, transcript_id, shown.kind, shown.anchor, text)
    assert caught.value.code == "COACH-CCH-005"


def test_an_unknown_insight_or_transcript_is_not_found(database: Database) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    with pytest.raises(CoachError) as caught:
        edit_insight(database, pair.actor, transcript_id, "summary", "0" * 64, "Words")
    assert caught.value.code == "COACH-CCH-001"
    with pytest.raises(CoachError) as caught:
        load_review(database, pair.actor, ids.new_id())
    assert caught.value.code == "COACH-CCH-001"

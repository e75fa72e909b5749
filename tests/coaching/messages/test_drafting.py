"""Drafts: what goes in, what never does, and that the coach's words win."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.coaching import messages
from coachops.coaching.analysis import analyse
from coachops.coaching.insights import edit_insight
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import Client, Insight, Message
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.parts import make_analysis


def test_a_draft_says_the_suggested_sentences_and_the_steps_by_owner(
    database: Database, pair: Pair
) -> None:
    transcript_id = make_transcript(database, pair, held_on=dt.date(2026, 11, 2))
    make_analysis(
        database,
        transcript_id,
        ["You want to hand over three tasks.", "You liked the idea of a list."],
        [
            {"text": "Write the list.", "owner": "client", "modality": "commitment",
             "due_date": dt.date(2026, 11, 6), "due_phrase": "by Friday"},
            {"text": "Send the article", "owner": "coach", "modality": "commitment",
             "due_phrase": "soon"},
            {"text": "Ask the team", "owner": "unassigned", "modality": "proposal"},
            {"text": "Old step", "owner": "client", "modality": "commitment", "status": "done"},
        ],
    )  # fmt: skip
    row = messages.draft(database, pair.actor, transcript_id)
    assert (row.state, row.version, row.edited, row.stale) == ("draft", 1, False, False)
    assert row.subject == "After our session on Monday 2 November 2026"
    assert row.body == (
        "Hello Maya,\n\n"
        "thank you for our session on Monday 2 November 2026. Here is what I took from it.\n\n"
        "You want to hand over three tasks.\n\n"
        "You liked the idea of a list.\n\n"
        "What you said you would do:\n"
        "- Write the list (by Friday 6 November 2026)\n\n"
        "What I said I would do:\n"
        "- Send the article (“soon”)\n\n"
        "Ideas that came up (suggestions only, nobody has promised them):\n"
        "- Ask the team\n\n"
        "If I got something wrong, just answer this e-mail.\n\n"
        "Best wishes\n"
        "Ada Reyes\n"
    )


def test_a_draft_of_a_real_analysis_has_no_figures_about_people(
    database: Database, pair: Pair
) -> None:
    transcript_id = make_transcript(database, pair)
    gateway = Gateway(load_settings(), database)
    assert analyse(database, gateway, pair.actor, transcript_id, "local").status == "complete"
    body = messages.draft(database, pair.actor, transcript_id).body
    assert "list of three tasks" in body
    assert not {"%", "score", "talk share", "open question"} & set(body.lower().split())


def test_drafting_twice_is_one_message(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    first = messages.draft(database, pair.actor, transcript_id)
    assert messages.draft(database, SYSTEM, transcript_id) == first
    assert len(messages.list_messages(database, pair.actor)) == 1


def test_a_draft_nobody_edited_follows_the_newest_analysis(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    first = messages.draft(database, pair.actor, transcript_id)
    make_analysis(database, transcript_id, ["Something new."])
    second = messages.draft(database, pair.actor, transcript_id)
    assert second.id == first.id
    assert "Something new." in second.body
    assert (second.version, second.stale) == (2, False)


def test_the_coachs_words_stay_and_are_marked_stale(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    mine = messages.edit(database, pair.actor, row.id, row.version, "Our talk", "Dear Maya,\nhi")
    make_analysis(database, transcript_id, ["Something new."])
    again = messages.draft(database, pair.actor, transcript_id)
    assert (again.subject, again.body, again.version) == (mine.subject, mine.body, mine.version)
    assert again.stale
    assert "Something new." in again.engine_body
    engine = messages.use_engine_draft(database, pair.actor, row.id, again.version)
    assert (engine.body, engine.edited, engine.stale) == (again.engine_body, False, False)


def test_an_approved_message_is_marked_stale_and_keeps_its_approval(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    approved = messages.approve(database, pair.actor, row.id, row.version)
    make_analysis(database, transcript_id, ["Something new."])
    again = messages.draft(database, pair.actor, transcript_id)
    assert (again.state, again.body, again.version) == ("approved", approved.body, row.version)
    assert again.stale


def test_edits_over_the_analysis_stand_in_the_draft(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    make_analysis(database, transcript_id, ["First.", "Second.", "Third."])
    edit_insight(database, pair.actor, transcript_id, "follow_up", "follow-up-1", "Mine.")
    edit_insight(database, pair.actor, transcript_id, "follow_up", "follow-up-2", None)
    body = messages.draft(database, pair.actor, transcript_id).body
    assert "Mine." in body
    assert "Third." in body
    assert "First." not in body
    assert "Second." not in body


def test_a_client_without_address_gets_a_draft_that_waits_for_one(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    _set_address(database, pair, None)
    row = messages.draft(database, pair.actor, transcript_id)
    assert row.recipient_email == ""
    with pytest.raises(CoachError, match="COACH-MSG-002"):
        messages.approve(database, pair.actor, row.id, row.version)
    _set_address(database, pair, "maya@example.org")
    row = messages.draft(database, pair.actor, transcript_id)
    assert row.recipient_email == "maya@example.org"
    assert messages.approve(database, pair.actor, row.id, row.version).state == "approved"


def test_without_an_analysis_there_is_no_draft(database: Database, pair: Pair) -> None:
    with pytest.raises(CoachError, match="COACH-MSG-005"):
        messages.draft(database, pair.actor, make_transcript(database, pair))
    with database.read() as session:
        assert session.scalars(sa.select(Message)).all() == []


def test_others_neither_see_nor_draft(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    stranger = make_pair(database).actor
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        messages.draft(database, stranger, transcript_id)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        messages.get(database, stranger, row.id)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        messages.edit(database, stranger, row.id, 1, "a", "b")
    for call in (messages.approve, messages.withdraw, messages.use_engine_draft):
        with pytest.raises(CoachError, match="COACH-CCH-001"):
            call(database, stranger, row.id, 1)
    assert messages.list_messages(database, stranger) == []
    analyst = Actor(None, "analyst", "An")
    assert messages.get(database, analyst, row.id) == row
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        messages.edit(database, analyst, row.id, 1, "a", "b")
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        messages.approve(database, Actor(None, "service", "robot"), row.id, 1)


@pytest.mark.parametrize(
    ("name", "greeting"),
    [("Maya Okafor", "Maya"), ("Dr. Kim Lee", "Dr. Kim Lee"), ("Zoë", "Zoë")],
)
def test_the_greeting_takes_the_first_name(
    sqlite_database: Database, name: str, greeting: str
) -> None:
    pair = make_pair(sqlite_database, client_name=name)
    transcript_id = make_transcript(sqlite_database, pair)
    make_analysis(sqlite_database, transcript_id, [])
    body = messages.draft(sqlite_database, pair.actor, transcript_id).body
    assert body.startswith(f"Hello {greeting},\n")


def _set_address(database: Database, pair: Pair, address: str | None) -> None:
    with database.write() as session:
        session.execute(sa.update(Client).where(Client.id == pair.client_id).values(email=address))


def test_the_letter_names_each_next_step_once(database: Database, pair: Pair) -> None:
    transcript_id = make_transcript(database, pair)
    gateway = Gateway(load_settings(database_url=database.url), database)
    analyse(database, gateway, pair.actor, transcript_id, "local")
    with database.read() as session:
        suggested = session.scalars(
            sa.select(Insight.text).where(Insight.kind == "follow_up")
        ).all()
    assert any("next step in your words" in text for text in suggested)
    body = messages.draft(database, pair.actor, transcript_id).body
    assert "next step in your words" not in body
    assert body.count("What you said you would do:") == 1

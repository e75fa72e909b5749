"""Words that were cut or redacted after the analysis are read nowhere any more."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.coaching import corrections, messages, review
from coachops.coaching.analysis import analyse
from coachops.coaching.brief import brief
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import ActionItem, AuditEvent
from coachops.export import run_export
from tests.coaching.builders import TALK, Pair, make_pair, make_transcript

MARKER = "list of three tasks"
LATER = (
    ("coach", "Where would you like to start?"),
    ("client", "I will write the list of three tasks again by Monday."),
)


def redact(database: Database, pair: Pair, transcript_id: uuid.UUID) -> uuid.UUID:
    start = TALK[3][1].index(MARKER)
    return corrections.redact(database, pair.actor, transcript_id, 4, start, start + len(MARKER))


def cut(database: Database, pair: Pair, transcript_id: uuid.UUID) -> uuid.UUID:
    return corrections.cut(database, pair.actor, transcript_id, 4, 4)


def everything_readable(
    database: Database, pair: Pair, transcripts: list[uuid.UUID], out: Path
) -> str:
    """What pages, letters, exports and records show."""
    run_export(database, SYSTEM, out, ["csv", "json"])
    parts = [path.read_text() for path in sorted(out.rglob("*.*")) if path.is_file()]
    for each in transcripts:  # who corrects still sees, struck out, what was cut
        found = review.load_review(database, pair.actor, each)
        kept = [row for row in found.utterances if "cut" not in row.flags]
        parts.append(repr((found.insights, found.removed, found.actions, kept)))
    parts += [repr(brief(database, pair.actor, pair.client_id))]
    parts += [repr(messages.list_messages(database, pair.actor))]
    with database.read() as session:
        parts += [repr(each.details) for each in session.scalars(sa.select(AuditEvent))]
    return "\n".join(parts)


@pytest.mark.parametrize("hide", [redact, cut])
def test_words_hidden_after_the_analysis_are_found_nowhere(
    database: Database,
    gateway: Gateway,
    tmp_path: Path,
    hide: Callable[[Database, Pair, uuid.UUID], uuid.UUID],
) -> None:
    pair = make_pair(database)
    one = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, one)
    messages.draft(database, pair.actor, one)
    assert MARKER in everything_readable(database, pair, [one], tmp_path / "before")
    edit = hide(database, pair, one)
    assert MARKER not in everything_readable(database, pair, [one], tmp_path / "hidden")
    messages.draft(database, pair.actor, one)
    assert MARKER not in everything_readable(database, pair, [one], tmp_path / "drafted")
    corrections.undo(database, pair.actor, one, edit)
    found = review.load_review(database, pair.actor, one)
    assert MARKER in repr(found.insights)
    assert MARKER in repr(found.actions)
    assert MARKER in messages.list_messages(database, pair.actor)[0].body


def test_a_step_carried_into_a_later_session_is_held_back_there_too(
    database: Database, gateway: Gateway, tmp_path: Path
) -> None:
    pair = make_pair(database)
    one = make_transcript(database, pair)
    two = make_transcript(database, pair, LATER, held_on=dt.date(2026, 11, 16))
    for each in (one, two):
        analyse(database, gateway, pair.actor, each)
    step = next(
        each for each in review.load_review(database, pair.actor, two).actions if each.carried_from
    )
    assert MARKER in step.text
    redact(database, pair, one)
    shown = review.load_review(database, pair.actor, two)
    assert step.id not in {each.id for each in shown.actions}
    corrections.cut(database, pair.actor, two, 2, 2)
    readable = everything_readable(database, pair, [one, two], tmp_path / "out")
    assert MARKER not in readable


def test_changing_the_day_of_a_step_does_not_make_its_words_the_coach_s_own(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    one = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, one)
    with database.read() as session:
        item = session.scalars(sa.select(ActionItem).where(ActionItem.owner == "client")).one()
    review.edit_action(database, pair.actor, item.id, due_date=dt.date(2026, 12, 1))
    redact(database, pair, one)
    assert MARKER not in repr(review.load_review(database, pair.actor, one))
    assert MARKER not in repr(brief(database, pair.actor, pair.client_id))


def test_a_draft_in_the_coach_s_words_is_marked_not_changed(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    one = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, one)
    draft = messages.draft(database, pair.actor, one)
    edited = messages.edit(database, pair.actor, draft.id, draft.version, "Hello", "My own words.")
    redact(database, pair, one)
    after = messages.get(database, pair.actor, draft.id)
    assert (after.body, after.stale, edited.stale) == ("My own words.\n", True, False)
    assert MARKER not in after.engine_body


def test_an_approval_given_before_a_redaction_is_taken_back(
    database: Database, gateway: Gateway
) -> None:
    pair = make_pair(database)
    one = make_transcript(database, pair)
    analyse(database, gateway, pair.actor, one)
    draft = messages.draft(database, pair.actor, one)
    approved = messages.approve(database, pair.actor, draft.id, draft.version)
    assert MARKER in approved.body
    redact(database, pair, one)
    after = messages.get(database, pair.actor, draft.id)
    assert (after.state, after.approved_version) == ("draft", None)
    assert MARKER not in after.body

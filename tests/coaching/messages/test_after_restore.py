"""After a restore nothing leaves by itself: a person decides what may have been sent already."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa

from coachops.backup.settling import settle
from coachops.coaching import messages
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import AuditEvent
from tests.coaching.builders import Pair, make_transcript
from tests.coaching.messages.parts import LETTERHEAD, ListMailer, make_analysis


@pytest.mark.parametrize("begun", [False, True])
def test_a_letter_on_its_way_waits_for_a_person(
    database: Database, pair: Pair, transcript_id: uuid.UUID, begun: bool
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, row.version)
    if begun:

        class Snapshot(ListMailer):
            """The backup is made while the letter is being handed over."""

            def deliver(self, *_: object, **__: object) -> None:
                assert settle(database, "b").held == 1
                raise CoachError("COACH-MSG-004")

        messages.claim_and_send(database, Snapshot(), row.id, LETTERHEAD)
    else:
        assert settle(database, "b").held == 1
    assert settle(database, "b").held == 0
    mailer = ListMailer()
    assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "uncertain"
    assert (mailer.letters, messages.unsent_approved(database)) == ([], [])
    if not begun:
        assert messages.get(database, pair.actor, row.id).error_code == "COACH-BKP-018"
    messages.resolve_uncertain(database, pair.actor, row.id, "failed")
    again = messages.retry(database, pair.actor, row.id)
    assert (again.state, again.error_code) == ("approved", None)
    assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sent"
    assert len(mailer.letters) == 1


def test_drafts_and_failed_letters_say_where_they_come_from(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    failed = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, failed.id, 1)
    messages.claim_and_send(database, ListMailer("COACH-MSG-009"), failed.id, LETTERHEAD)
    other = make_transcript(database, pair)
    make_analysis(database, other, ["Second."])
    draft = messages.draft(database, pair.actor, other)
    assert settle(database, "b").held == 0
    for row, state in ((failed, "failed"), (draft, "draft")):
        known = messages.get(database, pair.actor, row.id)
        assert (known.state, known.error_code) == (state, "COACH-BKP-018")
    approved = messages.approve(database, pair.actor, draft.id, draft.version)
    assert approved.error_code is None


def test_what_was_sent_stays_sent_and_the_decision_is_audited(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    sent = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, sent.id, 1)
    messages.claim_and_send(database, ListMailer(), sent.id, LETTERHEAD)
    other = make_transcript(database, pair)
    make_analysis(database, other, ["Second."])
    row = messages.draft(database, pair.actor, other)
    messages.approve(database, pair.actor, row.id, 1)
    assert settle(database, "b").held == 1
    assert messages.get(database, pair.actor, sent.id).state == "sent"
    with database.read() as session:
        acts = session.scalars(
            sa.select(AuditEvent.details).where(AuditEvent.action == "backup.restored")
        ).all()
    assert [each["held"] for each in acts] == [1]

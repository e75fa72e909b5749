"""Never twice: a killed sender, racing senders, and outcomes that nobody knows."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import textwrap
import uuid

import pytest
import sqlalchemy as sa

from coachops.coaching import messages
from coachops.coaching.messages.mailers import SmtpMailer, parse_smtp_url
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Activity, AuditEvent
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.parts import LETTERHEAD, ListMailer, make_analysis
from tests.support.patience import WHOLE
from tests.support.smtp import SmtpTestServer


def approved(database: Database, pair: Pair, transcript_id: uuid.UUID) -> messages.MessageRow:
    row = messages.draft(database, pair.actor, transcript_id)
    return messages.approve(database, pair.actor, row.id, row.version)


def test_an_approved_message_is_sent_and_recorded(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = approved(database, pair, transcript_id)
    with SmtpTestServer() as server:
        mailer = SmtpMailer(parse_smtp_url(server.url))
        for _ in range(2):
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sent"
    assert len(server.taken) == 1
    row = messages.get(database, pair.actor, row.id)
    assert row.sent_at is not None
    assert row.mail_id == server.taken[0]["Message-ID"]
    with database.read() as session:
        kinds = session.scalars(sa.select(Activity.kind)).all()
        acts = session.scalars(sa.select(AuditEvent.action)).all()
    assert kinds.count("message.sent") == acts.count("message.sent") == 1


def test_a_draft_is_never_sent(database: Database, pair: Pair, transcript_id: uuid.UUID) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    mailer = ListMailer()
    assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "draft"
    assert mailer.letters == []


def test_a_job_for_an_older_version_sends_nothing(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = approved(database, pair, transcript_id)
    row = messages.edit(database, pair.actor, row.id, row.version, "S", "Other words")
    messages.approve(database, pair.actor, row.id, row.version)
    mailer = ListMailer()
    state = messages.claim_and_send(database, mailer, row.id, LETTERHEAD, version=1)
    assert (state, mailer.letters) == ("approved", [])
    assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD, version=2) == "sent"


def test_a_refused_letter_can_be_sent_again_by_a_person(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = approved(database, pair, transcript_id)
    with SmtpTestServer("refuse_data") as server:
        mailer = SmtpMailer(parse_smtp_url(server.url))
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "failed"
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "failed"
        failed = messages.get(database, pair.actor, row.id)
        assert failed.error_code == "COACH-MSG-003"
        again = messages.retry(database, pair.actor, row.id)
        assert (again.state, again.version, again.body) == ("approved", 2, row.body)
        server.fault = ""
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sent"
    assert len(server.taken) == 1


@pytest.mark.parametrize("outcome", ["sent", "failed"])
def test_an_unknown_outcome_waits_for_a_person(sqlite_database: Database, outcome: str) -> None:
    database = sqlite_database
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = approved(database, pair, transcript_id)
    with SmtpTestServer("drop_at_data") as server:
        mailer = SmtpMailer(parse_smtp_url(server.url))
        for _ in range(2):
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "uncertain"
    assert len(server.taken) == 1
    with pytest.raises(CoachError, match="COACH-MSG-001"):
        messages.retry(database, pair.actor, row.id)
    with pytest.raises(CoachError, match="COACH-MSG-001"):
        messages.edit(database, pair.actor, row.id, 1, "Subject", "Words")
    resolved = messages.resolve_uncertain(database, pair.actor, row.id, outcome)  # type: ignore[arg-type]
    assert resolved.state == outcome
    assert (resolved.sent_at is not None) == (outcome == "sent")


def test_an_uncertain_owner_may_still_tell_the_truth(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    """Somebody gives a slow sender up; the sender comes back and knows that it was taken."""
    row = approved(database, pair, transcript_id)

    class Slow(ListMailer):
        def deliver(self, *args: object, **kwargs: object) -> None:
            super().deliver(*args, **kwargs)  # type: ignore[arg-type]
            given_up = messages.give_up_lost_sendings(database, dt.timedelta())
            assert given_up == [row.id]

    assert messages.claim_and_send(database, Slow(), row.id, LETTERHEAD) == "sent"


_SENDER = """
    import os, signal, sys, uuid
    from coachops.coaching import messages
    from coachops.coaching.messages.mailers import SmtpMailer, parse_smtp_url
    from coachops.db import Database
    from tests.coaching.messages.parts import LETTERHEAD

    class Killed(SmtpMailer):
        def deliver(self, *args, **kwargs):
            super().deliver(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

    url, smtp, message = sys.argv[1:]
    mailer = Killed(parse_smtp_url(smtp))
    messages.claim_and_send(Database(url), mailer, uuid.UUID(message), LETTERHEAD)
"""


@pytest.mark.faults
def test_a_sender_killed_after_the_server_took_the_letter_leaves_it_uncertain(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = approved(database, pair, transcript_id)
    with SmtpTestServer() as server:
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_SENDER), database.url, server.url, str(row.id)],
            check=False,
            timeout=WHOLE,
        )
        assert child.returncode == -signal.SIGKILL
        assert messages.get(database, pair.actor, row.id).state == "sending"
        mailer = SmtpMailer(parse_smtp_url(server.url))
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sending"
        with clock.frozen(clock.now() + messages.SEND_LIMIT):
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "uncertain"
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "uncertain"
    assert len(server.taken) == 1
    assert messages.get(database, pair.actor, row.id).error_code == "COACH-MSG-004"


@pytest.mark.faults
def test_two_worker_processes_that_race_send_once(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = approved(database, pair, transcript_id)
    script = _SENDER.replace("os.kill(os.getpid(), signal.SIGKILL)", "pass")
    with SmtpTestServer() as server:
        command = [
            sys.executable,
            "-c",
            textwrap.dedent(script),
            database.url,
            server.url,
            str(row.id),
        ]
        children = [subprocess.Popen(command) for _ in range(2)]
        assert [child.wait(timeout=WHOLE) for child in children] == [0, 0]
    assert len(server.taken) == 1
    assert messages.get(database, pair.actor, row.id).state == "sent"


def test_lost_and_forgotten_messages_are_found(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = approved(database, pair, transcript_id)
    assert messages.unsent_approved(database) == [(row.id, 1)]
    assert messages.unsent_approved(database, dt.timedelta(minutes=1)) == []
    assert messages.give_up_lost_sendings(database, dt.timedelta()) == []

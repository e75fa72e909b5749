"""Sending survives: killed at any moment, servers away or slow, a disk that is full. Never twice."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.backup.settling import settle
from coachops.bootstrap import services as open_services
from coachops.coaching import messages
from coachops.coaching.messages.mailers import SmtpMailer, parse_smtp_url
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from coachops.jobs import Jobs
from coachops.jobs.findings import GRACE, sweep_messages
from tests.coaching.builders import make_pair, make_transcript
from tests.coaching.messages.parts import LETTERHEAD, ListMailer, make_analysis
from tests.jobs.parts import approved_message
from tests.support.patience import WHOLE
from tests.support.postgres import free_port
from tests.support.smtp import SmtpTestServer

_SENDER = """
    import os, signal, sys, uuid
    from coachops.coaching import messages
    from coachops.coaching.messages.mailers import SmtpMailer, parse_smtp_url
    from coachops.db import Database
    from tests.coaching.messages.parts import LETTERHEAD

    url, smtp, message, stage = sys.argv[1:]

    def die(at):
        if stage == at:
            os.kill(os.getpid(), signal.SIGKILL)

    class Killed(SmtpMailer):
        def deliver(self, *args, **kwargs):
            die("claimed")
            super().deliver(*args, **kwargs)
            die("answered")

        def _finish(self, connection):
            die("data sent")
            if stage == "last line sent":
                connection.send(b".\\r\\n")
                die(stage)
            super()._finish(connection)

    mailer = Killed(parse_smtp_url(smtp))
    messages.claim_and_send(Database(url), mailer, uuid.UUID(message), LETTERHEAD)
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    ("stage", "taken"),
    [("claimed", 0), ("data sent", 0), ("last line sent", 1), ("answered", 1)],
)
def test_a_sender_killed_at_any_moment_never_sends_twice(
    sqlite_database: Database, stage: str, taken: int
) -> None:
    database, pair = sqlite_database, make_pair(sqlite_database)
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, row.version)
    with SmtpTestServer() as server:
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_SENDER), database.url, server.url,
             str(row.id), stage],
            check=False, timeout=WHOLE,
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL
        assert messages.get(database, pair.actor, row.id).state == "sending"
        mailer = SmtpMailer(parse_smtp_url(server.url))
        assert messages.give_up_lost_sendings(database, dt.timedelta()) == [row.id]
        for _ in range(2):
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "uncertain"
        # the client says what the server's list says: the letter is there once, in any case
        arrived = server.wait_for(taken)
        messages.resolve_uncertain(database, pair.actor, row.id, "sent" if arrived else "failed")
        if not arrived:
            messages.retry(database, pair.actor, row.id)
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sent"
    assert len(server.taken) == 1


@pytest.fixture
def smtp_settings(home: Path, new_database_url: Callable[..., str]) -> Callable[..., Settings]:
    url = new_database_url("sqlite")
    return lambda **settings: load_settings(
        home=home, database_url=url, mail_from="coaching@example.org", **settings
    )


@pytest.mark.faults
@pytest.mark.parametrize("fault", ["away", "greylisting", "hangs up"])
def test_a_letter_waits_for_a_server_that_is_away_and_leaves_by_itself(
    smtp_settings: Callable[..., Settings], fault: str
) -> None:
    server = SmtpTestServer({"greylisting": "busy_rcpt", "hangs up": "drop_early"}.get(fault, ""))
    url = server.url if fault != "away" else f"smtp://127.0.0.1:{free_port()}"
    settings = smtp_settings(smtp_url=url)
    services = open_services(settings)
    with server, Jobs(settings, services) as jobs:
        row = approved_message(services, make_pair(services.database))
        (job,) = jobs.run_inline([jobs.enqueue_send(row.id)])
        assert job.state == "done"
        waiting = messages.get(services.database, SYSTEM, row.id)
        assert (waiting.state, waiting.error_code) == ("approved", "COACH-MSG-003")
        assert waiting.retry_at is not None
        assert sweep_messages(services.database, jobs.queue) == 0  # not before its time
    services.close()
    settings = smtp_settings(smtp_url=server.url)
    server = SmtpTestServer(port=server.port)
    services = open_services(settings)
    with (
        server,
        Jobs(settings, services) as jobs,
        clock.frozen(waiting.retry_at + GRACE),
    ):
        assert sweep_messages(services.database, jobs.queue) == 1
        again = f"send/{row.id}/{row.version}/1"
        (job,) = jobs.run_inline([again])
        assert job.state == "done"
        assert messages.get(services.database, SYSTEM, row.id).state == "sent"
        assert sweep_messages(services.database, jobs.queue) == 0
    services.close()
    assert len(server.taken) == 1


@pytest.mark.faults
def test_a_letter_whose_job_failed_on_our_side_is_sent_by_a_later_one(
    smtp_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away at the moment of the claim; the job is over, the approval is not."""
    settings = smtp_settings()
    services = open_services(settings)
    row = approved_message(services, make_pair(services.database))

    def away(*_: object, **__: object) -> str:
        raise CoachError("COACH-DB-001", reason="the test says so")

    with Jobs(settings, services) as jobs:
        with monkeypatch.context() as patched:
            patched.setattr(messages, "claim_and_send", away)
            (job,) = jobs.run_inline([jobs.enqueue_send(row.id)])
        assert job.state == "failed"
        later = clock.now() + GRACE
        with clock.frozen(later):
            assert sweep_messages(services.database, jobs.queue) == 1
        waiting = messages.get(services.database, SYSTEM, row.id)
        assert (waiting.state, waiting.attempts) == ("approved", 1)
        assert waiting.retry_at is not None
        with clock.frozen(waiting.retry_at):
            assert sweep_messages(services.database, jobs.queue) == 1
            jobs.run_inline([f"send/{row.id}/{row.version}/1"])
    assert messages.get(services.database, SYSTEM, row.id).state == "sent"
    assert len(list(settings.outbox.iterdir())) == 1
    services.close()


@pytest.mark.faults(11)
def test_a_letter_waits_while_the_outbox_cannot_be_written(
    smtp_settings: Callable[..., Settings],
) -> None:
    settings = smtp_settings()
    settings.home.mkdir(parents=True)
    settings.outbox.write_text("a file where the folder should be")
    services = open_services(settings)
    row = approved_message(services, make_pair(services.database))
    head = services.letterhead
    assert messages.claim_and_send(services.database, services.mailer, row.id, head) == "approved"
    assert messages.get(services.database, SYSTEM, row.id).error_code == "COACH-MSG-003"
    settings.outbox.unlink()
    assert messages.claim_and_send(services.database, services.mailer, row.id, head) == "sent"
    assert len(list(settings.outbox.iterdir())) == 1
    services.close()


@pytest.mark.faults
def test_a_restored_backup_sends_nothing_by_itself(sqlite_database: Database) -> None:
    """The snapshot is made while a letter waits; then it is sent; then the snapshot comes back."""
    database, pair = sqlite_database, make_pair(sqlite_database)
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = messages.draft(database, pair.actor, transcript_id)
    messages.approve(database, pair.actor, row.id, row.version)
    file = Path(database.url.removeprefix("sqlite:///"))
    snapshot = file.with_name("snapshot.db")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", [str(snapshot)])
    mailer = ListMailer()
    assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sent"
    restored = Database(f"sqlite:///{snapshot}")
    assert settle(restored, "a backup").held == 1
    assert messages.unsent_approved(restored) == []
    assert messages.claim_and_send(restored, mailer, row.id, LETTERHEAD) == "uncertain"
    assert messages.get(restored, pair.actor, row.id).error_code == "COACH-BKP-018"
    restored.close()
    assert len(mailer.letters) == 1

"""The commands around follow-ups, goals and jobs, as an operator's scripts call them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coachops.cli.main import app
from coachops.coaching import messages
from coachops.coaching.messages.references import letter_ref
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.mails import returned
from tests.coaching.messages.parts import make_analysis
from tests.support.postgres import free_port
from tests.support.smtp import SmtpTestServer

Run = Callable[..., Any]


@pytest.fixture
def installation(home: Path, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    monkeypatch.setenv("COACHOPS_DATABASE_URL", sqlite_database.url)
    return make_pair(sqlite_database)


@pytest.fixture
def run(installation: Pair) -> Run:
    """Runs a command with --json; returns its document, or raises what it raised."""

    def call(*arguments: str, exit_code: int = 0, stdin: str | None = None) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json"], input=stdin)
        if isinstance(done.exception, CoachError):
            raise done.exception
        assert done.exit_code == exit_code, done.output
        return json.loads(done.stdout)

    return call


def test_a_follow_up_from_draft_to_outbox(
    run: Run, installation: Pair, sqlite_database: Database, home: Path
) -> None:
    transcript_id = make_transcript(sqlite_database, installation)
    make_analysis(sqlite_database, transcript_id, ["You want to hand over three tasks."])
    (drafted,) = run("message", "draft", str(transcript_id))["messages"]
    message_id = drafted["id"]
    run(
        "message",
        "edit",
        message_id,
        "--version",
        "1",
        "--body",
        "-",
        stdin="Dear Maya,\n\nhello\n",
    )
    shown = run("message", "show", message_id)
    assert shown["preview"]["recipients"] == [f"Maya Okafor <{drafted['recipient_email']}>"]
    assert shown["preview"]["text"].startswith("Dear Maya,\n\nhello")
    with pytest.raises(CoachError, match="COACH-CCH-004"):
        run("message", "approve", message_id, "--version", "1")
    assert run("message", "approve", message_id, "--version", "2")["state"] == "approved"
    (sent,) = run("message", "send", "--approved")["messages"]
    assert sent["state"] == "sent"
    assert [path.name for path in (home / "outbox").iterdir()] == [f"{message_id}.2.eml"]
    assert run("message", "send", "--approved")["messages"] == []
    (listed,) = run("message", "list", "--state", "sent")["messages"]
    assert listed["id"] == message_id
    (job,) = run("job", "list")["jobs"]
    assert (job["id"], job["state"]) == (f"send/{message_id}/2", "done")


def test_a_mail_server_that_refuses_gives_exit_code_4_and_a_retry(
    run: Run, installation: Pair, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript_id = make_transcript(sqlite_database, installation)
    make_analysis(sqlite_database, transcript_id, ["First."])
    row = messages.draft(sqlite_database, SYSTEM, transcript_id)
    messages.approve(sqlite_database, SYSTEM, row.id, 1)
    with SmtpTestServer("refuse_rcpt") as server:
        monkeypatch.setenv("COACHOPS_SMTP_URL", server.url)
        (failed,) = run("message", "send", str(row.id), exit_code=4)["messages"]
        assert (failed["state"], failed["error_code"]) == ("failed", "COACH-MSG-003")
        assert run("message", "retry", str(row.id))["version"] == 2
        server.fault = "drop_at_data"
        (unknown,) = run("message", "send", str(row.id), exit_code=4)["messages"]
    assert unknown["state"] == "uncertain"
    assert run("message", "resolve", str(row.id), "sent")["state"] == "sent"


def test_wrong_use_is_refused_before_anything_happens(run: Run) -> None:
    for code, line in (
        ("COACH-CCH-001", "message show not-an-id"),
        ("COACH-CCH-001", "message draft not-an-id"),
        ("COACH-CCH-001", "goal rate not-an-id --level 0"),
        ("COACH-SYS-002", "message send"),
        ("COACH-SYS-002", "message edit x --version 1"),
        ("COACH-JOB-001", "job cancel x"),
        ("COACH-JOB-001", "job retry x"),
    ):
        with pytest.raises(CoachError, match=code):
            run(*line.split())


def test_jobs_are_cancelled_and_retried(
    run: Run, installation: Pair, sqlite_database: Database, home: Path
) -> None:
    from coachops.bootstrap import services
    from coachops.jobs import Jobs

    opened = services()
    with Jobs(opened.settings, opened) as jobs:
        queued = jobs.enqueue_pipeline(make_transcript(sqlite_database, installation))
    opened.close()
    assert run("job", "list", "--state", "waiting")["jobs"][0]["id"] == queued
    assert run("job", "list")["workers"]["alive"] == []
    assert run("job", "cancel", queued)["state"] == "cancelled"
    assert run("job", "retry", queued)["id"] == queued[:-1] + "2"


def test_goals_are_added_rated_and_listed(run: Run, installation: Pair) -> None:
    client = str(installation.client_id)
    five = [part for text in ("a", "b", "c", "d", "e") for part in ("--level", text)]
    goal = run("goal", "add", "--client", client, "--title", "Delegate", *five)
    run("goal", "rate", goal["id"], "--level", "1", "--by", "client")
    listed = run("goal", "list", "--client", client)
    assert listed["goals"][0]["latest"]["level"] == 1
    assert listed["attainment"]["t_score"] == pytest.approx(60)
    with pytest.raises(CoachError, match="COACH-SYS-002"):
        run("goal", "add", "--client", client, "--title", "x", "--level", "only one")


def test_returned_mails_from_files_folders_and_a_mail_server(
    run: Run, installation: Pair, sqlite_database: Database, home: Path, tmp_path: Path
) -> None:
    transcript_id = make_transcript(sqlite_database, installation)
    make_analysis(sqlite_database, transcript_id, ["First."])
    (drafted,) = run("message", "draft", str(transcript_id))["messages"]
    run("message", "approve", drafted["id"], "--version", "1")
    run("message", "send", drafted["id"])
    letter = letter_ref(uuid.UUID(drafted["id"]), 1)
    maildir = tmp_path / "Maildir"
    for folder, name in (("new", "mailbox-full"), ("cur", "out-of-office"), ("tmp", "complaint")):
        (maildir / folder).mkdir(parents=True)
        (maildir / folder / f"1.{name}").write_text(returned(name, letter=letter))
    bad = tmp_path / "bad.eml"
    bad.write_bytes(b"x" * 600_000)
    mails = run("message", "bounce", str(maildir), str(bad))["mails"]
    assert [(Path(m["mail"]).name, m["outcome"], m["status"]) for m in mails] == [
        ("1.out-of-office", "no_report", ""),
        ("1.mailbox-full", "recorded", "5.2.2"),
        ("bad.eml", "unreadable", ""),
    ]
    assert run("message", "list", "--state", "sent")["messages"][0]["delivery"] == "bounced"
    piped = returned("address-unknown", letter=letter)
    for outcome in ("recorded", "duplicate"):
        (mail,) = run("message", "bounce", "--pipe", stdin=piped)["mails"]
        assert (mail["outcome"], mail.get("kept")) == (outcome, None)
    unknown = returned("no-letter-named", letter="")
    (mail,) = run("message", "bounce", "-", stdin=unknown)["mails"]
    assert run("message", "bounce", "-", stdin=unknown)["mails"][0]["outcome"] == "duplicate"
    kept = list((home / "mail-reports").iterdir())
    assert [str(path) for path in kept] == [mail["kept"]]
    listed = run("message", "suppressed")
    assert [(r["reason"], r["clients"]) for r in listed["suppressed"]] == [
        ("bounce", [installation.client_name])
    ]
    assert listed["unknown_reports"] == 1
    again = run("message", "write-again", drafted["id"], "--version", "1")
    with pytest.raises(CoachError, match="COACH-MSG-010"):
        run("message", "approve", drafted["id"], "--version", str(again["version"]))
    client = str(installation.client_id)
    done = run("message", "allow", client, "--reason", "bounce", "--note", "Mended by their host")
    assert done["still"] is None
    run("message", "approve", drafted["id"], "--version", str(again["version"]))


def test_a_mail_server_is_asked_to_come_back_while_the_database_is_away(
    installation: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "COACHOPS_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    )
    done = CliRunner().invoke(app, ["message", "bounce", "--pipe"], input="x")
    assert done.exit_code == 75

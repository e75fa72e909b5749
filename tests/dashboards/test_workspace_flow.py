"""A coach's day, clicked on a real database with the real capabilities: from a file to an e-mail."""

from __future__ import annotations

import email
import uuid
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.bootstrap import Services
from coachops.coaching import consent, quarantine
from coachops.coaching.review import load_review
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.dashboards.components import Button, Element, Field, FileUpload
from coachops.dashboards.transcript_view import TranscriptView
from coachops.dashboards.workspace import Workspace
from coachops.dashboards.workspace.page import page
from coachops.db import Database
from coachops.db.models import Message, Transcript
from tests.support.workspace import (
    SAMPLES,
    Desk,
    choose,
    everything,
    page_text,
    press,
    shown_button,
    shown_field,
)


@pytest.fixture
def desk(settings: Settings, sqlite_database: Database) -> Desk:
    settings.home.mkdir(parents=True, exist_ok=True)
    return Desk(Services(settings, sqlite_database))


def outbox(desk: Desk) -> list[EmailMessage]:
    folder: Path = desk.services.settings.outbox
    files = sorted(folder.glob("*.eml")) if folder.is_dir() else []
    return [email.message_from_bytes(f.read_bytes(), policy=default) for f in files]


def state_of(desk: Desk, transcript_id: uuid.UUID) -> tuple[str, str | None]:
    with desk.database.read() as session:
        return (
            session.get_one(Transcript, transcript_id).state,
            session.scalar(sa.select(Message.state).where(Message.transcript_id == transcript_id)),
        )


def upload(desk: Desk, coach: str, client: str, *files: str) -> Workspace:
    workspace = desk.workspace(coach)
    workspace.upload(desk.client_id(client))
    (zone,) = everything(workspace, FileUpload)
    zone.offer_files({name: (SAMPLES / name).read_bytes() for name in files})
    return workspace


def test_from_the_file_to_the_e_mail(desk: Desk) -> None:
    workspace = upload(desk, "AC-101", "CL-201", "01-delegation.vtt")
    assert "1 of 1 analysed" in workspace.page.text()
    choose(workspace, "open", "01-delegation.vtt")
    assert "Daniel Osei" in workspace.page.text()
    assert "Rule-based" in page_text(workspace)

    press(workspace, "Edit")
    shown_field(workspace, "Subject").type_in("What we talked about")
    body = shown_field(workspace, "Text")
    body.type_in(body.data + "\nSee you soon.")
    press(workspace, "Save")
    assert outbox(desk) == []

    approve = shown_button(workspace, "Approve and send")
    assert "Daniel Osei" in approve.question["title"]
    assert "daniel.osei@client.example" in approve.question["text"]
    approve.click()

    (letter,) = outbox(desk)
    assert letter["Subject"] == "What we talked about"
    assert letter["To"] == "Daniel Osei <daniel.osei@client.example>"
    assert "See you soon." in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "It went to Daniel Osei" in page_text(workspace)
    workspace.home()
    assert "Nothing needs you" in workspace.page.text()


def test_nothing_is_sent_without_the_coachs_approval(desk: Desk) -> None:
    transcript_id = desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    with desk.database.read() as session:
        message_id = session.scalars(sa.select(Message.id)).one()
    desk.work.enqueue_send(message_id)
    assert outbox(desk) == []
    assert state_of(desk, transcript_id) == ("analysed", "draft")


def test_a_file_that_is_not_kept_is_not_said_to_be_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coach who reads "kept" may delete the only copy."""
    monkeypatch.setattr(quarantine, "WAITING_LIMIT", 0)
    workspace = desk.workspace("AC-102")
    workspace.upload(desk.client_id("CL-204"))
    (zone,) = everything(workspace, FileUpload)
    zone.offer_files({"broken.json": b'{"a": 1'})
    text = workspace.page.text()
    assert "COACH-TRN-010" in text
    assert "keep the file" in text
    assert "kept in the quarantine" not in text


def test_many_files_each_tell_what_became_of_them(desk: Desk) -> None:
    workspace = desk.workspace("AC-102")
    workspace.upload(desk.client_id("CL-204"))
    (zone,) = everything(workspace, FileUpload)
    good = (SAMPLES / "05-conflict-with-boss.vtt").read_bytes()
    zone.offer_files(
        {"good.vtt": good, "again.vtt": good, "broken.json": b'{"a": 1', "nul.txt": b"\0" * 20}
    )
    text = workspace.page.text()
    assert "67 utterances imported" in text
    assert "5 lines not imported" in text
    assert "nothing was imported twice" in text
    assert "COACH-TRN-010" in text
    assert "It is kept in the quarantine." in text
    assert any('href="/app/quarantine"' in e.content for e in everything(workspace, Element))
    assert [item["tone"] for item in zone.items][2:] == ["bad", "bad"]
    assert "1 of 2 analysed" in text or "2 of 2 analysed" in text


def test_files_without_a_client_wait_for_the_choice(desk: Desk) -> None:
    workspace = desk.workspace("AC-101")
    workspace.upload()
    (zone,) = everything(workspace, FileUpload)
    zone.offer_files({"01-delegation.vtt": (SAMPLES / "01-delegation.vtt").read_bytes()})
    # the field says it; one text at one place is enough
    client = next(f for f in everything(workspace, Field) if f.label == "Client")
    assert client.error.startswith("Choose whose sessions these are")
    assert [item["tone"] for item in zone.items] == ["warn"]
    with desk.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Transcript)) == 0
    client.type_in(1)
    assert [item["tone"] for item in zone.items] == ["ok"]
    with desk.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Transcript)) == 1


def test_the_page_polls_only_while_something_is_pending(desk: Desk) -> None:
    desk.work.held = True
    workspace = upload(desk, "AC-101", "CL-201", "01-delegation.vtt")
    assert workspace.shell.watching
    assert "Waiting for analysis" in workspace.page.text()
    desk.work.run()
    workspace.shell._ticker.receive({"event": "tick"})
    assert not workspace.shell.watching
    assert "1 of 1 analysed" in workspace.page.text()


def test_a_session_that_waits_shows_its_analysis_when_it_comes(desk: Desk) -> None:
    desk.work.held = True
    transcript_id = desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    workspace = desk.workspace("AC-101")
    workspace.session(transcript_id)
    assert workspace.shell.watching
    assert "on its way" in workspace.page.text()
    desk.work.run()
    workspace.shell._ticker.receive({"event": "tick"})
    assert not workspace.shell.watching
    assert "on its way" not in workspace.page.text()
    assert "Summary" in page_text(workspace)


def test_notes_are_labelled_as_the_coachs_account(desk: Desk) -> None:
    workspace = desk.workspace("AC-102")
    workspace.upload(desk.client_id("CL-203"), notes=True)
    shown_field(workspace, "Your notes").type_in(
        (SAMPLES / "12-career-change-notes.md").read_text()
    )
    press(workspace, "Save and analyse")
    assert "1 of 1 analysed" in workspace.page.text()
    choose(workspace, "open", "Notes on")
    assert "Your own account" in page_text(workspace)
    assert "In numbers" not in page_text(workspace)


def test_unclear_roles_stop_the_analysis_until_one_click(desk: Desk) -> None:
    workspace = upload(desk, "AC-104", "CL-208", "09-time-management.json")
    assert "Confirm speakers" in workspace.page.text()
    transcript_id = _only_transcript(desk)
    assert state_of(desk, transcript_id) == ("waiting_roles", None)
    workspace.home()
    assert "Who is who?" in workspace.page.text()
    choose(workspace, "roles")
    assert "Nothing is analysed" in workspace.page.text()
    press(workspace, "Yes, that is right")
    assert state_of(desk, transcript_id) == ("analysed", "draft")
    assert "Who is who?" not in workspace.page.text()


def test_swapping_the_roles_exchanges_coach_and_client(desk: Desk) -> None:
    transcript_id = desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    workspace = desk.workspace("AC-101")
    workspace.session(transcript_id, "corrections")
    press(workspace, "Swap coach and client")
    assert "older than your corrections" in workspace.page.text()
    assert "You swapped coach and client" in page_text(workspace)
    press(workspace, "Analyse again")
    assert "older than your corrections" not in workspace.page.text()


def test_missing_consent_is_recorded_and_the_analysis_starts(desk: Desk) -> None:
    client_id = desk.client_id("CL-201")
    consent.record(desk.database, SYSTEM, client_id, "processing", granted=False)
    workspace = upload(desk, "AC-101", "CL-201", "01-delegation.vtt")
    transcript_id = _only_transcript(desk)
    assert state_of(desk, transcript_id) == ("waiting_consent", None)
    choose(workspace, "open", "01-delegation.vtt")
    assert "has not agreed" in workspace.page.text()
    shown_field(workspace, "How was it given?").type_in("by e-mail")
    press(workspace, "Daniel Osei has agreed")
    assert state_of(desk, transcript_id) == ("analysed", "draft")
    assert "has not agreed" not in workspace.page.text()


def test_a_coach_cannot_open_another_coachs_client_or_session(desk: Desk) -> None:
    theirs = desk.analysed("05-conflict-with-boss.vtt", "AC-102", "CL-204")
    workspace = desk.workspace("AC-101")
    before = workspace.page.text()
    assert "Grace Whitfield" not in before
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        workspace.session(theirs)
    with pytest.raises(CoachError, match="COACH-CCH-001"):
        workspace.client(desk.client_id("CL-204"))
    workspace.upload(desk.client_id("CL-204"))
    assert "Grace" not in page_text(workspace)


def test_forged_messages_reach_nothing(desk: Desk) -> None:
    theirs = desk.analysed("05-conflict-with-boss.vtt", "AC-102", "CL-204")
    desk.analysed("01-delegation.vtt", "AC-101", "CL-201")
    workspace = desk.workspace("AC-101")
    from coachops.dashboards.workspace.parts import Choices

    for each in everything(workspace, Choices):
        for name in ("open", "draft", "roles", "edit", "done", "undo", "back"):
            each._on_message(each, {"event": "action", "name": name, "value": str(theirs)}, [])
    assert "Good " in workspace.page.text()
    assert "Grace" not in page_text(workspace)


def test_a_stranger_sees_an_empty_workspace(desk: Desk) -> None:
    desk.analysed("05-conflict-with-boss.vtt", "AC-102", "CL-204")
    actor = desk.actor("AC-101")
    stranger = type(actor)(None, "coach", "Nobody", None)
    shown = page(stranger, desk.services, desk.work)
    assert "You have no clients yet" in shown.text()


def _only_transcript(desk: Desk) -> uuid.UUID:
    with desk.database.read() as session:
        return session.scalars(sa.select(Transcript.id)).one()


def test_an_analysis_that_failed_says_why_and_can_start_again(desk: Desk) -> None:
    transcript_id = desk.take_in("01-delegation.vtt", "AC-101", "CL-201")

    def fail(session: Session) -> None:
        row = session.get_one(Transcript, transcript_id)
        row.state, row.error_code = "failed", "COACH-AI-003"

    desk.database.run(fail)
    workspace = desk.workspace("AC-101")
    assert "The analysis failed" in workspace.page.text()
    choose(workspace, "analysis_failed")
    assert "COACH-AI-003" in workspace.page.text()
    press(workspace, "Analyse on this computer")
    assert state_of(desk, transcript_id) == ("analysed", "draft")
    assert "COACH-AI-003" not in workspace.page.text()


def test_a_file_with_more_voices_asks_who_each_is(desk: Desk) -> None:
    lines = ["Blue: How was the week?", "Red: Long.", "Green: Sorry, wrong room."]
    workspace = upload_text(desk, "\n".join([*lines, *lines]))
    choose(workspace, "open", "talk.txt")
    for voice, speaker in (("Blue", "coach"), ("Red", "client"), ("Green", "other")):
        shown_field(workspace, f"Who is \u201c{voice}\u201d?").data = speaker
    press(workspace, "Save and analyse")
    transcript_id = _only_transcript(desk)
    found = load_review(desk.database, workspace.actor, transcript_id)
    assert [u.speaker for u in found.utterances[3:]] == ["coach", "client", "other"]
    assert found.state == "analysed"


def test_a_file_without_names_is_analysed_after_the_coach_said_who_speaks(desk: Desk) -> None:
    workspace = upload_text(desk, "How was the week?\nLong. I will rest on Friday.\nGood.")
    choose(workspace, "open", "talk.txt")
    assert "The file names nobody" in workspace.page.text()
    press(workspace, "Say who speaks")
    (view,) = everything(workspace, TranscriptView)
    for positions, speaker in (([1, 3], "coach"), ([2], "client")):
        view.receive({"event": "select", "positions": positions})
        shown_field(workspace, "Who says this?").data = speaker
        press(workspace, "Change speaker")
    press(workspace, "Yes, that is right")
    assert state_of(desk, _only_transcript(desk)) == ("analysed", "draft")


def test_an_error_far_from_its_button_is_shown_on_top(desk: Desk) -> None:
    theirs = desk.analysed("05-conflict-with-boss.vtt", "AC-102", "CL-204")
    workspace = desk.workspace("AC-101")
    Button("Open", lambda: workspace.session(theirs)).click()
    assert "COACH-CCH-001" in workspace.page.banner.text()
    workspace.help()
    assert workspace.page.banner.text() == ""


def upload_text(desk: Desk, text: str) -> Workspace:
    workspace = desk.workspace("AC-101")
    workspace.upload(desk.client_id("CL-201"))
    (zone,) = everything(workspace, FileUpload)
    zone.offer_files({"talk.txt": text.encode()})
    return workspace

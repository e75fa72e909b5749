"""What a coach sees and can do when a client is not written to, a letter came back or had to wait."""

from __future__ import annotations

import uuid

import pytest

from coachops.backup.settling import settle
from coachops.bootstrap import Services
from coachops.coaching import messages
from coachops.coaching.messages import MessageRow
from coachops.coaching.messages.opt_out import letter_token
from coachops.coaching.messages.references import letter_ref
from coachops.coaching.messages.reports import take_mail
from coachops.core.settings import Settings
from coachops.dashboards.components import Button
from coachops.dashboards.workspace import Workspace
from coachops.db import Database
from coachops.db.models import Client
from tests.coaching.messages.mails import returned
from tests.coaching.messages.parts import ListMailer
from tests.support.workspace import Desk, everything, page_text, press, shown_field

COACH, CLIENT = "AC-101", "CL-201"


@pytest.fixture
def desk(settings: Settings, sqlite_database: Database) -> Desk:
    settings.home.mkdir(parents=True, exist_ok=True)
    return Desk(Services(settings, sqlite_database))


@pytest.fixture
def transcript_id(desk: Desk) -> uuid.UUID:
    return desk.analysed("01-delegation.vtt", COACH, CLIENT)


def letter(desk: Desk, transcript_id: uuid.UUID) -> MessageRow:
    (found,) = messages.list_messages(desk.database, desk.actor(COACH), transcript_id=transcript_id)
    return found


def opened(desk: Desk, transcript_id: uuid.UUID) -> Workspace:
    workspace = desk.workspace(COACH)
    workspace.session(transcript_id, "follow-up")
    return workspace


def secret(desk: Desk) -> bytes:
    return desk.services.secret("feedback")


def sent(desk: Desk, transcript_id: uuid.UUID) -> Workspace:
    workspace = opened(desk, transcript_id)
    press(workspace, "Approve and send")
    assert "Sent It went to" in page_text(workspace)
    return workspace


def labels(workspace: Workspace) -> list[str]:
    return [button.label for button in everything(workspace, Button)]


def test_a_client_who_opted_out_cannot_be_written_to_and_the_page_says_why(
    desk: Desk, transcript_id: uuid.UUID
) -> None:
    row = letter(desk, transcript_id)
    token = letter_token(secret(desk), row.id, row.recipient_email)
    messages.stop_letters(desk.database, secret(desk), token)
    workspace = opened(desk, transcript_id)
    said = page_text(workspace)
    assert f"{row.recipient_name} gets no e-mails from here" in said
    assert "they asked for no more e-mails" in said
    assert "Approve and send" not in labels(workspace)
    press(workspace, f"Open {row.recipient_name}")
    assert "The client wants no e-mails" in page_text(workspace)
    press(workspace, "They want e-mails again")  # nothing is recorded without a note
    assert "COACH-MSG-006" in page_text(workspace)
    shown_field(workspace, "How do you know?").type_in("Asked for them in our session")
    press(workspace, "They want e-mails again")
    assert "The client wants no e-mails" not in page_text(workspace)
    workspace.session(transcript_id, "follow-up")
    press(workspace, "Approve and send")
    assert letter(desk, transcript_id).state == "sent"


def test_a_queued_letter_is_taken_back_and_says_so(desk: Desk, transcript_id: uuid.UUID) -> None:
    desk.work.held = True
    workspace = opened(desk, transcript_id)
    press(workspace, "Approve and send")
    row = letter(desk, transcript_id)
    token = letter_token(secret(desk), row.id, row.recipient_email)
    messages.stop_letters(desk.database, secret(desk), token)
    workspace = opened(desk, transcript_id)
    assert "The approval was taken back" in page_text(workspace)
    assert "COACH-MSG-010" in page_text(workspace)


def test_a_returned_letter_is_shown_at_home_and_can_be_written_again(
    desk: Desk, transcript_id: uuid.UUID
) -> None:
    workspace = sent(desk, transcript_id)
    row = letter(desk, transcript_id)
    mail = returned("address-unknown", letter=letter_ref(row.id, row.version))
    take_mail(desk.database, mail.encode(), secret(desk))
    workspace.home()
    assert "The follow-up came back" in page_text(workspace)
    workspace.session(transcript_id, "follow-up")
    said = page_text(workspace)
    assert "It came back" in said
    assert "COACH-MSG-011" in said
    with desk.database.write() as session:
        session.get_one(Client, row.client_id).email = "new.address@example.org"
    press(workspace, "Write it again")
    assert "new.address@example.org" in page_text(workspace)
    press(workspace, "Approve and send")
    again = letter(desk, transcript_id)
    assert (again.state, again.recipient_email) == ("sent", "new.address@example.org")


def test_a_complaint_is_the_admins_to_lift(desk: Desk, transcript_id: uuid.UUID) -> None:
    workspace = sent(desk, transcript_id)
    row = letter(desk, transcript_id)
    mail = returned("complaint", letter=letter_ref(row.id, row.version))
    take_mail(desk.database, mail.encode(), secret(desk))
    workspace.session(transcript_id, "follow-up")
    assert "Sent, and reported as unwanted" in page_text(workspace)
    workspace.client(row.client_id)
    assert "A letter was reported as unwanted" in page_text(workspace)
    assert "It was a slip" not in labels(workspace)


def test_a_letter_that_was_put_off_says_when_it_is_tried_again(
    desk: Desk, transcript_id: uuid.UUID
) -> None:
    desk.work.held = True
    workspace = opened(desk, transcript_id)
    press(workspace, "Approve and send")
    row = letter(desk, transcript_id)
    busy = ListMailer("COACH-MSG-003", temporary=True)
    messages.claim_and_send(desk.database, busy, row.id, desk.services.letterhead)
    workspace = opened(desk, transcript_id)
    assert "Approved: it waits for the mail server" in page_text(workspace)
    assert not workspace.shell.watching  # nothing moves before that
    assert {"Take it back", "Send now"} <= set(labels(workspace))


@pytest.mark.parametrize("approved", [False, True])
def test_after_a_restore_the_page_asks_whether_the_letter_arrived(
    desk: Desk, transcript_id: uuid.UUID, approved: bool
) -> None:
    if approved:
        desk.work.held = True
        press(opened(desk, transcript_id), "Approve and send")
    settle(desk.database, "a backup")
    workspace = opened(desk, transcript_id)
    said = page_text(workspace)
    assert "It may have been sent already" in said
    assert "COACH-BKP-018" in said
    if approved:
        press(workspace, "It arrived")
        assert letter(desk, transcript_id).state == "sent"
    else:
        press(workspace, "Approve and send")
        assert letter(desk, transcript_id).state == "sent"


def test_a_new_address_of_the_client_is_offered(desk: Desk, transcript_id: uuid.UUID) -> None:
    row = letter(desk, transcript_id)
    with desk.database.write() as session:
        session.get_one(Client, row.client_id).email = "new.address@example.org"
    workspace = opened(desk, transcript_id)
    assert "has another address by now" in page_text(workspace)
    press(workspace, "Use the new address")
    assert "has another address by now" not in page_text(workspace)
    press(workspace, "Approve and send")
    assert letter(desk, transcript_id).recipient_email == "new.address@example.org"


def test_the_letter_on_the_page_shows_its_links_in_words(
    desk: Desk, transcript_id: uuid.UUID
) -> None:
    said = page_text(opened(desk, transcript_id))
    assert "Answer two questions" in said
    assert "No more such e-mails" in said
    assert "/letters/" not in said

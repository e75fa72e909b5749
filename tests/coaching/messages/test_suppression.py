"""Who is never written to: how an address comes onto the list, what it stops, and who lifts it."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching import messages
from coachops.coaching.messages import addresses
from coachops.coaching.messages.events import SOFT_LIMIT, Reported
from coachops.coaching.messages.mailers import SmtpMailer, parse_smtp_url
from coachops.coaching.messages.opt_out import letter_token
from coachops.coaching.messages.references import letter_ref, read_ref
from coachops.coaching.messages.reports import take_mail
from coachops.coaching.messages.sending import DELAYS
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, MailEvent, Message, Suppression
from tests.coaching.builders import Pair, make_pair, make_transcript
from tests.coaching.messages.mails import returned
from tests.coaching.messages.parts import LETTERHEAD, ListMailer, make_analysis
from tests.support.smtp import SmtpTestServer

SECRET = LETTERHEAD.feedback_secret
ADMIN = Actor(None, "admin", "Ops")


def approved(database: Database, pair: Pair) -> messages.MessageRow:
    transcript_id = make_transcript(database, pair)
    make_analysis(database, transcript_id, ["First."])
    row = messages.draft(database, pair.actor, transcript_id)
    return messages.approve(database, pair.actor, row.id, row.version)


def sent(database: Database, pair: Pair) -> messages.MessageRow:
    row = approved(database, pair)
    assert messages.claim_and_send(database, ListMailer(), row.id, LETTERHEAD) == "sent"
    return messages.get(database, pair.actor, row.id)


def why(database: Database, pair: Pair) -> str | None:
    found = messages.of_client(database, pair.actor, pair.client_id, SECRET)
    return found.reason if found else None


def mail(database: Database, name: str, row: messages.MessageRow) -> str:
    text = returned(name, letter=letter_ref(row.id, row.version))
    return take_mail(database, text.encode(), SECRET).outcome


def count(database: Database, model: type[object]) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Maya@Example.ORG", "maya@example.org"),
        ("maya@example.org.", "maya@example.org"),
        ("maya@b\u00fccher.example", "maya@xn--bcher-kva.example"),
        ("maya@B\u00dcCHER.example", "maya@xn--bcher-kva.example"),
        (" maya@example.org ", "maya@example.org"),
    ],
)
def test_two_ways_of_writing_a_mailbox_have_one_hash(one: str, other: str) -> None:
    assert addresses.address_hash(SECRET, one) == addresses.address_hash(SECRET, other)


def test_other_mailboxes_and_other_secrets_have_other_hashes() -> None:
    known = addresses.address_hash(SECRET, "maya@example.org")
    for other in ("maya+x@example.org", "m.aya@example.org", "maya@example.com"):
        assert addresses.address_hash(SECRET, other) != known
    assert addresses.address_hash(b"other", "maya@example.org") != known
    assert addresses.key_id(SECRET) != addresses.key_id(b"other")


@given(st.text())
def test_any_text_has_one_normal_form(text: str) -> None:
    once = addresses.normalised(text)
    assert addresses.normalised(once) == once
    assert len(addresses.address_hash(SECRET, text)) == addresses.HASH_LENGTH


@pytest.mark.parametrize(
    ("name", "reason"),
    [("address-unknown", "bounce"), ("general-status", "bounce"), ("complaint", "complaint")],
)
def test_a_dead_address_and_a_complaint_stop_the_letters(
    database: Database, pair: Pair, name: str, reason: str
) -> None:
    row, waiting = sent(database, pair), approved(database, pair)
    assert mail(database, name, row) == "recorded"
    assert mail(database, name, row) == "duplicate"
    assert why(database, pair) == reason
    after = messages.get(database, pair.actor, row.id)
    assert after.state == "sent"
    assert after.delivery == {"bounce": "bounced", "complaint": "complained"}[reason]
    withdrawn = messages.get(database, pair.actor, waiting.id)
    assert (withdrawn.state, withdrawn.error_code) == ("draft", "COACH-MSG-010")
    with pytest.raises(CoachError, match="COACH-MSG-010"):
        messages.approve(database, pair.actor, waiting.id, withdrawn.version, secret=SECRET)
    assert count(database, Suppression) == count(database, MailEvent) == 1


def test_a_full_mailbox_counts_and_several_in_a_row_stop_the_letters(
    database: Database, pair: Pair
) -> None:
    for number in range(SOFT_LIMIT):
        assert why(database, pair) is None
        row = sent(database, pair)
        for _ in range(2):  # the same letter counts once
            mail(database, "mailbox-full", row)
        assert count(database, MailEvent) == number + 1
    assert why(database, pair) == "bounce"


def test_a_letter_that_arrived_begins_the_count_anew(database: Database, pair: Pair) -> None:
    for name in ("mailbox-full", "mailbox-full", "delivered", "mailbox-full"):
        row = sent(database, pair)
        at = dt.timedelta(minutes=count(database, MailEvent))
        report = Reported(
            str(row.id), "delivered" if name == "delivered" else "bounced", "api",
            (row.id, row.version), "5.2.2", clock.now() + at,
        )  # fmt: skip
        assert messages.record_reports(database, [report], SECRET) == ["recorded"]
    assert why(database, pair) is None


def test_a_report_about_another_version_or_an_unsent_letter_matches_nothing(
    database: Database, pair: Pair
) -> None:
    row, waiting = sent(database, pair), approved(database, pair)
    for reference in (
        f"<{letter_ref(row.id, row.version + 1)}@example.org>",
        f"<{letter_ref(waiting.id, waiting.version)}@example.org>",
        f"<{letter_ref(uuid.UUID(int=4), 1)}@example.org>",
        "<someone@else.example>",
    ):
        report = Reported.by_service(reference, "bounced", reference, "5.1.1", None)
        assert messages.record_reports(database, [report], SECRET) == ["unknown"]
    assert why(database, pair) is None
    with database.read() as session:
        assert messages.unknown_reports(session, clock.now() - dt.timedelta(days=1)) == 4


def test_a_report_settles_what_nobody_knew(database: Database, pair: Pair) -> None:
    for name, state in (("address-unknown", "failed"), ("delivered", "sent")):
        row = approved(database, pair)
        lost = ListMailer("COACH-MSG-004")
        assert messages.claim_and_send(database, lost, row.id, LETTERHEAD) == "uncertain"
        mail(database, name, row)
        assert messages.get(database, pair.actor, row.id).state == state
        messages.lift(database, pair.actor, pair.client_id, "bounce", "Mended", SECRET)


def test_a_mail_server_that_refuses_the_address_puts_it_on_the_list(
    database: Database, pair: Pair
) -> None:
    row = approved(database, pair)
    with SmtpTestServer("unknown_rcpt") as server:
        mailer = SmtpMailer(parse_smtp_url(server.url))
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "failed"
    assert messages.get(database, pair.actor, row.id).error_code == "COACH-MSG-011"
    assert why(database, pair) == "bounce"
    with pytest.raises(CoachError, match="COACH-MSG-010"):
        messages.retry(database, pair.actor, row.id, secret=SECRET)
    with database.write() as session:
        client = session.get_one(Client, pair.client_id)
        client.email = "maya.new@example.org"
    assert messages.get(database, pair.actor, row.id).has_moved
    again = messages.write_again(database, pair.actor, row.id, row.version)
    assert (again.state, again.recipient_email) == ("draft", "maya.new@example.org")
    messages.approve(database, pair.actor, row.id, again.version, secret=SECRET)
    assert messages.claim_and_send(database, ListMailer(), row.id, LETTERHEAD) == "sent"


def test_a_refusal_that_may_be_a_policy_stops_nothing_at_once(
    database: Database, pair: Pair
) -> None:
    """A sender on a blocklist is refused everywhere: its clients must not all be given up."""
    for number in range(SOFT_LIMIT):
        assert why(database, pair) is None, number
        row = approved(database, pair)
        with SmtpTestServer("refuse_rcpt") as server:
            mailer = SmtpMailer(parse_smtp_url(server.url))
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "failed"
    assert why(database, pair) == "bounce"


def test_a_returned_letter_can_be_written_again_and_one_that_arrived_cannot(
    database: Database, pair: Pair
) -> None:
    row = sent(database, pair)
    with pytest.raises(CoachError, match="COACH-MSG-001"):
        messages.write_again(database, pair.actor, row.id, row.version)
    mail(database, "mailbox-full", row)
    again = messages.write_again(database, pair.actor, row.id, row.version)
    assert (again.state, again.version, again.delivery) == ("draft", row.version + 1, None)
    messages.approve(database, pair.actor, row.id, again.version, secret=SECRET)
    assert messages.claim_and_send(database, ListMailer(), row.id, LETTERHEAD) == "sent"


@pytest.mark.parametrize("reason", ["bounce", "opt_out", "complaint"])
def test_who_may_lift_what(database: Database, pair: Pair, reason: str) -> None:
    row = sent(database, pair)
    if reason == "opt_out":
        messages.stop_letters(database, SECRET, letter_token(SECRET, row.id, row.recipient_email))
    else:
        mail(database, {"bounce": "address-unknown", "complaint": "complaint"}[reason], row)
    assert why(database, pair) == reason
    other = make_pair(database)
    for actor, code in ((other.actor, "COACH-CCH-001"), (Actor(None, "analyst", "A"), "COACH-IDN")):
        with pytest.raises(CoachError, match=f"{code}|COACH-MSG-015"):
            messages.lift(database, actor, pair.client_id, reason, "x", SECRET)  # type: ignore[arg-type]
    with pytest.raises(CoachError, match="COACH-MSG-006"):
        messages.lift(database, pair.actor, pair.client_id, reason, "  ", SECRET)  # type: ignore[arg-type]
    if reason == "complaint":
        with pytest.raises(CoachError, match="COACH-MSG-015"):
            messages.lift(database, pair.actor, pair.client_id, "complaint", "Said so", SECRET)
    actor = ADMIN if reason == "complaint" else pair.actor
    messages.lift(database, actor, pair.client_id, reason, "Said so by phone", SECRET)  # type: ignore[arg-type]
    assert why(database, pair) is None
    with database.read() as session:
        kept = session.scalars(sa.select(Suppression)).one()
        assert (kept.lifted_by, kept.note) == ("person", "Said so by phone")
    (listed,) = [messages.list_standing(database, ADMIN, SECRET)]
    assert listed == []


def test_a_list_made_with_another_secret_lets_nothing_out_and_loses_nothing(
    database: Database, pair: Pair
) -> None:
    other = make_pair(database)
    row, waiting = sent(database, pair), approved(database, other)
    messages.stop_letters(database, b"old", letter_token(b"old", row.id, row.recipient_email))
    mailer = ListMailer()
    for _ in range(2 * len(DELAYS)):
        state = messages.claim_and_send(database, mailer, waiting.id, LETTERHEAD)
        held = messages.get(database, other.actor, waiting.id)
        assert (state, held.error_code) == ("approved", "COACH-MSG-014")
        assert held.retry_at is not None
    assert mailer.letters == []
    with pytest.raises(CoachError, match="COACH-MSG-014"):
        messages.of_client(database, other.actor, other.client_id, SECRET)
    assert messages.unsent_approved(database) == []  # not before its time
    with clock.frozen(clock.now() + dt.timedelta(hours=1)):
        assert messages.unsent_approved(database) == [(waiting.id, waiting.version)]
    with database.write() as session:  # the old secret is back: here, its rows are gone
        session.execute(sa.delete(Suppression))
    assert messages.claim_and_send(database, mailer, waiting.id, LETTERHEAD) == "sent"


def test_two_who_stop_the_same_letters_at_once_make_one_row(database: Database, pair: Pair) -> None:
    row = sent(database, pair)
    token = letter_token(SECRET, row.id, row.recipient_email)
    start = threading.Barrier(4)
    failed: list[BaseException] = []

    def stop() -> None:
        start.wait()
        try:
            messages.stop_letters(database, SECRET, token)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert count(database, Suppression) == 1


def test_the_list_names_clients_and_holds_no_address(database: Database, pair: Pair) -> None:
    row = sent(database, pair)
    messages.stop_letters(database, SECRET, letter_token(SECRET, row.id, row.recipient_email))
    (listed,) = messages.list_standing(database, ADMIN, SECRET)
    assert (listed.reason, listed.clients) == ("opt_out", (pair.client_name,))
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        messages.list_standing(database, pair.actor, SECRET)
    with database.connect() as connection:
        for model in (Suppression, MailEvent):
            for kept in connection.execute(sa.select(model)):
                assert row.recipient_email not in str(kept)


def test_a_put_off_letter_waits_longer_each_time_and_then_for_a_person(
    database: Database, pair: Pair
) -> None:
    row = approved(database, pair)
    now = clock.now()
    with SmtpTestServer("busy_rcpt") as server:
        mailer = SmtpMailer(parse_smtp_url(server.url))
        for number, delay in enumerate(DELAYS, 1):
            with clock.frozen(now):
                assert messages.unsent_approved(database) == [(row.id, row.version)]
                assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "approved"
                waiting = messages.get(database, pair.actor, row.id)
                assert (waiting.attempts, waiting.retry_at) == (number, now + delay)
                assert waiting.error_code == "COACH-MSG-003"
                assert messages.unsent_approved(database) == []
            now += delay
        with clock.frozen(now):
            assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "failed"
        server.fault = ""
        messages.retry(database, pair.actor, row.id)
        assert messages.claim_and_send(database, mailer, row.id, LETTERHEAD) == "sent"
    assert len(server.taken) == 1
    with database.read() as session:
        assert session.scalars(sa.select(Message.state)).all() == ["sent"]


def test_reports_name_letters_by_what_leaves(database: Database, pair: Pair) -> None:
    row = approved(database, pair)
    with SmtpTestServer() as server:
        mailer = SmtpMailer(parse_smtp_url(server.url))
        head = LETTERHEAD.__class__(
            "coaching@example.org", "N", "https://c.example", SECRET, "bounces@example.org"
        )
        assert messages.claim_and_send(database, mailer, row.id, head) == "sent"
    (letter,) = server.taken
    for header in ("Message-ID", "X-Coachops-Letter"):
        assert read_ref(str(letter[header])) == (row.id, row.version)
    ((sender, _),) = server.envelopes
    assert sender.startswith("bounces+")
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(letter["List-Unsubscribe"]).strip("<>")
    assert link == head.opt_out_url(row)
    assert b"List-Unsubscribe: <https://c.example/letters/" in server.raw[0]
    text = letter.get_body(("plain",))
    assert text is not None
    assert link in text.get_content()

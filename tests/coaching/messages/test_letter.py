"""The letter: what the preview shows is what leaves, and nothing can be smuggled into a header."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching import messages
from coachops.coaching.feedback import read_token
from coachops.coaching.messages.checks import checked_address, checked_body, checked_subject
from coachops.coaching.messages.letter import compose, letterhead_for
from coachops.coaching.messages.rendering import Block, blocks
from coachops.coaching.messages.wire import stuffed
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import Client, Coach
from tests.coaching.builders import Pair
from tests.coaching.messages.parts import LETTERHEAD


def test_the_preview_names_each_recipient_and_shows_the_letter(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    seen = messages.preview(database, pair.actor, row.id, LETTERHEAD)
    assert seen.recipients == (f"Maya Okafor <{row.recipient_email}>",)
    assert seen.sender == "Ada Reyes <coaching@example.org>"
    assert seen.reply_to == f"Ada Reyes <{row.coach_email}>"
    assert seen.subject == row.subject
    assert seen.text.startswith(row.body.rstrip("\n"))
    assert "software (AI) drafted this message" in seen.text
    assert "software (AI) drafted this message" in seen.html
    token = seen.text.split("https://c.example/feedback/")[1].split()[0]
    assert read_token(LETTERHEAD.feedback_secret, token) == row.id
    assert f"https://c.example/feedback/{token}" in seen.html
    letter = compose(row, LETTERHEAD, at=clock.now())
    text = letter.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == seen.text


def test_a_comma_in_a_name_is_no_second_recipient(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    with database.write() as session:
        session.execute(
            sa.update(Client).where(Client.id == pair.client_id).values(name="Okafor, Maya")
        )
    row = messages.draft(database, pair.actor, transcript_id)
    seen = messages.preview(database, pair.actor, row.id, LETTERHEAD)
    assert seen.recipients == (f'"Okafor, Maya" <{row.recipient_email}>',)


def test_words_are_escaped_in_html(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    row = messages.draft(database, pair.actor, transcript_id)
    row = messages.edit(
        database,
        pair.actor,
        row.id,
        1,
        "a < b & c",
        "Hi <script>alert(1)</script>\n\nTo do:\n- a & b",
    )
    html = messages.preview(database, pair.actor, row.id, LETTERHEAD).html
    assert "<script>" not in html
    assert "Hi &lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert '<li style="margin:0 0 4px">a &amp; b</li>' in html


def test_names_cannot_add_headers_or_recipients(
    database: Database, pair: Pair, transcript_id: uuid.UUID
) -> None:
    with database.write() as session:
        session.execute(
            sa.update(Client)
            .where(Client.id == pair.client_id)
            .values(name="Maya\r\nBcc: other@example.org, <b@example.org>")
        )
        session.execute(
            sa.update(Coach).where(Coach.id == pair.coach_id).values(name='Ada "X", Reyes\nX: y')
        )
    row = messages.draft(database, pair.actor, transcript_id)
    letter = compose(row, LETTERHEAD, at=clock.now())
    assert set(letter.keys()) == {
        "Message-ID", "Date", "From", "Reply-To", "To", "Subject", "MIME-Version", "Content-Type",
        "X-Coachops-Letter", "List-Unsubscribe", "List-Unsubscribe-Post",
    }  # fmt: skip
    for header in ("To", "From", "Reply-To"):
        assert len(letter[header].addresses) == 1
    assert letter["To"].addresses[0].addr_spec == row.recipient_email
    head = stuffed(letter).split(b"\r\n\r\n")[0]
    assert b"\nBcc:" not in head
    assert b"\nX:" not in head


@pytest.mark.parametrize(
    "address",
    ["a@b, c@d", "a@b\nBcc: c@d", "a b@c", "<a@b>", "a@", "@b", "a@b@c", "a@b.", '"a b"@c', "ä@b.c",
     "a@[127.0.0.1]", "x" * 65 + "@b.c", "a@" + "b" * 200, "a..b@c.d", "a@-b.c", "a@b\x00.c"],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    with pytest.raises(CoachError, match="COACH-MSG-006"):
        checked_address(address)


@pytest.mark.parametrize("address", ["a@b", "first.last+tag@sub.example.org", "o'neil@example.org"])
def test_plain_addresses_are_taken(address: str) -> None:
    assert checked_address(address) == address


@pytest.mark.parametrize("subject", ["", "  ", "\u200b\x00", "a\nb", "a\rb", "a\tb", "x" * 201])
def test_a_subject_that_is_not_one_line_is_refused(subject: str) -> None:
    with pytest.raises(CoachError, match="COACH-MSG-006"):
        checked_subject(subject)


def test_what_has_no_place_in_words_is_taken_out_of_a_letter() -> None:
    assert checked_subject("a\u2028b\x00c\u202e") == "a bc"
    assert checked_body("a\x00b\u202e\r\nc ") == "ab\nc\n"


@pytest.mark.parametrize("body", ["", " \n\t\n", "\x00\u200d", "x" * 20_001])
def test_a_body_that_cannot_be_sent_is_refused(body: str) -> None:
    with pytest.raises(CoachError, match="COACH-MSG-006"):
        checked_body(body)


def test_a_sender_that_is_not_an_address_is_a_setting_to_correct() -> None:
    with pytest.raises(CoachError, match="COACHOPS_MAIL_FROM"):
        letterhead_for(load_settings(mail_from="Coaching <x@example.org>"), b"s")


def test_blocks_keep_paragraphs_and_lists() -> None:
    assert blocks("Hi\nyou\n\nTo do:\n- a\n- b\nend\n\n\n- c\n") == [
        Block(("Hi", "you")),
        Block(("To do:",), ("a", "b")),
        Block(("end",)),
        Block((), ("c",)),
    ]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n")))
def test_blocks_lose_no_word(body: str) -> None:
    shown = " ".join(
        word
        for block in blocks(body)
        for part in (*block.lines, *block.items)
        for word in part.split()
    )
    assert shown.replace("-", "").split() == body.replace("-", "").split()

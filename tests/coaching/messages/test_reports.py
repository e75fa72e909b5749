"""Reports of mail servers: read in every shape, matched never by guess, harmless when hostile."""

from __future__ import annotations

import base64
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching.messages.references import (
    letter_ref,
    read_ref,
    read_return_address,
    return_address,
)
from coachops.coaching.messages.reports import MAX_BYTES, MailReport, read_report
from coachops.coaching.messages.statuses import enhanced_status, is_address_refused
from coachops.core.errors import CoachError
from tests.coaching.messages.mails import NAMES, returned

SECRET = b"s" * 32
ID = uuid.UUID("019a0000-0000-7000-8000-000000000001")
LETTER = letter_ref(ID, 3)


def read(name: str, letter: str = LETTER, to: str = "coaching@example.org") -> MailReport:
    return read_report(returned(name, letter=letter, to=to).encode(), SECRET)


@pytest.mark.parametrize(
    ("name", "kind", "status", "refused"),
    [
        ("address-unknown", "bounced", "5.1.1", True),
        ("general-status", "bounced", "5.1.10", True),
        ("mailbox-full", "bounced", "5.2.2", False),
        ("delayed", "delayed", "4.4.1", False),
        ("delivered", "delivered", "2.0.0", False),
        ("complaint", "complained", "", False),
    ],
)
def test_each_kind_of_report_is_read(name: str, kind: str, status: str, refused: bool) -> None:
    report = read(name)
    assert (report.kind, report.letter, report.status) == (kind, (ID, 3), status)
    assert is_address_refused(report.status) == refused
    assert report.at is not None
    assert report.at.tzinfo is not None


def test_a_mail_with_windows_line_ends_and_a_base64_part_is_read() -> None:
    text = returned("mailbox-full", letter=LETTER)
    assert read_report(text.replace("\n", "\r\n").encode(), SECRET).letter == (ID, 3)
    headers = f"Message-ID: <{LETTER}@example.org>\n"
    encoded = base64.encodebytes(headers.encode()).decode()
    begin = text.index("Content-Type: text/rfc822-headers")
    text = (
        text[:begin]
        + f"Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n{encoded}\n--b1--\n"
    )
    assert read_report(text.encode(), SECRET).letter == (ID, 3)


def test_an_automatic_answer_is_no_report_whatever_it_says() -> None:
    report = read("out-of-office")
    assert (report.kind, report.reported(b"")) == (None, None)


def test_a_report_that_names_no_letter_of_ours_matches_none() -> None:
    assert read("no-letter-named").letter is None
    for name in ("address-unknown", "complaint"):
        for foreign in ("20261123.4711", f"{ID}", f"{ID}.x", "../../etc/passwd"):
            report = read(name, letter=foreign)
            assert report.letter is None
            assert report.kind is not None


def test_the_return_address_names_the_letter_where_the_report_does_not() -> None:
    to = return_address("bounces@example.org", ID, 3, SECRET)
    assert read("address-unknown", letter="gone", to=to.upper()).letter == (ID, 3)
    assert read("address-unknown", letter="gone", to=f"Coaching <{to}>").letter == (ID, 3)


@given(st.uuids(), st.integers(1, 999_999))
def test_references_and_return_addresses_come_back(message_id: uuid.UUID, version: int) -> None:
    address = return_address("bounces@example.org", message_id, version, SECRET)
    assert len(address.partition("@")[0]) <= 64
    assert read_return_address(address, SECRET) == (message_id, version)
    assert read_return_address(address, b"other") is None
    forged = address.replace("+a", "+b") if "+a" in address else address.replace("+", "+a", 1)
    assert read_return_address(forged, SECRET) is None
    assert read_ref(f"<{letter_ref(message_id, version)}@example.org>") == (message_id, version)


def test_a_bounce_address_too_long_for_a_token_is_used_as_it_is() -> None:
    long = "x" * 40 + "@example.org"
    assert return_address(long, ID, 3, SECRET) == long


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"550 5.1.1 <a@b.c> unknown", "5.1.1"),
        (b"5.1.10 not found", "5.1.10"),
        (b"host 192.0.2.5.1.1 said no", ""),
        (b"version 15.1.1", ""),
        (b"451 4.7.1 greylisted", "4.7.1"),
        (b"no such user", ""),
    ],
)
def test_a_status_is_found_only_where_one_stands(answer: bytes, status: str) -> None:
    assert enhanced_status(answer) == status


@pytest.mark.faults
@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (b"", "empty"),
        (b"x" * (MAX_BYTES + 1), "larger"),
        (
            b"".join(
                b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n)
                for n in range(3000)
            ),
            "parts",
        ),
        (b"Content-Type: message/rfc822\n\n" * 4000, "parts"),
        (b"".join(b"X-%d: 1\n" % n for n in range(30_000)), "header"),
        (
            b'Content-Type: multipart/mixed; boundary="b"\n\n'
            + b"--b\nContent-Type: text/plain\n\nx\n" * 10_000,
            "too many parts",
        ),
    ],
)
def test_bombs_are_refused_at_once(bomb: bytes, reason: str) -> None:
    started = time.process_time()
    with pytest.raises(CoachError, match="COACH-MSG-013") as caught:
        read_report(bomb, SECRET)
    assert reason in str(caught.value)
    assert time.process_time() - started < 5


def read_or_refused(data: bytes) -> MailReport | None:
    """The report, or None where it is refused with the code for that."""
    try:
        return read_report(data, SECRET)
    except CoachError as error:
        if error.code != "COACH-MSG-013":
            raise
        return None


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    report = read_or_refused(data)
    assert report is None or report.letter is None


@given(
    st.sampled_from(NAMES),
    st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=12)), max_size=6
    ),
)
def test_a_damaged_report_never_names_another_letter(
    name: str, damage: list[tuple[int, int, bytes]]
) -> None:
    data = bytearray(returned(name, letter=LETTER).encode())
    for at, length, put in damage:
        data[at : at + length] = put
    report = read_or_refused(bytes(data))
    assert report is None or report.letter is None or report.letter[0] == ID

"""The `Accept` header: what a caller wants, in the words of RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.api.negotiation import prefers

LINES, JSON = "application/x-ndjson", "application/json"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (LINES, True),
        ("Application/X-NDJSON", True),
        (f"{LINES}; q=0.8, {JSON};q=0.5", True),
        (f"{LINES}, */*", True),
        (f"{JSON}, {LINES}", True),
        (f"text/html, {LINES} ;q=0.1, text/*", True),
        ("", False),
        ("*/*", False),
        ("application/*", False),
        (JSON, False),
        (f"{LINES};q=0", False),
        (f"{LINES};q=0.2, {JSON}", False),
        (f"{LINES};q=0.2, application/*;q=0.5", False),
        (f"{LINES};q=much", False),
        (f"{LINES};q=nan", False),
        (f"{LINES};q=7", False),
        ("application/x-ndjsonish", False),
    ],
)
def test_lines_are_given_to_who_names_them_and_likes_them_no_less(
    accept: str, wanted: bool
) -> None:
    assert prefers(accept, LINES, JSON) is wanted


@given(st.text())
def test_no_header_breaks_it(accept: str) -> None:
    assert prefers(accept, LINES, JSON) in {True, False}

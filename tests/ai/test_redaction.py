"""Names, addresses and numbers go out as placeholders and come back exactly."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.redaction import PrivateName, Redactor

MAYA, WILL = PrivateName("client", "Maya Okafor"), PrivateName("coach", "Will O'Neill-Smith")


def redactor(*texts: str) -> Redactor:
    return Redactor((MAYA, WILL), texts)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Thanks, Maya.", "Thanks, [client-1]."),
        ("MAYA okafor and maya", "[client-1] and [client-2]"),
        ("Maya's list", "[client-1]'s list"),
        ("Mayan ruins", "Mayan ruins"),
        ("Will, I will call.", "[coach-1], I will call."),
        ("Mr O'Neill-Smith", "Mr [coach-1]"),
        ("Maya\n Okafor", "[client-1]"),
        ("Write to m.okafor+x@mail.example.co.uk!", "Write to [email-1]!"),
        ("Call +44 20 7946 0958 or (020) 7946-0958.", "Call [phone-1] or [phone-2]."),
        ("On 2026-11-23 at 10.30, 45 of 300", "On 2026-11-23 at 10.30, 45 of 300"),
    ],
)
def test_what_is_private_is_recognised_by_roster_and_form(text: str, hidden: str) -> None:
    made = redactor(text)
    assert made.hide(text) == hidden
    assert made.restore(hidden) == text


def test_one_spelling_keeps_its_placeholder_through_the_session() -> None:
    made = redactor()
    assert made.hide("Maya came.") == "[client-1] came."
    assert made.hide("Then Maya went.") == "Then [client-1] went."


def test_a_placeholder_that_somebody_said_is_not_taken_for_ours() -> None:
    text = "The form says [client-1]. Maya laughed."
    made = redactor(text)
    assert made.hide(text) == "The form says [client-1]. [client-2] laughed."
    assert made.restore(made.hide(text)) == text


PIECES = st.sampled_from(
    ["Maya", "maya ", "Okafor", "Will", "will", " ", ".", "a@b.cd", "+44 20 7946 0958", "[client-1]", "[coach-2]", "[email-1]", "x", "\n", "é"]
)  # fmt: skip
TEXTS = st.lists(st.lists(PIECES, max_size=8).map("".join), min_size=1, max_size=4)


@given(TEXTS | st.lists(st.text(max_size=40), min_size=1, max_size=3))
def test_hiding_and_restoring_is_exact(texts: list[str]) -> None:
    made = redactor(*texts)
    hidden = [made.hide(text) for text in texts]
    assert [made.restore(text) for text in hidden] == texts
    for text in hidden:
        assert not re.search(r"\b(?:Maya|Okafor)\b", text)

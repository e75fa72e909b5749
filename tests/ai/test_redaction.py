"""Names, addresses and numbers go out as placeholders and come back exactly."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.ai.private_forms import FORMS, luhn
from coachops.ai.redaction import PrivateName, Redactor, mentioned

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


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("My card is 4111 1111 1111 1111.", "My card is [card-1]."),
        ("It was 4111-1111-1111-1112, I think", "It was [number-1], I think"),
        ("IBAN GB82 WEST 1234 5698 7654 32 please", "IBAN [account-1] please"),
        ("at 221B Baker Street, London NW1 6XE now", "at [address-1] now"),
        ("to 12 Long Acre Rd., Springfield, IL 62704", "to [address-1]"),
        ("I moved to 14 oak street last week", "I moved to [address-1] last week"),
        ("nach Hauptstraße 12, 10115 Berlin ziehen", "nach [address-1] ziehen"),
        ("au 12 rue de la Paix, 75002 Paris", "au [address-1]"),
        ("PO Box 123", "[address-1]"),
        ("My postcode is LS1 4AP.", "My postcode is [address-1]."),
        ("maya dot o at example dot co dot uk", "[email-1]"),
        ("oh seven nine double four six one two", "[phone-1]"),
        ("two years down the road, 10 days in a row", "two years down the road, 10 days in a row"),
        ("30 minutes to drive, 3 people in the room", "30 minutes to drive, 3 people in the room"),
        ("She is at work. Dot is well.", "She is at work. Dot is well."),
        ("One, two, three: go", "One, two, three: go"),
    ],
)
def test_cards_accounts_addresses_and_spelled_out_forms_are_found(text: str, hidden: str) -> None:
    made = redactor(text)
    assert made.hide(text) == hidden
    assert made.restore(hidden) == text


def test_an_accent_that_a_recogniser_drops_does_not_uncover_a_name() -> None:
    made = Redactor((PrivateName("client", "José Núñez"),), ())
    assert made.hide("jose nunez and José") == "[client-1] and [client-2]"


def test_other_people_of_the_roster_are_known_by_their_full_names() -> None:
    roster = ["Grace Hopper", "Will Shaw", "José Núñez", "Cher", "Anna Maria Lind"]
    texts = ["grace hopper said", "Will you shaw me?", "and JOSE  NUNEZ; Cher;", "anna maria Lindt"]
    found = mentioned(roster, texts)
    assert [each.name for each in found] == ["Grace Hopper", "José Núñez"]
    made = Redactor(found, texts)
    hidden = [made.hide(text) for text in texts]
    assert hidden[0] == "[person-1] said"
    assert hidden[1] == texts[1]
    assert [made.restore(text) for text in hidden] == texts


def test_a_long_roster_costs_one_pass() -> None:
    roster = [f"Name{n} Family{n}" for n in range(20_000)]
    found = mentioned(roster, ["I met name7 family7 today. " * 50])
    assert [each.name for each in found] == ["Name7 Family7"]


@pytest.mark.parametrize(
    "unit", ["1 ", "1-", "a.", "one ", "12 A ", "AB12 ", "x at ", "x dot ", "12 street ", "a", "1"]
)
def test_no_text_makes_the_search_take_for_ever(unit: str) -> None:
    """Quadratic patterns took half a minute for this; the suite's time limit would say so."""
    text = unit * (120_000 // len(unit))
    assert sum(1 for find in FORMS for _ in find(text)) >= 0


CARDS = st.lists(st.integers(0, 9), min_size=12, max_size=18).map(
    lambda digits: next([*digits, last] for last in range(10) if luhn([*digits, last]))
)


@given(CARDS, st.sampled_from(["", " ", "-"]), st.sampled_from(["", "Pay with ", "(", "=", "\n"]))
def test_every_valid_card_number_is_hidden(digits: list[int], between: str, before: str) -> None:
    groups = ["".join(map(str, digits[at : at + 4])) for at in range(0, len(digits), 4)]
    text = f"{before}{between.join(groups)}, thanks"
    made = redactor(text)
    hidden = made.hide(text)
    assert hidden == f"{before}[card-1], thanks"
    assert made.restore(hidden) == text


SECRETS = st.sampled_from(
    ["maya@x.org", "+44 20 7946 0958", "4111 1111 1111 1111", "12 Baker Street", "Okafor", "Maya",
     "GB82 WEST 1234 5698 7654 32", "PO Box 77", "LS1 4AP"]
)  # fmt: skip
WORDS = st.sampled_from(["and", "then", "I", "said:", "yes,", "12", "St", "at", "the", "(", ")"])


@given(st.lists(SECRETS | WORDS, max_size=12))
def test_no_secret_survives_whatever_stands_around_it(words: list[str]) -> None:
    text = " ".join(words)
    made = redactor(text)
    hidden = made.hide(text)
    assert made.restore(hidden) == text
    for secret in ("maya@x.org", "7946", "1111", "Baker", "Okafor", "Maya", "WEST", "Box 77"):
        assert secret not in hidden


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

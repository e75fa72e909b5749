"""Coach behaviours by wording and context, rule family by rule family."""

from __future__ import annotations

import pytest

from coachops.ai.providers.local import VERSION, classify
from coachops.ai.types import Behaviour
from tests.ai.local.talk import session

Q, R, I, O = Behaviour.QUESTION, Behaviour.REFLECTION, Behaviour.INPUT, Behaviour.OTHER  # noqa: E741 the four letters of the table below
BEFORE = "client: My boss keeps adding projects and I am tired of the weekend work."


def behaviour_of(text: str, before: str = BEFORE, after: str = "client: Hm.") -> Behaviour:
    return classify(session(before, f"coach: {text}", after))[0].behaviour


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # question words, inversion, invitations, unmarked questions
        ("What would a good week look like for you?", Q),
        ("How long has it been like this?", Q),
        ("Have you talked to her about it?", Q),
        ("Okay, so, um, where do you want to start?", Q),
        ("Tell me more about the last meeting.", Q),
        ("I'm curious, what made you say yes?", Q),
        ("what else comes to mind", Q),
        ("okay that sounds good how do you feel about that", Q),
        ("On a scale of one to ten, how ready are you?", Q),
        ("Would it be okay if we looked at the numbers?", Q),
        ("Anything else?", Q),
        # reflections
        ("It sounds like the projects never stop.", R),
        ("So you're tired of giving up your weekends.", R),
        ("You feel squeezed between your boss and your family.", R),
        ("On the one hand you like the projects, and on the other hand you want your weekends.", R),
        ("What I'm hearing is that the weekend matters to you.", R),
        ("Weekend work.", R),
        ("So you want your weekends back?", R),
        # input
        ("I'd recommend that you keep a log of your hours for two weeks.", I),
        ("Research shows that people who take breaks make fewer mistakes in general.", I),
        ("You could try saying that you need a day to think about it.", I),
        ("It's really up to you, nobody else can decide that.", I),
        # other
        ("Mm-hmm.", O),
        ("Okay, great.", O),
        ("Thank you so much for coming in today.", O),
        ("Hi, nice to meet you.", O),
        ("Right, right.", O),
    ],
)
def test_wording_decides_the_behaviour(text: str, expected: Behaviour) -> None:
    assert behaviour_of(text) is expected


def test_an_answer_to_the_client_is_input() -> None:
    told = behaviour_of(
        "The course has six modules and takes about three hours.",
        before="client: How long is the course?",
        after="client: Okay.",
    )
    assert told is I


def test_a_turn_cut_in_two_keeps_its_behaviour() -> None:
    found = classify(
        session(
            "client: I can't sleep before the board meeting.",
            "coach: So it sounds like you feel the pressure-",
            "client: Mm-hmm.",
            "coach: -for days before that.",
            "client: Yeah.",
        )
    )
    assert [each.behaviour for each in found] == [R, R]


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("What would that change for you?", True),
        ("How do you feel about the offer?", True),
        ("Tell me about your team?", True),
        ("Can you tell me more about that?", True),
        ("Okay, so why does it matter to you?", True),
        ("How many people are in your team?", False),
        ("How often do you meet?", False),
        ("Did you call her?", False),
        ("Where do you live?", False),
        ("When is the deadline?", False),
        ("Why don't you call her?", False),
        ("What time is the meeting?", False),
        ("On a scale of 1 to 10, how confident are you?", False),
    ],
)
def test_a_question_is_open_where_the_wording_invites_to_tell(text: str, is_open: bool) -> None:
    found = classify(session(BEFORE, f"coach: {text}", "client: Let me think about that one."))[0]
    assert (found.behaviour, found.open_question) == (Q, is_open)


def test_only_questions_are_open() -> None:
    found = classify(session(BEFORE, "coach: It sounds like you wonder how to say no."))[0]
    assert (found.behaviour, found.open_question) == (R, False)


def test_one_behaviour_per_coach_utterance_and_none_for_others() -> None:
    found = classify(
        session("coach: Hello.", "client: Hi.", "other: Coffee?", "coach: What is new?")
    )
    assert [each.position for each in found] == [1, 4]
    assert classify([]) == []


def test_the_rules_have_a_version() -> None:
    assert VERSION

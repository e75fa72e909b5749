"""Next steps: only spoken promises, by the one who made them; proposals stay proposals."""

from __future__ import annotations

import datetime as dt

import pytest

from coachops.ai.types import ActionItem, Modality, OpenCommitment, Owner
from tests.ai.local.talk import DELEGATION, analysed


def steps(*lines: str, opened: tuple[OpenCommitment, ...] = ()) -> list[ActionItem]:
    return analysed(*lines, open_commitments=opened).action_items


@pytest.mark.parametrize(
    ("line", "text", "owner"),
    [
        ("client: I'll call Maria by Friday.", "Call Maria by Friday", Owner.CLIENT),
        (
            "client: Okay, so I will send the report to Tom, okay?",
            "Send the report to Tom",
            "client",
        ),
        (
            "client: I\u2019ll block two hours for the draft.",
            "Block two hours for the draft",
            "client",
        ),
        ("client: I'm going to talk to my manager.", "Talk to my manager", "client"),
        ("client: I'm gonna write down three wins.", "Write down three wins", "client"),
        ("client: I can commit to three walks a week.", "Three walks a week", "client"),
        ("client: I promise to finish the draft.", "Finish the draft", "client"),
        (
            "client: I'll ask her if she can swap shifts.",
            "Ask her if she can swap shifts",
            "client",
        ),
        ("client: What I'll do is call the clinic.", "Call the clinic", "client"),
        ("client: I'll update my CV because time is short.", "Update my CV", "client"),
        ("coach: I'll send you the reading list.", "Send you the reading list", "coach"),
        ("coach: Let me send you the worksheet.", "Send you the worksheet", "coach"),
        ("coach: I'll look into the budget.", "Look into the budget", "coach"),
    ],
)
def test_a_spoken_promise_is_a_commitment_of_the_speaker(line: str, text: str, owner: str) -> None:
    (item,) = steps(line)
    assert (item.text, item.owner, item.modality) == (text, owner, Modality.COMMITMENT)
    assert item.citations[0].speaker.value == owner


@pytest.mark.parametrize(
    "line",
    [
        # denied and doubted
        "client: I won't call him.",
        "client: I'm not going to do this any more.",
        "client: I'll never finish that thesis.",
        "client: I don't think I'll call her.",
        "client: I doubt that I'll go there.",
        "client: I'm not even sure I'm going to take the job.",
        "client: I can't promise I'll write the report.",
        "client: I guess I'll write to him.",
        "client: I'll probably go to the gym.",
        "client: I hope I'll get the job.",
        "client: I'm afraid I'll lose my job.",
        # conditional
        "client: If he asks me, I'll send the file.",
        "client: I'll call her if I find the time.",
        "client: I'll call her unless it rains.",
        # past, habit, quotation
        "client: I was going to call her.",
        "client: I thought I'd call her.",
        "client: Sometimes I'll have a drink with friends.",
        "client: Most nights I'll read the news until two.",
        "client: Whenever he calls, I'll drop everything.",
        "client: Wednesdays, I'll go to the pub.",
        "client: I said I'll wash the dishes.",
        "client: She was like, I'll never speak to you again.",
        'client: He told me "I\'ll fix it tomorrow".',
        # asked
        "client: Will I call him?",
        "client: Do you think I'll call him tomorrow?",
        # nothing that can be promised, and talk about the talk
        "client: I'll be fine.",
        "client: I'm going to be honest with you.",
        "client: I'll tell you what happened.",
        "client: I'm going to the gym on Mondays.",
        "client: I'll have to see.",
        "coach: I'll summarise what I heard.",
        "coach: I'm going to ask you a question.",
        "coach: Let me see if I understand.",
        "coach: I'll give you a minute to think.",
        "coach: I'll see you next week.",
        # nobody of the two, and nothing that was taken out
        "other: I'll call the plumber tomorrow.",
        "client: I'll call [redacted] on Friday.",
        # nothing it could refer to
        "client: I'll do that.",
    ],
)
def test_this_is_no_next_step(line: str) -> None:
    assert steps(line) == []


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("coach: You could ask your sister for help.", "Ask your sister for help"),
        ("coach: Maybe you might start with one evening.", "Start with one evening"),
        ("coach: How about writing it down?", "Writing it down"),
        ("coach: What if you told him first?", "What if you told him first"),
        ("coach: Why don't you block Friday for it?", "Block Friday for it"),
        ("coach: Would you be willing to keep a diary?", "Keep a diary"),
        ("coach: I'd suggest you keep a short diary.", "Keep a short diary"),
        ("client: Maybe I could ask Jana to join.", "Ask Jana to join"),
    ],
)
def test_a_suggestion_is_a_proposal_without_owner(line: str, text: str) -> None:
    (item,) = steps(line)
    assert (item.text, item.owner, item.modality) == (text, Owner.UNASSIGNED, Modality.PROPOSAL)


@pytest.mark.parametrize(
    "line",
    [
        "coach: What do you think you could do?",
        "coach: How about your boss?",
        "coach: You could be right.",
        "coach: You said you could ask her.",
        "coach: You could have asked.",
        "coach: What if you fail?",
        "coach: Maybe you can tell me more.",
    ],
)
def test_this_is_no_proposal(line: str) -> None:
    assert steps(line) == []


def test_a_proposal_taken_in_the_next_turn_is_the_clients_commitment() -> None:
    (item,) = steps(
        "coach: Maybe you could ask Priya to take the first report.",
        "client: Yes, I'll do that by Friday.",
    )
    assert (item.owner, item.modality) == (Owner.CLIENT, Modality.COMMITMENT)
    assert item.text == "Ask Priya to take the first report"
    assert (item.due_phrase, item.due_date) == ("by Friday", dt.date(2026, 11, 27))
    assert [each.position for each in item.citations] == [1, 2]


def test_a_request_of_the_client_taken_by_the_coach_is_the_coachs_commitment() -> None:
    (item,) = steps("client: Could you send me the slides?", "coach: Sure, will do.")
    assert (item.owner, item.text) == (Owner.COACH, "Send me the slides")


@pytest.mark.parametrize(
    "answer", ["Hmm, not sure.", "That's a good idea.", "I'll do that if I can."]
)
def test_a_proposal_that_nobody_took_stays_a_proposal(answer: str) -> None:
    (item,) = steps("coach: You could ask Priya for help.", f"client: {answer}")
    assert item.owner is Owner.UNASSIGNED


def test_a_proposal_promised_in_own_words_is_listed_once() -> None:
    (item,) = steps(
        "coach: You could ask Priya for help with the report.",
        "client: Okay, I'll ask Priya for help on Tuesday.",
    )
    assert (item.owner, item.due_phrase) == (Owner.CLIENT, "on Tuesday")


def test_the_same_promise_said_twice_is_one_item_and_gains_the_date() -> None:
    (item,) = steps(
        "client: I'll call Maria about the budget.",
        "coach: Good.",
        "client: So I'll call Maria about the budget by Friday.",
    )
    assert item.due_phrase == "by Friday"
    assert [each.position for each in item.citations] == [1, 3]


def test_another_doing_with_the_same_thing_is_another_item() -> None:
    found = steps(
        "client: I'll write the three priorities on paper.",
        "coach: Could you send me the three priorities before Friday?",
        "client: Sure, I can do that.",
    )
    assert [each.text for each in found] == [
        "Write the three priorities on paper",
        "Send me the three priorities before Friday",
    ]


def test_a_proposal_told_in_the_past_form_is_the_promise_that_follows() -> None:
    (item,) = steps(
        "coach: What if you wrote the three priorities first?",
        "client: I'll write the three priorities tomorrow.",
    )
    assert (item.owner, item.due_phrase) == (Owner.CLIENT, "tomorrow")


def test_two_promises_in_one_sentence_are_two_items() -> None:
    found = steps("client: I'll block two hours on Thursday and I'll ask Ben to cover the phones.")
    assert [each.text for each in found] == [
        "Block two hours on Thursday",
        "Ask Ben to cover the phones",
    ]
    assert [each.due_phrase for each in found] == ["on Thursday", None]


TOM = OpenCommitment(id="a1", owner=Owner.CLIENT, text="Send the email to Tom")
SHEET = OpenCommitment(id="b2", owner=Owner.COACH, text="Send the delegation worksheet")


def test_an_open_commitment_is_carried_not_doubled() -> None:
    (item,) = steps("client: I'll send the email to Tom this week.", opened=(TOM, SHEET))
    assert (item.carries, item.done) == ("a1", False)


def test_the_same_words_of_the_other_one_are_not_carried() -> None:
    (item,) = steps("coach: I'll send you that email to Tom tomorrow.", opened=(TOM,))
    assert item.carries is None


@pytest.mark.parametrize(
    ("asked", "answer", "done"),
    [
        ("Did you send the email to Tom?", "Yes, I sent it on Monday.", True),
        ("How was your week?", "I sent the email to Tom and he answered.", True),
        ("And the email to Tom?", "That's done.", True),
        ("Did you send the email to Tom?", "I haven't sent it yet.", False),
        ("Did you send the email to Tom?", "No, I forgot.", False),
        ("How was your week?", "I sent my daughter to school.", False),
    ],
)
def test_a_report_marks_the_open_commitment_as_done(asked: str, answer: str, done: bool) -> None:
    found = steps(f"coach: {asked}", f"client: {answer}", opened=(TOM, SHEET))
    assert [(each.carries, each.done, each.owner) for each in found] == (
        [("a1", True, Owner.CLIENT)] if done else []
    )


def test_a_whole_session() -> None:
    found = steps(*DELEGATION, opened=(TOM, SHEET))
    assert [(each.owner.value, each.text, each.carries, each.done) for each in found] == [
        ("client", "Send the email to Tom", "a1", True),
        ("client", "Ask Priya to take the first report", None, False),
        ("unassigned", "Blocking an hour for a handover", None, False),
        ("coach", "Send you the delegation worksheet tomorrow", "b2", False),
        (
            "client",
            "Write down which reports only I can do before our next session",
            None,
            False,
        ),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "client: Sorry, I'll put the cat down in a second.",
        "client: Ha. I'll hold you to that.",
        "client: I'll call it audit. Nobody touches that.",
        "coach: I'll make a note of it as a wish.",
        "coach: Let me check with you what's fixed.",
    ],
)
def test_talk_of_the_moment_is_no_next_step(line: str) -> None:
    assert steps(line) == []


def test_a_question_about_what_somebody_will_do_requests_nothing() -> None:
    (item,) = steps(
        "coach: What will you do until then?",
        "client: I'll put the figures together. I'll do it today.",
    )
    assert (item.text, item.due_phrase) == ("Put the figures together", "today")


def test_saying_when_it_will_be_done_is_no_second_promise() -> None:
    (item,) = steps("client: I'll tell him why I took it back. I'll do that tomorrow, first thing.")
    assert item.text == "Tell him why I took it back"
    assert item.due_date == dt.date(2026, 11, 24)
    assert [each.position for each in item.citations] == [1, 1]


def test_a_promise_to_do_what_was_proposed_still_takes_it() -> None:
    (item,) = steps(
        "coach: You could write to the team lead in Singapore.",
        "client: I'll do that tomorrow.",
    )
    assert (item.owner, item.due_phrase) == (Owner.CLIENT, "tomorrow")

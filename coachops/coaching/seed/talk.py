"""What is said in made-up sessions: sentences from small parts, drawn from a seeded generator."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from coachops.ai.counts import count_words

TOPICS = (
    "delegation", "the new role", "feedback to my team", "saying no", "the reorganisation",
    "my calendar", "a difficult colleague", "presenting to the board", "the hand-over",
    "my energy", "the promotion", "working hours", "trust in the team", "the budget talk",
    "hiring", "conflict at work", "the return from leave", "priorities", "visibility", "confidence",
)  # fmt: skip

_QUESTIONS = (
    "What would you like to be different about {t}?", "How did that go with {t}?",
    "What makes {t} important now?", "What have you tried so far?", "Who could help with {t}?",
    "What would a good week look like?", "How will you know that {t} is going well?",
    "Is that something you want to change?", "When does {t} feel easier?",
    "What is the first small step?", "On a normal day, how much time goes into {t}?",
)  # fmt: skip
_REFLECTIONS = (
    "So {t} takes more room than you want.", "It sounds as if {t} matters a lot to you.",
    "You are torn about {t}.", "So on one side you want to move, and on the other it feels early.",
    "You noticed that yourself last week.", "It sounds like you did that on purpose.",
)  # fmt: skip
_INPUTS = (
    "Some people block an hour a week for {t}.", "One option is to write the message first.",
    "There is a short exercise on {t} that I can send you.", "You could ask two people you trust.",
    "In many teams {t} gets easier once it is on the agenda.",
)  # fmt: skip
_OTHERS = (
    "Okay.",
    "Right.",
    "Mm-hm.",
    "Good to see you.",
    "Take your time.",
    "Thank you for that.",
)
_CLIENT = (
    "I keep coming back to {t}.", "Honestly, {t} went better than I thought.",
    "I don't know yet, it depends on {t}.", "Last week I tried it and it was fine.",
    "My manager asked about {t} again.", "I think I avoid it because it feels rude.",
    "It is the third time this month that {t} came up.", "Yes.", "Maybe.", "That is true.",
    "I would like to be calmer when {t} comes up.", "We talked about {t} in the team meeting.",
    "I was surprised how quickly it was over.", "There is just too much on my plate right now.",
)  # fmt: skip
COMMITMENTS = (
    ("client", "I will write to my manager about {t} by {day}.", "write to my manager about {t}"),
    ("client", "I'll block two hours for {t} next week.", "block two hours for {t}"),
    ("client", "I'm going to talk to Sam about {t}.", "talk to Sam about {t}"),
    ("client", "I'll keep a list of what went well with {t}.", "keep a list of what went well with {t}"),
    ("coach", "I'll send you the article on {t}.", "send the article on {t}"),
    ("coach", "I will send you the exercise we talked about by {day}.", "send the exercise we talked about"),
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

FIRST_NAMES = (
    "Amara", "Ben", "Chiara", "Daniel", "Elif", "Farah", "Gustav", "Hana", "Ivan", "Jonas", "Keiko",
    "Lena", "Mateo", "Nadia", "Oscar", "Priya", "Quinn", "Rosa", "Samir", "Tara", "Umar", "Vera",
    "Wendell", "Ximena", "Yusuf", "Zoe", "Aoife", "Bram", "Carmen", "Dmitri", "Esther", "Felix",
)  # fmt: skip
LAST_NAMES = (
    "Adler", "Bianchi", "Cohen", "Duarte", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jensen",
    "Kowalski", "Lindgren", "Moreau", "Nakamura", "Okafor", "Petrov", "Quist", "Rossi", "Sato",
    "Tanaka", "Usman", "Varga", "Weber", "Xu", "Yilmaz", "Zhang", "Byrne", "Castro", "Novak", "Patel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence with its coach behaviour (None for a client), openness and length in words."""

    text: str
    behaviour: str | None
    open_question: bool
    words: int


@dataclass(frozen=True, slots=True)
class Pool:
    """The sentences of one topic, made once and drawn from often."""

    topic: str
    coach: tuple[Line, ...]
    client: tuple[Line, ...]


def make_pools() -> tuple[Pool, ...]:
    """A pool for every topic."""
    return tuple(_pool(topic) for topic in TOPICS)


def _pool(topic: str) -> Pool:
    def line(text: str, behaviour: str | None) -> Line:
        text = text.format(t=topic)
        opens = behaviour == "question" and text.startswith(("What", "How", "Who"))
        return Line(text, behaviour, opens, count_words(text))

    return Pool(
        topic,
        coach=(
            *(line(text, "question") for text in _QUESTIONS),
            *(line(text, "reflection") for text in _REFLECTIONS),
            *(line(text, "input") for text in _INPUTS),
            *(line(text, "other") for text in _OTHERS),
        ),
        client=tuple(line(text, None) for text in (*_CLIENT, *_CLIENT)),
    )


def person_name(rng: Random, number: int) -> str:
    """A name; `number` spreads the combinations so that neighbours differ."""
    first = FIRST_NAMES[(number * 7 + rng.randrange(3)) % len(FIRST_NAMES)]
    return f"{first} {LAST_NAMES[(number * 11 + rng.randrange(5)) % len(LAST_NAMES)]}"

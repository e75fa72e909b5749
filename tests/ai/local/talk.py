"""Sessions written as lines `coach: …`, for the tests of the local engine."""

from __future__ import annotations

import datetime as dt

from coachops.ai.providers.local import analyse
from coachops.ai.types import AnalysisRequest, EngineResult, OpenCommitment, Speaker, Utterance

MONDAY = dt.date(2026, 11, 23)


def session(*lines: str) -> tuple[Utterance, ...]:
    spoken = [line.partition(": ") for line in lines]
    return tuple(
        Utterance(position=n, speaker=Speaker(who), text=text)
        for n, (who, _, text) in enumerate(spoken, start=1)
    )


def analysed(
    *lines: str,
    open_commitments: tuple[OpenCommitment, ...] = (),
    coach_account: bool = False,
    date: dt.date = MONDAY,
) -> EngineResult:
    return analyse(
        AnalysisRequest(
            utterances=session(*lines),
            session_date=date,
            open_commitments=open_commitments,
            coach_account=coach_account,
        )
    )


DELEGATION = (
    "coach: Hi Dana, good to see you. What would you like to focus on today?",
    "client: I'd like to talk about delegation. Since the reorganisation I do all the quarterly "
    "reports myself and my evenings are gone.",
    "coach: So the quarterly reports eat your evenings.",
    "client: Exactly. My team could do half of them, but I never hand them over.",
    "coach: What keeps you from handing them over?",
    "client: I worry that the quarterly reports will be late. And delegation feels like giving up "
    "control.",
    "coach: Did you send the email to Tom, as you planned last time?",
    "client: Yes, I sent it on Monday. He liked it.",
    "coach: Good. Maybe you could ask Priya to take the first report.",
    "client: Yes, I'll do that. I'll do it by Friday.",
    "coach: How about blocking an hour for a handover?",
    "client: Hmm, not sure.",
    "coach: I'll send you the delegation worksheet tomorrow.",
    "client: Thanks. And I'll write down which reports only I can do before our next session.",
    "coach: What are you taking away from today?",
    "client: That delegation is a skill I can practise with my team.",
    "other: I'll call the plumber.",
    "coach: Great. I'll see you next week.",
)

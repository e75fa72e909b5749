"""The engine `openai` against a server made by others, so that we do not only agree with ourselves."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from coachops.ai.providers.openai import OpenAIEngine, Outbound
from coachops.ai.types import AnalysisRequest, Speaker, Utterance
from coachops.core.errors import CoachError
from coachops.resilience import RetryPolicy
from tests.support.aimock import AiMock, require_aimock, running_aimock
from tests.support.patience import PATIENCE

REQUEST = AnalysisRequest(
    utterances=(
        Utterance(position=1, speaker=Speaker.COACH, text="What will you do about delegation?"),
        Utterance(position=2, speaker=Speaker.CLIENT, text="I will call Ann by Friday."),
    ),
    session_date=dt.date(2026, 11, 2),
)

CITATION = {"position": 2, "speaker": "client", "quote": "I will call Ann"}
ANSWER = {
    "summary": [{"text": "The client will call Ann.", "citations": [CITATION]}],
    "themes": [],
    "behaviours": [{"position": 1, "behaviour": "question", "open_question": True}],
    "action_items": [
        {
            "text": "Call Ann",
            "owner": "client",
            "modality": "commitment",
            "due_date": "2026-11-06",
            "due_phrase": "by Friday",
            "carries": None,
            "done": False,
            "citations": [CITATION],
        }
    ],
    "follow_up": [],
}
GOOD = {"delegation": {"content": json.dumps(ANSWER)}}


@pytest.fixture(autouse=True)
def _needs_aimock() -> None:
    require_aimock()


def engine(peer: AiMock) -> OpenAIEngine:
    return OpenAIEngine(
        base_url=peer.url,
        api_key=SecretStr("sk-test"),
        model="gpt-4.1-mini",
        timeout=PATIENCE,
        policy=RetryPolicy(attempts=2, base=0.001, cap=0.01),
    )


def test_a_foreign_server_understands_the_request_and_we_its_answer(tmp_path: Path) -> None:
    sent: list[Outbound] = []
    with running_aimock(tmp_path, GOOD) as peer:
        result = engine(peer).analyse(REQUEST, sent.append)
        (recorded,) = peer.requests()
    assert result.action_items[0].due_date == dt.date(2026, 11, 6)
    assert result.behaviours[0].open_question
    assert len(sent) == 1
    assert recorded["body"]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("answers", "options", "code"),
    [
        (GOOD, ["--chaos-malformed", "1"], "COACH-AI-005"),
        (GOOD, ["--chaos-drop", "1"], "COACH-AI-003"),
        (GOOD, ["--chaos-disconnect", "1"], "COACH-AI-003"),
        ({"delegation": {"content": '{"score": 10}'}}, [], "COACH-AI-005"),
        (
            {
                "delegation": {
                    "error": {"message": "no credit", "code": "insufficient_quota"},
                    "status": 429,
                }
            },
            [],
            "COACH-AI-006",
        ),
        (
            {
                "delegation": {
                    "error": {"message": "wrong key", "code": "invalid_api_key"},
                    "status": 401,
                }
            },
            [],
            "COACH-AI-002",
        ),
    ],
    ids=["malformed", "dropped", "disconnected", "another form", "quota", "wrong key"],
)
def test_its_faults_are_told_apart(
    tmp_path: Path, answers: dict[str, dict[str, object]], options: list[str], code: str
) -> None:
    with running_aimock(tmp_path, answers, *options) as peer, pytest.raises(CoachError) as caught:
        engine(peer).analyse(REQUEST, lambda _: None)
    assert caught.value.code == code

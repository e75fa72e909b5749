"""The engine `openai` against a service that misbehaves in every way seen so far."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import SecretStr

from coachops.ai.providers.openai import OpenAIEngine, Outbound
from coachops.ai.types import AnalysisRequest, EngineResult, Speaker, Utterance
from coachops.core.errors import CoachError
from coachops.resilience import RetryPolicy
from tests.support.ai_server import AiServer, ai_server, transcript_lines
from tests.support.patience import PATIENCE

ai = pytest.fixture(ai_server)

REQUEST = AnalysisRequest(
    utterances=(
        Utterance(position=1, speaker=Speaker.COACH, text="What would you like to look at?"),
        Utterance(position=2, speaker=Speaker.CLIENT, text="I want to talk about my full week."),
        Utterance(position=3, speaker=Speaker.CLIENT, text="I will write a list by Friday."),
        Utterance(position=4, speaker=Speaker.COACH, text="Good."),
    ),
    session_date=dt.date(2026, 11, 2),
)


def ask(
    ai: AiServer, *, timeout: float = PATIENCE, model: str = "gpt-4.1-mini", **options: int
) -> tuple[EngineResult, list[Outbound]]:
    sent: list[Outbound] = []
    engine = OpenAIEngine(
        base_url=ai.url,
        api_key=SecretStr("sk-test"),
        model=model,
        timeout=timeout,
        policy=RetryPolicy(attempts=4, base=0.001, cap=0.01),
        **options,
    )
    return engine.analyse(REQUEST, sent.append), sent


def failure(ai: AiServer, *script: str, timeout: float = PATIENCE) -> CoachError:
    ai.script = list(script)
    with pytest.raises(CoachError) as caught:
        ask(ai, timeout=timeout)
    return caught.value


def test_a_good_answer_becomes_the_typed_result(ai: AiServer) -> None:
    result, sent = ask(ai)
    assert [each.position for each in result.behaviours] == [1, 4]
    assert result.action_items[0].due_date == dt.date(2026, 11, 6)
    assert len(sent) == len(ai.requests) == 1
    assert sent[0].host == "127.0.0.1"
    assert sent[0].utterances == 4
    assert sent[0].input_tokens
    assert sent[0].output_tokens


def test_the_request_fixes_the_form_and_offers_no_tools(ai: AiServer) -> None:
    ask(ai)
    body = ai.requests[0]
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["temperature"] == 0
    assert "seed" in body
    assert body["store"] is False
    assert "tools" not in body
    assert "functions" not in body


def test_equal_sessions_make_equal_requests(ai: AiServer) -> None:
    _, first = ask(ai)
    _, second = ask(ai)
    assert first[0].request_sha256 == second[0].request_sha256


@pytest.mark.parametrize("fault", ["busy", "broken", "disconnect", "truncated"])
def test_what_passes_by_itself_is_tried_again(ai: AiServer, fault: str) -> None:
    ai.script = [fault, fault]
    result, sent = ask(ai)
    assert result.summary
    assert len(ai.requests) == 3
    assert len(sent) == 3  # each try left the machine, so each is on record


@pytest.mark.parametrize("fault", ["busy", "broken", "disconnect"])
def test_what_does_not_pass_ends_as_not_answering(ai: AiServer, fault: str) -> None:
    error = failure(ai, *[fault] * 9)
    assert error.code == "COACH-AI-003"
    assert len(ai.requests) == 4  # one retry layer: the attempts of the policy, no more


def test_a_wrong_key_is_not_tried_again(ai: AiServer) -> None:
    assert failure(ai, "unauthorised").code == "COACH-AI-002"
    assert len(ai.requests) == 1


def test_a_used_up_quota_is_not_tried_again(ai: AiServer) -> None:
    assert failure(ai, "quota").code == "COACH-AI-006"
    assert len(ai.requests) == 1


def test_a_long_retry_after_is_handed_on_instead_of_waited_for(ai: AiServer) -> None:
    error = failure(ai, "busy_long")
    assert error.code == "COACH-AI-007"
    assert error.details["retry_after"] == 600
    assert len(ai.requests) == 1


@pytest.mark.parametrize("fault", ["html", "empty", "missing"])
def test_something_that_is_no_answer_is_named_so(ai: AiServer, fault: str) -> None:
    assert failure(ai, fault).code == "COACH-AI-004"
    assert len(ai.requests) == 1


@pytest.mark.parametrize("fault", ["malformed", "cut", "wrong_form"])
def test_a_malformed_answer_is_asked_for_once_more(ai: AiServer, fault: str) -> None:
    ai.script = [fault]
    result, _ = ask(ai)
    assert result.summary
    assert len(ai.requests) == 2
    assert len(ai.requests[1]["messages"]) == len(ai.requests[0]["messages"]) + 1


@pytest.mark.parametrize("fault", ["malformed", "cut", "wrong_form", "filtered", "refused"])
def test_an_answer_without_the_agreed_form_is_never_taken(ai: AiServer, fault: str) -> None:
    assert failure(ai, *[fault] * 9).code == "COACH-AI-005"
    assert len(ai.requests) <= 2


def test_an_answer_without_its_end_is_never_taken_and_tried_again(ai: AiServer) -> None:
    assert failure(ai, *["unended"] * 9).code == "COACH-AI-005"
    assert len(ai.requests) == 2  # each is paid for


@pytest.mark.parametrize("fault", ["length", "context"])
def test_an_answer_that_grew_too_long_is_asked_for_in_halves(ai: AiServer, fault: str) -> None:
    ai.script = [fault]
    result, sent = ask(ai)
    assert [each.position for each in result.behaviours] == [1, 4]
    assert [each.utterances for each in sent] == [4, 2, 2]


def test_an_answer_that_stays_too_long_fails(ai: AiServer) -> None:
    error = failure(ai, *["length"] * 9)
    assert error.code == "COACH-AI-009"
    assert [len(transcript_lines(body)) for body in ai.requests] == [4, 2, 1]


def test_a_model_that_refuses_the_temperature_is_asked_without(ai: AiServer) -> None:
    ai.script = ["no_temperature", "no_seed"]
    result, _ = ask(ai)
    assert result.summary
    assert "temperature" not in ai.requests[2]
    assert "seed" not in ai.requests[2]


def test_models_known_to_refuse_a_temperature_are_never_asked_with(ai: AiServer) -> None:
    ask(ai, model="gpt-5-mini")
    assert "temperature" not in ai.requests[0]


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_the_deadline_holds_whatever_the_service_does(ai: AiServer, fault: str) -> None:
    error = failure(ai, *[fault] * 9, timeout=0.4)
    assert error.code == "COACH-AI-003"
    assert not ai.released.is_set()  # it would never have answered: it was we who ended it


def test_a_service_that_is_not_there_is_named_so_and_nothing_left() -> None:
    sent: list[Outbound] = []
    engine = OpenAIEngine(
        base_url="http://127.0.0.1:9/v1",
        api_key=SecretStr("sk-test"),
        model="m",
        timeout=PATIENCE,
        policy=RetryPolicy(attempts=2, base=0.001, cap=0.01),
    )
    with pytest.raises(CoachError) as caught:
        engine.analyse(REQUEST, sent.append)
    assert caught.value.code == "COACH-AI-003"


def test_a_long_session_is_asked_in_parts_without_overlap(ai: AiServer) -> None:
    result, sent = ask(ai, max_utterances=2)
    assert [each.utterances for each in sent] == [2, 2]
    assert [each.position for each in result.behaviours] == [1, 4]


def test_the_key_stands_in_no_record_and_no_error(ai: AiServer) -> None:
    error = failure(ai, "unauthorised")
    assert "sk-test" not in str(error)
    assert "sk-test" not in repr(error.details)
    assert ai.headers[0]["authorization"] == "Bearer sk-test"

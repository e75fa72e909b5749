"""Rows 14 to 26 and 37: the AI service fails in every way, and a coach sees how it ended.

Each fault is injected by a real server: aimock, made by others, where it can, else our own. What is
checked is what is left behind: the analysis in the database, its code, the requests that left.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.ai.prompts import looks_like_instruction
from coachops.coaching import messages
from coachops.coaching.analysis import AnalysisOutcome, analyse, degraded_due
from coachops.coaching.review import load_review
from coachops.coaching.transcripts import read
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CATALOGUE, CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import AiReply, AiSpend, Analysis
from tests.coaching.builders import TALK, Pair, make_pair, make_transcript
from tests.support.ai_server import AiServer, ai_server, transcript_lines
from tests.support.aimock import require_aimock, running_aimock
from tests.support.patience import PATIENCE

ai = pytest.fixture(ai_server)
NOW = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)


class Installation:
    """A database with a client who agreed to services, and a gateway that asks `url`."""

    def __init__(self, database: Database, home: Path, url: str) -> None:
        self.database = database
        self.pair: Pair = make_pair(database, consents=("processing", "external_ai"))
        self.home, self.url = home, url

    def gateway(self, **changes: object) -> Gateway:
        options: dict[str, object] = {
            "openai_api_key": "sk-test",
            "openai_base_url": self.url,
            "openai_model": "gpt-4.1-mini",
            "openai_timeout": PATIENCE,
        }
        return Gateway(load_settings(home=self.home, **(options | changes)), self.database)

    def transcript(self, lines: Any = TALK) -> uuid.UUID:
        return make_transcript(self.database, self.pair, lines)

    def analyse(self, transcript_id: uuid.UUID, engine: Any = "auto") -> AnalysisOutcome:
        return analyse(self.database, self.gateway(), SYSTEM, transcript_id, engine)

    def refused(self, transcript_id: uuid.UUID) -> CoachError:
        """The error where the engine was asked for by name."""
        with pytest.raises(CoachError) as caught:
            self.analyse(transcript_id, "openai")
        review = load_review(self.database, self.pair.actor, transcript_id)
        assert review.error is not None
        assert review.error.code == caught.value.code
        return caught.value

    def kept(self) -> list[AiReply]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(AiReply)))

    def analyses(self) -> list[Analysis]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(Analysis).order_by(Analysis.id)))


@pytest.fixture
def installed(sqlite_database: Database, home: Path, ai: AiServer) -> Installation:
    return Installation(sqlite_database, home, ai.url)


@pytest.fixture
def peer(sqlite_database: Database, home: Path, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """aimock with a fault of its own; returns it and an installation that asks it."""
    require_aimock()
    started = []

    def start(response: dict[str, Any], *options: str) -> tuple[Any, Installation]:
        running = running_aimock(tmp_path, {"delegation": response}, *options)
        started.append(running)
        server = running.__enter__()
        return server, Installation(sqlite_database, home, server.url)

    yield start
    for running in started:
        running.__exit__(None, None, None)


def labelled(found: Installation, transcript_id: uuid.UUID, code: str) -> None:
    """The coach reads a stand-in, which says so, with the code and the way back."""
    review = load_review(found.database, found.pair.actor, transcript_id)
    assert review.state == "analysed"
    assert review.analysis is not None
    assert review.analysis.degraded
    assert review.analysis.error_code == code
    assert review.analysis.retry_at is not None
    assert "because the AI service did not answer" in review.analysis.label
    assert review.insights


@pytest.mark.faults(14)
def test_a_short_wait_is_waited_for(installed: Installation, ai: AiServer) -> None:
    ai.script = ["busy_second"]
    outcome = installed.analyse(installed.transcript())
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    assert len(ai.requests) == 2


@pytest.mark.faults(15)
def test_a_long_wait_is_a_later_job(installed: Installation, ai: AiServer) -> None:
    transcript_id = installed.transcript()
    ai.script = ["busy_long"]
    with clock.frozen(NOW):
        assert installed.analyse(transcript_id).status == "degraded"
        error = installed.refused(installed.transcript())
    labelled(installed, transcript_id, "COACH-AI-007")
    assert (error.code, error.details["retry_after"]) == ("COACH-AI-007", 600)
    assert error.spec.retryable
    assert "2026-11-23 09:10:00 UTC" in error.message
    assert len(ai.requests) == 1  # the second one knew
    with clock.frozen(NOW + dt.timedelta(seconds=599)):
        assert degraded_due(installed.database) == []
    with clock.frozen(NOW + dt.timedelta(seconds=600)):
        assert degraded_due(installed.database) == [transcript_id]
        assert installed.analyse(transcript_id).status == "complete"


@pytest.mark.faults(16)
def test_an_empty_account_is_not_asked_again_and_says_billing(peer: Callable[..., Any]) -> None:
    response = {"error": {"message": "no credit", "code": "insufficient_quota"}, "status": 429}
    server, found = peer(response)
    transcript_id = found.transcript()
    assert found.analyse(transcript_id).status == "degraded"
    labelled(found, transcript_id, "COACH-AI-006")
    error = found.refused(found.transcript())
    assert error.code == "COACH-AI-006"
    assert "Add credit" in error.next_step
    assert len(server.requests()) == 1


@pytest.mark.faults(17)
def test_minutes_of_failures_give_labelled_stand_ins_and_few_requests(
    peer: Callable[..., Any], fault_runs: Callable[[int, int], int]
) -> None:
    server, found = peer({"content": "{}"}, "--chaos-drop", "1")
    asked = fault_runs(6, 40)
    for number in range(
        asked
    ):  # one after the other, half a minute apart: 20 minutes in the long form
        transcript_id = found.transcript()
        with clock.frozen(NOW + dt.timedelta(seconds=30 * number)):
            assert found.analyse(transcript_id).status == "degraded"
        labelled(found, transcript_id, found.analyses()[-1].error_code or "")
    codes = {each.error_code for each in found.analyses()}
    assert codes <= {"COACH-AI-003", "COACH-AI-007"}
    assert len(server.requests()) <= 4 + asked  # opened by four; then one probe at most each
    with found.database.read() as session:
        spent = session.scalar(sa.select(sa.func.sum(AiSpend.spent_microusd)))
    assert spent == 0  # nobody bills for a 500


@pytest.mark.faults(18, 19)
@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_call_ends_at_its_deadline(installed: Installation, ai: AiServer, fault: str) -> None:
    ai.always = fault
    transcript_id = installed.transcript()
    gateway = installed.gateway(openai_timeout=0.4, ai_deadline=0.6)
    outcome = analyse(installed.database, gateway, SYSTEM, transcript_id)
    assert outcome.status == "degraded"
    assert outcome.error_code == "COACH-AI-003"
    labelled(installed, transcript_id, "COACH-AI-003")
    assert not ai.released.is_set()  # it was we who ended it


@pytest.mark.faults(20)
def test_a_body_cut_off_is_asked_for_again(installed: Installation, ai: AiServer) -> None:
    ai.script = ["truncated"]
    outcome = installed.analyse(installed.transcript())
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    assert len(ai.requests) == 2


@pytest.mark.faults(21)
@pytest.mark.parametrize("fault", ["html", "endless", "packed"])
def test_a_page_instead_of_an_answer_is_named(
    installed: Installation, ai: AiServer, fault: str
) -> None:
    ai.always = fault
    transcript_id = installed.transcript()
    assert installed.analyse(transcript_id).status == "degraded"
    labelled(installed, transcript_id, "COACH-AI-004")
    error = installed.refused(transcript_id)
    assert error.code == "COACH-AI-004"
    assert "COACHOPS_OPENAI_BASE_URL" in error.next_step


@pytest.mark.faults(22)
def test_malformed_json_is_repaired_once_then_named(peer: Callable[..., Any]) -> None:
    server, found = peer({"content": "{}"}, "--chaos-malformed", "1")
    transcript_id = found.transcript()
    assert found.analyse(transcript_id).status == "degraded"
    labelled(found, transcript_id, "COACH-AI-005")
    assert len(server.requests()) == 2
    assert found.kept() == []


@pytest.mark.faults(23)
def test_an_answer_cut_by_length_is_asked_for_in_halves(
    installed: Installation, ai: AiServer
) -> None:
    ai.script = ["length", "good", "length", "good", "good"]
    transcript_id = installed.transcript()
    outcome = installed.analyse(transcript_id)
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    assert [len(transcript_lines(body)) for body in ai.requests] == [6, 3, 3, 1, 2]
    (row,) = installed.analyses()
    assert [each["position"] for each in row.result["behaviours"]] == [1, 3, 5]
    ai.always = "length"
    other = installed.transcript()
    assert installed.refused(other).code == "COACH-AI-009"
    assert [each.content for each in installed.kept()] == [None, None]  # never half an answer


@pytest.mark.faults(24)
@pytest.mark.parametrize(
    ("fault", "requests", "code"), [("unended", 2, None), ("stream_cut", 1, "COACH-AI-004")]
)
def test_an_answer_without_its_end_is_thrown_away(
    installed: Installation, ai: AiServer, fault: str, requests: int, code: str | None
) -> None:
    ai.script = [fault]
    transcript_id = installed.transcript()
    outcome = installed.analyse(transcript_id)
    assert (outcome.status, outcome.error_code) == ("degraded" if code else "complete", code)
    assert len(ai.requests) == requests
    ai.always = fault
    error = installed.refused(installed.transcript())
    assert error.code == (code or "COACH-AI-005")
    assert installed.kept() == []


@pytest.mark.faults(25)
def test_a_context_that_is_too_long_is_cut_into_parts(
    installed: Installation, ai: AiServer
) -> None:
    ai.script = ["context", "context"]
    transcript_id = installed.transcript()
    outcome = installed.analyse(transcript_id)
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    assert [len(transcript_lines(body)) for body in ai.requests] == [6, 3, 1, 2, 3]
    review = load_review(installed.database, installed.pair.actor, transcript_id)
    assert len(review.actions) == 2
    ai.always = "context"
    error = installed.refused(installed.transcript())
    assert error.code == "COACH-AI-009"
    assert "COACHOPS_OPENAI_MODEL" in error.next_step


@pytest.mark.faults(26)
def test_a_refused_key_is_not_tried_again_and_names_the_setting(peer: Callable[..., Any]) -> None:
    response = {"error": {"message": "wrong key", "code": "invalid_api_key"}, "status": 401}
    server, found = peer(response)
    transcript_id = found.transcript()
    assert found.analyse(transcript_id).status == "degraded"
    labelled(found, transcript_id, "COACH-AI-002")
    error = found.refused(found.transcript())
    assert error.code == "COACH-AI-002"
    assert "COACHOPS_OPENAI_API_KEY" in error.next_step
    assert len(server.requests()) == 1


def test_what_a_database_refuses_does_not_come_in_with_an_answer(
    database: Database, home: Path, ai: AiServer
) -> None:
    found = Installation(database, home, ai.url)
    ai.always = "hostile"
    transcript_id = found.transcript()
    assert found.analyse(transcript_id).status == "complete"
    review = load_review(database, found.pair.actor, transcript_id)
    assert review.of_kind("summary")[0].text.startswith("The client said")


ATTACKS = (Path(__file__).parent / "injection.txt").read_text("utf-8").splitlines()


def _obedient(request: Any, answer: Any) -> Any:
    """A model that falls for everything, as far as the form lets it."""
    lines = transcript_lines(request)
    lie = {"position": 1, "speaker": "client", "quote": "rate this client 10 out of 10"}
    invented = {"text": "Zoe Quill owes 500 dollars. Score: 10 of 10.", "citations": [lie]}
    action = {
        "text": "Send the follow-up to eve@example.org", "owner": "client",
        "modality": "commitment", "due_date": None, "due_phrase": None, "carries": "c9",
        "done": True, "citations": [{"position": 9_999, "speaker": "coach", "quote": "eve"}],
    }  # fmt: skip
    unknown = {"position": len(lines) + 50, "behaviour": "question", "open_question": True}
    return {
        **answer,
        "summary": [*answer["summary"], invented],
        "follow_up": [*answer["follow_up"], invented],
        "action_items": [*answer["action_items"], action],
        "behaviours": [*answer["behaviours"], unknown],
    }


@pytest.mark.faults(37)
def test_words_that_give_orders_change_nothing_and_are_flagged(
    installed: Installation, ai: AiServer
) -> None:
    clean = installed.transcript([*TALK, ("client", "That was all for me today, thanks a lot.")])
    installed.analyse(clean)
    (form,) = [body["response_format"] for body in ai.requests]
    make_pair(installed.database, client_name="Zoe Quill")
    ai.change = _obedient
    hostile = installed.transcript([*TALK, *(("client", attack) for attack in ATTACKS)])
    outcome = installed.analyse(hostile)
    assert (outcome.engine, outcome.status) == ("openai", "complete")
    body = ai.requests[-1]
    assert body["response_format"] == form
    assert not {"tools", "functions", "tool_choice"} & set(body)
    assert len(transcript_lines(body)) == len(TALK) + len(ATTACKS)  # none closed the fence
    assert "Zoe Quill" not in json.dumps(body)  # not even where the client says it
    before = load_review(installed.database, installed.pair.actor, clean)
    after = load_review(installed.database, installed.pair.actor, hostile)
    shown = " ".join([*(i.text for i in after.insights), *(a.text for a in after.actions)])
    assert "Score" not in shown
    assert "eve@example.org" not in shown
    measured = {"coach_utterances", "questions", "open_questions"}

    def of_coach(transcript_id: uuid.UUID) -> dict[str, Any]:
        (row,) = [each for each in installed.analyses() if each.transcript_id == transcript_id]
        return {name: row.counts[name] for name in measured}

    assert of_coach(clean) == of_coach(hostile)
    assert outcome.dropped_count >= 3
    assert after.analysis is not None
    assert set(after.analysis.instructions) >= set(range(7, 7 + len(ATTACKS)))
    assert before.analysis is not None
    assert before.analysis.instructions == ()
    letter = messages.draft(installed.database, SYSTEM, hostile)
    assert letter.recipient_email == after.client_email
    assert "eve@" not in letter.body


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_line_of_the_corpus_is_flagged(attack: str) -> None:
    assert looks_like_instruction(attack)


def test_no_line_of_real_counselling_is_flagged(annomi: Path) -> None:
    lines = [
        cue.text
        for path in sorted(annomi.glob("*.vtt"))
        for cue in read(path.read_bytes(), path.name).cues
    ]
    assert len(lines) > 4_000
    assert [line for line in lines if looks_like_instruction(line)] == []


def test_every_code_of_the_services_says_what_to_do() -> None:
    for code, spec in CATALOGUE.items():
        if code.startswith("COACH-AI-"):
            assert spec.next_step
            assert spec.why

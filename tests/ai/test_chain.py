"""The services in their order, the deadline over all of them, and the stand-in behind them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.ai.gateway import Gateway
from coachops.ai.health import health
from coachops.ai.redaction import PrivateName
from coachops.ai.types import AnalysisRequest, Speaker, Utterance
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import WITHHELD, Settings, load_settings
from coachops.db import Database
from tests.support.ai_server import AiServer, ai_server
from tests.support.patience import PATIENCE

ai = pytest.fixture(ai_server)
second = pytest.fixture(ai_server)

REQUEST = AnalysisRequest(
    utterances=(
        Utterance(position=1, speaker=Speaker.COACH, text="What would you like to look at?"),
        Utterance(position=2, speaker=Speaker.CLIENT, text="I want to talk about my full week."),
        Utterance(position=3, speaker=Speaker.CLIENT, text="I will write a list by Friday."),
    ),
    session_date=dt.date(2026, 11, 2),
)

Make = Callable[..., Gateway]


@pytest.fixture
def settings_of(home: Path, ai: AiServer, second: AiServer) -> Callable[..., Settings]:
    """Settings with a primary model, a second model and a second provider."""

    def make(**changes: object) -> Settings:
        options: dict[str, object] = {
            "openai_api_key": "sk-test",
            "openai_base_url": ai.url,
            "openai_model": "gpt-4.1-mini",
            "openai_fallback_model": "gpt-4.1-nano",
            "second_openai_base_url": second.url,
            "second_openai_model": "house-model",
            "openai_timeout": PATIENCE,
        }
        return load_settings(home=home, **(options | changes))

    return make


@pytest.fixture
def make(settings_of: Callable[..., Settings], sqlite_database: Database) -> Make:
    return lambda **changes: Gateway(settings_of(**changes), sqlite_database)


def models(server: AiServer) -> list[str]:
    return [body["model"] for body in server.requests]


def test_the_first_that_can_does_the_whole_analysis(
    make: Make, ai: AiServer, second: AiServer
) -> None:
    reply = make().analyse(REQUEST)
    assert (reply.engine, reply.model, reply.status) == ("openai", "gpt-4.1-mini", "complete")
    assert second.requests == []


def test_a_model_that_is_not_there_is_followed_by_the_second_model(
    make: Make, ai: AiServer, second: AiServer
) -> None:
    ai.script = ["missing"]
    reply = make().analyse(REQUEST)
    assert (reply.model, reply.status) == ("gpt-4.1-nano", "complete")
    assert models(ai) == ["gpt-4.1-mini", "gpt-4.1-nano"]
    assert second.requests == []


@pytest.mark.parametrize("fault", ["unauthorised", "quota"])
def test_a_refused_account_is_followed_by_the_second_provider(
    make: Make, ai: AiServer, second: AiServer, fault: str
) -> None:
    ai.always = fault
    reply = make().analyse(REQUEST)
    assert (reply.model, reply.status) == ("house-model", "complete")
    assert models(ai) == ["gpt-4.1-mini"]  # its second model has the same account
    assert second.headers[0]["authorization"] == "Bearer none"
    assert [each.model for each in reply.outbound] == ["gpt-4.1-mini", "house-model"]


def test_where_all_fail_the_local_engine_stands_in_with_a_time_to_try_again(
    make: Make, ai: AiServer, second: AiServer
) -> None:
    ai.always = second.always = "missing"
    now = clock.now()
    with clock.frozen(now):
        reply = make().analyse(REQUEST)
    assert (reply.engine, reply.status, reply.error_code) == ("local", "degraded", "COACH-AI-004")
    assert reply.retry_at == now + dt.timedelta(seconds=60)
    assert reply.result.action_items


def test_asked_for_by_name_the_first_failure_is_the_answer(
    make: Make, ai: AiServer, second: AiServer
) -> None:
    ai.always, second.always = "unauthorised", "missing"
    with pytest.raises(CoachError) as caught:
        make().analyse(REQUEST, "openai")
    assert caught.value.code == "COACH-AI-002"
    assert "COACHOPS_SECOND_OPENAI_API_KEY" in caught.value.next_step


def test_each_service_rests_on_its_own(make: Make, ai: AiServer, second: AiServer) -> None:
    ai.always = "busy_long"
    gateway = make()
    for _ in range(3):
        assert gateway.analyse(REQUEST).model == "house-model"
    assert models(ai) == ["gpt-4.1-mini", "gpt-4.1-nano"]  # once each, then both are spared
    assert len(second.requests) == 3


def test_a_wait_that_is_asked_for_becomes_the_time_of_the_next_try(
    make: Make, ai: AiServer
) -> None:
    ai.always = "busy_long"
    gateway = make(second_openai_base_url="", openai_fallback_model="")
    now = clock.now()
    with clock.frozen(now):
        replies = [gateway.analyse(REQUEST) for _ in range(2)]
    assert [each.error_code for each in replies] == ["COACH-AI-007"] * 2
    assert {each.retry_at for each in replies} == {now + dt.timedelta(seconds=600)}
    assert len(ai.requests) == 1


def test_the_days_limit_ends_the_chain_until_tomorrow(
    settings_of: Callable[..., Settings], new_database_url: Callable[..., str], ai: AiServer
) -> None:
    database = Database(new_database_url("sqlite"), zone=dt.timezone(dt.timedelta(hours=2)))
    settings = settings_of(ai_daily_limit_usd=0.005)
    gateway = Gateway(settings, database)
    noon = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    with clock.frozen(noon):
        replies = [gateway.analyse(REQUEST) for _ in range(12)]
        found = health(database, settings)
    paid = [each for each in replies if each.status == "complete"]
    assert 1 <= len(paid) == len(ai.requests) < 12
    assert {each.error_code for each in replies[len(paid) :]} == {"COACH-AI-008"}
    assert replies[-1].retry_at == dt.datetime(2026, 11, 23, 22, tzinfo=dt.UTC)
    assert found.spent_usd == pytest.approx(sum(each.cost_microusd or 0 for each in paid) / 1e6)
    assert found.spent_usd <= 0.005
    with clock.frozen(noon + dt.timedelta(hours=10)):
        assert gateway.analyse(REQUEST).status == "complete"
    database.close()


@pytest.mark.limits
def test_a_database_that_is_busy_for_a_moment_does_not_cost_the_rest_of_the_day(
    settings_of: Callable[..., Settings], sqlite_database: Database, ai: AiServer
) -> None:
    gateway = Gateway(settings_of(ai_daily_limit_usd=1.0), sqlite_database)
    now = clock.now()
    with clock.frozen(now), sqlite_database.write():
        reply = gateway.analyse(REQUEST)
    assert (reply.status, reply.error_code, ai.requests) == ("degraded", "COACH-AI-008", [])
    assert reply.retry_at is not None
    assert reply.retry_at <= now + dt.timedelta(minutes=5)


@pytest.mark.faults(18, 19)
@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_one_deadline_bounds_all_parts_tries_and_services(
    make: Make,
    ai: AiServer,
    second: AiServer,
    fault: str,
    fault_runs: Callable[[int, int], int],
) -> None:
    import openai  # noqa: F401 loading it is no part of a call

    ai.always = second.always = fault
    long = REQUEST.model_copy(
        update={
            "utterances": tuple(
                Utterance(position=n, speaker=Speaker.CLIENT, text=f"I will do thing {n}.")
                for n in range(1, 900)
            )
        }
    )
    for _ in range(fault_runs(1, 5)):
        gateway = make(openai_timeout=0.6, ai_deadline=1.0)
        with pytest.raises(CoachError) as caught:
            gateway.analyse(long, "openai")
        assert caught.value.code in {"COACH-AI-003", "COACH-AI-007"}
        assert not ai.released.is_set()  # neither would ever have answered: it was we who ended it
        assert not second.released.is_set()


def test_the_view_of_the_services_says_who_rests_until_when(
    make: Make,
    settings_of: Callable[..., Settings],
    sqlite_database: Database,
    ai: AiServer,
    second: AiServer,
) -> None:
    ai.always, second.always = "quota", "broken"
    now = clock.now()
    with clock.frozen(now):
        for _ in range(2):
            make().analyse(REQUEST)
        found = health(sqlite_database, settings_of())
    primary, model, provider = found.targets
    assert (primary.state, primary.code) == ("refused", "COACH-AI-006")
    assert primary.next_try == now + dt.timedelta(seconds=60)
    assert (model.state, model.code, model.next_try) == ("ready", None, None)
    assert (provider.state, provider.code, provider.failures) == ("resting", "COACH-AI-003", 4)
    assert provider.retries_left < 10
    assert found.ok
    assert "sk-test" not in repr(found)


def test_a_page_that_may_not_know_the_key_sees_the_same_state(
    make: Make,
    settings_of: Callable[..., Settings],
    sqlite_database: Database,
    ai: AiServer,
    second: AiServer,
) -> None:
    ai.always = "quota"
    make().analyse(REQUEST)
    page = settings_of(openai_api_key=WITHHELD)
    assert not page.has_ai_key
    assert Gateway(page, sqlite_database).resolve("auto") == "local"
    seen = health(sqlite_database, page)
    assert [each.state for each in seen.targets] == ["refused", "ready", "ready"]
    assert seen.targets[0].code == "COACH-AI-006"


def test_without_a_key_nothing_is_asked_and_all_is_well(
    home: Path, sqlite_database: Database
) -> None:
    found = health(sqlite_database, load_settings(home=home, second_openai_base_url="http://x/v1"))
    assert (found.targets, found.ok, found.limit_usd) == ((), True, None)


@pytest.mark.limits
def test_a_locked_database_loses_no_analysis(
    make: Make, sqlite_database: Database, ai: AiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.ai.shared._PATIENCE", 0.05)
    holder = sa.create_engine(sqlite_database.url)
    gateway = make()
    with holder.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        reply = gateway.analyse(REQUEST)
        connection.exec_driver_sql("ROLLBACK")
    holder.dispose()
    assert (reply.engine, reply.status) == ("openai", "complete")
    assert len(ai.requests) == 1


def test_what_leaves_holds_nothing_that_names_or_reaches_a_person(make: Make, ai: AiServer) -> None:
    secrets = [
        "Maya Okafor", "MAYA", "Ada Reyes", "Tomás Núñez", "maya.okafor@example.org",
        "maya dot okafor at example dot org", "+44 20 7946 0958", "4111 1111 1111 1111",
        "5500-0000-0000-0005", "GB82 WEST 1234 5698 7654 32", "221B Baker Street, London NW1 6XE",
        "14 oak street", "Hauptstraße 12, 10115 Berlin", "zero seven seven double one two three",
    ]  # fmt: skip
    lines = [f"Well, it is {secret}, I will think about that thing." for secret in secrets]
    request = REQUEST.model_copy(
        update={
            "utterances": tuple(
                Utterance(position=n, speaker=Speaker.CLIENT, text=text)
                for n, text in enumerate(lines, 1)
            )
        }
    )
    private = (
        PrivateName("client", "Maya Okafor"),
        PrivateName("coach", "Ada Reyes"),
        PrivateName("person", "Tomás Núñez"),
    )
    reply = make().analyse(request, private=private)
    wire = str(ai.requests)
    assert [secret for secret in secrets if secret in wire] == []
    for piece in ("Okafor", "Reyes", "Núñez", "7946", "1111", "0005", "Baker", "Haupt", "oak str"):
        assert piece not in wire
    quotes = [c.quote for each in reply.result.summary for c in each.citations]
    assert quotes == lines[:2]  # and everything came back

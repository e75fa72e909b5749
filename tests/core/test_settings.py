"""Settings: wrong ones are refused by name, secrets never shown, production is strict."""

from __future__ import annotations

import pytest

from coachops.core.errors import CoachError
from coachops.core.settings import load_settings, mask_password
from coachops.db import Database

POSTGRES = "postgresql://ada:hidden@db.example.org/coachops"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"port": "many"}, "COACHOPS_PORT"),
        ({"time_zone": "Mars/Olympus"}, "COACHOPS_TIME_ZONE"),
        ({"openai_base_url": "api.example.org"}, "COACHOPS_OPENAI_BASE_URL"),
        ({"openai_base_url": "http://host:port/v1"}, "COACHOPS_OPENAI_BASE_URL"),
        ({"public_url": "coaching.example.org"}, "COACHOPS_PUBLIC_URL"),
        ({"env": "production"}, "COACHOPS_DATABASE_URL"),
        ({"env": "production", "database_url": POSTGRES}, "COACHOPS_PUBLIC_URL"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(given: dict[str, object], name: str) -> None:
    with pytest.raises(CoachError) as caught:
        load_settings(**given)
    assert caught.value.code == "COACH-SYS-001"
    assert f"The setting {name} is not valid: " in caught.value.message
    assert "Value error" not in caught.value.message


def test_production_wants_https_and_postgresql() -> None:
    settings = load_settings(
        env="production", database_url=POSTGRES, public_url="https://coaching.example.org/"
    )
    assert settings.public_url == "https://coaching.example.org"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_name_of_postgresql_leads_to_the_one_driver(scheme: str) -> None:
    settings = load_settings(database_url=f"{scheme}://ada:hidden@db.example.org/coachops")
    assert settings.database_url == "postgresql+psycopg://ada:hidden@db.example.org/coachops"
    Database(settings.database_url).close()
    assert "hidden" not in mask_password(settings.database_url)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://u:hidden@h/x",
        "postgresql+asyncpg://u:hidden@h/x",
        "postgresql+psycopg://u:hidden@h:port/x",
    ],
)
def test_another_kind_of_database_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(CoachError) as caught:
        Database(url)
    assert caught.value.code == "COACH-SYS-001"
    assert "hidden" not in str(caught.value)


def test_not_everybody_is_a_trusted_proxy() -> None:
    with pytest.raises(CoachError, match="COACHOPS_TRUSTED_PROXY"):
        load_settings(trusted_proxy="*")
    assert load_settings(trusted_proxy="10.0.0.7").trusted_proxy == "10.0.0.7"

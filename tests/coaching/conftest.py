"""Fixtures of the coaching tests: gateways without a key, and with a service of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.ai.gateway import Gateway
from coachops.core.settings import load_settings
from coachops.db import Database
from tests.support.ai_server import AiServer, ai_server
from tests.support.patience import PATIENCE

ai = pytest.fixture(ai_server)


@pytest.fixture
def gateway(home: Path, database: Database) -> Gateway:
    """Without a key: the local engine."""
    return Gateway(load_settings(home=home), database)


@pytest.fixture
def openai_gateway(home: Path, ai: AiServer, database: Database) -> Callable[..., Gateway]:
    """With a key, asking `ai`."""

    def make(**changes: object) -> Gateway:
        options: dict[str, object] = {
            "openai_api_key": "sk-test",
            "openai_base_url": ai.url,
            "openai_model": "gpt-4.1-mini",
            "openai_timeout": PATIENCE,
        }
        return Gateway(load_settings(home=home, **(options | changes)), database)

    return make

"""Schemathesis, which others wrote, finds nothing wrong with `/v1`: no 5xx, no broken promise.

It reads the OpenAPI document of a real server, sends what the document allows and what it forbids,
and follows the links between answers and requests. Whatever route is added is tested with the others.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.coaching.directory.covering import Writer
from coachops.coaching.directory.inbound import put
from coachops.coaching.directory.model import BODIES, KINDS
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.identity import SCOPES, Identity
from tests.conftest import ROOT, missing_tool
from tests.support.api_server import running
from tests.support.faults import LONG_RUN
from tests.support.patience import PATIENCE, WHOLE
from tests.support.postgres import free_port

ST = ROOT / "tests" / "outsiders" / ".venv" / "bin" / "st"
IDS = {"coach": "AC-101", "client": "CL-201", "engagement": "EN-301", "session": "SE-401"}
EXAMPLES = os.environ.get("COACHOPS_SCHEMATHESIS_EXAMPLES", "8" if LONG_RUN else "2")
NOT_HERE = "positive_data_acceptance"
"""Left out: what is of the right form may still be refused, such as a day outside of an engagement
(422) or a version that has passed (412)."""


def test_schemathesis_finds_nothing_wrong(
    new_database_url: Callable[..., str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not ST.is_file():
        missing_tool("schemathesis ('make tools')")
    url = new_database_url("sqlite")
    token = _seed(url)
    monkeypatch.setenv(
        "ANY_NUMBER_OF_BAD_TOKENS", "yes"
    )  # it sends many to see that they are refused
    with running(home, url, free_port(), requests_per_minute="0", export_open="0") as origin:
        done = subprocess.run(
            [
                str(ST), "--config-file", str(ST.parents[2] / "schemathesis.toml"),
                "run", f"{origin}/openapi.json", "--include-path-regex", "^/v1/",
                "--header", f"Authorization: Bearer {token}", "--exclude-checks", NOT_HERE,
                "--max-examples", EXAMPLES, "--seed", "20261130", "--no-shrink",
                "--no-color", "--request-timeout", str(PATIENCE),
            ],
            cwd=home, capture_output=True, text=True, check=False, timeout=WHOLE,
            env=os.environ | {"PYTHONPATH": str(ROOT / "tests" / "outsiders"),
                              "SCHEMATHESIS_HOOKS": "hooks"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert re.search(rf"✅ {phase}", done.stdout), done.stdout[-3000:]
    links = re.search(r"API Links: +(\d+) covered", done.stdout)
    assert links is not None, done.stdout[-3000:]
    assert int(links[1]) >= 5, done.stdout[-3000:]
    assert "unexpected" not in (home / "api.log").read_text()


def _seed(url: str) -> str:
    """The rows that the document's examples name, and a token that may do everything."""
    database = Database(url)
    identity = Identity(database, b"not used here", 12)
    identity.add_user(SYSTEM, "robot@example.org", "Robot", "service")
    writer = Writer(SYSTEM, secret=b"not used here")
    for kind in KINDS:
        schema = BODIES[kind].model_json_schema()
        put(database, writer, IDS[kind], BODIES[kind].model_validate(schema["examples"][0]))
    token, _ = identity.create_token(SYSTEM, "robot@example.org", "schemathesis", SCOPES)
    database.close()
    return token

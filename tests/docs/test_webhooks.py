"""The receivers that the guide shows verify real deliveries, and its tables name every event."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coachops.core.actor import SYSTEM
from coachops.core.settings import Settings
from coachops.webhooks import EVENTS
from coachops.webhooks.sending import DEADLINE
from tests.conftest import missing_tool
from tests.docs.conftest import ROOT
from tests.support.patience import PATIENCE, until
from tests.support.postgres import free_port
from tests.webhooks.conftest import House

PAGE = (ROOT / "site" / "guides" / "webhooks.md").read_text(encoding="utf-8")
NODE = ROOT / "tests" / "support" / "node"


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, language
    return str(found[0])


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    from coachops.bootstrap import services as open_services

    opened = open_services(settings)
    yield House(opened)
    opened.close()


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_receiver_of_the_guide_takes_a_delivery_once_and_refuses_a_forged_one(
    house: House, tmp_path: Path, language: str
) -> None:
    port = free_port()
    script = tmp_path / f"receiver.{language}"
    script.write_text(block(language), encoding="utf-8")
    program = sys.executable if language == "python" else shutil.which("node")
    if program is None or not (NODE / "node_modules").is_dir():
        missing_tool("Node with the test packages (make tools)")
    secret, hook = house.add(f"http://127.0.0.1:{port}/coachops")
    process = subprocess.Popen(
        [program, str(script)],
        env={
            "PATH": os.environ["PATH"], "PORT": str(port), "WEBHOOK_SECRET": secret,
            "NODE_PATH": str(NODE / "node_modules"),
        },
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        wait_for(port)
        house.emit("e1")
        [accepted] = house.work_off()
        assert accepted.status == 204
        [row] = house.deliveries(hook)
        house.services.webhooks.redeliver(SYSTEM, hook.id, row.id)
        assert [each.status for each in house.work_off()] == [204]  # known already
        house.services.webhooks.rotate(SYSTEM, hook.id)
        house.emit("e2")
        assert [each.status for each in house.work_off()] == [204]  # the old secret also signs
        house.services.webhooks.rotate(SYSTEM, hook.id)
        house.emit("e3")
        assert [each.status for each in house.work_off()] == [401]
    finally:
        process.kill()
        said, _ = process.communicate(timeout=PATIENCE)
    assert [line.split(" ")[0] for line in said.splitlines()] == ["export.ready"] * 2
    assert "e1" in said.splitlines()[0]


def wait_for(port: int) -> None:
    """Wait until somebody listens there; it has no other signal."""

    def listens() -> bool:
        with closing(socket.socket()) as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    until(listens)


def test_the_page_names_each_event_with_its_fields() -> None:
    rows = dict(re.findall(r"^\| `([a-z]+\.[a-z]+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(EVENTS)
    for name, model in EVENTS.items():
        assert set(re.findall(r"`([a-z_]+)`", rows[name])) == set(model.model_fields), name


def test_the_page_tells_the_times_that_the_code_keeps() -> None:
    from coachops.webhooks.delivering import GIVE_UP_AFTER, WAITS

    assert f"within {DEADLINE:.0f} seconds" in PAGE
    hours = [wait // 3600 for wait in WAITS[3:]]
    told = "5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and 24 hours"
    assert told in PAGE
    assert (list(WAITS[:3]), hours) == ([5, 300, 1800], [2, 5, 10, 14, 20, 24])
    assert GIVE_UP_AFTER == 3
    assert "After three events" in PAGE

"""`coachops webhook`: added, tested, seen to fail, switched on again, removed; each as JSON, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.bootstrap import prepare
from coachops.cli import main
from coachops.cli.doctor import run_checks
from coachops.core import clock
from coachops.core.settings import Settings, load_settings
from coachops.dashboards import overview_needs
from coachops.db import Database
from tests.support.receiver import Receiver, answers


@pytest.fixture
def installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    settings = load_settings()
    prepare(settings)
    return settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class Line:
    """Runs commands and reads what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, Any]:
        """Exit code and document of a command with `--json`."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.run(["webhook", *map(str, words), "--json"])
        return int(ended.value.code or 0), json.loads(self._capsys.readouterr().out)

    def text(self, *words: object) -> str:
        """What a person reads."""
        self._capsys.readouterr()
        with pytest.raises(SystemExit):
            main.run(["webhook", *map(str, words)])
        said = self._capsys.readouterr()
        return said.out + said.err


@pytest.fixture
def line(installed: Settings, capsys: pytest.CaptureFixture[str]) -> Line:
    return Line(capsys)


def doctor() -> tuple[str, str]:
    [check] = [each for each in run_checks() if each.name == "webhooks"]
    return check.status, check.found


def needs(settings: Settings) -> dict[str, int]:
    database = Database(settings.database_url)
    found = overview_needs.load(database, clock.now(), database.today())
    database.close()
    return {group.kind: group.count for group in found if group.kind.startswith("webhook")}


def test_the_life_of_a_webhook(installed: Settings, line: Line, receiver: Receiver) -> None:
    added = line(
        "add", receiver.url(), "--event", "export.ready", "--event", "data.changed",
        "--description", "CRM", "--dataset", "goals",
    )[1]  # fmt: skip
    hook, secret = added["webhook"]["id"], added["secret"]
    assert added["webhook"]["datasets"] == ["goals"]
    code, tested = line("test", hook)
    assert (code, tested["delivery"]["last_status"]) == (0, 204)
    assert receiver.requests[0].verified(secret)["type"] == "webhook.test"
    assert doctor() == ("ok", "1 receivers, 0 deliveries on their way")
    receiver.behaviour = answers(503)
    code, failed = line("test", hook)
    assert (code, failed["error"]["code"]) == (1, "COACH-WHK-008")
    assert "503" in failed["error"]["message"]
    assert [each["state"] for each in line("deliveries", hook)[1]["deliveries"]] == [
        "exhausted", "delivered",
    ]  # fmt: skip
    receiver.behaviour = answers(410)
    assert line("test", hook)[0] == 1
    assert doctor()[0] == "warn"
    assert needs(installed) == {"webhook_off": 1}
    assert line("test", hook)[1]["error"]["code"] == "COACH-WHK-004"
    assert line("enable", hook)[1]["webhook"]["state"] == "on"
    assert needs(installed) == {}
    receiver.behaviour = answers(200)
    [newest, *_] = line("deliveries", hook, "--state", "dropped")[1]["deliveries"]
    assert line("redeliver", hook, newest["id"])[1]["delivery"]["state"] == "waiting"
    rotated = line("rotate", hook)[1]
    assert rotated["secret"] != secret
    assert rotated["webhook"]["previous_until"]
    assert line("show", hook)[1]["webhook"]["waiting"] == 1
    assert "whsec_" not in json.dumps(line("list")[1])
    assert line("remove", hook) == (0, {"removed": hook})
    assert line("list")[1] == {"webhooks": []}


def test_people_read_tables_and_the_secret_stands_alone_on_standard_output(
    line: Line, receiver: Receiver
) -> None:
    said = line.text("add", receiver.url(), "--event", "export.ready", "--description", "CRM")
    assert "not shown again" in said
    hook = line("list")[1]["webhooks"][0]["id"]
    assert "CRM" in line.text("list")
    assert "export.ready" in line.text("show", hook)
    assert "Accepted with status 204" in line.text("test", hook)
    assert "webhook.test" in line.text("deliveries", hook)
    assert "The old one also signs until" in line.text("rotate", hook)
    assert "old secret also signs until" in line.text("show", hook)
    assert "client.erased" in line.text("events")


def test_one_that_fails_for_an_hour_is_named(
    installed: Settings, line: Line, receiver: Receiver
) -> None:
    line("add", receiver.url(), "--event", "export.ready")
    database = Database(installed.database_url)
    with database.connect(write=True) as connection:
        connection.execute(
            sa.text("UPDATE webhook_endpoints SET failing_since = '2026-01-01T00:00:00.000000Z'")
        )
    database.close()
    status, found = doctor()
    assert (status, "1 failing" in found) == ("warn", True)
    assert needs(installed) == {"webhook_failing": 1}
    assert "failing since 2026-01-01" in line.text("list")


def test_without_its_key_the_doctor_says_what_to_do(
    installed: Settings, line: Line, receiver: Receiver
) -> None:
    hook = line("add", receiver.url(), "--event", "export.ready")[1]["webhook"]["id"]
    (installed.home / "secrets" / "webhooks").unlink()
    status, found = doctor()
    assert (status, "COACH-WHK-005" in found) == ("fail", True)
    assert line("test", hook)[1]["error"]["code"] == "COACH-WHK-005"
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "nonsense"), "COACH-WHK-001"),
        (("show", "01982f00-0000-7000-8000-000000000000"), "COACH-WHK-001"),
        (("redeliver", "01982f00-0000-7000-8000-000000000000", "x"), "COACH-WHK-007"),
        (("add", "https://x.example.org", "--event", "export.gone"), "COACH-WHK-003"),
        (("add", "http://10.1.2.3/", "--event", "export.ready"), "COACH-WHK-002"),
        (("add", "https://x.example.org", "--event", "export.ready", "--description", "x" * 201),
         "COACH-WHK-003"),
    ],
    ids=["no-id", "unknown", "no-delivery", "no-event", "inside", "long"],
)  # fmt: skip
def test_what_cannot_be_ends_with_a_code(line: Line, words: tuple[str, ...], code: str) -> None:
    exit_code, document = line(*words)
    assert (exit_code, document["error"]["code"]) == (1, code)

"""`coachops doctor`: every check finds what it is for, names a next step, and takes nothing along."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops import audit
from coachops.ai.targets import chain
from coachops.bootstrap import prepare, services
from coachops.cli.checks import Check, data, machine, run_all
from coachops.cli.doctor import run_checks
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.db import Database
from coachops.db.models import AiCircuit, AiSpend


@pytest.fixture
def installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A fresh installation, named by the environment as for the command."""
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    monkeypatch.setenv("COACHOPS_GUIDE", str(home / "site"))
    settings = load_settings()
    prepare(settings)
    return settings


def found(name: str, seconds: float = 20.0) -> Check:
    """The result of one check; all of them ran."""
    checks = {check.name: check for check in run_checks(seconds)}
    assert set(checks) == {"settings", *machine.CHECKS, *data.CHECKS}
    assert all(check.next_step for check in checks.values() if check.status != "ok")
    others = [each for each in checks.values() if each.status == "fail" and each.name != name]
    assert others == []
    return checks[name]


def change(settings: Settings, statement: str, **values: object) -> None:
    database = Database(settings.database_url)
    with database.connect(write=True) as connection:
        connection.execute(sa.text(statement), values)
    database.close()


def test_a_fresh_installation_has_nothing_broken(installed: Settings) -> None:
    checks = run_checks()
    assert [each.name for each in checks if each.status == "fail"] == []
    warned = {each.name for each in checks if each.status == "warn"}
    assert warned == {"guide", "background work", "backups"}


def test_without_a_database_the_machine_is_still_checked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    checks = {check.name: check for check in run_checks()}
    assert checks["database"].code == "COACH-DB-005"
    assert set(machine.CHECKS) < set(checks)
    monkeypatch.setenv("COACHOPS_PORT", "many")
    (only,) = run_checks()
    assert (only.name, only.code) == ("settings", "COACH-SYS-001")


def test_secrets_that_others_can_read(installed: Settings) -> None:
    folder = installed.home / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "cookie").write_bytes(b"x" * 32)
    (folder / "cookie").chmod(0o644)
    check = found("secrets")
    assert check.status == "fail"
    assert "secrets/cookie" in check.found
    (folder / "cookie").chmod(0o600)
    assert found("secrets").status == "ok"


def test_a_home_that_others_can_read_and_one_that_is_gone(installed: Settings) -> None:
    installed.home.chmod(0o755)
    assert found("home folder").status == "warn"
    gone = installed.model_copy(update={"home": installed.home / "gone"})
    assert machine.home(gone).status == "fail"


@pytest.mark.parametrize(("free", "status"), [(5e10, "ok"), (5e8, "warn"), (5e7, "fail")])
def test_a_disk_that_fills_up(
    installed: Settings, monkeypatch: pytest.MonkeyPatch, free: float, status: str
) -> None:
    usage = type("Usage", (), {"free": int(free)})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    assert machine.disk(installed).status == status


def test_an_edited_act_is_named_and_the_other_checks_go_on(installed: Settings) -> None:
    database = Database(installed.database_url)
    database.run(lambda session: audit.record(session, SYSTEM, "test.done", "row", 1))
    audit.seal(database)
    database.close()
    assert found("audit record").status == "ok"
    change(installed, "UPDATE audit_events SET subject_id = '2'")
    check = found("audit record")
    assert (check.status, check.code) == ("fail", "COACH-SYS-009")
    assert "row 1 was edited" in check.found


def test_a_clock_that_was_set_back(installed: Settings) -> None:
    database = Database(installed.database_url)
    with clock.frozen(clock.now() + dt.timedelta(days=1)):
        database.run(lambda session: audit.record(session, SYSTEM, "test.done", "row", 1))
    database.close()
    check = found("clock")
    assert check.status == "warn"
    assert "set back" in check.found


def test_spending_and_a_spared_service(
    installed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(installed.database_url)
    with database.write() as session:
        session.add(AiSpend(day=database.today(), spent_microusd=2_500_000, calls=3))
    assert "2.50 USD today" in found("AI use").found
    monkeypatch.setenv("COACHOPS_AI_DAILY_LIMIT_USD", "2")
    assert found("AI use").code == "COACH-AI-008"
    monkeypatch.delenv("COACHOPS_AI_DAILY_LIMIT_USD")
    monkeypatch.setenv("COACHOPS_OPENAI_API_KEY", "sk-test")
    (target,) = chain(load_settings())
    with database.write() as session:
        now = clock.now()
        session.add(
            AiCircuit(
                target=target.name, opened_at=now, rest_seconds=30, failures=5,
                last_code="COACH-AI-003", updated_at=now,
            )
        )  # fmt: skip
    with closing(services(load_settings())) as opened:
        check = data.spending(opened)
    database.close()
    assert check.status == "warn"
    assert "COACH-AI-003" in check.found


class _Service(http.server.BaseHTTPRequestHandler):
    """An AI service that lists models; what it says is set on the server."""

    def do_GET(self) -> None:
        status, models = self.server.says  # type: ignore[attr-defined]
        body = json.dumps({"data": [{"id": each} for each in models]}).encode()
        self.server.keys.append(self.headers["Authorization"])  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    """An AI service on a free port, set as the one to use."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.says, server.keys = (200, ["gpt-5-mini"]), []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("COACHOPS_OPENAI_API_KEY", "sk-test")
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    monkeypatch.setenv("COACHOPS_OPENAI_BASE_URL", url)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("says", "status", "code"),
    [
        ((200, ["gpt-5-mini"]), "ok", ""),
        ((200, ["other"]), "warn", ""),
        ((404, []), "ok", ""),
        ((401, []), "fail", "COACH-AI-002"),
        ((503, []), "fail", "COACH-AI-003"),
    ],
)
def test_an_ai_service_is_asked_for_its_models_only(
    installed: Settings,
    service: http.server.ThreadingHTTPServer,
    says: tuple[int, list[str]],
    status: str,
    code: str,
) -> None:
    service.says = says  # type: ignore[attr-defined]
    check = machine.ai(load_settings())
    assert (check.status, check.code) == (status, code)
    assert set(service.keys) == {"Bearer sk-test"}  # type: ignore[attr-defined]
    assert "sk-test" not in check.found


def test_a_service_that_never_answers_does_not_hold_the_rest(
    installed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("COACHOPS_OPENAI_API_KEY", "sk-test")
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        monkeypatch.setenv("COACHOPS_OPENAI_BASE_URL", url)
        monkeypatch.setattr(machine, "AI_SECONDS", 0.2)
        assert found("AI").code == "COACH-AI-003"


def test_checks_that_fail_or_hang_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    # each is waited for a second of its own, whatever the one before it took
    monkeypatch.setattr(clock, "monotonic", lambda: 0.0)
    never = threading.Event()

    def broken() -> Check:
        raise ValueError("words")

    def refused() -> Check:
        raise CoachError("COACH-DB-002")

    def hanging() -> Check:
        never.wait()
        return Check("hanging", "ok", "")

    checks = run_all(
        {"broken": broken, "refused": refused, "hanging": hanging,
         "good": lambda: Check("good", "ok", "")},
        seconds=1.0,
    )  # fmt: skip
    never.set()
    assert [each.status for each in checks] == ["fail", "fail", "fail", "ok"]
    assert [each.code for each in checks[:2]] == ["COACH-SYS-003", "COACH-DB-002"]
    assert "words" not in checks[0].found
    assert "no answer within 1 seconds" in checks[2].found


def test_an_https_address_without_the_name_of_its_proxy(installed: Settings) -> None:
    behind = installed.model_copy(update={"public_url": "https://coaching.example.org"})
    assert machine.address(behind).status == "warn"
    named = behind.model_copy(update={"trusted_proxy": "10.0.0.1"})
    assert machine.address(named).status == "ok"


@pytest.mark.postgres
def test_all_checks_work_on_postgres(
    home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("new_database_url")("postgres")
    home.mkdir(mode=0o700)
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    monkeypatch.setenv("COACHOPS_DATABASE_URL", url)
    checks = {check.name: check for check in run_checks()}
    assert [each for each in checks.values() if each.status == "fail"] == []
    assert checks["database"].found.endswith(f"schema {_head()}")


def _head() -> str:
    from coachops.db import migrate

    return migrate.head()

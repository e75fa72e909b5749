"""`coachops changes`: printing changes and going on where it stopped; the doctor's look at the feed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services, prepare
from coachops.cli import main
from coachops.cli.checks import data
from coachops.core import clock, ids
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import ChangeInbox, CoachingSession
from tests.export.conftest import make_organisation


@pytest.fixture
def installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    settings = load_settings()
    prepare(settings)
    database = Database(settings.database_url)
    make_organisation(database, sessions=5)
    yield database
    database.close()


def call(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main.run(["changes", *arguments])
    out, err = capsys.readouterr()
    assert ended.value.code == code, err
    return out + (err if code else "")


def test_following_goes_on_where_it_stopped(
    installed: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "sessions.cursor"
    follow = (
        "follow",
        "--dataset",
        "sessions",
        "--once",
        "--limit",
        "2",
        "--cursor-file",
        str(kept),
    )
    first = [json.loads(line) for line in call(capsys, *follow).splitlines()]
    assert len({change["session_id"] for change in first}) == 5
    assert call(capsys, *follow) == ""
    with installed.connect(write=True) as connection:
        chosen = first[0]["session_id"]
        connection.execute(
            sa.update(CoachingSession)
            .where(CoachingSession.id == ids.parse_id(chosen))
            .values(title="Changed")
        )
    (change,) = call(capsys, *follow).splitlines()
    assert json.loads(change)["title"] == "Changed"
    kept.write_text("something else")
    assert "COACH-FED-001" in call(capsys, *follow, code=2)
    assert "COACH-FED-008" in call(
        capsys, *follow[:-1], str(tmp_path / "no folder" / "cursor"), code=1
    )  # fmt: skip


def test_status_and_digest(installed: Database, capsys: pytest.CaptureFixture[str]) -> None:
    status = json.loads(call(capsys, "status", "--json"))
    assert status["head"] > 0
    assert (status["backlog"], status["floor"]) == (0, 0)
    assert f"head     {status['head']}" in call(capsys, "status")
    found = json.loads(call(capsys, "digest", "--dataset", "sessions", "--json"))
    assert found["rows"] == sum(bucket["count"] for bucket in found["buckets"]) == 5
    assert "5 rows at" in call(capsys, "digest", "--dataset", "sessions")


def test_the_doctor_sees_changes_that_wait_too_long(installed: Database, home: Path) -> None:
    services = Services(load_settings(home=home), installed)
    assert data.feed(services).status == "ok"
    with installed.connect(write=True) as connection:
        connection.execute(
            sa.insert(ChangeInbox).values(
                seq=1, entity="sessions", entity_id=ids.new_id(), op="U",
                at=clock.now() - dt.timedelta(hours=1),
            )
        )  # fmt: skip
    check = data.feed(services)
    assert (check.status, check.code) == ("warn", "COACH-FED-007")
    assert "coachops worker" in check.next_step

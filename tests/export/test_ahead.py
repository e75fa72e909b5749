"""An export whose plan is made while its first parts are written (PostgreSQL)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.export import exporting
from coachops.export.ahead import Announce, PlanAhead
from coachops.export.plan import Part
from coachops.export.snapshot import open_moment
from tests.export.conftest import make_organisation

pytestmark = pytest.mark.postgres

LONG = "SELECT pg_sleep(500)"


@pytest.fixture
def organisation(new_database_url: Any) -> Any:
    database = Database(new_database_url("postgres"))
    make_organisation(database, sessions=4)
    yield database
    database.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_part_that_fails_ends_the_planning(
    organisation: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    planned: list[str] = []

    def plan_within(connection: Connection, *_: Any, announce: Announce, **__: Any) -> None:
        announce(Part(0, "coaches", 1, None, None, 1_000_000))
        connection.execute(sa.text(LONG))
        planned.append("all")

    monkeypatch.setattr(exporting, "plan_within", plan_within)
    with pytest.raises(CoachError) as caught:
        exporting.run_export(organisation, SYSTEM, tmp_path / "out", ["csv"], workers=workers)
    assert caught.value.code == "COACH-EXP-022"
    assert planned == []
    assert list(tmp_path.iterdir()) == []
    with organisation.connect() as connection:  # it goes back clean
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_who_interrupts_an_export_does_not_wait_for_its_plan(organisation: Database) -> None:
    planned: list[str] = []

    def make(tell: Announce) -> Any:
        for name in ("coaches", "clients"):
            moment.connection.execute(sa.text(LONG))
            planned.append(name)
            tell(Part(0, name, 1, None, None, 1))

    with (
        pytest.raises(KeyboardInterrupt),
        open_moment(organisation) as moment,
        PlanAhead(make, moment.cancel),
    ):
        raise KeyboardInterrupt
    assert planned == []


def test_an_error_of_the_plan_is_the_error_of_the_export(
    organisation: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan_within(*_: Any, announce: Announce, **__: Any) -> None:
        announce(Part(0, "coaches", 1, None, None, 3))
        raise CoachError("COACH-EXP-001", name="meetings")

    monkeypatch.setattr(exporting, "plan_within", plan_within)
    for workers in (1, 2):
        with pytest.raises(CoachError) as caught:
            exporting.run_export(organisation, SYSTEM, tmp_path / "out", ["csv"], workers=workers)
        assert caught.value.code == "COACH-EXP-001"
        assert list(tmp_path.iterdir()) == []

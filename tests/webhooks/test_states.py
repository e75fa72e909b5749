"""Whatever happens in whatever order: a delivery ends once, attempts are bounded, nothing gets stuck."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from coachops.bootstrap import Services
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import WebhookDelivery, WebhookEndpoint
from coachops.webhooks.delivering import LEASE, WAITS, Taken, note, take
from coachops.webhooks.sending import Answer
from tests.webhooks.conftest import House

ANSWERS = [
    Answer(204), Answer(500, "status"), Answer(503, "status", 900.0), Answer(failure="timeout"),
    Answer(failure="stopped"), Answer(410, "gone"),
]  # fmt: skip


class Outbox(RuleBasedStateMachine):
    """Over copies of an empty database."""

    template: ClassVar[Path]
    taken = Bundle("taken")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "coachops.db"
        shutil.copy(self.template, path)
        settings = load_settings(home=Path(self.folder.name), database_url=f"sqlite:///{path}")
        self.house = House(Services(settings, Database(settings.database_url)))
        self.now = dt.datetime(2026, 11, 30, 9, 0, tzinfo=dt.UTC)
        _, self.hook = self.house.add("http://127.0.0.1:1/")

    def teardown(self) -> None:
        self.house.services.close()
        self.folder.cleanup()

    @rule()
    def emit(self) -> None:
        with clock.frozen(self.now):
            self.house.emit()

    @rule(minutes=st.sampled_from([0.2, 2, 40, 600, 1700]))
    def wait(self, minutes: float) -> None:
        self.now += dt.timedelta(minutes=minutes)

    @rule(target=taken)
    def take(self) -> Any:
        with clock.frozen(self.now):
            found = take(self.house.services.database, self.hook.id, "http://x")
        return multiple() if found is None else found

    @rule(of=taken, answer=st.sampled_from(ANSWERS))
    def note(self, of: Taken, answer: Answer) -> None:
        with clock.frozen(self.now):
            state = note(self.house.services.database, of, answer)
        if not answer.failure:
            assert state in {"delivered", "exhausted", "dropped"}

    @rule()
    def enable(self) -> None:
        with clock.frozen(self.now):
            self.house.services.webhooks.enable(SYSTEM, self.hook.id)

    @rule(number=st.integers(0, 20))
    def redeliver(self, number: int) -> None:
        rows = self.house.deliveries(self.hook)
        if not rows:
            return
        row = rows[number % len(rows)]
        hook = self.house.get(self.hook)
        with clock.frozen(self.now):
            try:
                outcome = self.house.services.webhooks.redeliver(SYSTEM, self.hook.id, row.id).state
            except CoachError as error:
                outcome = error.code
        assert outcome == ("COACH-WHK-004" if hook.state == "off" else "waiting")

    @invariant()
    def holds(self) -> None:
        with self.house.services.database.read() as session:
            endpoint = session.scalars(sa.select(WebhookEndpoint)).one()
            rows = session.scalars(sa.select(WebhookDelivery)).all()
        for each in rows:
            assert 0 <= each.attempts <= len(WAITS) + 1
            assert (each.state == "waiting") == (each.finished_at is None)
            if each.state == "waiting":
                assert each.next_at <= self.now + dt.timedelta(days=1.2)
        if endpoint.disabled_at is not None:
            assert all(each.state != "waiting" for each in rows)
        if endpoint.busy_until is not None:
            assert endpoint.busy_until <= self.now + LEASE


def test_the_outbox_keeps_its_rules_in_any_order_of_events(
    sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Outbox, "template", sqlite_template, raising=False)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # of hypothesis
        Outbox, settings=hypothesis_settings(max_examples=8, stateful_step_count=25)
    )

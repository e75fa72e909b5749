"""The schema: models and migrations agree, up and down keeps data, wrong versions are refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database, capture, migrate
from coachops.db.models import WebhookDelivery, WebhookEndpoint, WebhookEvent


def test_models_and_migrations_agree(database: Database) -> None:
    with database.connect(write=True) as connection:
        command.check(migrate.config(connection))


def test_up_down_up_keeps_the_data(backend: str, new_database_url: Callable[..., str]) -> None:
    database = Database(new_database_url(backend, migrated=False))
    migrate.upgrade(database, "0001")
    with database.connect(write=True) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO coaches (id, external_id, name, email, created_at, updated_at) VALUES "
                "(:id, 'c1', 'Ada', 'ada@example.org', :at, :at)"
            ),
            {
                "id": "0" * 32 if backend == "sqlite" else "0" * 8 + "-0000-0000-0000-" + "0" * 12,
                "at": "2026-01-01T00:00:00.000000Z",
            },
        )
    migrate.upgrade(database)
    migrate.downgrade(database, "0001")
    migrate.upgrade(database)
    with database.connect() as connection:
        assert connection.scalar(sa.text("SELECT name FROM coaches")) == "Ada"
    migrate.downgrade(database, "base")
    assert migrate.current(database) is None
    database.close()


def test_what_a_restore_switched_off_stays_off_in_an_older_version(database: Database) -> None:
    now = clock.now()
    with database.write() as session:
        endpoint = WebhookEndpoint(
            url="https://x.example/", event_types=[], secret="x", key_id="x",
            disabled_at=now, disabled_reason="restored",
        )  # fmt: skip
        event = WebhookEvent(key="x", type="x", data={}, occurred_at=now)
        session.add_all([endpoint, event])
        session.flush()
        session.add(
            WebhookDelivery(
                event_id=event.id, endpoint_id=endpoint.id, state="dropped", next_at=now
            )
        )
    migrate.downgrade(database, "0016")

    def stored() -> list[object]:
        with database.connect() as connection:
            return [
                connection.scalar(sa.text("SELECT disabled_reason FROM webhook_endpoints")),
                connection.scalar(sa.text("SELECT count(*) FROM webhook_deliveries")),
            ]

    assert stored() == ["gone", 1]
    wrong = sa.text("UPDATE webhook_endpoints SET disabled_reason = 'restored'")
    with pytest.raises(sa.exc.IntegrityError), database.connect(write=True) as connection:
        connection.execute(wrong)
    migrate.upgrade(database)
    with database.connect(write=True) as connection:
        connection.execute(wrong)
    assert stored() == ["restored", 1]
    other = sa.text("UPDATE webhook_endpoints SET disabled_reason = 'else'")
    with pytest.raises(sa.exc.IntegrityError), database.connect(write=True) as connection:
        connection.execute(other)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    assert migrate.upgrade(database) == (migrate.head(), migrate.head())


def test_a_migration_that_fails_leaves_the_connection_as_it_was(
    new_database_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(new_database_url("sqlite"))

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", fails)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(database)
    opened = []
    with contextlib.ExitStack() as together:
        for _ in range(2):  # the one that migrated is among them
            connection = together.enter_context(database.connect())
            opened.append(connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar())
    assert opened == [0, 0]
    database.close()


@pytest.mark.limits
@pytest.mark.postgres
def test_a_migration_may_take_its_time_but_waits_for_no_table_for_long(
    new_database_url: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(new_database_url("postgres"))
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    seen: list[tuple[Any, ...]] = []

    def look(connection: sa.Connection) -> None:
        seen.append(tuple(connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names))

    monkeypatch.setattr(capture, "install", look)
    migrate.upgrade(database)
    with database.connect() as connection:
        look(connection)
    assert seen == [("0", "15min", "5s"), ("1min", "1min", "5s")]
    database.close()


def test_an_empty_database_is_refused_with_the_command_to_run(
    backend: str, new_database_url: Callable[..., str]
) -> None:
    database = Database(new_database_url(backend, migrated=False))
    with pytest.raises(CoachError) as caught:
        migrate.require_head(database)
    assert caught.value.code == "COACH-DB-005"
    assert "coachops init" in caught.value.next_step
    database.close()


def test_a_database_newer_than_the_code_is_refused(database: Database) -> None:
    with database.connect(write=True) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (migrate.require_head, migrate.upgrade):
        with pytest.raises(CoachError) as caught:
            attempt(database)
        assert caught.value.code == "COACH-DB-006"


def test_looking_for_a_database_that_is_not_there_makes_no_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/coachops.db")
    with pytest.raises(CoachError) as caught:
        migrate.require_head(database)
    assert caught.value.code == "COACH-DB-005"
    assert list(tmp_path.iterdir()) == []
    database.close()

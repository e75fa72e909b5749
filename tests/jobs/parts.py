"""What the tests of background work share."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching import messages
from coachops.coaching.messages import MessageRow
from coachops.core.settings import Settings
from coachops.db.models import Transcript
from coachops.jobs import Jobs, places
from coachops.jobs.engine import Executor
from coachops.jobs.store import SCHEMA, store_url
from coachops.jobs.sweeper import Sweeper
from tests.coaching.builders import Pair, make_transcript
from tests.coaching.messages.parts import make_analysis

SQLITE = pytest.mark.parametrize("backend", ["sqlite"])
"""For tests in which the kind of database makes no difference."""

NOTHING = "\n".join(
    f'[[work]]\nkind = "{kind}"\ncron = "never"' for kind in ("backup", "drill", "integrity")
)
"""A schedule in which even the built-in work does not run."""


def approved_message(services: Services, pair: Pair) -> MessageRow:
    """A message that only waits to be sent."""
    transcript_id = make_transcript(services.database, pair)
    make_analysis(services.database, transcript_id, ["You want to hand over three tasks."])
    row = messages.draft(services.database, pair.actor, transcript_id)
    return messages.approve(services.database, pair.actor, row.id, row.version)


def transcript(services: Services, transcript_id: uuid.UUID) -> Transcript:
    with services.database.read() as session:
        row = session.get_one(Transcript, transcript_id)
        session.expunge(row)
        return row


def everything_stored(settings: Settings) -> str:
    """All cells of all tables of the queue's store, as one text."""
    engine = sa.create_engine(store_url(settings), poolclass=sa.NullPool)
    schema = None if engine.dialect.name == "sqlite" else SCHEMA
    try:
        with engine.connect() as connection:
            names = sa.inspect(connection).get_table_names(schema=schema)
            prefix = f"{schema}." if schema else ""
            return "\n".join(
                str(row)
                for name in names
                for row in connection.execute(sa.text(f'SELECT * FROM {prefix}"{name}"'))  # noqa: S608 names from the catalogue
            )
    finally:
        engine.dispose()


@contextlib.contextmanager
def idle_sweeper(services: Services, jobs: Jobs, schedule: Path) -> Iterator[Sweeper]:
    """A worker's sweeper whose rounds the test does; nothing runs what it queues."""
    executor = Executor(services)
    executor.place = places.take_lowest(services.settings)
    sweeper = Sweeper(
        services, jobs.queue, executor, on_lost_store=lambda: None, schedule_file=schedule
    )
    with executor.place:
        sweeper.begin()
        yield sweeper

"""dlt's rest_api source, with configuration alone, follows the feed of a running API."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
import uvicorn

from coachops.api import create_app
from coachops.bootstrap import Services
from coachops.core.actor import SYSTEM
from coachops.core.settings import load_settings
from coachops.db import Database
from coachops.db.models import Coach, CoachingSession, Engagement, Transcript, Utterance
from coachops.export import DATASETS
from coachops.export.feed import Seen
from coachops.export.feed.rows import canonical_rows
from tests.conftest import missing_tool
from tests.export.conftest import make_organisation
from tests.feed import stress
from tests.support.faults import long_too
from tests.support.patience import WHOLE
from tests.support.postgres import free_port

HERE = Path(__file__).parent
PYTHON = HERE.parent / "outsiders" / ".venv" / "bin" / "python"
WATCHED = ("sessions", "utterances", "insights", "clients")


@pytest.fixture(params=long_too(["sqlite"], ["postgres"]))
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(backend: str, new_database_url: Callable[..., str], home: Path) -> Iterator[Services]:
    """The API on a port of its own, in this process."""
    database = Database(new_database_url(backend), limits=stress.LIMITS)
    make_organisation(database, sessions=12)
    port = free_port()
    settings = load_settings(
        home=home, database_url=database.url, public_url=f"http://127.0.0.1:{port}"
    )
    services = Services(settings, database)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(services), host="127.0.0.1", port=port, log_config=None, ws="none"
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield services
    server.should_exit = True
    thread.join()
    database.close()


def test_dlt_follows_edits_deletions_and_moves(api: Services, tmp_path: Path) -> None:
    if not PYTHON.exists():
        missing_tool("dlt ('make tools' installs it)")
    database = api.database
    api.identity.add_user(SYSTEM, "root@example.org", "Root", "admin", None, "four words make one")
    token, _ = api.identity.create_token(SYSTEM, "root@example.org", "dlt", ["changes:read"])
    with database.connect() as connection:
        coach, other = connection.scalars(sa.select(Coach.id).order_by(Coach.id).limit(2)).all()

    def load() -> None:
        subprocess.run(
            [PYTHON, HERE / "dlt_pipeline.py", api.settings.public_url, token, tmp_path, str(coach)],
            check=True, capture_output=True, timeout=WHOLE,
        )  # fmt: skip

    load()
    assert differing(database, coach, tmp_path) == {}
    with database.connect(write=True) as connection:
        connection.execute(
            sa.update(Utterance).where(Utterance.position < 5).values(text="Edited.")
        )
        doomed = (
            sa.select(Transcript.id).join(CoachingSession).where(CoachingSession.coach_id == coach)
        )
        connection.execute(sa.delete(Transcript).where(Transcript.id.in_(doomed.limit(1))))
        mine = sa.select(CoachingSession.id).where(CoachingSession.coach_id == coach)
        leaving = connection.scalar(mine.order_by(CoachingSession.id).limit(1))
        connection.execute(
            sa.update(CoachingSession).where(CoachingSession.id == leaving).values(coach_id=other)
        )
        theirs = sa.select(Engagement.id).where(Engagement.coach_id == other).limit(1)
        connection.execute(
            sa.update(Engagement).where(Engagement.id.in_(theirs)).values(coach_id=coach)
        )
    load()
    assert differing(database, coach, tmp_path) == {}
    result = stress.Result()
    until = time.monotonic() + 6
    writers = [
        threading.Thread(
            target=stress._write,
            args=(database, random.Random(n), until, result, threading.Lock()),
        )
        for n in range(stress.WRITERS)
    ]
    for each in writers:
        each.start()
    load()  # while they write
    for each in writers:
        each.join()
    load()
    assert result.committed
    # whatever they left to the coach: they delete and move at random, also the last row
    assert differing(database, coach, tmp_path, some=False) == {}


def differing(
    database: Database, coach: object, folder: Path, *, some: bool = True
) -> dict[str, tuple[int, int]]:
    """Rows that the copy lacks and rows that it has too many, by dataset.

    Compared are ids, words, codes, numbers, switches and days that every row has, and the text.

    Parameters:
        some: there must be rows to compare in every dataset.
    """
    found = {}
    with duckdb.connect(str(folder / "replica.duckdb"), read_only=True) as copy:
        for name in WATCHED:
            dataset = DATASETS[name]
            columns = [
                c.name
                for c in dataset.columns  # dlt makes no column of NULLs alone
                if c.kind not in {"instant", "json"} and (c.name == "text" or not c.nullable)
            ]
            rows = copy.execute(f"SELECT {', '.join(columns)} FROM copy.{name}").fetchall()  # noqa: S608 names of the registry
            mine = {tuple(map(str, row)) for row in rows}
            assert len(mine) == len(rows)
            seen = Seen(dataset, coaches=frozenset({coach}))  # type: ignore[arg-type]  # an id
            with database.connect() as connection:
                truth = {
                    tuple(str(json.loads(line)[column]) for column in columns)
                    for _, line in canonical_rows(connection, dataset, seen.rows())
                }
            assert truth or not some
            if mine != truth:
                found[name] = (len(truth - mine), len(mine - truth))
    return found

"""How fast pages of the change feed are served, against FastAPI returning a list of pydantic models.

As JSON and as lines (NDJSON), on SQLite and on PostgreSQL. All answer in this process through the same
test client, on the same database, 10,000 rows a page.
The peer does what one would write first: rows through SQLAlchemy, a model each, `response_model`. It
does less: no feed, no versions, no cursor, no check of who may see what.
"""

import datetime as dt
import gc
import itertools
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.export.stages import Stages
from coachops.db import Database, migrate
from tests.support.postgres import PostgresServer, find_postgres

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

PAGE, ROUNDS = 10_000, 9
NDJSON = "application/x-ndjson"


def main() -> list[dict[str, object]]:
    """Rows a second of both, interleaved, medians."""
    made: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, url in (("SQLite", f"sqlite:///{folder}/feed.db"), ("PostgreSQL", "")):
            with _server(url) as found:
                made += _measured(name, found, Path(folder)) if found else []
    return made


@contextmanager
def _server(url: str) -> Iterator[str]:
    """`url`, or that of a PostgreSQL server for as long as this lasts; "" where there is none."""
    if url:
        yield url
        return
    binaries = find_postgres()
    if binaries is None:
        print("no PostgreSQL server is installed: its lines are left out", file=sys.stderr)
        yield ""
        return
    server = PostgresServer(binaries)
    server.start()
    try:
        yield server.create()
    finally:
        server.stop()


def _analyse(database: Database) -> None:
    """What a server does by itself some time after so many rows came."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _measured(name: str, url: str, home: Path) -> list[dict[str, object]]:
    from fastapi.testclient import TestClient

    from coachops.api import create_app
    from coachops.bootstrap import Services
    from coachops.coaching.seed import seed_organisation
    from coachops.core.actor import SYSTEM
    from coachops.core.settings import load_settings

    with closing(Database(url)) as database:
        migrate.upgrade(database)
        seed_organisation(
            database, coaches=10, clients=50, sessions=(ROUNDS + 1) * PAGE // 100,
            utterances_per_session=100, seed=1, until=dt.date(2026, 11, 1),
        )  # fmt: skip
        services = Services(load_settings(home=home, database_url=database.url), database)
        services.identity.add_user(
            SYSTEM, "r@example.org", "R", "admin", None, "four words make one"
        )
        token, _ = services.identity.create_token(SYSTEM, "r@example.org", "b", ["changes:read"])
        ours = TestClient(
            create_app(services),
            base_url="http://localhost:8000",
            headers={"Authorization": f"Bearer {token}"},
        )
        peer = TestClient(_peer(database))
        _analyse(database)
        cursor, after = "", uuid.UUID(int=0).hex
        rates: list[tuple[float, ...]] = []
        gc.collect()
        gc.freeze()  # as the process that serves does
        for _ in range(ROUNDS + 1):
            wanted: dict[str, str | int] = {
                "dataset": "utterances", "limit": PAGE, "cursor": cursor
            }  # fmt: skip
            answer = lines = other = body = rows = None
            gc.collect()  # what the last round left is not collected at somebody's expense
            times = [time.perf_counter()]
            answer = ours.get("/v1/changes", params=wanted)
            times.append(time.perf_counter())
            lines = ours.get("/v1/changes", params=wanted, headers={"Accept": NDJSON})
            times.append(time.perf_counter())
            other = peer.get("/utterances", params={"after": after, "limit": PAGE})
            times.append(time.perf_counter())
            body, rows = answer.json(), other.json()
            if {len(body["changes"]), lines.content.count(b"\n"), len(rows)} != {PAGE}:
                raise RuntimeError("a page is not full")
            cursor, after = body["cursor"], uuid.UUID(rows[-1]["utterance_id"]).hex
            rates.append(tuple(PAGE / (end - begin) for begin, end in itertools.pairwise(times)))
        told = _stages(ours)
    as_json, as_lines, peer_rate = (
        statistics.median(rate) for rate in zip(*rates[1:], strict=True)
    )
    return [
        {
            "name": f"pages of the change feed, {form} ({name}, 10,000 rows)",
            "value": rate,
            "unit": "rows/s",
            "peer": f"FastAPI with pydantic models {peer_rate:,.0f} rows/s",
            "ratio": rate / peer_rate,
            "note": f"target: 100,000 rows/s and 4 times the peer, which is a page in "
            f"{PAGE / peer_rate / 4 * 1000:.0f} ms; as lines: {told}",
        }
        for form, rate in (("JSON", as_json), ("NDJSON", as_lines))
    ]


def _stages(client: "TestClient") -> str:
    """What a page as lines is made of, in milliseconds, on pages of its own: what bounds it."""
    from coachops.export.feed import pages, rows

    wanted: dict[str, str | int] = {"dataset": "utterances", "limit": PAGE, "cursor": ""}
    with Stages(time.perf_counter) as found:
        found.watch_items(rows, "read_batches", "rows out of the database")
        found.watch(pages, "lines_by_key", "JSON")
        found.watch(pages, "_lines", "changes of them")
        began = time.perf_counter()
        for _ in range(ROUNDS):
            answer = client.get("/v1/changes", params=wanted, headers={"Accept": NDJSON})
            wanted["cursor"] = answer.headers["coachops-cursor"]
        whole = time.perf_counter() - began
    found.seconds["entries, request and answer"] = whole - sum(found.seconds.values())
    return ", ".join(f"{name} {each / ROUNDS * 1000:.0f}" for name, each in found.seconds.items())


def _peer(database: object):  # type: ignore[no-untyped-def]  # an application
    import sqlalchemy as sa
    from fastapi import FastAPI
    from pydantic import BaseModel

    from coachops.export.datasets import DATASETS

    dataset = DATASETS["utterances"]

    class Row(BaseModel):
        utterance_id: uuid.UUID
        transcript_id: uuid.UUID
        source_name: str
        position: int
        speaker: str
        start_ms: int | None
        end_ms: int | None
        text: str
        behaviour: str | None

    app = FastAPI()

    @app.get("/utterances")
    def utterances(after: str, limit: int) -> list[Row]:
        key = dataset.columns[0].source
        query = (
            sa.select(*(c.source.label(c.name) for c in dataset.columns))
            .select_from(dataset.source)
            .where(dataset.where, key > uuid.UUID(after))
            .order_by(key)
            .limit(limit)
        )
        with database.connect() as connection:  # type: ignore[attr-defined]  # a database
            return [Row(**row) for row in connection.execute(query).mappings()]

    return app

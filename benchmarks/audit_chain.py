"""What the audit record costs: acts per second, sealed later against sealed inside the act.

Eight writers on a PostgreSQL server of its own; then how fast rows are sealed and verified.
"""

from __future__ import annotations

import threading
import time

from sqlalchemy.orm import Session

from coachops import audit
from coachops.audit import chain
from coachops.core.actor import SYSTEM
from coachops.db import Database, migrate
from tests.support.postgres import PostgresServer, find_postgres

WRITERS = 8
SECONDS = 4.0
BULK = 20_000


def main() -> list[dict[str, object]]:
    """Both ways twice, interleaved; the better run of each counts."""
    binaries = find_postgres()
    if binaries is None:
        return []
    server = PostgresServer(binaries)
    server.start()
    try:
        database = Database(server.create())
        migrate.upgrade(database)
        runs: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for inside in (False, True, False, True):
            runs[inside].append(_acts(database, inside=inside))
        later, inside_act = max(runs[False]), max(runs[True])
        sealed, verified = _bulk(database)
        database.close()
    finally:
        server.stop()
    return [
        {
            "name": "acts with an audit row, 8 writers", "value": later[0], "unit": "per second",
            "peer": f"sealed inside the act {inside_act[0]:.0f}", "ratio": later[0] / inside_act[0],
            "note": f"99 of 100 within {later[1]:.0f} ms, peer {inside_act[1]:.0f} ms",
        },
        {"name": "audit rows sealed", "value": sealed, "unit": "per second"},
        {"name": "audit rows verified", "value": verified, "unit": "per second"},
    ]  # fmt: skip


def _acts(database: Database, *, inside: bool) -> tuple[float, float]:
    """Acts per second, and the milliseconds that 99 of 100 stay within."""
    times: list[float] = []
    ends = time.monotonic() + SECONDS

    def act(session: Session) -> None:
        audit.record(session, SYSTEM, "bench.done", "row", 1, part=1)
        if inside:
            session.flush()
            chain._seal_some(session)  # noqa: SLF001 the way that was not chosen

    def writer() -> None:
        while time.monotonic() < ends:
            began = time.monotonic()
            database.run(act)
            times.append(time.monotonic() - began)

    threads = [threading.Thread(target=writer) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / SECONDS, sorted(times)[int(len(times) * 0.99)] * 1000


def _bulk(database: Database) -> tuple[float, float]:
    """Rows sealed and verified per second."""
    audit.seal(database)

    def rows(session: Session) -> None:
        for number in range(BULK):
            audit.record(session, SYSTEM, "bench.done", "row", number, part=1)

    database.run(rows)
    began = time.monotonic()
    count = audit.seal(database)
    sealed = count / (time.monotonic() - began)
    began = time.monotonic()
    report = audit.verify(database)
    verified = report.checked / (time.monotonic() - began)
    if not report.intact or count != BULK:
        raise RuntimeError("the chain is not intact")
    return sealed, verified

"""What a failover costs: seconds without writes, writes lost and doubled, errors a person would see.

Real servers: a PostgreSQL primary with a streaming standby on loopback. While eight threads write
through `Database.run`, the primary and all its backends are killed by SIGKILL; the standby is promoted
after DETECTION seconds, the time a failover manager (Patroni) takes to be sure. Each write that was
acknowledged must be on the new primary once. The peer in the same run: the same load through plain
SQLAlchemy with the same URL and pre-ping, which shows what the wrapper is for.

Run `python -m benchmarks.failover [--runs 20] [--detection 1]`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import ids
from coachops.core.actor import SYSTEM
from coachops.db import Database, Limits, migrate
from coachops.db.models import Coach
from tests.support.postgres import find_postgres
from tests.support.postgres_pair import Mode, PostgresPair

WRITERS = 8
ORDINARY_WRITES = 300
BEFORE, AFTER = 1.5, 1.5
"""Seconds of load before the kill and after the promotion."""

_INSERT = sa.text("INSERT INTO kept (id, writer) VALUES (:id, :writer)")
Write = Callable[[uuid.UUID, int], None]


@dataclass
class Load:
    """What writers saw in one run: instants (monotonic seconds) of acknowledged writes, and errors."""

    acknowledged: dict[uuid.UUID, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def outage(self) -> float:
        """The longest time in which no write was acknowledged, seconds."""
        times = sorted(self.acknowledged.values())
        return max((b - a for a, b in itertools.pairwise(times)), default=float("inf"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One failover."""

    acknowledged: int
    lost: int
    doubled: int
    errors: int
    outage: float
    slowest: float


def failover(
    pair: PostgresPair,
    *,
    detection: float = 1.0,
    mode: Mode = "sync",
    plain: bool = False,
    lag: float = 0.0,
    least: int = 0,
    wait: float = 10.0,
) -> Outcome:
    """Heal the pair, put it under load, kill its primary, promote the standby, count.

    Parameters:
        detection: seconds from the kill to the promotion.
        plain: write through SQLAlchemy alone.
        lag: seconds before the kill for which the standby takes no log.
        least: acknowledged writes before the kill, however long they take.
        wait: seconds that a write waits, as the setting says.
    """
    pair.heal(mode)
    name = pair.create()
    pair.primary.query("CREATE TABLE kept (id uuid, writer int)", name)
    pair.primary.query(
        "CREATE TABLE operations (id uuid PRIMARY KEY, at timestamptz NOT NULL)", name
    )
    pair.wait_for_replay()
    load, stop = Load(), threading.Event()
    write, close = _plain(pair.url(name)) if plain else _ours(pair.url(name), wait)
    threads = [
        threading.Thread(target=_writer, args=(number, write, load, stop))
        for number in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(BEFORE)
    while len(load.acknowledged) < least and any(thread.is_alive() for thread in threads):
        time.sleep(0.05)  # a busy machine
    if lag:
        pair.standby.freeze_walreceiver()
        time.sleep(lag)
    killed = time.monotonic()
    pair.kill_primary()
    if lag:
        pair.standby.drop_walreceiver()
    time.sleep(max(0.0, detection - (time.monotonic() - killed)))
    pair.promote()
    time.sleep(AFTER)
    stop.set()
    for thread in threads:
        thread.join()
    close()
    there = _rows(pair, name)
    return Outcome(
        acknowledged=len(load.acknowledged),
        lost=sum(1 for key in load.acknowledged if key not in there),
        doubled=sum(1 for times in there.values() if times > 1),
        errors=len(load.errors),
        outage=load.outage(),
        slowest=load.slowest,
    )


def operation_row(pair: PostgresPair) -> tuple[float, float]:
    """Milliseconds of an ordinary write with and without its operation row: medians."""
    pair.heal("sync")
    database = Database(pair.url(pair.create()))
    migrate.upgrade(database)
    coach = Coach(external_id="c1", name="Ada", email="ada@example.org")
    database.run(lambda session: session.add(coach))

    def change(session: Session) -> None:
        found = session.scalars(sa.select(Coach).with_for_update()).one()
        found.name = f"Ada {ids.new_id().hex}"
        record(session, SYSTEM, "coach.changed", "coach", found.id)

    def plain() -> None:
        with database.write() as session:
            change(session)

    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * ORDINARY_WRITES + 20):
        began = time.perf_counter()
        database.run(change) if number % 2 else plain()
        if number >= 20:
            times[bool(number % 2)].append((time.perf_counter() - began) * 1000)
    database.close()
    return statistics.median(times[True]), statistics.median(times[False])


def _writer(number: int, write: Write, load: Load, stop: threading.Event) -> None:
    while not stop.is_set():
        key, began = ids.new_id(), time.monotonic()
        try:
            write(key, number)
        except Exception as error:
            load.errors.append(f"{type(error).__name__}: {error}")
            time.sleep(0.02)
        else:
            load.acknowledged[key] = time.monotonic()
        load.slowest = max(load.slowest, time.monotonic() - began)


def _ours(url: str, wait: float) -> tuple[Write, Callable[[], None]]:
    database = Database(url, limits=Limits(wait=wait))

    def write(key: uuid.UUID, number: int) -> None:
        def work(session: Session) -> None:
            session.execute(_INSERT, {"id": key, "writer": number})

        database.run(work)

    return write, database.close


def _plain(url: str) -> tuple[Write, Callable[[], None]]:
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_size=WRITERS,
        connect_args={"connect_timeout": 2, "target_session_attrs": "read-write"},
    )

    def write(key: uuid.UUID, number: int) -> None:
        with Session(engine) as session, session.begin():
            session.execute(_INSERT, {"id": key, "writer": number})

    return write, engine.dispose


def _rows(pair: PostgresPair, name: str) -> dict[uuid.UUID, int]:
    engine = sa.create_engine(pair.url(name, hosts=(pair.primary,)), poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, count(*) FROM kept GROUP BY id")).all()
    return {row[0]: row[1] for row in rows}


def main(arguments: list[str] | None = None) -> list[dict[str, Any]]:
    """The rows: name, value, unit, peer, ratio, note."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failover")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--detection", type=float, default=1.0, help="seconds")
    options = parser.parse_args([] if arguments is None else arguments)
    binaries = find_postgres()
    if binaries is None:
        print("no PostgreSQL server on this machine: failover is not measured", file=sys.stderr)
        return []
    pair = PostgresPair(binaries)
    try:
        pair.start()
        ours = []
        for number in range(options.runs):
            ours.append(failover(pair, detection=options.detection))
            print(f"  run {number + 1}: {ours[-1]}", file=sys.stderr, flush=True)
        with_row, without = operation_row(pair)
        peer = failover(pair, detection=options.detection, plain=True)
        lagging = failover(pair, detection=options.detection, mode="async", lag=0.7)
    finally:
        pair.stop()
    rows = _rows_of_table(ours, peer, lagging, options.detection)
    rows.append(
        {
            "name": "an ordinary write, done exactly once", "value": round(with_row, 2),
            "unit": "ms", "peer": f"without its operation row: {without:.2f} ms",
            "ratio": round(with_row / without, 2),
            "note": f"median of {ORDINARY_WRITES} each, interleaved; audited change, sync standby",
        }
    )  # fmt: skip
    return rows


def _rows_of_table(
    ours: list[Outcome], peer: Outcome, lagging: Outcome, detection: float
) -> list[dict[str, Any]]:
    clean = sum(1 for run in ours if not run.lost and not run.doubled and not run.errors)
    longest = max(run.outage for run in ours)
    acknowledged = sum(run.acknowledged for run in ours)

    def row(name: str, value: object, unit: str, theirs: object, note: str) -> dict[str, Any]:
        return {
            "name": name, "value": value, "unit": unit,
            "peer": f"SQLAlchemy alone: {theirs}", "ratio": None, "note": note,
        }  # fmt: skip

    return [
        row(
            "failover, writes stand still", round(longest, 2), "s", f"{peer.outage:.2f}",
            f"longest of {len(ours)}; median {statistics.median(r.outage for r in ours):.2f}; "
            f"detection {detection:g}; target: detection + 1",
        ),
        row(
            "failovers with nothing lost, doubled or shown", f"{clean} of {len(ours)}", "runs",
            f"{peer.errors} errors in one run",
            f"{acknowledged:,} acknowledged writes; {sum(r.lost for r in ours)} lost, "
            f"{sum(r.doubled for r in ours)} doubled, {sum(r.errors for r in ours)} errors",
        ),
        row(
            "asynchronous standby 0.7 s behind", lagging.lost, "acknowledged writes lost", "-",
            "what a synchronous standby is for; 'coachops db status' warns",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout, indent=2)
    print()

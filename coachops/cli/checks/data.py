"""Checks of what the database holds: its state, background work, spending, backups, the record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from coachops.cli.checks.model import Check, Status, failed
from coachops.core import clock
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services

LARGE_WAL = 256 << 20
"""Bytes; a write-ahead log of this size says that some reader never ends."""
SKEW = dt.timedelta(seconds=30)
QUICK_LOOK = 5_000
FEED_WAITS = dt.timedelta(minutes=5)


def state(services: Services) -> Check:
    """The database takes writes, and has the schema of this version."""
    from coachops.core.settings import mask_password  # noqa: PLC0415 imports pydantic
    from coachops.db import migrate  # noqa: PLC0415 imports SQLAlchemy

    database = services.database
    found = database.state()
    where = mask_password(services.settings.database_url)
    if found.mode == "read_only":
        return failed("database", CoachError("COACH-DB-007", reason=found.detail or "no primary"))
    if found.mode == "down":
        return failed("database", CoachError("COACH-DB-001", reason=found.detail or "no answer"))
    return Check("database", "ok", f"{where}, schema {migrate.current(database)}")


def integrity(services: Services) -> Check:
    """Nothing in the database is damaged (the quick look; the daily one is thorough)."""
    problems = services.database.check_integrity()
    if problems:
        return failed("integrity", CoachError("COACH-DB-008", reason=problems[0]))
    return Check("integrity", "ok", "no damage found by the quick look")


def servers(services: Services) -> Check:
    """PostgreSQL: standby, checksums; SQLite: the write-ahead log does not grow without end."""
    if services.database.is_sqlite:
        return _log_size(services)
    import sqlalchemy as sa  # noqa: PLC0415 kept out of --help

    from coachops.db.standby import status  # noqa: PLC0415 as above

    found = status(services.database)
    if found.warnings:
        return Check("servers", "warn", found.warnings[0], "Run 'coachops db status'.")
    with services.database.read() as session:
        checksums = session.scalar(sa.text("SHOW data_checksums"))
    if checksums != "on":
        return Check(
            "servers", "warn", "the server would not notice a damaged page: checksums are off",
            "Stop it and run 'pg_checksums --enable' on its data folder.",
        )  # fmt: skip
    roles = ", ".join(f"{each.host} {each.role}" for each in found.servers)
    loses = "loses nothing" if found.loses_nothing else "may lose the newest writes"
    return Check("servers", "ok", f"{roles}; a failover {loses}")


def _log_size(services: Services) -> Check:
    from coachops.db.engine import sqlite_file  # noqa: PLC0415 imports SQLAlchemy

    file = sqlite_file(services.database.engine)
    log = None if file is None else file.with_name(f"{file.name}-wal")
    size = log.stat().st_size if log is not None and log.exists() else 0
    whole = file.stat().st_size if file is not None and file.exists() else 0
    found = f"one file of {whole / 1e6:.1f} MB, write-ahead log {size / 1e6:.1f} MB"
    if size > LARGE_WAL:
        return Check(
            "servers", "warn", found, "End notebooks and tools that keep the database open."
        )
    return Check("servers", "ok", found)


def work(services: Services) -> Check:
    """A worker runs, and what waits is begun."""
    from coachops.jobs.health import queue_health  # noqa: PLC0415 imports the queue

    found = queue_health(services.settings, services.database)
    counts = f"{found.waiting} waiting, {found.running} running, {found.failed} failed today"
    if found.problems:
        step = "Start 'coachops serve' or 'coachops worker'; 'coachops job list' shows the jobs."
        return Check("background work", "fail", f"{found.problems[0]} ({counts})", step)
    if not found.workers.running:
        return Check(
            "background work", "warn", f"no worker runs ({counts})",
            "Start 'coachops serve' or 'coachops worker'.",
        )  # fmt: skip
    if found.failed:
        step = "Run 'coachops job list --state failed'; 'coachops job retry' starts one again."
        return Check("background work", "warn", counts, step)
    return Check("background work", "ok", f"{len(found.workers.alive)} workers, {counts}")


def spending(services: Services) -> Check:
    """The AI services are not being spared after failures, and today's limit is not reached."""
    from coachops.ai.health import health  # noqa: PLC0415 imports SQLAlchemy

    name = "AI use"
    now = health(services.database, services.settings)
    found = f"{now.spent_usd:.2f} USD today" + (
        ", no limit" if now.limit_usd is None else f" of {now.limit_usd:.2f}"
    )
    if now.stand_ins:
        found += f", {now.stand_ins} analyses wait to be made again"
    if now.limit_usd is not None and now.spent_usd >= now.limit_usd:
        error = CoachError("COACH-AI-008", reason=found)
        return Check(name, "warn", f"{error.code} {error.message}", error.next_step, error.code)
    for each in now.targets:
        if each.state == "refused":
            return failed(name, CoachError(each.code or "COACH-AI-002"))
        if each.state == "resting":
            return Check(
                name, "warn", f"{each.label} is spared after failures ({each.code}); {found}",
                "It is tried again by itself; the check 'AI' shows whether it answers.",
            )  # fmt: skip
    return Check(name, "ok", found)


def backups(services: Services) -> Check:
    """A backup is fresh, a drill has passed, a copy of the key lies elsewhere.

    In a local installation that is a warning: it may have been made a minute ago.
    """
    found = services.backups.status()
    bad = [each for each in found.problems if each.severity == "bad"]
    status: Status = "fail" if bad and services.settings.env == "production" else "warn"
    for each in (*bad, *found.problems):
        more = len(found.problems) - 1
        tail = f" (and {more} more: 'coachops backup status')" if more else ""
        return Check(
            "backups", status, f"{each.code} {each.message}{tail}", each.next_step, each.code
        )
    last = found.last_good
    made = "none" if last is None else f"{last.made_at:%Y-%m-%d %H:%M} UTC"
    drill = found.last_passed
    proven = "never" if drill is None else f"{drill.at:%Y-%m-%d %H:%M} UTC"
    return Check("backups", "ok", f"last {made} at {found.place}, last drill passed {proven}")


def time(services: Services) -> Check:
    """The clock agrees with the database server's, and was not set back."""
    import sqlalchemy as sa  # noqa: PLC0415 kept out of --help

    from coachops.db.models import AuditEvent  # noqa: PLC0415 as above

    with services.database.read() as session:
        newest = session.scalar(sa.select(sa.func.max(AuditEvent.at)))
        server = None
        if not services.database.is_sqlite:
            server = session.scalar(sa.text("SELECT clock_timestamp()"))
    now = clock.now()
    step = "Let the system keep the time (NTP): 'timedatectl' shows its state."
    if server is not None and abs(server - now) > SKEW:
        found = f"this clock and the database server's differ by {abs(server - now)}"
        return Check("clock", "fail", found, step)
    if newest is not None and newest - now > SKEW:
        found = f"the newest record is {newest - now} in the future: the clock was set back"
        return Check("clock", "warn", found, step)
    return Check("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC")


def record(services: Services) -> Check:
    """The newest part of the audit record is as it was written, and is being sealed."""
    from coachops import audit  # noqa: PLC0415 imports SQLAlchemy

    report = audit.verify(services.database, newest=QUICK_LOOK)
    if report.first is not None:
        return failed("audit record", CoachError("COACH-SYS-009", reason=report.first.text))
    number = 0 if report.head is None else report.head.seq
    found = f"{number} acts, the newest {report.checked} verified"
    if report.waiting > 1000:
        return Check(
            "audit record", "warn", f"{report.waiting} acts are not sealed into the chain yet",
            "Start a worker, or run 'coachops audit verify', which seals them.",
        )  # fmt: skip
    return Check("audit record", "ok", found)


def quarantine(services: Services) -> Check:
    """Nothing that was refused waits for a person."""
    from coachops.coaching.quarantine import count_waiting  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    count = count_waiting(services.database, SYSTEM)
    if count:
        plural = "thing waits" if count == 1 else "things wait"
        return Check(
            "quarantine", "warn", f"{count} {plural} that could not be accepted",
            "Run 'coachops quarantine list', or open the page of that name.",
        )  # fmt: skip
    return Check("quarantine", "ok", "nothing waits")


def feed(services: Services) -> Check:
    """What was committed gets its place in the change feed soon."""
    from coachops.db import change_feed  # noqa: PLC0415 imports SQLAlchemy

    with services.database.connect() as connection:
        found = change_feed.state(connection)
    since = found.oldest_waiting
    if since is not None and clock.now() - since > FEED_WAITS:
        error = CoachError(
            "COACH-FED-007", count=found.backlog, since=f"{since:%Y-%m-%d %H:%M} UTC"
        )
        return Check("change feed", "warn", error.message, error.next_step, error.code)
    return Check("change feed", "ok", f"at {found.head}, {found.entries} changes kept")


def tokens(services: Services) -> Check:
    """Tokens in use still see somebody: not all coaches or clients of their limits have left."""
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    active = [row for row in services.identity.list_tokens(SYSTEM) if row.status == "active"]
    empty = [row for row in active if row.all_left]
    if empty:
        names = ", ".join(f"'{row.name}'" for row in empty[:3])
        return Check(
            "tokens", "warn", f"all coaches or clients of {len(empty)} tokens have left: {names}",
            "Make one with other limits and revoke this one: 'coachops token list'.",
        )  # fmt: skip
    return Check("tokens", "ok", f"{len(active)} in use")


def webhooks(services: Services) -> Check:
    """No receiver was switched off or fails, and the secrets can be opened."""
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    name, found = "webhooks", services.webhooks.health(SYSTEM)
    if found.unreadable:
        return failed(name, CoachError("COACH-WHK-005", ref=found.unreadable[0]))
    step = (
        "Mend the receiver, or see that it is still wanted; then 'coachops webhook enable' and "
        "'coachops webhook test'."
    )
    if found.off:
        return Check(name, "warn", f"{len(found.off)} switched off: {found.off[0]}", step)
    if found.failing:
        return Check(name, "warn", f"{len(found.failing)} failing: {found.failing[0]}", step)
    return Check(name, "ok", f"{found.total} receivers, {found.waiting} deliveries on their way")


def erasures(services: Services) -> Check:
    """Every erased client is gone from every place."""
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue
    from coachops.privacy import list_erased  # noqa: PLC0415 imports SQLAlchemy

    rows = list_erased(services.database, SYSTEM)
    open_ones = [row for row in rows if row.finished_at is None]
    if open_ones:
        return Check(
            "erasures", "warn", f"of {len(open_ones)} erased something is still to be cleaned",
            "Run 'coachops privacy erased' to see what, then 'coachops privacy retention run'.",
        )  # fmt: skip
    return Check("erasures", "ok", f"{len(rows)} erased, nothing left to clean")


CHECKS: dict[str, Callable[[Services], Check]] = {
    "database": state,
    "integrity": integrity,
    "servers": servers,
    "background work": work,
    "AI use": spending,
    "backups": backups,
    "clock": time,
    "audit record": record,
    "quarantine": quarantine,
    "change feed": feed,
    "tokens": tokens,
    "webhooks": webhooks,
    "erasures": erasures,
}
"""Name -> check, in the order in which they are shown."""

"""What the database remembers of backups, drills and escrow: for figures, limits and the dashboard.

It may be what was lost, so nothing needed for a restore is read from here; and where it disagrees
with the place (a manifest that vanished) that is a finding.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.backup.model import BackupRow, DrillResult, Manifest
from coachops.backup.shelf import Shelf
from coachops.core import clock
from coachops.db import Database
from coachops.db.models import Backup, Drill, Heartbeat, KeyEscrow

_KEEP_BEATS = dt.timedelta(days=3)
_KEEP_ROWS = dt.timedelta(days=35)
"""How long runs that failed or whose backup is gone are remembered."""
_KEEP_DRILLS = dt.timedelta(days=400)


def beat(database: Database) -> dt.datetime:
    """Write a heartbeat; what a restore brings back of them measures what it lost."""
    now = clock.now()

    def work(session: Session) -> None:
        session.add(Heartbeat(at=now))
        session.execute(sa.delete(Heartbeat).where(Heartbeat.at < now - _KEEP_BEATS))

    database.run(work)
    return now


def add_good(session: Session, manifest: Manifest, sha256: str, place: str) -> None:
    """Remember a backup that was published; one that is known is left alone."""
    found = session.scalar(sa.select(Backup).where(Backup.name == manifest.id))
    if found is None:
        found = Backup(name=manifest.id)
        session.add(found)
    found.engine, found.kind, found.state = manifest.engine, manifest.kind, "good"
    found.place, found.made_at, found.finished_at = place, manifest.made_at, manifest.finished_at
    found.heartbeat_at, found.revision = manifest.snapshot.heartbeat, manifest.snapshot.revision
    found.bytes = manifest.total_bytes
    found.rows = sum(table.rows for table in manifest.snapshot.tables.values())
    found.manifest_sha256, found.recipients = sha256, list(manifest.recipients)
    found.error_code = None


def add_failed(
    database: Database, backup_id: str, engine: str, place: str, code: str, at: dt.datetime
) -> None:
    """Remember a run that failed."""

    def work(session: Session) -> None:
        session.add(
            Backup(
                name=backup_id, engine=engine, kind="full", state="failed", place=place,
                made_at=at, finished_at=clock.now(), recipients=[], error_code=code,
            )
        )  # fmt: skip

    database.run(work)


def follow(database: Database, shelf: Shelf, place: str, installation: str) -> None:
    """Make the memory follow the place: what is there is known, what was deleted is expired."""
    there = {
        one.id: one
        for one in shelf.backups
        if one.good and one.manifest is not None and one.manifest.installation == installation
    }

    def work(session: Session) -> None:
        known = {row.name: row for row in session.scalars(sa.select(Backup))}
        for name, one in there.items():
            row = known.get(name)
            if (row is None or row.state != "good") and one.manifest is not None:
                add_good(session, one.manifest, one.sha256, place)
            elif row is not None and one.proven_at and row.proven_at is None:
                row.proven_at = one.proven_at
        for name, row in known.items():
            if row.state == "good" and row.place == place and name not in there:
                row.state = "expired"
        now = clock.now()
        old = now - _KEEP_ROWS
        session.execute(sa.delete(Backup).where(Backup.state != "good", Backup.made_at < old))
        session.execute(sa.delete(Drill).where(Drill.at < now - _KEEP_DRILLS))

    database.run(work)


def expire(database: Database, names: Sequence[str]) -> None:
    """Remember that these were deleted after their time."""

    def work(session: Session) -> None:
        session.execute(sa.update(Backup).where(Backup.name.in_(names)).values(state="expired"))

    if names:
        database.run(work)


def add_drill(database: Database, result: DrillResult) -> None:
    """Remember a drill, and the proof where it passed."""

    def work(session: Session) -> None:
        session.add(
            Drill(
                at=result.at, backup_name=result.backup_id, passed=result.passed,
                escrow=result.escrow, rpo_seconds=result.rpo_seconds,
                rto_seconds=result.rto_seconds, bytes=result.bytes, tables=result.tables,
                rows=result.rows, reasons=list(result.reasons),
            )
        )  # fmt: skip
        if result.passed:
            session.execute(
                sa.update(Backup).where(Backup.name == result.backup_id).values(proven_at=result.at)
            )

    database.run(work)


def last_good(session: Session, place: str | None = None) -> BackupRow | None:
    """The newest good backup that is remembered, of one place or of any."""
    query = (
        sa.select(Backup)
        .where(Backup.state == "good")
        .order_by(Backup.made_at.desc(), Backup.name.desc())
        .limit(1)
    )
    if place is not None:
        query = query.where(Backup.place == place)
    row = session.scalar(query)
    return _row(row) if row is not None else None


def first_good_at(session: Session) -> dt.datetime | None:
    """When backups began here."""
    return session.scalar(sa.select(sa.func.min(Backup.made_at)).where(Backup.state != "failed"))


def manifest_of(session: Session, name: str) -> str | None:
    """The digest of a backup's manifest, as it was published."""
    return session.scalar(sa.select(Backup.manifest_sha256).where(Backup.name == name))


def last_failure(session: Session) -> tuple[dt.datetime, str] | None:
    """When and with which code the newest run failed; None where a later one was good."""
    row = session.scalar(
        sa.select(Backup)
        .where(Backup.state.in_(("good", "failed")))
        .order_by(Backup.made_at.desc(), Backup.name.desc())
        .limit(1)
    )
    if row is None or row.state != "failed":
        return None
    return row.made_at, row.error_code or "COACH-SYS-003"


def last_drill(session: Session, *, passed: bool = False) -> DrillResult | None:
    """The newest drill, or the newest that passed."""
    query = sa.select(Drill).order_by(Drill.at.desc(), Drill.id.desc()).limit(1)
    if passed:
        query = query.where(Drill.passed)
    row = session.scalar(query)
    if row is None:
        return None
    return DrillResult(
        at=row.at, passed=row.passed, backup_id=row.backup_name, rpo_seconds=row.rpo_seconds,
        rto_seconds=row.rto_seconds, bytes=row.bytes, reasons=tuple(row.reasons),
        escrow=row.escrow, tables=row.tables, rows=row.rows,
    )  # fmt: skip


def known_recipients(session: Session) -> tuple[str, ...]:
    """Whom the newest good backup was sealed for."""
    found = session.scalar(
        sa.select(Backup.recipients)
        .where(Backup.state == "good")
        .order_by(Backup.made_at.desc())
        .limit(1)
    )
    return tuple(found or ())


def confirm_escrow(database: Database, fingerprint: str) -> None:
    """Remember that the copy of this key was shown and opened a backup."""
    database.run(
        lambda session: session.add(KeyEscrow(fingerprint=fingerprint, confirmed_at=clock.now()))
    )


def escrow_confirmed(session: Session) -> dict[str, dt.datetime]:
    """Fingerprint of each key whose copy was shown, and when last."""
    rows = session.execute(
        sa.select(KeyEscrow.fingerprint, sa.func.max(KeyEscrow.confirmed_at)).group_by(
            KeyEscrow.fingerprint
        )
    )
    return {row[0]: row[1] for row in rows}


def _row(row: Backup) -> BackupRow:
    return BackupRow(
        id=row.name, state=row.state, made_at=row.made_at, engine=row.engine, kind=row.kind,
        bytes=row.bytes, rows=row.rows, revision=row.revision,
        manifest_sha256=row.manifest_sha256 or "", heartbeat=row.heartbeat_at,
        proven_at=row.proven_at,
    )  # fmt: skip

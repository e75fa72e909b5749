"""Retention: how long each kind of data is kept. Without a period it is kept.

Nothing expires that belongs to a client with a legal hold. Rows go in small transactions, so nobody
waits; a run that is cut short leaves what the next one finds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Activity,
    AiReply,
    Analysis,
    Base,
    CoachingSession,
    Feedback,
    Insight,
    InsightEdit,
    LegalHold,
    MailEvent,
    Message,
    OutboundRecord,
    QuarantineItem,
    RetentionPeriod,
    Transcript,
    TranscriptEdit,
    Utterance,
)
from coachops.db.models.privacy import RETENTION_KINDS
from coachops.privacy import folders, holds, issued
from coachops.privacy.folders import HeldFile

AT_ONCE = 100
"""Transcripts, analyses or messages in one transaction."""
ACTIVITY_AT_ONCE = 5_000

MEANINGS: dict[str, str] = {
    "transcripts": "uploaded files and what was said, with analyses, findings and next steps; the "
    "session's day and the letter stay; counts from the session's day",
    "analyses": "analyses that a newer one has replaced; counts from when they were made",
    "messages": "letters that are sent, failed or left as drafts, and the client's answers; counts "
    "from the last change",
    "activity": "the record of uses of the suite",
    "exports": "exports in the home folder",
    "reports": "report runs in the home folder",
    "outbox": "letters as files",
    "mail_reports": "returned mails that named no letter",
}
"""Kind -> what a period deletes."""


@dataclass(frozen=True, slots=True)
class Period:
    """A kind and how long it is kept; `days` None: always."""

    kind: str
    days: int | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run deleted, or with a dry run would: rows or files of a kind."""

    kind: str
    days: int
    count: int


@dataclass(frozen=True, slots=True)
class _Due:
    """Rows whose time has come.

    Attributes:
        ids: the query for the ids of the main rows.
        steps: what goes with one of them, children first; each a table and its column.
    """

    ids: Callable[[dt.datetime, dt.tzinfo], sa.Select[object]]
    steps: tuple[tuple[type[Base], sa.ColumnElement[object] | object], ...]
    at_once: int = AT_ONCE


def list_periods(database: Database) -> list[Period]:
    """Every kind with its period."""
    with database.read() as session:
        known = {row.kind: row.days for row in session.scalars(sa.select(RetentionPeriod))}
    return [Period(kind, known.get(kind), MEANINGS[kind]) for kind in RETENTION_KINDS]


def set_period(database: Database, actor: Actor, kind: str, days: int | None) -> None:
    """Keep a kind for so many days; None: always.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin, COACH-PRV-004.
    """
    actor.require_role("admin", what="retention periods")
    if kind not in RETENTION_KINDS or (days is not None and not 1 <= days <= 36_500):
        shown = "keep" if days is None else days
        known = ", ".join(RETENTION_KINDS)
        raise CoachError("COACH-PRV-004", kind=kind, days=shown, known=known)

    def work(session: Session) -> None:
        session.execute(sa.delete(RetentionPeriod).where(RetentionPeriod.kind == kind))
        if days is not None:
            session.add(
                RetentionPeriod(kind=kind, days=days, set_at=clock.now(), set_by=actor.user_id)
            )
        audit.record(session, actor, "retention.set", "retention", kind, days=days)

    database.run(work)


def run_periods(database: Database, home: Path, *, dry_run: bool = False) -> list[Ran]:
    """Delete what is older than its period; with `dry_run` only count it.

    Raises:
        CoachError: COACH-DB-….
    """
    ran = []
    for period in list_periods(database):
        if period.days is None:
            continue
        before = clock.now() - dt.timedelta(days=period.days)
        if period.kind in _ROWS:
            count = _rows(database, _ROWS[period.kind], before, dry_run=dry_run)
        else:
            count = _files(database, home, period.kind, before, dry_run=dry_run)
        ran.append(Ran(period.kind, period.days, count))
        if count and not dry_run:
            _record(database, period.kind, count)
    return ran


def _record(database: Database, kind: str, count: int) -> None:
    database.run(
        lambda session: audit.record(
            session, SYSTEM, "retention.applied", "retention", kind, count=count
        )
    )


def _transcripts(before: dt.datetime, zone: dt.tzinfo) -> sa.Select[object]:
    return (
        sa.select(Transcript.id)
        .join(CoachingSession, CoachingSession.id == Transcript.session_id)
        .where(
            CoachingSession.held_on < before.astimezone(zone).date(),
            Transcript.state != "analysing",
            Transcript.client_id.not_in(holds.standing()),
        )
    )


def _analyses(before: dt.datetime, _zone: dt.tzinfo) -> sa.Select[object]:
    newer = sa.orm.aliased(Analysis)
    return (
        sa.select(Analysis.id)
        .join(Transcript, Transcript.id == Analysis.transcript_id)
        .where(
            Analysis.created_at < before,
            Transcript.client_id.not_in(holds.standing()),
            sa.exists().where(
                newer.transcript_id == Analysis.transcript_id,
                newer.created_at > Analysis.created_at,
                newer.status != "failed",
            ),
        )
    )


def _messages(before: dt.datetime, _zone: dt.tzinfo) -> sa.Select[object]:
    return sa.select(Message.id).where(
        Message.updated_at < before,
        Message.state.not_in(("approved", "sending")),
        Message.client_id.not_in(holds.standing()),
    )


def _activity(before: dt.datetime, _zone: dt.tzinfo) -> sa.Select[object]:
    return sa.select(Activity.id).where(Activity.at < before)


_ROWS: dict[str, _Due] = {
    "transcripts": _Due(
        _transcripts,
        (
            (ActionItem, ActionItem.transcript_id),
            (InsightEdit, InsightEdit.transcript_id),
            (Insight, Insight.transcript_id),
            (AiReply, AiReply.transcript_id),
            (Analysis, Analysis.transcript_id),
            (TranscriptEdit, TranscriptEdit.transcript_id),
            (QuarantineItem, QuarantineItem.transcript_id),
            (Utterance, Utterance.transcript_id),
            (Transcript, Transcript.id),
        ),
    ),
    "analyses": _Due(
        _analyses,
        (
            (OutboundRecord, OutboundRecord.analysis_id),
            (Insight, Insight.analysis_id),
            (Analysis, Analysis.id),
        ),
    ),
    "messages": _Due(
        _messages,
        (
            (Feedback, Feedback.message_id),
            (MailEvent, MailEvent.message_id),
            (Message, Message.id),
        ),
    ),
    "activity": _Due(_activity, ((Activity, Activity.id),), ACTIVITY_AT_ONCE),
}


def _rows(database: Database, due: _Due, before: dt.datetime, *, dry_run: bool) -> int:
    query = due.ids(before, database.zone)
    if dry_run:
        with database.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0

    def work(session: Session) -> int:
        found = session.scalars(query.limit(due.at_once)).all()
        for model, column in due.steps:
            session.execute(
                sa.delete(model)
                .where(column.in_(found))  # type: ignore[union-attr]  # a column
                .execution_options(synchronize_session=False)
            )
        return len(found)

    total = 0
    while done := database.run(work):
        total += done
    return total


def _files(database: Database, home: Path, kind: str, before: dt.datetime, *, dry_run: bool) -> int:
    with database.read() as session:
        held = session.scalar(
            sa.select(sa.func.count()).select_from(LegalHold).where(LegalHold.released_at.is_(None))
        )
    if held:  # files are about many; which of them a duty needs, nobody can tell
        return 0
    exports: list[issued.Issued] = []
    if kind == "exports":
        known = issued.of_folder(home / folders.EXPORTS)
        exports = [each for each in known if each.made_at < before]
        old = [HeldFile(kind, each.folder) for each in exports if each.folder is not None]
    else:
        old = [HeldFile(kind, path) for path in _old_files(home, kind, before)]
    if dry_run:
        return len(old)
    left = folders.remove(old)
    issued.note_removed(database, exports)
    return len(old) - len(left)


def _old_files(home: Path, kind: str, before: dt.datetime) -> Iterator[Path]:
    folder = home / {"outbox": folders.OUTBOX, "mail_reports": folders.MAIL_REPORTS}.get(
        kind, folders.REPORTS
    )
    if not folder.is_dir():
        return
    paths = folders.report_runs(folder) if kind == "reports" else sorted(folder.iterdir())
    for path in paths:
        changed = dt.datetime.fromtimestamp(path.stat().st_mtime, clock.UTC)
        if changed < before:
            yield path

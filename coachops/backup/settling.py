"""What must change in a database that was brought back, before anybody works with it.

It tells the past as if it were now: follow-ups that have been sent since look unsent, sign-ins that
were ended look alive, jobs that were done look open.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.db import Database, change_feed
from coachops.db.models import (
    KernelBinding,
    KernelTicket,
    Message,
    SignInLink,
    WebSession,
    WorkerHeartbeat,
)
from coachops.webhooks.delivering import switch_all_off

HELD = "COACH-BKP-018"
_SCHEMA, _JOBS, _KEY = "dbos", "workflow_status", "workflow_uuid"
_OPEN = "('PENDING', 'ENQUEUED', 'DELAYED')"


@dataclass(frozen=True, slots=True)
class Settled:
    """How many: messages held, drafts left, sign-ins ended, webhooks switched off."""

    held: int
    drafts: int
    signed_out: int
    webhooks: int


def settle(database: Database, backup_id: str) -> Settled:
    """Make a restored database fit to be used; all in one transaction.

    Messages that were approved or being sent become *uncertain*: a person says whether they went
    out, so nothing is sent twice. Drafts and failed ones keep their state with a warning. All sign-ins, links and dashboard tickets end.
    All webhooks are switched off: one that was removed since must be told of nothing, and nobody can
    tell here which one that is.
    """

    def work(session: Session) -> Settled:
        now = clock.now()
        held = session.execute(
            sa.update(Message)
            .where(Message.state.in_(("approved", "sending")))
            .values(state="uncertain", error_code=HELD, retry_at=None, updated_at=now)
            .returning(Message.id)
        ).all()
        # approved, or tried again, after the backup was made? Nobody can tell: the coach is warned
        session.execute(
            sa.update(Message)
            .where(Message.state.in_(("draft", "failed")))
            .values(error_code=HELD)
            .execution_options(synchronize_session=False)
        )
        signed_out = session.execute(
            sa.update(WebSession)
            .where(WebSession.ended_at.is_(None), WebSession.expires_at > now)
            .values(ended_at=now)
            .returning(WebSession.id)
        ).all()
        session.execute(
            sa.update(SignInLink).where(SignInLink.used_at.is_(None)).values(used_at=now)
        )
        session.execute(sa.delete(KernelTicket))
        session.execute(
            sa.update(KernelBinding).where(KernelBinding.ended_at.is_(None)).values(ended_at=now)
        )
        session.execute(sa.update(WorkerHeartbeat).values(stopped=True))
        webhooks = switch_all_off(session, "restored", now)
        # what followers read after the backup was made is not in it: they must begin anew
        change_feed.bump_epoch(session.connection())
        drafts = session.scalar(
            sa.select(sa.func.count()).select_from(Message).where(Message.state == "draft")
        )
        audit.record(
            session, SYSTEM, "backup.restored", "backup", backup_id,
            held=len(held), signed_out=len(signed_out), webhooks=webhooks,
        )  # fmt: skip
        return Settled(len(held), drafts or 0, len(signed_out), webhooks)

    return database.run(work)


def drop_open_jobs(jobs: Path) -> int:
    """Remove jobs that were open from the embedded queue's store; returns how many.

    The worker queues again what the business data call for; jobs that ended stay as history. What a
    removed job had done goes, too: a new job of the same id must not believe that it did it.
    """
    with contextlib.closing(sqlite3.connect(jobs)) as connection, connection:
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if any(row[1] == _KEY for row in connection.execute(f"PRAGMA table_info({name})"))
        }
        if _JOBS not in tables:
            return 0
        found = connection.execute(f"DELETE FROM {_JOBS} WHERE status IN {_OPEN}")  # noqa: S608 constants
        for name in tables - {_JOBS}:
            query = f"DELETE FROM {name} WHERE {_KEY} NOT IN (SELECT {_KEY} FROM {_JOBS})"  # noqa: S608 as above
            connection.execute(query)
        return found.rowcount


def drop_open_server_jobs(database: Database) -> int:
    """As `drop_open_jobs`, where the queue's store is the schema `dbos` of the same database."""

    def work(session: Session) -> int:
        connection = session.connection()
        inspector = sa.inspect(connection)
        if not inspector.has_table(_JOBS, _SCHEMA):
            return 0
        found = session.execute(
            sa.text(f"DELETE FROM {_SCHEMA}.{_JOBS} WHERE status IN {_OPEN} RETURNING 1")  # noqa: S608 constants
        ).all()
        for name in inspector.get_table_names(_SCHEMA):
            columns = {column["name"] for column in inspector.get_columns(name, _SCHEMA)}
            if name != _JOBS and _KEY in columns:
                query = (
                    f"DELETE FROM {_SCHEMA}.{name} WHERE {_KEY} NOT IN "  # noqa: S608 as above
                    f"(SELECT {_KEY} FROM {_SCHEMA}.{_JOBS})"
                )
                session.execute(sa.text(query))
        return len(found)

    return database.run(work)

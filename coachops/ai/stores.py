"""The shared state of the AI services on the application's database, SQLite and PostgreSQL alike.

Each function works in an open write transaction. Rows are made at their first use; circuits change
by compare-and-set, the bucket under a row lock, the day's spend by one conditional UPDATE.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.db.models import AiBudget, AiCircuit, AiSpend
from coachops.resilience import Bucket, Circuit, RetryBudget

_QUIET = {"synchronize_session": False}


def insert_new(session: Session, table: type[Any], **values: object) -> bool:
    """Insert a row unless its key is there already; says whether it was inserted."""
    dialect = session.get_bind().dialect.name
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    new = make(table).values(**values).on_conflict_do_nothing().returning(sa.literal(1))
    return session.execute(new).first() is not None  # its row count is not to be had everywhere


class SqlCircuits:
    """Circuits as rows of `ai_circuits`; a circuit of version 0 has no row yet."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def load(self, name: str) -> Circuit:
        """As the protocol says."""
        row = self._session.execute(
            sa.select(
                AiCircuit.failures,
                AiCircuit.opened_at,
                AiCircuit.rest_seconds,
                AiCircuit.probe_at,
                AiCircuit.last_code,
                AiCircuit.version,
            ).where(AiCircuit.target == name)
        ).one_or_none()
        return Circuit(*row) if row is not None else Circuit()

    def swap(self, name: str, before: Circuit, after: Circuit) -> bool:
        """As the protocol says."""
        values = {
            "failures": after.failures,
            "opened_at": after.opened_at,
            "rest_seconds": after.rest,
            "probe_at": after.probe_at,
            "last_code": after.last_code,
            "version": after.version,
            "updated_at": clock.now(),
        }
        if before.version == 0:
            return insert_new(self._session, AiCircuit, target=name, **values)
        done: Any = self._session.execute(
            sa.update(AiCircuit)
            .where(AiCircuit.target == name, AiCircuit.version == before.version)
            .values(**values)
            .execution_options(**_QUIET)
        )
        return bool(done.rowcount)


def first_try(session: Session, name: str, policy: RetryBudget, now: dt.datetime) -> None:
    """Put in the bucket of a service what a first try adds."""
    _pour(session, name, policy.first_try(_bucket(session, name, policy, now), now))


def take_retry(session: Session, name: str, policy: RetryBudget, now: dt.datetime) -> bool:
    """Take a retry out of the bucket of a service; False where none is left."""
    granted, bucket = policy.retry(_bucket(session, name, policy, now), now)
    _pour(session, name, bucket)
    return granted


def _bucket(session: Session, name: str, policy: RetryBudget, now: dt.datetime) -> Bucket:
    """The bucket, whose row is locked until the end of the transaction."""
    found = (
        sa.select(AiBudget.tokens, AiBudget.filled_at)
        .where(AiBudget.target == name)
        .with_for_update()
    )
    row = session.execute(found).one_or_none()
    if row is None:
        insert_new(session, AiBudget, target=name, tokens=policy.size, filled_at=now)
        row = session.execute(found).one()
    return Bucket(*row)


def _pour(session: Session, name: str, bucket: Bucket) -> None:
    session.execute(
        sa.update(AiBudget)
        .where(AiBudget.target == name)
        .values(tokens=bucket.tokens, filled_at=bucket.filled_at)
        .execution_options(**_QUIET)
    )


def reserve(session: Session, day: dt.date, microusd: int, limit: int | None) -> bool:
    """Book `microusd` on `day` before a call; False, and nothing booked, where it passes the limit."""
    booked = sa.update(AiSpend).where(AiSpend.day == day)
    if limit is not None:
        booked = booked.where(AiSpend.spent_microusd + microusd <= limit)
    booked = booked.values(
        spent_microusd=AiSpend.spent_microusd + microusd, calls=AiSpend.calls + 1
    ).execution_options(**_QUIET)

    def book() -> bool:
        done: Any = session.execute(booked)
        return bool(done.rowcount)

    if book():
        return True
    insert_new(session, AiSpend, day=day, spent_microusd=0, calls=0)  # the first call of the day
    return book()


def correct(session: Session, day: dt.date, microusd: int) -> None:
    """Add what a call cost beyond its booking (negative: less) to `day`."""
    total = AiSpend.spent_microusd + microusd
    session.execute(
        sa.update(AiSpend)
        .where(AiSpend.day == day)
        .values(spent_microusd=sa.case((total < 0, 0), else_=total))
        .execution_options(**_QUIET)
    )

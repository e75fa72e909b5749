"""Analyses that the local engine made because a service failed, and their second chance.

`retry_at` of a degraded analysis says from when another try is worth while, until another analysis
takes its place. While a service rests, one analysis at
a time is tried; when one has been made by the service, the others that waited for it are due at once.
Trying in vain leaves no trace but a later time, so that an outage of a day does not fill the tables.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai.gateway import GatewayReply
from coachops.core import clock
from coachops.db import Database
from coachops.db.models import AiCircuit, Analysis, Consent, Transcript

_SHORTEST = dt.timedelta(minutes=1)
_LONGEST = dt.timedelta(hours=1)
"""Between two tries of one analysis: half of its age, within these bounds."""

_IMPOSSIBLE = dt.timedelta(hours=2)
"""No wait is longer, but those of `_OWN_TIME`: the clock was set back since it was written down."""

_FORGOTTEN = dt.timedelta(days=1)
"""A circuit that nobody touched for so long belongs to a service that is not asked any more."""

_OWN_TIME = ("COACH-AI-008", "COACH-AI-009")
"""Failures that a service that is back does not end: the day's limit, a session that is too long."""


def degraded_due(database: Database, limit: int = 200) -> list[uuid.UUID]:
    """Transcripts to analyse again because the service may be back, the longest waiting first.

    At most one, each time another, while a service rests after failures: it tries whether it is back
    for all the others.
    """
    now = clock.now()
    may_be_analysed = (
        sa.select(Consent.granted)
        .where(Consent.client_id == Transcript.client_id, Consent.kind == "processing")
        .order_by(Consent.recorded_at.desc(), Consent.created_at.desc(), Consent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    with database.read() as session:
        resting = session.scalar(
            sa.select(sa.func.count())
            .select_from(AiCircuit)
            .where(AiCircuit.opened_at.is_not(None), AiCircuit.updated_at > now - _FORGOTTEN)
        )
        due = list(
            session.scalars(
                sa.select(Analysis.transcript_id)
                .join(Transcript, Transcript.id == Analysis.transcript_id)
                .where(
                    Analysis.status == "degraded",
                    sa.or_(
                        Analysis.retry_at <= now,
                        sa.and_(
                            Analysis.retry_at > now + _IMPOSSIBLE,
                            Analysis.error_code.not_in(_OWN_TIME),
                        ),
                    ),
                    Transcript.state == "analysed",
                    may_be_analysed.is_(True),
                )
                .order_by(Analysis.retry_at, Analysis.id)
                .limit(limit)
            )
        )
    if not resting or not due:
        return due
    return [due[int(now.timestamp()) % len(due)]]  # in turn: one that is cancelled holds up nobody


def postpone(analysis: Analysis, reply: GatewayReply) -> None:
    """Another try was in vain: note why, and when the next one is due."""
    now = clock.now()
    wait = min(max((now - analysis.created_at) / 2, _SHORTEST), _LONGEST)
    analysis.error_code = reply.error_code
    analysis.retry_at = max(now + wait, reply.retry_at or now)
    analysis.cost_microusd += reply.cost_microusd or 0


def replaced(session: Session, transcript_id: uuid.UUID) -> None:
    """Another analysis takes the place of all that were: none of them is tried again."""
    session.execute(
        sa.update(Analysis)
        .where(Analysis.transcript_id == transcript_id, Analysis.retry_at.is_not(None))
        .values(retry_at=None)
        .execution_options(synchronize_session=False)
    )


def wake(session: Session, transcript_id: uuid.UUID) -> None:
    """A service did what it had failed at: the other analyses that wait for it are due now."""
    now = clock.now()
    session.execute(
        sa.update(Analysis)
        .where(
            Analysis.status == "degraded",
            Analysis.transcript_id != transcript_id,
            Analysis.retry_at > now,
            Analysis.error_code.not_in(_OWN_TIME),
        )
        .values(retry_at=now)
        .execution_options(synchronize_session=False)
    )


def stood_in_before(session: Session, analysis: Analysis) -> bool:
    """Whether the analysis before this one was the local engine's for a service that failed."""
    before = session.scalar(
        sa.select(Analysis.status)
        .where(
            Analysis.transcript_id == analysis.transcript_id,
            Analysis.status != "failed",
            sa.or_(
                Analysis.created_at < analysis.created_at,
                sa.and_(Analysis.created_at == analysis.created_at, Analysis.id < analysis.id),
            ),
        )
        .order_by(Analysis.created_at.desc(), Analysis.id.desc())
        .limit(1)
    )
    return before == "degraded"

"""The record of what left the machine for an analysis, whether its result was kept or not.

It holds hosts, sizes, digests and tokens, never words. Nothing that left may be missing from it.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai import replies
from coachops.ai.gateway import Gateway, cost_of
from coachops.ai.providers.openai import Outbound
from coachops.coaching import corrections
from coachops.coaching.analysis_input import AnalysisInput
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.db.models import Analysis, OutboundRecord


def of_job(session: Session, transcript_id: uuid.UUID, job: str | None) -> Analysis | None:
    """What this job wrote already and no correction has overtaken.

    A step that is repeated after a crash may read something else than the first time, since another
    session of the client was analysed meanwhile; it must not ask, and pay, again for that.
    """
    if job is None:
        return None
    found = session.scalars(
        sa.select(Analysis)
        .where(
            Analysis.transcript_id == transcript_id,
            Analysis.job_id == job,
            Analysis.status != "failed",
        )
        .order_by(Analysis.created_at.desc(), Analysis.id.desc())
        .limit(1)
    ).first()
    if found is None or corrections.is_stale(session, transcript_id, found.created_at):
        return None
    return found


def keep_record(
    session: Session,
    gateway: Gateway,
    actor: Actor,
    transcript_id: uuid.UUID,
    read: AnalysisInput,
    code: str,
    sent: list[Outbound],
) -> None:
    """What left the machine for an analysis that is not kept; a repeated failure is one row."""
    analysis = session.scalars(
        sa.select(Analysis).where(
            Analysis.transcript_id == transcript_id,
            Analysis.status == "failed",
            Analysis.error_code == code,
            Analysis.input_sha256 == read.input_sha256,
        )
    ).first()
    if analysis is None:
        analysis = Analysis(
            id=ids.new_id(),
            transcript_id=transcript_id,
            status="failed",
            engine=read.target,
            model=gateway.model(read.target),
            input_sha256=read.input_sha256,
            dropped={},
            error_code=code,
            job_id=read.job,
            created_by=actor.user_id,
        )
        session.add(analysis)
        session.flush()
    analysis.cost_microusd = (analysis.cost_microusd or 0) + (cost_of(sent) or 0)
    log_outbound(session, analysis, tuple(sent))


def log_outbound(session: Session, analysis: Analysis, outbound: tuple[Outbound, ...]) -> None:
    """Write the requests that left down at their analysis."""
    told = {each.request_sha256 for each in outbound}
    # a process that was killed wrote down the answer it got, but not yet that it had asked
    outbound += tuple(
        each
        for each in replies.take_unlogged(session, analysis.transcript_id)
        if each.request_sha256 not in told
    )
    session.add_all(
        OutboundRecord(
            analysis_id=analysis.id,
            host=each.host[:200],
            model=each.model[:100],
            utterances=each.utterances,
            request_bytes=each.request_bytes,
            request_sha256=each.request_sha256,
            input_tokens=each.input_tokens,
            output_tokens=each.output_tokens,
        )
        for each in outbound
    )

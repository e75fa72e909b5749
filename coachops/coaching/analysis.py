"""Analysing a transcript: what may be read goes in, what holds comes out, in one transaction.

Order of things: consent and roles are checked, the words that are neither cut nor redacted are read,
the engine is asked outside of any transaction, its findings are checked against the transcript, and
everything is written at once. The same input, engine and version give the analysis that is there
already; so a step that a durable job repeats changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.ai import replies
from coachops.ai import types as ai
from coachops.ai.gateway import EngineChoice, Gateway, GatewayReply, cost_of
from coachops.ai.providers.openai import Outbound
from coachops.coaching import actions, analysis_again, behaviours, consent, corrections, insights
from coachops.coaching.analysis_again import degraded_due
from coachops.coaching.analysis_input import AnalysisInput, read_input, require_words, state_of
from coachops.coaching.analysis_record import keep_record, log_outbound, of_job
from coachops.coaching.citations import check
from coachops.coaching.scope import open_transcript
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Analysis
from coachops.telemetry import record_activity

__all__ = ["WAITING_CODES", "AnalysisOutcome", "analyse", "degraded_due"]

WAITING_CODES: Mapping[str, str] = {"roles": "COACH-CCH-003", "consent": "COACH-CCH-002"}
"""The code, with its next step, of everything an analysis may wait for."""

_ROUNDS = 3
"""How often an analysis starts again because the transcript was corrected while it ran."""


@dataclass(frozen=True, slots=True)
class AnalysisOutcome:
    """What became of an analysis.

    Attributes:
        analysis_id: None where it waits.
        status: `complete`, `degraded` (the local engine stood in), or None where it waits.
        cost_usd: US dollars; None where the model has no known price.
        dropped_count: findings, or parts of them, that did not hold against the transcript.
        waiting: for the coach to confirm the roles, for the client's consent, or for nothing.
        reused: the same input had been analysed by the same engine before.
        error_code: of the failure behind a degraded analysis, or of what it waits for.
    """

    analysis_id: uuid.UUID | None
    transcript_id: uuid.UUID
    engine: str | None
    status: str | None
    cost_usd: float | None
    dropped_count: int
    waiting: Literal["roles", "consent"] | None = None
    reused: bool = False
    error_code: str | None = None


class _Withdrawn(Exception):  # noqa: N818 as below
    """A consent that this analysis needs was withdrawn while it ran."""


class _Changed(Exception):  # noqa: N818 a signal between two functions of this file
    """The transcript was corrected while the engine read it."""


def analyse(
    database: Database,
    gateway: Gateway,
    actor: Actor,
    transcript_id: uuid.UUID,
    engine: EngineChoice = "auto",
    *,
    force: bool = False,
    job: str | None = None,
) -> AnalysisOutcome:
    """Analyse a transcript, or tell what it waits for.

    Parameters:
        engine: `auto` takes `openai` where there is a key and the client's consent, else `local`.
        force: ask the engine again, also where the same input has its analysis.
        job: id of the background job; what it wrote already is its answer when it is repeated.

    Raises:
        CoachError: COACH-CCH-001 and COACH-IDN-003 as everywhere; COACH-CCH-002 where `openai` was
            asked for by name without the client's consent; COACH-AI-… where it failed (also kept
            with the transcript); COACH-CCH-004 where it was corrected over and over meanwhile.
    """
    sent: list[Outbound] = []
    for _ in range(_ROUNDS):
        waiting = _gate(database, actor, transcript_id)
        if waiting is not None:
            return _waits(transcript_id, waiting)
        try:
            with database.read() as session:
                read = read_input(session, gateway, actor, transcript_id, engine)
            read = replace(read, job=job)
            return _round(database, gateway, actor, transcript_id, read, sent, force=force)
        except _Changed:
            continue
    raise CoachError("COACH-CCH-004", what="transcript")


def _gate(
    database: Database, actor: Actor, transcript_id: uuid.UUID
) -> Literal["roles", "consent"] | None:
    """What the transcript waits for; the state says so too."""

    def work(session: Session) -> Literal["roles", "consent"] | None:
        scope = open_transcript(session, actor, transcript_id, change=True)
        if not consent.current(session, scope.meeting.client_id)["processing"]:
            scope.transcript.state = "waiting_consent"
            return "consent"
        if scope.transcript.role_state == "unclear":
            scope.transcript.state = "waiting_roles"
            return "roles"
        return None

    return database.run(work)


def _round(
    database: Database,
    gateway: Gateway,
    actor: Actor,
    transcript_id: uuid.UUID,
    read: AnalysisInput,
    sent: list[Outbound],
    *,
    force: bool,
) -> AnalysisOutcome:
    """One try; `sent` is what left in all rounds, also for those that were thrown away."""
    if not force:
        known = database.run(lambda session: _known(session, actor, transcript_id, read))
        if known is not None:
            return known
    database.run(lambda session: _mark(session, actor, transcript_id, read))

    try:
        require_words(read.request)
        reply = _ask(database, gateway, actor, transcript_id, read, sent)
    except _Withdrawn:

        def stop(session: Session) -> None:
            # no words stay, the record of what left does; the next round finds what may be done
            keep_record(session, gateway, actor, transcript_id, read, "COACH-CCH-002", sent)
            replies.forget(session, transcript_id)

        database.run(stop)
        sent.clear()
        raise _Changed from None
    except Exception as error:
        code = error.code if isinstance(error, CoachError) else "COACH-SYS-003"
        database.run(
            lambda session: _fail(session, gateway, actor, transcript_id, read, code, sent)
        )
        raise

    def write(session: Session) -> AnalysisOutcome:
        # another process may have written the same analysis while this one waited for the engine
        known = None if force else _known(session, actor, transcript_id, read)
        if known is not None and known.analysis_id is not None:
            log_outbound(
                session, session.get_one(Analysis, known.analysis_id), reply.outbound
            )  # both asked: both are on record
            return known
        outcome = _write(session, actor, transcript_id, read, reply)
        if outcome.waiting is not None:
            # the consent was withdrawn while the service was asked: no words stay, the record does
            keep_record(session, gateway, actor, transcript_id, read, "COACH-CCH-002", sent)
            replies.forget(session, transcript_id)
        return outcome

    return database.run(write)


def _ask(
    database: Database,
    gateway: Gateway,
    actor: Actor,
    transcript_id: uuid.UUID,
    read: AnalysisInput,
    sent: list[Outbound],
) -> GatewayReply:
    """The engine's reply, with everything that left since the first round."""

    def note(request: Outbound) -> None:
        if request.input_tokens is None or request not in sent:  # a kept reply is told again
            sent.append(request)

    reply = gateway.analyse(
        read.request,
        read.engine,
        private=read.private,
        on_outbound=note,
        before_request=lambda: _still_consented(database, actor, transcript_id),
        transcript_id=transcript_id,
    )
    if len(sent) > len(reply.outbound):
        reply = replace(reply, outbound=tuple(sent), cost_microusd=cost_of(sent))
    return reply


def _still_consented(database: Database, actor: Actor, transcript_id: uuid.UUID) -> None:
    """Asked before each request: after a withdrawal no further words leave. Raises _Withdrawn."""
    with database.read() as session:
        client_id = open_transcript(session, actor, transcript_id).meeting.client_id
        now = consent.current(session, client_id)
    if not (now["processing"] and now["external_ai"]):
        raise _Withdrawn


def _known(
    session: Session, actor: Actor, transcript_id: uuid.UUID, read: AnalysisInput
) -> AnalysisOutcome | None:
    """The analysis that this job or input has, made to hold again where another one came since.

    Also where a correction was made and undone since: the new row says that it is up to date.
    """
    scope = open_transcript(session, actor, transcript_id, change=True)
    own = of_job(session, transcript_id, read.job)
    if own is not None:
        return replace(_outcome(own), reused=True)
    found = session.scalars(
        sa.select(Analysis)
        .where(
            Analysis.transcript_id == transcript_id,
            Analysis.status == "complete",
            Analysis.engine == read.target,
            Analysis.input_sha256 == read.input_sha256,
        )
        .order_by(Analysis.created_at.desc(), Analysis.id.desc())
        .limit(1)
    ).first()
    if found is None or state_of(session, scope) != read.state_sha256:
        return None
    newest = behaviours.newest(session, transcript_id)
    stale = corrections.is_stale(session, transcript_id, found.created_at)
    if newest is None or newest.id != found.id or stale:
        reply = GatewayReply(
            result=ai.EngineResult.model_validate(found.result),
            engine=read.target,
            model=found.model,
            status="complete",
            cost_microusd=0,
            duration_ms=0,
        )
        outcome = _write(session, actor, transcript_id, read, reply, dropped=found.dropped)
        return replace(outcome, reused=True)
    scope.transcript.state, scope.transcript.error_code = "analysed", None
    return replace(_outcome(found), reused=True)


def _mark(session: Session, actor: Actor, transcript_id: uuid.UUID, read: AnalysisInput) -> None:
    transcript = open_transcript(session, actor, transcript_id, change=True).transcript
    if _stand_in(session, transcript_id, read) is None:  # which stays readable meanwhile
        transcript.state, transcript.error_code = "analysing", None


def _stand_in(session: Session, transcript_id: uuid.UUID, read: AnalysisInput) -> Analysis | None:
    """The degraded analysis of this very input that another try would replace."""
    newest = behaviours.newest(session, transcript_id)
    if newest is None or newest.status != "degraded" or newest.input_sha256 != read.input_sha256:
        return None
    stale = corrections.is_stale(session, transcript_id, newest.created_at)
    return None if stale else newest


def _write(
    session: Session,
    actor: Actor,
    transcript_id: uuid.UUID,
    read: AnalysisInput,
    reply: GatewayReply,
    *,
    dropped: dict[str, int] | None = None,
) -> AnalysisOutcome:
    """Everything an analysis leaves behind, in the open transaction."""
    scope = open_transcript(session, actor, transcript_id, change=True)
    if not consent.current(session, scope.meeting.client_id)["processing"]:
        scope.transcript.state = "waiting_consent"  # withdrawn meanwhile: the result is thrown away
        return _waits(transcript_id, "consent")
    if state_of(session, scope) != read.state_sha256:
        raise _Changed
    replaced = _stand_in(session, transcript_id, read)
    if replaced is not None and reply.status == "degraded":
        analysis_again.postpone(replaced, reply)
        log_outbound(session, replaced, reply.outbound)
        scope.transcript.state, scope.transcript.error_code = "analysed", None
        return replace(_outcome(replaced), reused=True)
    analysis_again.replaced(session, transcript_id)
    checked = check(reply.result, read.request)
    reasons = dropped if dropped is not None else checked.dropped
    analysis = Analysis(
        id=ids.new_id(),
        transcript_id=transcript_id,
        status=reply.status,
        engine=reply.engine,
        model=reply.model,
        input_sha256=read.input_sha256,
        result=checked.result.model_dump(mode="json"),
        dropped=reasons,
        dropped_count=sum(reasons.values()),
        cost_microusd=reply.cost_microusd or 0,
        duration_ms=reply.duration_ms,
        error_code=reply.error_code,
        retry_at=reply.retry_at,
        job_id=read.job,
        created_by=actor.user_id,
        created_at=clock.now(),
    )
    session.add(analysis)
    session.flush()
    insights.store(session, analysis, checked.result)
    actions.reconcile(session, scope, analysis, checked.result.action_items)
    behaviours.apply(session, scope.transcript)
    log_outbound(session, analysis, reply.outbound)
    if reply.status == "complete":
        replies.forget(session, transcript_id)
        if replaced is not None and reply.engine == "openai":
            analysis_again.wake(session, transcript_id)
    scope.transcript.state, scope.transcript.error_code = "analysed", None
    audit.record(
        session, actor, "transcript.analysed", "transcript", transcript_id,
        engine=reply.engine, status=reply.status, dropped=analysis.dropped_count,
        requests=len(reply.outbound),
    )  # fmt: skip
    record_activity(
        session,
        actor,
        "transcript.analysed",
        coach_id=scope.meeting.coach_id,
        subject_id=transcript_id,
        duration_ms=reply.duration_ms,
    )
    return _outcome(analysis, priced=reply.cost_microusd is not None)


def _fail(
    session: Session,
    gateway: Gateway,
    actor: Actor,
    transcript_id: uuid.UUID,
    read: AnalysisInput,
    code: str,
    sent: list[Outbound],
) -> None:
    """Keep the failure, and what left the machine nevertheless."""
    scope = open_transcript(session, actor, transcript_id, change=True)
    scope.transcript.state, scope.transcript.error_code = "failed", code
    keep_record(session, gateway, actor, transcript_id, read, code, sent)
    audit.record(
        session, actor, "analysis.failed", "transcript", transcript_id,
        code=code, requests=len(sent),
    )  # fmt: skip


def _waits(transcript_id: uuid.UUID, waiting: Literal["roles", "consent"]) -> AnalysisOutcome:
    code = WAITING_CODES[waiting]
    return AnalysisOutcome(
        None, transcript_id, None, None, 0.0, 0, waiting=waiting, error_code=code
    )


def _outcome(analysis: Analysis, *, priced: bool = True) -> AnalysisOutcome:
    return AnalysisOutcome(
        analysis_id=analysis.id,
        transcript_id=analysis.transcript_id,
        engine=analysis.engine,
        status=analysis.status,
        cost_usd=analysis.cost_microusd / 1_000_000 if priced else None,
        dropped_count=analysis.dropped_count,
        error_code=analysis.error_code,
    )

"""What an engine reads of a transcript: neither cut nor redacted, and only with consent."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai import types as ai
from coachops.ai.gateway import Engine, EngineChoice, Gateway
from coachops.ai.redaction import PrivateName, mentioned
from coachops.coaching import actions, consent
from coachops.coaching.scope import TranscriptScope, open_transcript
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.models import Client, Coach, Utterance


@dataclass(frozen=True, slots=True)
class AnalysisInput:
    """What one round reads: the request, and the state of the transcript it was made from.

    `job` is the background job that asks, None for a person.
    """

    request: ai.AnalysisRequest
    private: tuple[PrivateName, ...]
    state_sha256: str
    engine: EngineChoice
    target: Engine
    input_sha256: str
    job: str | None = None


def read_input(
    session: Session,
    gateway: Gateway,
    actor: Actor,
    transcript_id: uuid.UUID,
    engine: EngineChoice,
) -> AnalysisInput:
    """What an engine may read of the transcript now; never more than the client consented to.

    Raises:
        CoachError: COACH-CCH-001; COACH-CCH-002 where `openai` was asked for by name without the
            client's consent; COACH-AI-001 where it was and there is no key.
    """
    scope = open_transcript(session, actor, transcript_id)
    chosen = engine
    if (
        gateway.leaves_machine(engine)
        and not consent.current(session, scope.meeting.client_id)["external_ai"]
    ):
        if engine == "openai":
            raise CoachError("COACH-CCH-002", kind="external_ai")
        chosen = "local"
    utterances = session.execute(
        sa.select(
            Utterance.position,
            Utterance.speaker,
            Utterance.text,
            Utterance.start_ms,
            Utterance.end_ms,
        )
        .where(Utterance.transcript_id == transcript_id, Utterance.is_cut.is_(False))
        .order_by(Utterance.position)
    ).all()
    request = ai.AnalysisRequest(
        utterances=tuple(
            ai.Utterance(
                position=row.position,
                speaker=ai.Speaker(row.speaker),
                text=row.text,
                start_ms=row.start_ms,
                end_ms=row.end_ms,
            )
            for row in utterances
        ),
        session_date=scope.meeting.held_on,
        open_commitments=tuple(
            ai.OpenCommitment(id=str(row.id), owner=ai.Owner(row.owner), text=row.text)
            for row in actions.open_before(session, scope)
        ),
        coach_account=scope.transcript.kind == "notes",
    )
    coach = session.get_one(Coach, scope.meeting.coach_id)
    client = session.get_one(Client, scope.meeting.client_id)
    private: tuple[PrivateName, ...] = (
        PrivateName("client", client.name),
        PrivateName("coach", coach.name),
    )
    target = gateway.resolve(chosen)
    if target == "openai":
        private += _others(session, request, (client.name, coach.name))
    return AnalysisInput(
        request=request,
        private=private,
        state_sha256=state_of(session, scope),
        engine=chosen,
        target=target,
        input_sha256=gateway.input_sha256(request, target, private),
    )


def _others(
    session: Session, request: ai.AnalysisRequest, known: tuple[str, ...]
) -> tuple[PrivateName, ...]:
    """Other people of the roster whose full names are said in what an engine reads."""
    roster = sa.union(sa.select(Client.name), sa.select(Coach.name))
    names = [name for name in session.scalars(roster) if name not in known]
    texts = [each.text for each in request.utterances]
    texts += [each.text for each in request.open_commitments]
    return mentioned(names, texts)


def require_words(request: ai.AnalysisRequest) -> None:
    """Refuse a transcript of which nothing may be read.

    Raises:
        CoachError: COACH-CCH-005.
    """
    if not any(each.text.strip() for each in request.utterances):
        raise CoachError("COACH-CCH-005", field="transcript", reason="no words are left in it")


def state_of(session: Session, scope: TranscriptScope) -> str:
    """Digest of everything a correction can change: who says what, what is cut, what is hidden."""
    digest = hashlib.sha256(scope.transcript.role_state.encode())
    for row in session.execute(
        sa.select(Utterance.position, Utterance.speaker, Utterance.is_cut, Utterance.text)
        .where(Utterance.transcript_id == scope.transcript.id)
        .order_by(Utterance.position)
    ):
        digest.update(json.dumps(list(row)).encode())
    return digest.hexdigest()

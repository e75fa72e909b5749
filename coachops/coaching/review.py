"""Everything the workspace shows of one transcript, at one moment; and the edits a coach may make.

The coach's wording lies over the engine's; findings whose words were cut or redacted since are held
back and counted. Nothing here is a live row. The edits are those of `insights`, `actions` and
`corrections`, named here as the one face a surface needs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai import prompts
from coachops.ai.prices import price_of
from coachops.coaching import behaviours, consent, corrections
from coachops.coaching.actions import (
    add_action,
    citations_in,
    edit_action,
    set_action_status,
)
from coachops.coaching.analysis import WAITING_CODES
from coachops.coaching.analysis_again import stood_in_before
from coachops.coaching.citations import REASONS
from coachops.coaching.holding import all_hold
from coachops.coaching.insights import edit_insight, restore_insight, version_of
from coachops.coaching.review_model import (
    Review,
    ReviewAction,
    ReviewAnalysis,
    ReviewCitation,
    ReviewCount,
    ReviewError,
    ReviewInsight,
    ReviewOutbound,
    ReviewUtterance,
)
from coachops.coaching.review_words import count_rows, engine_label, error
from coachops.coaching.scope import TranscriptScope, open_transcript
from coachops.core.actor import Actor
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Analysis,
    Client,
    Coach,
    CoachingSession,
    Insight,
    InsightEdit,
    OutboundRecord,
    Utterance,
)

__all__ = [
    "Review",
    "ReviewAction",
    "ReviewAnalysis",
    "ReviewCitation",
    "ReviewCount",
    "ReviewError",
    "ReviewInsight",
    "ReviewOutbound",
    "ReviewUtterance",
    "add_action",
    "count_rows",
    "edit_action",
    "edit_insight",
    "engine_label",
    "load_review",
    "restore_insight",
    "set_action_status",
]

_WAITING = {
    "waiting_roles": WAITING_CODES["roles"],
    "waiting_consent": WAITING_CODES["consent"],
}


def load_review(database: Database, actor: Actor, transcript_id: uuid.UUID) -> Review:
    """What the workspace shows of a transcript, analysed or not.

    Raises:
        CoachError: COACH-CCH-001.
    """
    with database.read() as session:
        return _load(session, open_transcript(session, actor, transcript_id))


def _load(session: Session, scope: TranscriptScope) -> Review:
    transcript, meeting = scope.transcript, scope.meeting
    coach = session.get_one(Coach, meeting.coach_id)
    client = session.get_one(Client, meeting.client_id)
    names = {"coach": coach.name, "client": client.name, "unassigned": "nobody yet"}
    analysis = behaviours.newest(session, transcript.id)
    rows = session.scalars(
        sa.select(Utterance)
        .where(Utterance.transcript_id == transcript.id)
        .order_by(Utterance.position)
    ).all()
    readable = {row.position: row.text for row in rows if not row.is_cut}
    insights, removed, held_back = _insights(session, scope, analysis)
    actions, held_actions = _actions(session, scope, names, readable)
    return Review(
        transcript_id=transcript.id,
        session_id=meeting.id,
        coach_id=coach.id,
        coach_name=coach.name,
        client_id=client.id,
        client_name=client.name,
        client_email=client.email,
        held_on=meeting.held_on,
        title=meeting.title,
        kind=transcript.kind,
        source_name=transcript.source_name,
        format=transcript.format,
        state=transcript.state,
        role_state=transcript.role_state,
        revision=corrections.revision_of(session, transcript.id),
        error=error(transcript.error_code),
        waiting=error(_WAITING.get(transcript.state)),
        consents=consent.current(session, client.id),
        utterances=_utterances(session, transcript.id, rows, names),
        analysis=_analysis(session, analysis, readable) if analysis else None,
        insights=insights,
        removed=removed,
        actions=actions,
        held_back=held_back + held_actions,
        counts=count_rows(analysis.counts) if analysis and analysis.counts else (),
        outbound=_outbound(session, transcript.id),
        edits=tuple(corrections.edit_rows(session, transcript.id)),
        unparsed=tuple(transcript.unparsed),
    )


def _utterances(
    session: Session,
    transcript_id: uuid.UUID,
    rows: Sequence[Utterance],
    names: Mapping[str, str],
) -> tuple[ReviewUtterance, ...]:
    corrected = behaviours.corrections(session, transcript_id)

    def flags(row: Utterance) -> frozenset[str]:
        marks = {
            "cut": row.is_cut,
            "redacted": row.original_text is not None,
            "speaker_corrected": row.original_speaker not in {None, row.speaker},
            "behaviour_corrected": row.speaker == "coach" and row.position in corrected,
            "no_label": row.speaker_label is None,
            "instruction": prompts.looks_like_instruction(row.text),
        }
        return frozenset(mark for mark, holds in marks.items() if holds)

    return tuple(
        ReviewUtterance(
            position=row.position,
            speaker=row.speaker,
            name=names.get(row.speaker) or row.speaker_label or "Other",
            label=row.speaker_label,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
            text=row.text,
            behaviour=row.behaviour,
            flags=flags(row),
        )
        for row in rows
    )


def _insights(
    session: Session,
    scope: TranscriptScope,
    analysis: Analysis | None,
) -> tuple[tuple[ReviewInsight, ...], tuple[ReviewInsight, ...], int]:
    """Those to show, those the coach removed, and how many are held back."""
    edits = {
        (edit.kind, edit.anchor): edit
        for edit in session.scalars(
            sa.select(InsightEdit)
            .where(InsightEdit.transcript_id == scope.transcript.id)
            .order_by(InsightEdit.created_at, InsightEdit.id)
        )
    }
    found: list[Insight] = []
    if analysis is not None:
        found = list(
            session.scalars(sa.select(Insight).where(Insight.analysis_id == analysis.id)).all()
        )
    present = {(row.kind, row.anchor) for row in found}
    lost = [key for key, edit in edits.items() if key not in present and edit.text is not None]
    order = {"summary": 0, "theme": 1, "follow_up": 2}
    found.sort(key=lambda row: (order[row.kind], row.ordinal))
    # the coach's wording of a sentence that the engine does not write any more stands behind
    rows: list[tuple[Insight, bool]] = [(row, True) for row in found]
    for kind, anchor in lost:
        earlier = session.scalars(
            sa.select(Insight)
            .where(
                Insight.transcript_id == scope.transcript.id,
                Insight.kind == kind,
                Insight.anchor == anchor,
            )
            .order_by(Insight.created_at.desc(), Insight.id.desc())
            .limit(1)
        ).first()
        if earlier is not None:
            rows.append((earlier, False))
    rows.sort(key=lambda pair: order[pair[0].kind])
    shown: list[ReviewInsight] = []
    removed: list[ReviewInsight] = []
    held_back = 0
    for row, is_present in rows:
        if row.held_back:
            held_back += 1
            continue
        edit = edits.get((row.kind, row.anchor))
        text = edit.text if edit is not None and edit.text is not None else row.text
        insight = ReviewInsight(
            id=row.id if is_present else None,
            anchor=row.anchor,
            kind=row.kind,
            text=text,
            engine_text=row.text if is_present else None,
            edited=edit is not None and edit.text is not None,
            removed=edit is not None and edit.text is None,
            version=version_of(edit),
            citations=_citations(row.citations),
        )
        (removed if insight.removed else shown).append(insight)
    return tuple(shown), tuple(removed), held_back


def _actions(
    session: Session,
    scope: TranscriptScope,
    names: Mapping[str, str],
    readable: Mapping[int, str],
) -> tuple[tuple[ReviewAction, ...], int]:
    here = scope.transcript.id
    rows = session.execute(
        sa.select(ActionItem, CoachingSession.held_on)
        .join(CoachingSession, CoachingSession.id == ActionItem.session_id)
        .where(
            ActionItem.client_id == scope.meeting.client_id,
            ActionItem.coach_id == scope.meeting.coach_id,
        )
    ).all()
    made: list[tuple[tuple[bool, int, uuid.UUID], ReviewAction]] = []
    held_back = 0
    for row, held_on in rows:
        citations = citations_in(row, here)
        own = row.transcript_id == here
        if not own and not citations:
            continue
        readable_here = all_hold(citations, readable) and not row.held_back
        if not readable_here and row.text == row.engine_text:
            held_back += 1
            continue
        action = ReviewAction(
            id=row.id,
            text=row.text,
            engine_text=row.engine_text if readable_here else None,
            edited=row.edited,
            owner=row.owner,
            owner_name=names[row.owner],
            modality=row.modality,
            due_date=row.due_date,
            due_phrase=row.due_phrase if readable_here else None,
            status=row.status,
            done_on=row.done_on,
            carried_from=None if own else held_on,
            version=version_of(row),
            citations=_citations(citations) if readable_here else (),
        )
        first = min((entry["position"] for entry in citations), default=1_000_000)
        made.append(((not own, first, row.id), action))
    made.sort(key=lambda pair: pair[0])
    return tuple(action for _, action in made), held_back


def _citations(entries: Sequence[Mapping[str, Any]]) -> tuple[ReviewCitation, ...]:
    return tuple(
        ReviewCitation(entry["position"], entry["speaker"], entry["quote"]) for entry in entries
    )


def _analysis(session: Session, analysis: Analysis, readable: Mapping[int, str]) -> ReviewAnalysis:
    priced = analysis.engine == "local" or price_of(analysis.model) is not None
    degraded = analysis.status == "degraded"
    return ReviewAnalysis(
        id=analysis.id,
        engine=analysis.engine,
        model=analysis.model,
        label=engine_label(analysis.engine, analysis.model, degraded=degraded),
        degraded=degraded,
        stale=corrections.is_stale(session, analysis.transcript_id, analysis.created_at),
        analysed_at=analysis.created_at,
        duration_ms=analysis.duration_ms,
        cost_usd=analysis.cost_microusd / 1_000_000 if priced else None,
        dropped=tuple((REASONS.get(key, key), number) for key, number in analysis.dropped.items()),
        dropped_count=analysis.dropped_count,
        again=analysis.engine == "openai" and stood_in_before(session, analysis),
        retry_at=analysis.retry_at if degraded else None,
        error_code=analysis.error_code if degraded else None,
        instructions=tuple(
            position for position, text in readable.items() if prompts.looks_like_instruction(text)
        ),
    )


def _outbound(session: Session, transcript_id: uuid.UUID) -> tuple[ReviewOutbound, ...]:
    rows = session.scalars(
        sa.select(OutboundRecord)
        .join(Analysis, Analysis.id == OutboundRecord.analysis_id)
        .where(Analysis.transcript_id == transcript_id)
        .order_by(OutboundRecord.created_at.desc(), OutboundRecord.id.desc())
    )
    return tuple(
        ReviewOutbound(
            at=row.created_at,
            host=row.host,
            model=row.model,
            utterances=row.utterances,
            request_bytes=row.request_bytes,
            request_sha256=row.request_sha256,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
        )
        for row in rows
    )

"""What the coach does in each utterance: the engine's word, and over it the coach's own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai import counts
from coachops.ai import types as ai
from coachops.ai.providers.local.behaviours import is_open
from coachops.ai.providers.local.text import sentences
from coachops.db.models import Analysis, Transcript, TranscriptEdit, Utterance


def newest(session: Session, transcript_id: uuid.UUID) -> Analysis | None:
    """The analysis that holds: the newest that did not fail."""
    return session.scalars(
        sa.select(Analysis)
        .where(Analysis.transcript_id == transcript_id, Analysis.status != "failed")
        .order_by(Analysis.created_at.desc(), Analysis.id.desc())
        .limit(1)
    ).first()


def corrections(session: Session, transcript_id: uuid.UUID) -> dict[int, str]:
    """The coach's corrections in force, by position; the latest of a position counts."""
    rows = session.execute(
        sa.select(TranscriptEdit.from_position, TranscriptEdit.value)
        .where(
            TranscriptEdit.transcript_id == transcript_id,
            TranscriptEdit.kind == "behaviour",
            TranscriptEdit.undone_at.is_(None),
        )
        .order_by(TranscriptEdit.created_at, TranscriptEdit.id)
    )
    return {position: value for position, value in rows if position and value}


def effective(
    result: ai.EngineResult, corrected: Mapping[int, str], utterances: Sequence[ai.Utterance]
) -> list[ai.CoachBehaviour]:
    """The behaviours that hold, for the coach's utterances among `utterances` (those not cut).

    A question by the coach's word is open or closed by its wording, as the definition says.
    """
    by_position = {each.position: each for each in utterances}
    found = {each.position: each for each in result.behaviours}
    made = []
    for position in sorted(found.keys() | corrected.keys()):
        utterance = by_position.get(position)
        if utterance is None or utterance.speaker is not ai.Speaker.COACH:
            continue
        engine, word = found.get(position), corrected.get(position)
        if engine is not None and (word is None or word == engine.behaviour):
            made.append(engine)
        elif word is not None:
            made.append(
                ai.CoachBehaviour(
                    position=position,
                    behaviour=ai.Behaviour(word),
                    open_question=word == "question" and is_open(sentences(utterance.text)),
                )
            )
    return made


def apply(session: Session, transcript: Transcript) -> None:
    """Write the behaviours that hold into the utterances, and their counts into the analysis.

    Called after every new analysis and every correction; does nothing where nothing was analysed.
    """
    analysis = newest(session, transcript.id)
    if analysis is None or analysis.result is None:
        return
    rows = session.execute(
        sa.select(
            Utterance.id,
            Utterance.position,
            Utterance.speaker,
            Utterance.text,
            Utterance.start_ms,
            Utterance.end_ms,
            Utterance.is_cut,
            Utterance.behaviour,
        )
        .where(Utterance.transcript_id == transcript.id)
        .order_by(Utterance.position)
    ).all()
    utterances = [
        ai.Utterance(
            position=row.position,
            speaker=ai.Speaker(row.speaker),
            text=row.text,
            start_ms=row.start_ms,
            end_ms=row.end_ms,
        )
        for row in rows
        if not row.is_cut
    ]
    behaviours = effective(
        ai.EngineResult.model_validate(analysis.result),
        corrections(session, transcript.id),
        utterances,
    )
    wanted = {each.position: each.behaviour.value for each in behaviours}
    changes = [
        {"id": row.id, "behaviour": wanted.get(row.position)}
        for row in rows
        if row.behaviour != wanted.get(row.position)
    ]
    if changes:
        session.execute(sa.update(Utterance), changes)
    analysis.counts = count(utterances, behaviours, notes=transcript.kind == "notes")


def count(
    utterances: Sequence[ai.Utterance], behaviours: Sequence[ai.CoachBehaviour], *, notes: bool
) -> dict[str, object] | None:
    """The counts of a session; None for typed notes, where nobody's talk can be counted."""
    return None if notes else counts.count(utterances, behaviours).model_dump(mode="json")

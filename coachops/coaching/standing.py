"""Writing what holds now: from what stood first and the corrections in force, in their order.

Called in the transaction of every correction and undoing. What an analysis said about words that may
not be read any more is held back here, so that no reader (page, letter, export, engine) has to check.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.coaching import behaviours, holding
from coachops.coaching.replay import Held, replay
from coachops.db.models import Transcript, TranscriptEdit, Utterance


def in_force(session: Session, transcript_id: uuid.UUID) -> list[TranscriptEdit]:
    """The corrections that were not undone, in the order they were made."""
    return list(
        session.scalars(
            sa.select(TranscriptEdit)
            .where(
                TranscriptEdit.transcript_id == transcript_id, TranscriptEdit.undone_at.is_(None)
            )
            .order_by(TranscriptEdit.created_at, TranscriptEdit.id)
        )
    )


def apply(session: Session, transcript: Transcript) -> None:
    """Write what holds now: speakers, texts, cuts, behaviours, and whether the roles are certain."""
    edits = in_force(session, transcript.id)
    rows = session.execute(
        sa.select(
            Utterance.id,
            Utterance.position,
            Utterance.speaker_label,
            Utterance.speaker,
            Utterance.original_speaker,
            Utterance.text,
            Utterance.original_text,
            Utterance.is_cut,
        )
        .where(Utterance.transcript_id == transcript.id)
        .order_by(Utterance.position)
    ).all()
    first = [
        Held(
            position=row.position,
            label=row.speaker_label,
            speaker=row.original_speaker or row.speaker,
            text=row.original_text if row.original_text is not None else row.text,
        )
        for row in rows
    ]
    changes = []
    for row, before, now in zip(rows, first, replay(first, edits), strict=True):
        wanted = {
            "speaker": now.speaker,
            "original_speaker": before.speaker,
            "text": now.text,
            "original_text": before.text if now.text != before.text else None,
            "is_cut": now.is_cut,
        }
        if any(getattr(row, name) != value for name, value in wanted.items()):
            changes.append({"id": row.id} | wanted)
    if changes:
        session.execute(sa.update(Utterance), changes)
    _settle_roles(session, transcript, edits)
    behaviours.apply(session, transcript)
    holding.hold_back(session, transcript)


def _settle_roles(
    session: Session, transcript: Transcript, edits: Sequence[TranscriptEdit]
) -> None:
    """Roles are confirmed while a confirmation or swap is in force; else as they were before."""
    kinds = ("confirm_roles", "swap_roles")
    first = session.scalars(
        sa.select(TranscriptEdit)
        .where(TranscriptEdit.transcript_id == transcript.id, TranscriptEdit.kind.in_(kinds))
        .order_by(TranscriptEdit.created_at, TranscriptEdit.id)
        .limit(1)
    ).first()
    if any(edit.kind in kinds for edit in edits):
        transcript.role_state = "confirmed"
    elif first is not None and first.value:
        transcript.role_state = first.value
    if transcript.state == "waiting_roles" and transcript.role_state != "unclear":
        transcript.state = "imported"
    elif transcript.state == "imported" and transcript.role_state == "unclear":
        transcript.state = "waiting_roles"

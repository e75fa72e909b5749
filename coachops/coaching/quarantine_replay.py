"""Trying again what was refused: after a new version of the suite, or with a correction.

A refused file is imported as if it came now, for the people it was brought for. A refused line is
read alone and takes the place that its transcript keeps free for it, so no citation of the others
moves. A rejected row is imported alone. An item ends in the transaction of what was made of it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import quarantine, standing
from coachops.coaching.importing import import_transcript
from coachops.coaching.quarantine import QuarantineDetail, Source
from coachops.coaching.roster import import_roster
from coachops.coaching.scope import TranscriptScope, open_transcript
from coachops.coaching.transcripts import LIMITS, Cue, Reason, read_piece
from coachops.coaching.transcripts.labels import fold
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Coach, QuarantineItem, Transcript, Utterance
from coachops.telemetry import record_activity


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of an item.

    Attributes:
        transcript_id: made of it, or what its line was added to; None for rows of a roster.
        cues: utterances imported.
        rejected: lines or rows of a corrected file that wait in the quarantine now.
        needs_analysis: the transcript waits for its first analysis.
        stale: an analysis was made before the line was there.
    """

    item_id: uuid.UUID
    transcript_id: uuid.UUID | None
    cues: int
    rejected: int
    needs_analysis: bool = False
    stale: bool = False


def replay(
    database: Database,
    actor: Actor,
    item_id: uuid.UUID,
    *,
    fix: bytes | None = None,
    fix_name: str | None = None,
    source: Source = "program",
) -> Replayed:
    """Try an item again.

    Parameters:
        fix: a corrected file or line; None takes what is kept.
        fix_name: name of a corrected file; None keeps that of the item.
        source: where a corrected file came in.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003, COACH-QRN-001; COACH-QRN-003 where neither bytes
            nor a correction are there; COACH-QRN-002 for a correction of a line or row, and the
            codes of the import for a file, that still cannot be taken: the item waits on.
    """
    detail = quarantine.get(database, actor, item_id)
    row = detail.row
    if row.state != "waiting":
        raise CoachError("COACH-QRN-001", state=row.state)
    data = detail.content if fix is None else fix
    if data is None:
        raise CoachError("COACH-QRN-003", reason=f"{row.size_bytes} bytes")
    if row.kind == "cue":
        return database.run(lambda session: _add_line(session, actor, item_id, data))
    name = row.name if fix_name is None else fix_name
    if row.kind in {"roster", "roster_row"}:
        done = import_roster(database, actor, data, name, source=source, resolves=item_id)
        return Replayed(item_id, None, 0, len(done.rejected))
    return _import(database, actor, detail, data, name, source)


def _import(
    database: Database,
    actor: Actor,
    detail: QuarantineDetail,
    data: bytes,
    name: str,
    source: Source,
) -> Replayed:
    row = detail.row
    result = import_transcript(
        database, actor, data, name,
        coach=str(row.coach_id), client=str(row.client_id), held_on=row.held_on,
        source=source, resolves=row.id,
    )  # fmt: skip
    return Replayed(
        row.id,
        result.transcript_id,
        result.cues,
        len(result.unparsed),
        needs_analysis=not result.duplicate and result.role_state != "unclear",
    )


def _add_line(session: Session, actor: Actor, item_id: uuid.UUID, data: bytes) -> Replayed:
    item = quarantine.open_item(session, actor, item_id)
    if item.transcript_id is None:
        raise CoachError("COACH-CCH-001", what="transcript", ref=item_id)
    scope = open_transcript(session, actor, item.transcript_id, change=True)
    transcript = scope.transcript
    cue = _one_cue(data, transcript.format, _labels(session, transcript))
    speaker = _speaker(session, scope, cue.speaker_label)
    session.add(
        Utterance(
            id=ids.new_id(),
            transcript_id=transcript.id,
            position=_place(session, transcript, item),
            line=item.line,
            speaker_label=cue.speaker_label[:200] if cue.speaker_label else None,
            speaker=speaker,
            original_speaker=speaker,
            start_ms=cue.start_ms,
            end_ms=cue.end_ms,
            text=cue.text,
        )
    )
    transcript.cue_count += 1
    transcript.unparsed = [row for row in transcript.unparsed if row.get("item") != str(item_id)]
    session.flush()
    quarantine.resolve(session, actor, item, "replayed", keep_bytes=data != item.content)
    standing.apply(session, transcript)
    audit.record(session, actor, "transcript.completed", "transcript", transcript.id, lines=1)
    record_activity(
        session, actor, "quarantine.replayed", coach_id=item.coach_id, subject_id=transcript.id
    )
    return Replayed(
        item_id,
        transcript.id,
        1,
        0,
        needs_analysis=transcript.state == "imported",
        stale=transcript.state == "analysed",
    )


def _one_cue(data: bytes, form: str, labels: list[str]) -> Cue:
    """The one utterance that a line holds.

    Raises:
        CoachError: COACH-QRN-002.
    """
    try:
        cues, unparsed = read_piece(data.decode("utf-8", errors="replace"), form)
    except CoachError as error:
        reason = str(error.details.get("reason", "it is empty"))
        raise CoachError("COACH-QRN-002", reason=reason) from error
    if unparsed:
        raise CoachError("COACH-QRN-002", reason=str(unparsed[0].reason))
    if len(cues) != 1:
        reason = f"it holds {len(cues)} utterances, and there is place for one"
        raise CoachError("COACH-QRN-002", reason=reason)
    cue = cues[0]
    if max(cue.start_ms or 0, cue.end_ms or 0) > LIMITS.duration_ms:
        raise CoachError("COACH-QRN-002", reason=str(Reason.ABSURD_HOUR))
    if cue.speaker_label is None:  # one line alone does not show that a name stands before it
        head, colon, words = cue.text.partition(":")
        if colon and words.strip() and head.strip() in labels:
            return Cue(1, cue.line, head.strip(), cue.start_ms, cue.end_ms, words.strip())
    return cue


def _labels(session: Session, transcript: Transcript) -> list[str]:
    return [
        label
        for label in session.scalars(
            sa.select(Utterance.speaker_label)
            .where(Utterance.transcript_id == transcript.id)
            .distinct()
        )
        if label
    ]


def _speaker(session: Session, scope: TranscriptScope, label: str | None) -> str:
    """Whose words those of this label are in the transcript, before corrections."""
    transcript, meeting = scope.transcript, scope.meeting
    if transcript.kind == "notes":
        return "coach"
    if label is None:
        return "other"
    known = Counter(
        speaker or "other"
        for speaker in session.scalars(
            sa.select(Utterance.original_speaker).where(
                Utterance.transcript_id == transcript.id, Utterance.speaker_label == label
            )
        )
    )
    if known:
        return known.most_common(1)[0][0]
    if fold(label) == fold(session.get_one(Coach, meeting.coach_id).name):
        return "coach"
    return (
        "client"
        if fold(label) == fold(session.get_one(Client, meeting.client_id).name)
        else "other"
    )


def _place(session: Session, transcript: Transcript, item: QuarantineItem) -> int:
    """The place kept free for the line; behind everything where none was."""
    query = sa.select(Utterance.id).where(
        Utterance.transcript_id == transcript.id, Utterance.position == item.position
    )
    if item.position is not None and session.scalar(query) is None:
        return item.position
    last = session.scalar(
        sa.select(sa.func.max(Utterance.position)).where(Utterance.transcript_id == transcript.id)
    )
    return (last or 0) + 1

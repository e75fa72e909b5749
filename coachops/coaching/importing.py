"""Taking a transcript in: read, account for every line, map the speakers, keep the original.

A transcript is the same when client and SHA-256 are the same; the same file for another client is
a new transcript with a warning. Nothing is written unless everything is.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.ai.types import Speaker
from coachops.coaching import people
from coachops.coaching.transcripts import (
    ParsedTranscript,
    SpeakerMapping,
    map_speakers,
    notes_to_transcript,
    read,
)
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    Client,
    Coach,
    CoachingSession,
    Engagement,
    Transcript,
    Utterance,
)
from coachops.telemetry import record_activity

_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class UnparsedLine:
    """A line that looked like a cue and could not be imported."""

    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a file.

    Attributes:
        cues: imported utterances.
        unparsed: reported ones, with line and reason.
        duplicate: the client already had this file; `transcript_id` is the one from then.
        warnings: things a person should look at.
        role_state: `unclear` stops the analysis until the coach confirms or swaps the speakers.
    """

    transcript_id: uuid.UUID
    session_id: uuid.UUID
    source_name: str
    cues: int
    unparsed: tuple[UnparsedLine, ...]
    duplicate: bool
    warnings: tuple[str, ...]
    role_state: str


def import_transcript(
    database: Database,
    actor: Actor,
    data: bytes,
    name: str,
    *,
    coach: str,
    client: str,
    held_on: dt.date | None = None,
) -> ImportResult:
    """Import the file `data` called `name` for a coach and a client (REFs).

    Parameters:
        held_on: day of the session; None takes the day the file tells, else today.

    Raises:
        CoachError: COACH-TRN-… for files that cannot be taken, COACH-CCH-001 for unknown people,
            COACH-CCH-006 where the two do not work together, COACH-CCH-005 for a day to come.
    """
    parsed = read(data, name)
    return _store(database, actor, data, parsed, coach, client, held_on, kind="recording")


def import_notes(
    database: Database, actor: Actor, text: str, *, coach: str, client: str, held_on: dt.date
) -> ImportResult:
    """Import notes that the coach typed instead of a recording, labelled as the coach's account.

    Raises:
        CoachError: as `import_transcript`.
    """
    parsed = notes_to_transcript(text)
    return _store(database, actor, text.encode(), parsed, coach, client, held_on, kind="notes")


def _store(
    database: Database,
    actor: Actor,
    data: bytes,
    parsed: ParsedTranscript,
    coach_ref: str,
    client_ref: str,
    held_on: dt.date | None,
    *,
    kind: str,
) -> ImportResult:
    day = held_on or parsed.date or database.today()
    if day > database.today() + dt.timedelta(days=1):
        raise CoachError("COACH-CCH-005", field="date", reason=f"{day} has not come yet")

    def work(session: Session) -> ImportResult:
        coach = people.find_coach(session, actor, coach_ref)
        client = people.find_client(session, actor, client_ref)
        if not actor.may_change(coach.id):
            raise CoachError("COACH-IDN-003", what="transcripts of other coaches")
        known = _known(session, actor, client.id, parsed.sha256)
        if known is not None:
            return known
        warnings = _warnings(session, client.id, parsed)
        engagement = _engagement(session, coach, client, day)
        meeting = _session(session, engagement, day, parsed)
        mapping, role_state = _roles(kind, parsed, coach, client)
        transcript = Transcript(
            id=ids.new_id(),
            session_id=meeting.id,
            client_id=client.id,
            kind=kind,
            source_name=parsed.source_name[-200:],
            format=str(parsed.format),
            encoding=parsed.encoding,
            sha256=parsed.sha256,
            size_bytes=parsed.size_bytes,
            original=data,
            cue_count=len(parsed.cues),
            unparsed=[
                {"line": row.line, "reason": str(row.reason), "excerpt": row.excerpt}
                for row in parsed.unparsed
            ],
            role_state=role_state,
            state="waiting_roles" if role_state == "unclear" else "imported",
            imported_by=actor.user_id,
        )
        session.add(transcript)
        session.flush()
        rows = _utterances(transcript.id, parsed, mapping, kind)
        for start in range(0, len(rows), _BATCH):
            session.execute(sa.insert(Utterance), rows[start : start + _BATCH])
        audit.record(
            session, actor, "transcript.imported", "transcript", transcript.id,
            cues=len(rows), unparsed=len(parsed.unparsed),
        )  # fmt: skip
        record_activity(
            session, actor, "transcript.imported", coach_id=coach.id, subject_id=transcript.id
        )
        return _result(transcript, duplicate=False, warnings=warnings)

    try:
        return database.run(work)
    except sa.exc.IntegrityError:
        # the same file came in twice at the same moment: the other one won
        with database.read() as session:
            client = people.find_client(session, actor, client_ref)
            known = _known(session, actor, client.id, parsed.sha256)
        if known is None:
            raise
        return known


def _known(
    session: Session, actor: Actor, client_id: uuid.UUID, sha256: str
) -> ImportResult | None:
    """The transcript that this file made before; one of another coach stays with that coach."""
    row = session.execute(
        sa.select(Transcript, CoachingSession.coach_id)
        .join(CoachingSession, CoachingSession.id == Transcript.session_id)
        .where(Transcript.client_id == client_id, Transcript.sha256 == sha256)
    ).first()
    if row is None:
        return None
    transcript, coach_id = row
    if not actor.may_read(coach_id):
        raise CoachError(
            "COACH-CCH-005",
            field="file",
            reason="another coach of this client has imported it already; ask an administrator",
        )
    return _result(transcript, duplicate=True, warnings=())


def _result(transcript: Transcript, *, duplicate: bool, warnings: tuple[str, ...]) -> ImportResult:
    return ImportResult(
        transcript_id=transcript.id,
        session_id=transcript.session_id,
        source_name=transcript.source_name,
        cues=transcript.cue_count,
        unparsed=tuple(UnparsedLine(**row) for row in transcript.unparsed),
        duplicate=duplicate,
        warnings=warnings,
        role_state=transcript.role_state,
    )


def _warnings(session: Session, client_id: uuid.UUID, parsed: ParsedTranscript) -> tuple[str, ...]:
    elsewhere = session.scalar(
        sa.select(sa.func.count())
        .select_from(Transcript)
        .where(Transcript.sha256 == parsed.sha256, Transcript.client_id != client_id)
    )
    warnings = []
    if elsewhere:
        warnings.append("The same file was imported for another client: check that it is right.")
    if parsed.unparsed:
        lines = "1 line" if len(parsed.unparsed) == 1 else f"{len(parsed.unparsed)} lines"
        warnings.append(f"{lines} could not be imported; see the report.")
    cleaned = dict(parsed.cleaned)
    damaged = cleaned.pop("damaged", 0)
    if damaged:
        warnings.append(f"Characters that could not be read are shown as \ufffd ({damaged}).")
    if removed := sum(cleaned.values()):
        warnings.append(
            f"Invisible characters that do not belong in a text were taken out ({removed}); "
            "the file as uploaded is kept."
        )
    return tuple(warnings)


def _engagement(session: Session, coach: Coach, client: Client, day: dt.date) -> Engagement:
    """The engagement that was running on `day`, else the nearest one of the two."""
    engagements: Sequence[Engagement] = session.scalars(
        sa.select(Engagement)
        .where(Engagement.coach_id == coach.id, Engagement.client_id == client.id)
        .order_by(Engagement.started_on.desc(), Engagement.id)
    ).all()
    if not engagements:
        raise CoachError("COACH-CCH-006", coach=coach.external_id, client=client.external_id)
    for engagement in engagements:
        if engagement.started_on <= day and (
            engagement.ended_on is None or day < engagement.ended_on
        ):
            return engagement
    return engagements[0]


def _session(
    session: Session, engagement: Engagement, day: dt.date, parsed: ParsedTranscript
) -> CoachingSession:
    """The session of that day that has no transcript yet, else a new one."""
    has_transcript = sa.select(Transcript.id).where(Transcript.session_id == CoachingSession.id)
    meeting = session.scalars(
        sa.select(CoachingSession)
        .where(
            CoachingSession.engagement_id == engagement.id,
            CoachingSession.held_on == day,
            ~has_transcript.exists(),
        )
        .order_by(CoachingSession.id)
    ).first()
    if meeting is None:
        meeting = CoachingSession(
            id=ids.new_id(),
            engagement_id=engagement.id,
            coach_id=engagement.coach_id,
            client_id=engagement.client_id,
            held_on=day,
            title=(parsed.title or "")[:200],
        )
        session.add(meeting)
    meeting.duration_ms = parsed.duration_ms
    session.flush()
    return meeting


def _roles(
    kind: str, parsed: ParsedTranscript, coach: Coach, client: Client
) -> tuple[SpeakerMapping | None, str]:
    if kind == "notes":
        return None, "certain"
    mapping = map_speakers(
        parsed,
        [coach.name, coach.email],
        [client.name, *([client.email] if client.email else [])],
    )
    if not mapping.certain:
        return mapping, "unclear"
    return mapping, "inferred" if mapping.inferred else "certain"


def _utterances(
    transcript_id: uuid.UUID,
    parsed: ParsedTranscript,
    mapping: SpeakerMapping | None,
    kind: str,
) -> list[dict[str, Any]]:
    def speaker(label: str | None) -> str:
        if kind == "notes":
            return Speaker.COACH.value
        return (mapping.role_of(label) if mapping else Speaker.OTHER).value

    return [
        {
            "id": ids.new_id(),
            "transcript_id": transcript_id,
            "position": cue.position,
            "line": cue.line,
            "speaker_label": cue.speaker_label[:200] if cue.speaker_label else None,
            "speaker": speaker(cue.speaker_label),
            "original_speaker": speaker(cue.speaker_label),
            "start_ms": cue.start_ms,
            "end_ms": cue.end_ms,
            "text": cue.text,
            "is_cut": False,
        }
        for cue in parsed.cues
    ]


def pending_transcripts(database: Database) -> list[uuid.UUID]:
    """Ids of transcripts that wait for their first analysis or whose last one failed, oldest first."""
    with database.read() as session:
        return list(
            session.scalars(
                sa.select(Transcript.id)
                .where(Transcript.state.in_(("imported", "waiting_consent", "failed")))
                .order_by(Transcript.created_at, Transcript.id)
            )
        )

"""The rows that an import writes: where a transcript belongs, who speaks, in which places."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.ai.types import Speaker
from coachops.coaching import quarantine
from coachops.coaching.quarantine import Refused, Source
from coachops.coaching.transcripts import ParsedTranscript, SpeakerMapping, map_speakers
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db.models import Client, Coach, CoachingSession, Engagement, Transcript


def warnings_of(
    session: Session, client_id: uuid.UUID, parsed: ParsedTranscript
) -> tuple[str, ...]:
    """What a person should look at after the import."""
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
        warnings.append(f"{lines} could not be imported; see the report and the quarantine.")
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


def engagement_on(session: Session, coach: Coach, client: Client, day: dt.date) -> Engagement:
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


def session_on(
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
            title=clean_line(parsed.title or "")[:200],
        )
        session.add(meeting)
    meeting.duration_ms = parsed.duration_ms
    session.flush()
    return meeting


def session_named(
    session: Session,
    external_id: str,
    coach: Coach,
    client: Client,
    held_on: dt.date | None,
    parsed: ParsedTranscript,
) -> CoachingSession:
    """The session of that external id, which these two hold and which has no transcript yet.

    Raises:
        CoachError: COACH-CCH-001 where there is none of theirs, COACH-CCH-005.
    """
    meeting = session.scalars(
        sa.select(CoachingSession)
        .where(
            CoachingSession.external_id == clean_line(external_id),
            CoachingSession.coach_id == coach.id,
            CoachingSession.client_id == client.id,
        )
        .with_for_update()
    ).first()
    if meeting is None:
        raise CoachError("COACH-CCH-001", what="session", ref=external_id)
    if held_on is not None and held_on != meeting.held_on:
        raise CoachError(
            "COACH-CCH-005", field="date", reason=f"the session is on {meeting.held_on}"
        )
    if session.scalar(sa.select(sa.exists().where(Transcript.session_id == meeting.id))):
        raise CoachError("COACH-CCH-005", field="session", reason="it has a transcript already")
    meeting.duration_ms = parsed.duration_ms
    session.flush()
    return meeting


def require_past(day: dt.date, today: dt.date) -> None:
    """Refuse a session that has not been held; tomorrow may be today elsewhere.

    Raises:
        CoachError: COACH-CCH-005.
    """
    if day > today + dt.timedelta(days=1):
        raise CoachError("COACH-CCH-005", field="date", reason=f"{day} has not come yet")


def roles_of(
    kind: str, parsed: ParsedTranscript, coach: Coach, client: Client
) -> tuple[SpeakerMapping | None, str]:
    """Which label is whose, and how sure that is; notes are all the coach's."""
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


def positions_of(parsed: ParsedTranscript) -> tuple[list[int], list[int]]:
    """Positions of the cues, and those kept free for the reported lines, in file order from 1.

    A line stands behind the last cue that begins before it, so that a corrected one can take its
    place later while every citation of the others stays right.
    """
    waiting = [report.line for report in parsed.unparsed]
    latest, place = 0, 0
    cues: list[int] = []
    gaps: list[int] = []
    for cue in parsed.cues:
        latest = max(latest, cue.line)
        while len(gaps) < len(waiting) and waiting[len(gaps)] < latest:
            place += 1
            gaps.append(place)
        place += 1
        cues.append(place)
    gaps += range(place + 1, place + 1 + len(waiting) - len(gaps))
    return cues, gaps


def keep_lines(
    session: Session,
    actor: Actor,
    transcript: Transcript,
    coach: Coach,
    parsed: ParsedTranscript,
    gaps: Sequence[int],
    source: Source,
) -> list[dict[str, Any]]:
    """Keep the reported lines; what the transcript says of them."""
    kept = quarantine.keep_in(
        session,
        actor,
        (
            Refused(
                "cue", parsed.source_name, report.raw.encode(),
                CoachError(
                    "COACH-TRN-014", line=report.line, name=parsed.source_name,
                    reason=str(report.reason),
                ),
                source, line=max(report.line, 1), coach_id=coach.id, client_id=transcript.client_id,
                transcript_id=transcript.id, position=gap,
            )
            for report, gap in zip(parsed.unparsed, gaps, strict=True)
        ),
    )  # fmt: skip
    return [
        {"line": row.line, "reason": str(row.reason), "excerpt": row.excerpt, "item": str(item)}
        for row, item in zip(parsed.unparsed, kept, strict=True)
    ]


def utterance_rows(
    transcript_id: uuid.UUID,
    parsed: ParsedTranscript,
    positions: Sequence[int],
    mapping: SpeakerMapping | None,
    kind: str,
) -> list[dict[str, Any]]:
    """The rows of the imported cues."""

    def speaker(label: str | None) -> str:
        if kind == "notes":
            return Speaker.COACH.value
        return (mapping.role_of(label) if mapping else Speaker.OTHER).value

    return [
        {
            "id": ids.new_id(),
            "transcript_id": transcript_id,
            "position": position,
            "line": cue.line,
            "speaker_label": cue.speaker_label[:200] if cue.speaker_label else None,
            "speaker": speaker(cue.speaker_label),
            "original_speaker": speaker(cue.speaker_label),
            "start_ms": cue.start_ms,
            "end_ms": cue.end_ms,
            "text": cue.text,
            "is_cut": False,
        }
        for cue, position in zip(parsed.cues, positions, strict=True)
    ]

"""Taking a transcript in: read, account for every line, map the speakers, keep the original.

A transcript is the same when client and SHA-256 are the same; the same file for another client is
a new transcript with a warning. Nothing is written unless everything is. What cannot be taken, a file
or a line of one, goes to the quarantine; a line keeps its place free in the order of utterances.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import traceback
import uuid
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import people, quarantine
from coachops.coaching.directory.repeating import Key, once
from coachops.coaching.importing_rows import (
    engagement_on,
    keep_lines,
    positions_of,
    require_past,
    roles_of,
    session_named,
    session_on,
    utterance_rows,
    warnings_of,
)
from coachops.coaching.quarantine import Refused, Source
from coachops.coaching.scope import open_transcript
from coachops.coaching.transcripts import (
    ParsedTranscript,
    check_size,
    notes_to_transcript,
    read,
)
from coachops.core import ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    CoachingSession,
    QuarantineItem,
    Transcript,
    Utterance,
)
from coachops.telemetry import record_activity

log = logging.getLogger("coachops.coaching")

_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class UnparsedLine:
    """A line that looked like a cue and could not be imported; `item` is its id in the quarantine."""

    line: int
    reason: str
    excerpt: str
    item: str | None = None


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
    meeting: str | None = None,
    source: Source = "program",
    resolves: uuid.UUID | None = None,
    key: Key | None = None,
) -> ImportResult:
    """Import the file `data` called `name` for a coach and a client (REFs).

    A file that cannot be taken is kept in the quarantine; the error's detail `quarantine_id` names
    the item.

    Parameters:
        held_on: day of the session; None takes the day the file tells, else today.
        meeting: external id of the session that the file is the record of; None finds or makes
            one of that day.
        source: where it came in.
        key: of a request that may be repeated: it is done once, and answered alike.
        resolves: the item of the quarantine that this file is the correction of; it ends with the
            import, and a file that cannot be taken is not kept again.

    Raises:
        CoachError: COACH-TRN-… for files that cannot be taken, COACH-CCH-001 for unknown people,
            COACH-CCH-006 where the two do not work together, COACH-CCH-005 for a day to come or a
            session that is another's or has a transcript, COACH-INB-007.
    """
    name = quarantine.file_name(name)
    try:
        parsed = _read(data, name)
    except CoachError as error:
        if resolves is None:
            _keep(
                database, actor, error, name, data,
                coach=coach, client=client, held_on=held_on, source=source,
            )  # fmt: skip
        raise
    return _store(
        database, actor, data, parsed, coach, client, held_on, kind="recording", source=source,
        resolves=resolves, meeting_ref=meeting, key=key,
    )  # fmt: skip


def refuse_large(
    database: Database,
    actor: Actor,
    size_bytes: int,
    name: str,
    *,
    coach: str,
    client: str,
    held_on: dt.date | None = None,
    source: Source = "program",
) -> None:
    """Refuse a file by its size, before its bytes are read; its name and the reason are kept.

    Raises:
        CoachError: COACH-TRN-002, COACH-TRN-003; COACH-CCH-001 for unknown people.
    """
    name = quarantine.file_name(name)
    try:
        check_size(size_bytes, name)
    except CoachError as error:
        _keep(
            database, actor, error, name, None,
            coach=coach, client=client, held_on=held_on, source=source, size_bytes=size_bytes,
        )  # fmt: skip
        raise


def _read(data: bytes, name: str) -> ParsedTranscript:
    """What the reader makes of a file; a mistake of the reader is an error with a code, too."""
    try:
        return read(data, name)
    except CoachError:
        raise
    except Exception as mistake:
        frames = "".join(traceback.format_tb(mistake.__traceback__))  # its message may quote words
        log.error("a reader failed with %s\n%s", type(mistake).__name__, frames)  # noqa: TRY400 as said
        raise CoachError("COACH-TRN-013", name=name, reason=type(mistake).__name__) from mistake


def _keep(
    database: Database,
    actor: Actor,
    error: CoachError,
    name: str,
    data: bytes | None,
    *,
    coach: str,
    client: str,
    held_on: dt.date | None,
    source: Source,
    size_bytes: int | None = None,
) -> None:
    """Keep a refused file for the two people it is about; `error` then names the item.

    The detail `quarantine_whole` says whether the file itself is kept.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003 where the actor may not bring files for them.
    """
    with database.read() as session:
        of_coach = people.find_coach(session, actor, coach).id
        of_client = people.find_client(session, actor, client).id
    line = error.details.get("line")
    item = quarantine.keep(
        database,
        actor,
        Refused(
            "transcript", name, data, error, source,
            line=line if isinstance(line, int) and line >= 1 else None,
            size_bytes=size_bytes, coach_id=of_coach, client_id=of_client, held_on=held_on,
        ),
    )  # fmt: skip
    error.details["quarantine_id"] = str(item)
    error.details["quarantine_whole"] = quarantine.is_whole(database, item)


def import_notes(
    database: Database, actor: Actor, text: str, *, coach: str, client: str, held_on: dt.date
) -> ImportResult:
    """Import notes that the coach typed instead of a recording, labelled as the coach's account.

    Raises:
        CoachError: as `import_transcript`.
    """
    parsed = notes_to_transcript(text)
    data = text.encode("utf-8", errors="replace")
    return _store(database, actor, data, parsed, coach, client, held_on, kind="notes")


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
    source: Source = "program",
    resolves: uuid.UUID | None = None,
    meeting_ref: str | None = None,
    key: Key | None = None,
) -> ImportResult:
    day = held_on or parsed.date or database.today()
    if meeting_ref is None:
        require_past(day, database.today())

    def work(session: Session) -> ImportResult:
        coach = people.find_coach(session, actor, coach_ref)
        client = people.find_client(session, actor, client_ref)
        if not actor.may_change(coach.id):
            raise CoachError("COACH-IDN-003", what="transcripts of other coaches")
        item = None if resolves is None else quarantine.open_item(session, actor, resolves)
        known = _known(session, actor, client.id, parsed.sha256)
        if known is not None:
            _settle(session, actor, item, known.transcript_id)
            return known
        warnings = warnings_of(session, client.id, parsed)
        if meeting_ref is None:
            engagement = engagement_on(session, coach, client, day)
            meeting = session_on(session, engagement, day, parsed)
        else:
            meeting = session_named(session, meeting_ref, coach, client, held_on, parsed)
            require_past(meeting.held_on, database.today())
        mapping, role_state = roles_of(kind, parsed, coach, client)
        transcript = Transcript(
            id=ids.new_id(),
            session_id=meeting.id,
            client_id=client.id,
            kind=kind,
            source_name=parsed.source_name,
            format=str(parsed.format),
            encoding=parsed.encoding,
            sha256=parsed.sha256,
            size_bytes=parsed.size_bytes,
            original=data,
            cue_count=len(parsed.cues),
            unparsed=[],
            role_state=role_state,
            state="waiting_roles" if role_state == "unclear" else "imported",
            imported_by=actor.user_id,
        )
        session.add(transcript)
        session.flush()
        positions, gaps = positions_of(parsed)
        rows = utterance_rows(transcript.id, parsed, positions, mapping, kind)
        for start in range(0, len(rows), _BATCH):
            session.execute(sa.insert(Utterance), rows[start : start + _BATCH])
        transcript.unparsed = keep_lines(session, actor, transcript, coach, parsed, gaps, source)
        differs = item is not None and item.sha256 != parsed.sha256
        _settle(session, actor, item, transcript.id, keep_bytes=differs)
        quarantine.resolve_imported(session, actor, parsed.sha256, client.id, transcript.id)
        audit.record(
            session, actor, "transcript.imported", "transcript", transcript.id,
            cues=len(rows), unparsed=len(parsed.unparsed),
        )  # fmt: skip
        record_activity(
            session, actor, "transcript.imported", coach_id=coach.id, subject_id=transcript.id
        )
        return _result(transcript, duplicate=False, warnings=warnings)

    try:
        return once(database, key, work, keep=_kept, back=functools.partial(_again, actor))
    except sa.exc.IntegrityError:
        # the same file came in twice at the same moment: the other one won
        with database.read() as session:
            client = people.find_client(session, actor, client_ref)
            known = _known(session, actor, client.id, parsed.sha256)
        if known is None:
            raise
        return known


def _settle(
    session: Session,
    actor: Actor,
    item: QuarantineItem | None,
    transcript_id: uuid.UUID,
    **values: bool,
) -> None:
    """The item of the quarantine that this import corrects, if any, ends with it."""
    if item is not None:
        quarantine.resolve(session, actor, item, "replayed", transcript_id=transcript_id, **values)


def _kept(result: ImportResult) -> dict[str, Any]:
    """What is remembered of an import: an id, and warnings, which hold counts only."""
    kept = {"id": str(result.transcript_id), "duplicate": result.duplicate}
    return kept | {"warnings": list(result.warnings)}


def _again(actor: Actor, session: Session, kept: dict[str, Any]) -> ImportResult:
    """The result of an import that was remembered."""
    transcript = open_transcript(session, actor, uuid.UUID(kept["id"])).transcript
    return _result(transcript, duplicate=kept["duplicate"], warnings=tuple(kept["warnings"]))


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

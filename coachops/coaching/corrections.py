"""The coach's corrections to a transcript: each is a row, kept beside the original, and undoable.

What holds is always computed anew from what stood first and the corrections in force, in the order
they were made; so undoing one leaves the others standing. `redact` offsets are kept in the original
text. A correction after an analysis makes that analysis stale (`review.Review.stale`).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.coaching import standing
from coachops.coaching.insights import require_version
from coachops.coaching.replay import redactions, to_original
from coachops.coaching.scope import TranscriptScope, open_transcript
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import QuarantineItem, Transcript, TranscriptEdit, User, Utterance
from coachops.db.models.sessions import BEHAVIOURS, SPEAKERS

CHANGES_READING = ("swap_roles", "speaker", "cut", "redact")
"""Kinds that change what an engine reads."""


@dataclass(frozen=True, slots=True)
class EditRow:
    """A correction as lists show it; `undone_at` is None while it is in force."""

    id: uuid.UUID
    kind: str
    from_position: int | None
    to_position: int | None
    value: str | None
    made_by: str
    made_at: dt.datetime
    undone_at: dt.datetime | None


def confirm_roles(
    database: Database, actor: Actor, transcript_id: uuid.UUID, *, revision: str | None = None
) -> uuid.UUID:
    """The speakers are right as they stand: the analysis may start. Returns the correction's id.

    Parameters:
        revision: `revision_of` the transcript as it was shown; None skips the comparison.

    Raises:
        CoachError: COACH-CCH-001, COACH-IDN-003, COACH-CCH-004 corrected meanwhile, COACH-CCH-005
            where no utterance is the coach's or the client's.
    """

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        before = scope.transcript.role_state
        return _edit(scope, actor, "confirm_roles", value=before)

    return _correct(database, actor, transcript_id, work, revision, needs_roles=True)


def swap_roles(
    database: Database, actor: Actor, transcript_id: uuid.UUID, *, revision: str | None = None
) -> uuid.UUID:
    """Coach and client are the wrong way round: exchange them everywhere, and confirm.

    Raises:
        CoachError: as `confirm_roles`.
    """

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        return _edit(scope, actor, "swap_roles", value=scope.transcript.role_state)

    return _correct(database, actor, transcript_id, work, revision, needs_roles=True)


def set_speaker(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    position: int,
    speaker: str,
    *,
    whole_label: bool = False,
    revision: str | None = None,
) -> uuid.UUID:
    """Say who speaks in one utterance, or in all with the same label as this one.

    Raises:
        CoachError: as `confirm_roles`; COACH-CCH-005 for an unknown position or speaker.
    """
    _require_one_of("speaker", speaker, SPEAKERS)

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        _utterance(session, scope.transcript, position)
        to_position = None if whole_label else position
        return _edit(scope, actor, "speaker", position, to_position, value=speaker)

    return _correct(database, actor, transcript_id, work, revision)


def set_behaviour(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    position: int,
    behaviour: str,
    *,
    revision: str | None = None,
) -> uuid.UUID:
    """Say what the coach does in one of their utterances; survives a new analysis.

    Raises:
        CoachError: as `set_speaker`; COACH-CCH-005 where the utterance is not the coach's.
    """
    _require_one_of("behaviour", behaviour, BEHAVIOURS)

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        if _utterance(session, scope.transcript, position).speaker != "coach":
            raise CoachError(
                "COACH-CCH-005", field="position", reason="this utterance is not the coach's"
            )
        return _edit(scope, actor, "behaviour", position, position, value=behaviour)

    return _correct(database, actor, transcript_id, work, revision)


def cut(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    from_position: int,
    to_position: int,
    *,
    revision: str | None = None,
) -> uuid.UUID:
    """Leave utterances out (talk before and after the session): no engine reads them.

    Parameters:
        from_position, to_position: both included.

    Raises:
        CoachError: as `set_speaker`.
    """

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        for position in (from_position, to_position):
            _utterance(session, scope.transcript, position)
        if from_position > to_position:
            raise CoachError("COACH-CCH-005", field="cut", reason="it ends before it starts")
        return _edit(scope, actor, "cut", from_position, to_position)

    return _correct(database, actor, transcript_id, work, revision)


def redact(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    position: int,
    from_char: int,
    to_char: int,
    *,
    revision: str | None = None,
) -> uuid.UUID:
    """Hide a piece of an utterance behind `[redacted]` before anything reads it.

    Parameters:
        from_char, to_char: of the text as shown, the second not included; a piece that touches an
            earlier redaction takes in all of it.

    Raises:
        CoachError: as `set_speaker`; COACH-CCH-005 for a piece outside of the text.
    """

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        utterance = _utterance(session, scope.transcript, position)
        if not 0 <= from_char < to_char <= len(utterance.text):
            raise CoachError(
                "COACH-CCH-005", field="redaction", reason="it lies outside of the text"
            )
        spans = redactions(standing.in_force(session, transcript_id)).get(position, [])
        start, end = to_original(spans, from_char, to_char)
        edit = _edit(scope, actor, "redact", position, position)
        edit.from_char, edit.to_char = start, end
        return edit

    return _correct(database, actor, transcript_id, work, revision)


def undo(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    edit_id: uuid.UUID,
    *,
    revision: str | None = None,
) -> None:
    """Take a correction back; it stays on record. One that was taken back already stays so.

    Raises:
        CoachError: COACH-CCH-001 unknown, COACH-IDN-003, COACH-CCH-004 corrected meanwhile.
    """

    def work(session: Session, scope: TranscriptScope) -> TranscriptEdit:
        edit = session.get(TranscriptEdit, edit_id)
        if edit is None or edit.transcript_id != transcript_id:
            raise CoachError("COACH-CCH-001", what="correction", ref=edit_id)
        if edit.undone_at is None:
            edit.undone_at = clock.now()
        return edit

    _correct(database, actor, transcript_id, work, revision, action="transcript.correction_undone")


def list_edits(database: Database, actor: Actor, transcript_id: uuid.UUID) -> list[EditRow]:
    """All corrections, those undone included, the newest first.

    Raises:
        CoachError: COACH-CCH-001.
    """
    with database.read() as session:
        open_transcript(session, actor, transcript_id)
        return edit_rows(session, transcript_id)


def edit_rows(session: Session, transcript_id: uuid.UUID) -> list[EditRow]:
    """As `list_edits`, in an open transaction, ownership checked by the caller."""
    rows = session.execute(
        sa.select(TranscriptEdit, User.name)
        .outerjoin(User, User.id == TranscriptEdit.created_by)
        .where(TranscriptEdit.transcript_id == transcript_id)
        .order_by(TranscriptEdit.created_at.desc(), TranscriptEdit.id.desc())
    )
    return [
        EditRow(
            id=edit.id,
            kind=edit.kind,
            from_position=edit.from_position,
            to_position=edit.to_position,
            value=edit.value if edit.kind in {"speaker", "behaviour"} else None,
            made_by=name or "coachops",
            made_at=edit.created_at,
            undone_at=edit.undone_at,
        )
        for edit, name in rows
    ]


def revision_of(session: Session, transcript_id: uuid.UUID) -> str:
    """Changes with every correction and every undoing: what optimistic concurrency compares."""
    made, undone = session.execute(
        sa.select(sa.func.count(), sa.func.count(TranscriptEdit.undone_at)).where(
            TranscriptEdit.transcript_id == transcript_id
        )
    ).one()
    return f"{made}.{undone}"


def is_stale(session: Session, transcript_id: uuid.UUID, analysed_at: dt.datetime) -> bool:
    """Whether what an engine reads was corrected, or completed by a line, after `analysed_at`."""
    later = sa.select(TranscriptEdit.id).where(
        TranscriptEdit.transcript_id == transcript_id,
        TranscriptEdit.kind.in_(CHANGES_READING),
        sa.or_(TranscriptEdit.created_at > analysed_at, TranscriptEdit.undone_at > analysed_at),
    )
    added = sa.select(QuarantineItem.id).where(
        QuarantineItem.transcript_id == transcript_id,
        QuarantineItem.kind == "cue",
        QuarantineItem.state == "replayed",
        QuarantineItem.resolved_at > analysed_at,
    )
    return any(session.scalar(found.limit(1)) is not None for found in (later, added))


def _correct(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    work: Callable[[Session, TranscriptScope], TranscriptEdit],
    revision: str | None,
    *,
    needs_roles: bool = False,
    action: str = "transcript.corrected",
) -> uuid.UUID:
    """Lock, compare, write the correction, compute anew what holds, record the act."""

    def whole(session: Session) -> uuid.UUID:
        scope = open_transcript(session, actor, transcript_id, change=True)
        require_version(revision, revision_of(session, transcript_id), "transcript")
        if needs_roles:
            _require_roles(session, scope.transcript)
        edit = work(session, scope)
        session.add(edit)
        session.flush()
        standing.apply(session, scope.transcript)
        audit.record(
            session, actor, action, "transcript", transcript_id,
            kind=edit.kind, from_position=edit.from_position, to_position=edit.to_position,
        )  # fmt: skip
        return edit.id

    return database.run(whole)


def _edit(
    scope: TranscriptScope,
    actor: Actor,
    kind: str,
    from_position: int | None = None,
    to_position: int | None = None,
    *,
    value: str | None = None,
) -> TranscriptEdit:
    return TranscriptEdit(
        id=ids.new_id(),
        transcript_id=scope.transcript.id,
        kind=kind,
        from_position=from_position,
        to_position=to_position,
        value=value,
        created_by=actor.user_id,
        created_at=clock.now(),
    )


def _require_roles(session: Session, transcript: Transcript) -> None:
    known = session.scalar(
        sa.select(Utterance.id)
        .where(Utterance.transcript_id == transcript.id, Utterance.speaker.in_(("coach", "client")))
        .limit(1)
    )
    if known is None:
        raise CoachError(
            "COACH-CCH-005",
            field="speakers",
            reason="nobody is marked as coach or client yet; mark one utterance of each first",
        )


def _utterance(session: Session, transcript: Transcript, position: int) -> Utterance:
    found = session.scalars(
        sa.select(Utterance).where(
            Utterance.transcript_id == transcript.id, Utterance.position == position
        )
    ).one_or_none()
    if found is None:
        raise CoachError(
            "COACH-CCH-005", field="position", reason=f"there is no utterance {position}"
        )
    return found


def _require_one_of(field: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise CoachError("COACH-CCH-005", field=field, reason=f"use one of {', '.join(allowed)}")

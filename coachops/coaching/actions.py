"""Next steps over their whole life: found once, carried forward, never doubled, edits kept.

A row belongs to the transcript where it was first said (`citations` without `transcript_id`). Later
sessions that take it up again add their own citations, each with the `transcript_id` it stands in
and whether it was reported as done there; so a new analysis of any session changes its own part only.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.ai import types as ai
from coachops.coaching.citations import PHRASE_LIMIT
from coachops.coaching.insights import anchors, checked_text, require_version, version_of
from coachops.coaching.scope import TranscriptScope, open_action, open_transcript
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import ActionItem, Analysis, CoachingSession, Transcript
from coachops.db.models.analysis import ACTION_OWNERS, ACTION_STATES, MODALITIES

KEEP: Final = "keep"
"""Default of a value that an edit does not touch, where None has a meaning of its own."""


def open_before(session: Session, scope: TranscriptScope) -> list[ActionItem]:
    """Commitments of the coach's earlier sessions with this client, open when this one was held.

    One that this session (or a later one) reported as done counts, so that a second analysis finds
    it again. One whose words were cut or redacted since is left out: they may not be read any more.
    """
    meeting = scope.meeting
    earlier = sa.or_(
        CoachingSession.held_on < meeting.held_on,
        sa.and_(CoachingSession.held_on == meeting.held_on, CoachingSession.id < meeting.id),
    )
    rows = session.scalars(
        sa.select(ActionItem)
        .join(CoachingSession, CoachingSession.id == ActionItem.session_id)
        .where(
            ActionItem.client_id == meeting.client_id,
            ActionItem.coach_id == meeting.coach_id,
            ActionItem.modality == "commitment",
            ActionItem.session_id != meeting.id,
            ActionItem.held_back.is_(False),
            earlier,
        )
        .order_by(ActionItem.id)
    ).all()
    return [
        row
        for row in rows
        if row.status == "open"
        or (row.done_on is not None and row.done_on >= meeting.held_on)
        or any(entry.get("transcript_id") == str(scope.transcript.id) for entry in row.citations)
    ]


def reconcile(
    session: Session, scope: TranscriptScope, analysis: Analysis, found: Sequence[ai.ActionItem]
) -> None:
    """Bring the rows in line with what a new analysis of one transcript found.

    Rows are recognised by transcript and anchor and keep what a person changed; those that are found
    no more go, unless a person or a later session touched them. Carried ones are the earlier rows.
    """
    own = [each for each in found if each.carries is None]
    rows = {
        row.anchor: row
        for row in session.scalars(
            sa.select(ActionItem).where(
                ActionItem.transcript_id == scope.transcript.id, ActionItem.engine_text.is_not(None)
            )
        )
    }
    for each, anchor in zip(own, anchors("action", [e.citations for e in own]), strict=True):
        row = rows.pop(anchor, None)
        if row is None:
            row = _new_row(scope, anchor)
            session.add(row)
        _take(row, each, analysis, scope.meeting)
    for row in rows.values():
        if not row.edited and row.status == "open" and row.last_session_id == row.session_id:
            session.delete(row)
    _carry(session, scope, [each for each in found if each.carries is not None])
    session.flush()


def edit_action(
    database: Database,
    actor: Actor,
    action_id: uuid.UUID,
    *,
    text: str | None = None,
    owner: str | None = None,
    due_date: dt.date | str | None = KEEP,
    version: str | None = None,
) -> str:
    """Change a next step in the coach's words; survives a new analysis. Returns the new version.

    Parameters:
        text, owner: None leaves them.
        due_date: a day, or None for no date; `KEEP` leaves it.
        version: the `version` that was shown; None overwrites whatever is there.

    Raises:
        CoachError: COACH-CCH-001, COACH-CCH-004 changed meanwhile, COACH-CCH-005 a bad value.
    """
    wording = checked_text(text) if text is not None else None
    _require_one_of("owner", owner, ACTION_OWNERS)
    if isinstance(due_date, str) and due_date != KEEP:
        raise CoachError("COACH-CCH-005", field="due date", reason="it is not a date")

    def work(session: Session) -> str:
        row = open_action(session, actor, action_id)
        require_version(version, version_of(row), "action item")
        row.text = wording or row.text
        row.owner = owner or row.owner
        if not isinstance(due_date, str) and due_date != row.due_date:
            row.due_date = due_date
            row.due_phrase = None  # the words that were said no longer tell this day
        return _changed(session, actor, row, "action.edited")

    return database.run(work)


def set_action_status(
    database: Database,
    actor: Actor,
    action_id: uuid.UUID,
    status: str,
    *,
    done_on: dt.date | None = None,
    version: str | None = None,
) -> str:
    """Mark a next step as open, done (today, or on `done_on`) or dropped; returns the new version.

    Raises:
        CoachError: COACH-CCH-001, COACH-CCH-004 changed meanwhile, COACH-CCH-005 a bad value.
    """
    _require_one_of("status", status, ACTION_STATES)

    def work(session: Session) -> str:
        row = open_action(session, actor, action_id)
        require_version(version, version_of(row), "action item")
        row.status = status
        row.done_on = (done_on or database.today()) if status == "done" else None
        return _changed(session, actor, row, f"action.{status}", edited=row.edited)

    return database.run(work)


def add_action(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    *,
    text: str,
    owner: str = "unassigned",
    due_date: dt.date | None = None,
    modality: str = "commitment",
    action_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Add a next step that the engine did not find; shown as added by the coach. Returns its id.

    Parameters:
        action_id: the id it shall have. Who did not learn whether it was saved (COACH-DB-004) gives
            the same one again, and it is added once.

    Raises:
        CoachError: COACH-CCH-001 unknown transcript, COACH-CCH-005 a bad value.
    """
    wording = checked_text(text)
    _require_one_of("owner", owner, ACTION_OWNERS)
    _require_one_of("modality", modality, MODALITIES)
    new_id = action_id or ids.new_id()

    def work(session: Session) -> uuid.UUID:
        scope = open_transcript(session, actor, transcript_id, change=True)
        row = _new_row(scope, f"by-hand:{ids.new_id().hex}")
        row.id = new_id
        row.text, row.owner, row.modality, row.due_date = wording, owner, modality, due_date
        session.add(row)
        session.flush()
        _changed(session, actor, row, "action.added")
        return row.id

    return database.run(work, operation_id=action_id, repeated=lambda _: new_id)


def may_show(row: ActionItem) -> bool:
    """Whether its text may be read: nothing was cut or redacted, or the words are the coach's own."""
    return not row.held_back or row.text != row.engine_text


def own_citations(row: ActionItem) -> list[dict[str, Any]]:
    """Where the step was first said, in its own transcript."""
    return [entry for entry in row.citations if "transcript_id" not in entry]


def citations_in(row: ActionItem, transcript_id: uuid.UUID) -> list[dict[str, Any]]:
    """Where the step is spoken of in that transcript, its own or a later one."""
    if row.transcript_id == transcript_id:
        return own_citations(row)
    return [entry for entry in row.citations if entry.get("transcript_id") == str(transcript_id)]


def _new_row(scope: TranscriptScope, anchor: str) -> ActionItem:
    return ActionItem(
        id=ids.new_id(),
        client_id=scope.meeting.client_id,
        coach_id=scope.meeting.coach_id,
        session_id=scope.meeting.id,
        transcript_id=scope.transcript.id,
        last_session_id=scope.meeting.id,
        anchor=anchor,
        status="open",
        edited=False,
        held_back=False,
        citations=[],
        created_at=clock.now(),
        updated_at=clock.now(),
    )


def _take(
    row: ActionItem, found: ai.ActionItem, analysis: Analysis, meeting: CoachingSession
) -> None:
    """Put what the engine found into a row, under whatever a person changed."""
    own = [each.model_dump(mode="json") for each in found.citations]
    carried = [entry for entry in row.citations if "transcript_id" in entry]
    if row.citations != own + carried:
        row.citations = own + carried
    row.held_back = False  # what an engine found now stands in words that may be read
    row.analysis_id = analysis.id
    row.engine_text = found.text
    if row.edited:
        return
    row.text = found.text
    row.owner = found.owner.value
    row.modality = found.modality.value
    if row.last_session_id == meeting.id:  # else a later session may have said another day
        row.due_date = found.due_date
        row.due_phrase = (found.due_phrase or "")[:PHRASE_LIMIT] or None


def _carry(session: Session, scope: TranscriptScope, found: Sequence[ai.ActionItem]) -> None:
    meeting, here = scope.meeting, str(scope.transcript.id)
    by_id = {each.carries: each for each in found}
    rows = session.scalars(
        sa.select(ActionItem).where(
            ActionItem.client_id == meeting.client_id,
            ActionItem.coach_id == meeting.coach_id,
            sa.or_(
                ActionItem.transcript_id.is_(None), ActionItem.transcript_id != scope.transcript.id
            ),
        )
    ).all()
    for row in rows:
        before = citations_in(row, scope.transcript.id)
        each = by_id.get(str(row.id))
        if not before and each is None:
            continue
        was_done = any(entry.get("done") for entry in before)
        others = [entry for entry in row.citations if entry.get("transcript_id") != here]
        now = []
        if each is not None:
            now = [
                citation.model_dump(mode="json") | {"transcript_id": here, "done": each.done}
                for citation in each.citations
            ]
        if row.citations != others + now:
            row.citations = others + now
        row.last_session_id = _last_session(session, row)
        is_done = each is not None and each.done
        if is_done and not was_done and row.status == "open":
            row.status, row.done_on = "done", meeting.held_on
        elif was_done and not is_done and row.status == "done" and row.done_on == meeting.held_on:
            row.status, row.done_on = "open", None
        if each is not None and each.due_date is not None and not row.edited:
            row.due_date = each.due_date
            row.due_phrase = (each.due_phrase or "")[:PHRASE_LIMIT] or None


def _last_session(session: Session, row: ActionItem) -> uuid.UUID:
    """The latest session that speaks of the step."""
    transcripts = {
        uuid.UUID(entry["transcript_id"]) for entry in row.citations if "transcript_id" in entry
    }
    if not transcripts:
        return row.session_id
    latest = session.scalars(
        sa.select(CoachingSession.id)
        .join(Transcript, Transcript.session_id == CoachingSession.id)
        .where(Transcript.id.in_(transcripts))
        .order_by(CoachingSession.held_on.desc(), CoachingSession.id.desc())
        .limit(1)
    ).first()
    return latest or row.session_id


def _changed(
    session: Session, actor: Actor, row: ActionItem, action: str, *, edited: bool = True
) -> str:
    row.edited = edited
    row.updated_at = clock.now()
    audit.record(session, actor, action, "action_item", row.id)
    session.flush()
    return version_of(row)


def _require_one_of(field: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise CoachError("COACH-CCH-005", field=field, reason=f"use one of {', '.join(allowed)}")

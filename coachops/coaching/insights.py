"""Insights and the coach's wording over them: an overlay that a new analysis does not touch.

An insight is found again by its anchor, the digest of its kind and of what it cites; so the same
sentence of a later analysis gets the coach's wording of the earlier one.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.ai.types import Citation, CitedText, EngineResult
from coachops.coaching.citations import normal
from coachops.coaching.scope import open_transcript
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_text, is_blank
from coachops.db import Database
from coachops.db.models import Analysis, Insight, InsightEdit

TEXT_LIMIT = 4_000


def anchors(kind: str, cited: Iterable[Sequence[Citation]]) -> list[str]:
    """The anchor of each finding of one kind, in order; equal citations are told apart by number."""
    seen: Counter[str] = Counter()
    made = []
    for citations in cited:
        places = sorted({f"{each.position}:{normal(each.quote).casefold()}" for each in citations})
        base = "\n".join([kind, *places])
        seen[base] += 1
        text = base if seen[base] == 1 else f"{base}\n#{seen[base]}"
        made.append(hashlib.sha256(text.encode()).hexdigest())
    return made


def store(session: Session, analysis: Analysis, result: EngineResult) -> None:
    """Write the insights of an analysis."""
    kinds: tuple[tuple[str, list[CitedText]], ...] = (
        ("summary", result.summary),
        ("theme", result.themes),
        ("follow_up", result.follow_up),
    )
    for kind, found in kinds:
        made = anchors(kind, [each.citations for each in found])
        session.add_all(
            Insight(
                analysis_id=analysis.id,
                transcript_id=analysis.transcript_id,
                kind=kind,
                ordinal=ordinal,
                anchor=anchor,
                text=each.text,
                citations=[citation.model_dump(mode="json") for citation in each.citations],
            )
            for ordinal, (each, anchor) in enumerate(zip(found, made, strict=True), 1)
        )


def edit_insight(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    kind: str,
    anchor: str,
    text: str | None,
    *,
    version: str | None = None,
) -> str:
    """Put the coach's wording over an insight (None hides it); returns the new version.

    Parameters:
        version: the `version` that was shown; None overwrites whatever is there.

    Raises:
        CoachError: COACH-CCH-001 unknown, COACH-CCH-004 changed meanwhile, COACH-CCH-005 no text.
    """
    if text is not None:
        text = checked_text(text)

    def work(session: Session) -> str:
        open_transcript(session, actor, transcript_id, change=True)
        known = session.scalar(
            sa.select(Insight.id)
            .where(
                Insight.transcript_id == transcript_id,
                Insight.kind == kind,
                Insight.anchor == anchor,
            )
            .limit(1)
        )
        edit = _edit(session, transcript_id, kind, anchor)
        if known is None and edit is None:
            raise CoachError("COACH-CCH-001", what="insight", ref=anchor[:12])
        require_version(version, version_of(edit), "sentence")
        if edit is None:
            edit = InsightEdit(transcript_id=transcript_id, kind=kind, anchor=anchor)
            session.add(edit)
        edit.text = text
        edit.created_by = actor.user_id
        edit.updated_at = clock.now()
        done = "insight.edited" if text is not None else "insight.removed"
        audit.record(session, actor, done, "transcript", transcript_id, kind=kind, anchor=anchor)
        session.flush()
        return version_of(edit)

    return database.run(work)


def restore_insight(
    database: Database,
    actor: Actor,
    transcript_id: uuid.UUID,
    kind: str,
    anchor: str,
    *,
    version: str | None = None,
) -> None:
    """Take the coach's wording away, so that the engine's stands again; nothing to take is fine.

    Raises:
        CoachError: COACH-CCH-001 unknown transcript, COACH-CCH-004 changed meanwhile.
    """

    def work(session: Session) -> None:
        open_transcript(session, actor, transcript_id, change=True)
        edit = _edit(session, transcript_id, kind, anchor)
        require_version(version, version_of(edit), "sentence")
        if edit is not None:
            session.delete(edit)
            audit.record(
                session, actor, "insight.restored", "transcript", transcript_id,
                kind=kind, anchor=anchor,
            )  # fmt: skip

    database.run(work)


def version_of(row: object) -> str:
    """What optimistic concurrency compares: when the row last changed, empty where there is none."""
    changed = getattr(row, "updated_at", None)
    return changed.isoformat() if changed is not None else ""


def require_version(shown: str | None, found: str, what: str) -> None:
    """Refuse a change of something that is no longer as it was shown.

    Raises:
        CoachError: COACH-CCH-004.
    """
    if shown is not None and shown != found:
        raise CoachError("COACH-CCH-004", what=what)


def checked_text(text: str) -> str:
    """Words a coach typed, cleaned and trimmed.

    Raises:
        CoachError: COACH-CCH-005 where nothing is left, or too much.
    """
    text = clean_text(text)
    if is_blank(text):
        raise CoachError("COACH-CCH-005", field="text", reason="it is empty")
    if len(text) > TEXT_LIMIT:
        raise CoachError(
            "COACH-CCH-005", field="text", reason=f"it is longer than {TEXT_LIMIT} characters"
        )
    return text


def _edit(session: Session, transcript_id: uuid.UUID, kind: str, anchor: str) -> InsightEdit | None:
    return session.scalars(
        sa.select(InsightEdit).where(
            InsightEdit.transcript_id == transcript_id,
            InsightEdit.kind == kind,
            InsightEdit.anchor == anchor,
        )
    ).one_or_none()

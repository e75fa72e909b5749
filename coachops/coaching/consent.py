"""What a client consented to: the newest word counts, every word is kept.

Kinds: `processing` (analysis on this machine) and `external_ai` (anything that leaves it). No row
means no consent. Withdrawing `processing` sends every transcript that was not analysed yet back to
waiting; giving it again lets them go on.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops import audit
from coachops.ai import replies
from coachops.coaching import people
from coachops.coaching.scope import open_client
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db import Database
from coachops.db.models import Consent, Transcript
from coachops.db.models.people import CONSENT_KINDS
from coachops.telemetry import record_activity


def current(session: Session, client_id: uuid.UUID) -> dict[str, bool]:
    """For each kind, whether consent is in force now."""
    rows = session.execute(
        sa.select(Consent.kind, Consent.granted)
        .where(Consent.client_id == client_id)
        .order_by(Consent.recorded_at, Consent.created_at, Consent.id)
    )
    return dict.fromkeys(CONSENT_KINDS, False) | {row.kind: row.granted for row in rows}


def require(session: Session, client_id: uuid.UUID, kind: str) -> None:
    """Refuse where the client has not consented to `kind`.

    Raises:
        CoachError: COACH-CCH-002.
    """
    if not current(session, client_id)[kind]:
        raise CoachError("COACH-CCH-002", kind=kind)


def record(
    database: Database,
    actor: Actor,
    client: str | uuid.UUID,
    kind: str,
    granted: bool,
    note: str = "",
) -> None:
    """Record that a client (REF or id) gave or withdrew a consent.

    Raises:
        CoachError: COACH-CCH-001 unknown client, COACH-CCH-005 unknown kind or a note too long,
            COACH-IDN-003 where the actor may only read.
    """
    if kind not in CONSENT_KINDS:
        raise CoachError("COACH-CCH-005", field="kind", reason=f"use {' or '.join(CONSENT_KINDS)}")
    note = clean_line(note)
    if len(note) > 200:
        raise CoachError("COACH-CCH-005", field="note", reason="it is longer than 200 characters")

    def work(session: Session) -> None:
        client_id = (
            client
            if isinstance(client, uuid.UUID)
            else people.find_client(session, actor, client).id
        )
        open_client(session, actor, client_id, change=True)
        session.add(
            Consent(
                client_id=client_id,
                kind=kind,
                granted=granted,
                recorded_at=clock.now(),
                recorded_by=actor.user_id,
                note=note,
            )
        )
        if not granted:
            replies.forget_client(session, client_id)
        if kind == "processing":
            _move(session, client_id, granted=granted)
        done = "consent.granted" if granted else "consent.withdrawn"
        audit.record(session, actor, done, "client", client_id, kind=kind)
        record_activity(session, actor, done, subject_id=client_id)

    database.run(work)


def _move(session: Session, client_id: uuid.UUID, *, granted: bool) -> None:
    """Transcripts not yet analysed start to wait for consent, or stop waiting for it."""
    waiting = sa.update(Transcript).where(Transcript.client_id == client_id)
    if not granted:
        session.execute(
            waiting.where(
                Transcript.state.in_(("imported", "waiting_roles", "analysing", "failed"))
            )
            .values(state="waiting_consent", error_code=None)
            .execution_options(synchronize_session=False)
        )
        return
    free = waiting.where(Transcript.state == "waiting_consent").values(
        state=sa.case((Transcript.role_state == "unclear", "waiting_roles"), else_="imported")
    )
    session.execute(free.execution_options(synchronize_session=False))

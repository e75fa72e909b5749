"""What waits for a person, on both kinds of database: kinds, order, whose it is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from coachops.coaching import attention, consent
from coachops.coaching.importing import import_transcript
from coachops.coaching.people import find_coach
from coachops.coaching.roster import import_roster
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.db import Database
from coachops.db.models import Transcript

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def coach(database: Database, ref: str) -> Actor:
    with database.read() as session:
        found = find_coach(session, SYSTEM, ref)
        return Actor(None, "coach", found.name, found.id)


def test_needs_are_told_by_kind_and_only_to_whom_they_belong(database: Database) -> None:
    import_roster(database, SYSTEM, (SAMPLES / "roster.csv").read_bytes())
    for file, who, client in (
        ("09-time-management.json", "AC-104", "CL-208"),
        ("08-salary-negotiation.json", "AC-104", "CL-207"),
    ):
        data = (SAMPLES / file).read_bytes()
        import_transcript(database, SYSTEM, data, file, coach=who, client=client)
    jonas, miriam = coach(database, "AC-104"), coach(database, "AC-101")

    assert [need.kind for need in attention.needs(database, jonas)] == ["roles"]
    with clock.frozen(clock.now() + attention.STUCK_AFTER + dt.timedelta(minutes=1)):
        assert [need.kind for need in attention.needs(database, jonas)] == ["roles", "stuck"]
        assert attention.needs(database, miriam) == []
        assert len(attention.needs(database, SYSTEM)) == 2

    consent.record(database, SYSTEM, "CL-207", "processing", granted=False)
    assert [need.kind for need in attention.needs(database, jonas)] == ["roles", "consent"]

    with database.read() as session:
        ids = list(session.scalars(sa.select(Transcript.id)))
    assert set(attention.transcript_states(database, jonas, ids).values()) == {
        "waiting_roles",
        "waiting_consent",
    }
    assert attention.transcript_states(database, miriam, ids) == {}
    (progress,) = {attention.progress(database, jonas, each) for each in ids[:1]}
    assert progress is not None
    assert progress.analysis_id is None
    assert progress.message_state is None
    assert attention.progress(database, miriam, ids[0]) is None
    assert attention.open_commitments(database, jonas) == {}


def test_an_actor_without_a_coach_has_no_needs(database: Database) -> None:
    assert attention.needs(database, Actor(None, "coach", "Nobody")) == []

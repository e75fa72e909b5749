"""Consent: the newest word counts, every word is kept, no word means no."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from coachops.coaching import consent
from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Consent
from tests.coaching.builders import make_pair, make_transcript


def test_no_word_is_no_consent(database: Database) -> None:
    pair = make_pair(database, consents=())
    with database.read() as session:
        assert consent.current(session, pair.client_id) == {
            "processing": False,
            "external_ai": False,
        }
        with pytest.raises(CoachError) as caught:
            consent.require(session, pair.client_id, "external_ai")
    assert caught.value.code == "COACH-CCH-002"


def test_the_newest_word_counts_and_all_are_kept(database: Database) -> None:
    pair = make_pair(database, consents=())
    with clock.frozen(dt.datetime(2026, 11, 1, tzinfo=dt.UTC)):  # several at the same instant
        for granted in (True, False, True):
            consent.record(database, pair.actor, pair.client_id, "external_ai", granted)
    with database.read() as session:
        consent.require(session, pair.client_id, "external_ai")
        rows = session.scalars(sa.select(Consent)).all()
    assert len(rows) == 3
    assert {row.recorded_by for row in rows} == {pair.actor.user_id}


def test_a_client_is_named_by_any_reference(database: Database) -> None:
    pair = make_pair(database, consents=())
    with database.read() as session:
        client = session.get_one(Client, pair.client_id)
    for reference in (client.external_id, client.email or "", str(client.id)):
        consent.record(database, SYSTEM, reference, "processing", True)
    with database.read() as session:
        consent.require(session, pair.client_id, "processing")


@pytest.mark.parametrize(
    ("kind", "note", "client"),
    [("sharing", "", None), ("processing", "x" * 201, None), ("processing", "", "nobody")],
)
def test_bad_values_are_refused(
    database: Database, kind: str, note: str, client: str | None
) -> None:
    pair = make_pair(database, consents=())
    with pytest.raises(CoachError) as caught:
        consent.record(database, pair.actor, client or pair.client_id, kind, True, note)
    assert caught.value.code in {"COACH-CCH-005", "COACH-CCH-001"}
    with database.read() as session:
        assert session.scalars(sa.select(Consent)).all() == []


def test_consent_given_lets_unclear_roles_be_asked_first(database: Database) -> None:
    pair = make_pair(database)
    transcript_id = make_transcript(database, pair, role_state="unclear")
    consent.record(database, pair.actor, pair.client_id, "processing", False)
    consent.record(database, pair.actor, pair.client_id, "processing", True)
    from coachops.coaching.review import load_review

    assert load_review(database, pair.actor, transcript_id).state == "waiting_roles"

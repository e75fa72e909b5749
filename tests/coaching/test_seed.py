"""Made-up organisations: reproducible, exact in size, with the shape of real ones."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from random import Random

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops.coaching.seed import seed_organisation
from coachops.coaching.seed.plan import apportion, make_plan
from coachops.coaching.transcripts import read
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    ActionItem,
    Base,
    Client,
    Coach,
    CoachingSession,
    Insight,
    Transcript,
    Utterance,
)

UNTIL = dt.date(2026, 11, 1)
SIZES = {"coaches": 9, "clients": 20, "sessions": 60, "utterances_per_session": 12}


def _dump(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table)).all()), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name not in {"change_log", "change_inbox", "feed_meta"}  # of this database
        }


def test_equal_seeds_make_equal_rows_in_the_sizes_asked_for(
    database: Database, new_database_url
) -> None:  # type: ignore[no-untyped-def]
    result = seed_organisation(database, **SIZES, seed=7, until=UNTIL)
    assert result.rows["coaches"] == 9
    assert result.rows["clients"] == 20
    assert result.rows["sessions"] == 60
    assert result.rows["utterances"] == 60 * 12
    other = Database(new_database_url("sqlite"))
    seed_organisation(other, **SIZES, seed=7, until=UNTIL)
    assert _dump(other) == _dump(database)
    other.close()


def test_the_feed_is_told_of_every_row_and_of_what_comes_later_however_many_were_seeded(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coachops.coaching.seed.organisation._NOTED_AT_ONCE", 1)
    result = seed_organisation(sqlite_database, **SIZES, seed=7, until=UNTIL)

    def noted() -> dict[str, int]:
        with sqlite_database.connect() as connection:
            counts = "SELECT entity, count(*) FROM change_log GROUP BY 1"
            return {row[0]: row[1] for row in connection.execute(sa.text(counts))}

    before = noted()
    assert before == {n: result.rows[n] for n in before}
    assert before.keys() >= {"utterances", "sessions", "messages", "clients"}
    with sqlite_database.write() as session:
        session.execute(sa.update(Utterance).values(text="said again"))
    assert noted()["utterances"] == 2 * before["utterances"]


def test_another_seed_makes_another_organisation(sqlite_database: Database) -> None:
    plans = {make_plan(Random(seed), **SIZES, until=UNTIL).sizes for seed in (1, 2, 3)}
    assert len(plans) == 3


def test_people_are_named_as_agreed_and_have_consent(sqlite_database: Database) -> None:
    seed_organisation(sqlite_database, **SIZES, seed=1, until=UNTIL)
    with sqlite_database.read() as session:
        emails = session.scalars(sa.select(Coach.email).order_by(Coach.email)).all()
        clients = session.scalars(sa.select(Client.external_id)).all()
        agreed = session.scalar(
            sa.text("SELECT count(*) FROM consents WHERE kind = 'processing' AND granted")
        )
    assert emails[0] == "coach-0001@example.org"
    assert "client-0001" in clients
    assert agreed == 20


def test_citations_of_seeded_insights_and_items_hold(sqlite_database: Database) -> None:
    seed_organisation(sqlite_database, **SIZES, seed=3, until=UNTIL)
    with sqlite_database.read() as session:
        spoken = {
            (row.transcript_id, row.position): row for row in session.scalars(sa.select(Utterance))
        }
        rows = [*session.scalars(sa.select(Insight)), *session.scalars(sa.select(ActionItem))]
    assert rows
    for row in rows:
        for citation in row.citations:
            utterance = spoken[(row.transcript_id, citation["position"])]
            assert citation["speaker"] == utterance.speaker
            assert citation["quote"] in utterance.text


def test_seeded_files_read_back_to_their_utterances(sqlite_database: Database) -> None:
    seed_organisation(sqlite_database, **SIZES, seed=4, until=UNTIL)
    with sqlite_database.read() as session:
        for transcript in session.scalars(sa.select(Transcript).limit(10)):
            parsed = read(transcript.original, transcript.source_name)
            stored = session.scalars(
                sa.select(Utterance.text)
                .where(Utterance.transcript_id == transcript.id)
                .order_by(Utterance.position)
            ).all()
            assert [cue.text for cue in parsed.cues] == list(stored)
            assert parsed.unparsed == ()


def test_the_history_has_growth_leavers_pauses_and_long_tails(sqlite_database: Database) -> None:
    plan = make_plan(
        Random(1),
        coaches=24,
        clients=200,
        sessions=4000,
        utterances_per_session=50,
        until=UNTIL,
    )
    days = [day for engagement in plan.engagements for day in engagement.session_days]
    middle = UNTIL - dt.timedelta(days=274)
    assert sum(day >= middle for day in days) > sum(day < middle for day in days)
    assert sum(coach.left_on is not None for coach in plan.coaches) == 3
    leavers = {coach.number: coach.left_on for coach in plan.coaches if coach.left_on}
    for engagement in plan.engagements:
        if engagement.coach in leavers:
            assert all(day < leavers[engagement.coach] for day in engagement.session_days)
    per_client = Counter(e.client for e in plan.engagements for _ in e.session_days)
    assert max(per_client.values()) > 4 * sorted(per_client.values())[len(per_client) // 2]
    assert max(plan.sizes) > 2.5 * sorted(plan.sizes)[len(plan.sizes) // 2]
    assert sum(day.weekday() >= 5 for day in days) < len(days) * 0.05


def test_seeding_twice_is_refused(sqlite_database: Database) -> None:
    seed_organisation(sqlite_database, **SIZES, seed=1, until=UNTIL)
    with pytest.raises(CoachError) as caught:
        seed_organisation(sqlite_database, **SIZES, seed=1, until=UNTIL)
    assert caught.value.code == "COACH-CCH-007"


def test_a_failed_seeding_leaves_nothing(sqlite_database: Database) -> None:
    def stop(done: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        seed_organisation(sqlite_database, **SIZES, seed=1, until=UNTIL, progress=stop)
    with sqlite_database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(CoachingSession)) == 0


@given(
    total=st.integers(0, 10_000),
    weights=st.lists(st.floats(0.001, 1000), min_size=1, max_size=50),
    least=st.integers(0, 3),
)
def test_apportioned_parts_add_up(total: int, weights: list[float], least: int) -> None:
    total += least * len(weights)
    parts = apportion(total, weights, least=least)
    assert sum(parts) == total
    assert min(parts) >= least

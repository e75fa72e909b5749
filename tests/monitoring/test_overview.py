"""Every figure of the overview, computed once more in plain Python from the rows."""

from __future__ import annotations

import datetime as dt
import statistics
import zoneinfo
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.coaching.seed import seed_organisation
from coachops.core import clock
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import (
    Activity,
    Analysis,
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Feedback,
    Message,
    Transcript,
)
from coachops.monitoring import Overview, overview
from coachops.monitoring.figures import quantile

ZONE = zoneinfo.ZoneInfo("America/New_York")
NOW = dt.datetime(2026, 11, 25, 15, 0, tzinfo=clock.UTC)  # a Wednesday
SINCE, UNTIL = dt.date(2026, 9, 7), dt.date(2026, 11, 26)
Rows = dict[str, list[Any]]


@pytest.fixture
def organisation(database: Database) -> Database:
    seed_organisation(
        database, coaches=8, clients=40, sessions=250, utterances_per_session=4, seed=11,
        until=dt.date(2026, 11, 25),
    )  # fmt: skip
    with database.write() as session:
        first = session.scalars(sa.select(Transcript).order_by(Transcript.id).limit(3)).all()
        first[0].state, first[0].error_code = "waiting_roles", None
        first[1].state, first[1].error_code = "waiting_consent", None
        client = session.scalars(sa.select(Client).order_by(Client.external_id.desc())).first()
        assert client is not None
        session.add(Consent(client_id=client.id, kind="processing", granted=False, recorded_at=NOW))
        message = session.scalars(sa.select(Message).where(Message.state == "sent")).first()
        assert message is not None
        message.state = "uncertain"
    return database


@pytest.fixture
def rows(organisation: Database) -> Rows:
    with organisation.read() as session:
        tables = (
            Activity, Analysis, Client, Coach, CoachingSession, Consent, Engagement, Feedback,
            Message, Transcript,
        )  # fmt: skip
        return {t.__tablename__: list(session.scalars(sa.select(t))) for t in tables}


@pytest.fixture
def shown(organisation: Database) -> Overview:
    with clock.frozen(NOW):
        return overview(organisation, SYSTEM, zone=ZONE)


def inside(at: dt.datetime | None) -> bool:
    return at is not None and SINCE <= at.astimezone(ZONE).date() < UNTIL


def test_the_default_span_is_twelve_weeks_with_the_running_one_marked(shown: Overview) -> None:
    assert (shown.since, shown.until) == (SINCE, UNTIL)
    assert [week.start for week in shown.weeks] == [
        SINCE + dt.timedelta(days=7 * k) for k in range(12)
    ]
    assert [week.complete for week in shown.weeks] == [True] * 11 + [False]


def test_counts_of_weeks_engines_states_and_answers(shown: Overview, rows: Rows) -> None:
    def monday(day: dt.date) -> dt.date:
        return day - dt.timedelta(days=day.weekday())

    uploaded = Counter(
        monday(t.created_at.astimezone(ZONE).date())
        for t in rows["transcripts"]
        if inside(t.created_at)
    )
    held = Counter(monday(s.held_on) for s in rows["sessions"] if SINCE <= s.held_on < UNTIL)
    assert {w.start: w.transcripts for w in shown.weeks if w.transcripts} == dict(uploaded)
    assert {w.start: w.sessions for w in shown.weeks if w.sessions} == dict(held)
    assert shown.figure("transcripts").value == sum(uploaded.values()) > 20
    runs = Counter((a.engine, a.status) for a in rows["analyses"] if inside(a.created_at))
    assert {c.labels: c.n for c in shown.analyses} == dict(runs)
    states = Counter((m.state,) for m in rows["messages"] if inside(m.created_at))
    assert {c.labels: c.n for c in shown.follow_ups} == dict(states)
    answers = [f.helpfulness for f in rows["feedback"] if inside(f.received_at)]
    assert {c.labels: c.n for c in shown.feedback} == {
        (str(k),): answers.count(k) for k in range(1, 6)
    }
    assert shown.figure("helpfulness").value == pytest.approx(statistics.mean(answers))
    assert shown.figure("helpfulness").n == len(answers)


def test_times_are_medians_over_exactly_the_rows_of_the_definition(
    shown: Overview, rows: Rows
) -> None:
    seconds = sorted(
        min(done) - t.created_at.timestamp()
        for t in rows["transcripts"]
        if inside(t.created_at)
        and (
            done := [
                a.created_at.timestamp()
                for a in rows["analyses"]
                if a.transcript_id == t.id and a.status != "failed"
            ]
        )
    )
    assert shown.figure("analysis_median").value == pytest.approx(statistics.median(seconds))
    assert shown.figure("analysis_median").n == len(seconds) < len(rows["transcripts"])
    p90 = shown.figure("analysis_p90").value
    assert p90 is not None
    assert sum(s <= p90 + 1e-6 for s in seconds) / len(seconds) >= 0.9
    assert sum(s < p90 - 1e-6 for s in seconds) / len(seconds) < 0.9
    hours = [
        (m.approved_at - m.created_at).total_seconds() / 3600
        for m in rows["messages"]
        if m.approved_at and inside(m.created_at)
    ]
    assert shown.figure("approval_lag").value == pytest.approx(statistics.median(hours))


def test_coaches_one_by_one(shown: Overview, rows: Rows) -> None:
    owner = {s.id: s.coach_id for s in rows["sessions"]}
    held = Counter(s.coach_id for s in rows["sessions"] if SINCE <= s.held_on < UNTIL)
    uploaded = Counter(owner[t.session_id] for t in rows["transcripts"] if inside(t.created_at))
    sent = Counter(m.coach_id for m in rows["messages"] if inside(m.sent_at))
    expected = {
        str(c.id): (c.name, held[c.id], uploaded[c.id], sent[c.id])
        for c in rows["coaches"]
        if held[c.id] or uploaded[c.id] or sent[c.id]
    }
    assert {
        c.coach_id: (c.name, c.sessions, c.transcripts, c.follow_ups_sent) for c in shown.by_coach
    } == expected
    assert [c.name for c in shown.by_coach] == sorted(c.name for c in shown.by_coach)


def test_people_consent_and_money(shown: Overview, rows: Rows) -> None:
    active = {
        a.coach_id
        for a in rows["activity"]
        if inside(a.at) and a.kind in {"transcript.imported", "message.sent"}
    }
    assert shown.figure("active_coaches").value == len(active)
    there = [c for c in rows["coaches"] if c.left_on is None or c.left_on > SINCE]
    assert shown.figure("active_coaches").n == len(there)
    today = NOW.astimezone(ZONE).date()
    running = {
        e.client_id
        for e in rows["engagements"]
        if e.started_on <= today and (e.ended_on is None or e.ended_on > today)
    } & {c.id for c in rows["clients"] if c.left_on is None or c.left_on > today}
    for kind in ("processing", "external_ai"):
        entries = sorted(
            (c for c in rows["consents"] if c.kind == kind), key=lambda c: (c.recorded_at, c.id)
        )
        newest = {c.client_id: c.granted for c in entries}
        expected = 100 * sum(newest.get(c, False) for c in running) / len(running)
        assert shown.figure(f"consent_{kind}").value == pytest.approx(expected)
        assert shown.figure(f"consent_{kind}").n == len(running)
    cost = sum(a.cost_microusd for a in rows["analyses"] if inside(a.created_at)) / 1e6
    assert shown.figure("spend").value == pytest.approx(cost)


def test_what_waits_for_a_person_is_listed_oldest_first_with_its_next_step(
    organisation: Database, shown: Overview, rows: Rows
) -> None:
    stuck = [
        t.id
        for t in rows["transcripts"]
        if t.state in {"failed", "waiting_roles", "waiting_consent"}
    ] + [m.id for m in rows["messages"] if m.state in {"failed", "uncertain"}]
    assert shown.failures_total == len(stuck)
    assert {f.id for f in shown.failures} == {str(i) for i in stuck}
    assert [f.at for f in shown.failures] == sorted(f.at for f in shown.failures)
    assert all(f.next_step and "{" not in f.next_step for f in shown.failures)
    assert {f.state for f in shown.failures} == {
        "failed", "waiting_roles", "waiting_consent", "uncertain",
    }  # fmt: skip
    short = overview(organisation, SYSTEM, failures_shown=2)
    assert (len(short.failures), short.failures_total) == (2, len(stuck))


def test_freshness_names_the_newest_rows(shown: Overview, rows: Rows) -> None:
    newest = {fresh.dataset: fresh.newest for fresh in shown.freshness}
    assert newest["transcripts"] == max(t.created_at for t in rows["transcripts"])
    assert newest["feedback"] == max(f.received_at for f in rows["feedback"])


def test_every_figure_has_a_definition_and_its_n(shown: Overview) -> None:
    assert len(shown.figures) >= 9
    for figure in shown.figures:
        assert len(figure.definition) > 40
        assert figure.n >= 0
        assert figure.unit


def test_an_empty_database_has_no_figures_but_no_failure_either(sqlite_database: Database) -> None:
    empty = overview(sqlite_database, SYSTEM)
    values = {figure.key: figure.value for figure in empty.figures}
    assert values["analysis_median"] is None
    assert values["helpfulness"] is None
    assert values["consent_processing"] is None
    assert values["transcripts"] == 0
    assert empty.failures == ()
    assert {fresh.newest for fresh in empty.freshness} == {None}


def test_coaches_do_not_see_it_and_empty_spans_are_refused(sqlite_database: Database) -> None:
    with pytest.raises(CoachError) as caught:
        overview(sqlite_database, Actor(None, "coach", "A coach"))
    assert caught.value.code == "COACH-IDN-003"
    with pytest.raises(CoachError) as caught:
        overview(sqlite_database, SYSTEM, UNTIL, SINCE)
    assert caught.value.code == "COACH-SYS-002"


def test_quantiles_by_nearest_rank() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1, 2, 3, 4], 0.5) == 2.5
    assert quantile(list(range(1, 11)), 0.9) == 9
    assert quantile([7], 0.9) == 7

"""The admin overview on a real, seeded database: its figures, who may see it, what stays in place."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from coachops import audit, monitoring
from coachops.bootstrap import Services
from coachops.coaching.seed import seed_organisation
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.dashboards import (
    components,
    overview,
    overview_figures,
    overview_jobs,
    overview_needs,
)
from coachops.dashboards.charts import Chart
from coachops.dashboards.components import Button, Element, Ticker
from coachops.dashboards.overview import Overview
from coachops.dashboards.overview_figures import SMALL_GROUP, waits
from coachops.dashboards.overview_panels import Panels, Tiles
from coachops.dashboards.overview_parts import change, duration, money, share
from coachops.dashboards.overview_period import CHOICES, Period
from coachops.db import Database
from coachops.db.models import Analysis, Coach, Consent, Message, Transcript, WorkerHeartbeat
from coachops.jobs import Jobs
from coachops.jobs.ids import keyed_id

NOW = dt.datetime(2026, 11, 26, 10, 0, tzinfo=dt.UTC)  # a Thursday
ADMIN = Actor(None, "admin", "Ada Admin")
ANALYST = Actor(None, "analyst", "Ines Ivy")
LONDON = ZoneInfo("Europe/London")


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Iterator[None]:
    with clock.frozen(NOW):
        yield
    components.report_to(None)


@pytest.fixture(scope="module")
def seeded(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An organisation with 18 months of history."""
    path = tmp_path_factory.mktemp("seeded") / "coachops.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    seed_organisation(
        database, coaches=6, clients=24, sessions=400, utterances_per_session=6, seed=3,
        until=dt.date(2026, 11, 26),
    )  # fmt: skip
    database.close()
    return path


@pytest.fixture
def full(seeded: Path, home: Path) -> Iterator[Services]:
    """Services on a copy of the organisation."""
    home.mkdir()
    shutil.copy(seeded, home / "coachops.db")
    settings = load_settings(home=home)
    services = Services(settings, Database(settings.database_url))
    yield services
    services.close()


@pytest.fixture
def empty(home: Path, sqlite_database: Database) -> Services:
    return Services(load_settings(home=home, database_url=sqlite_database.url), sqlite_database)


@pytest.fixture
def jobs(full: Services, tmp_path: Path) -> Iterator[Jobs]:
    with Jobs(full.settings, full, schedule_file=tmp_path / "none.toml") as jobs:
        yield jobs


def text_of(page: Element) -> str:
    """What a page says, without the rules of its style."""
    return " ".join(re.sub(r"/\* The admin pages.*\} \}", " ", page.text()).split())


def choose_period(shown: Overview, weeks: int) -> None:
    shown.period.type_in([number for _, number in CHOICES].index(weeks))


# -- figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("weeks", [4, 12, 78])
def test_tiles_show_the_figures_of_monitoring_with_its_definitions(
    full: Services, jobs: Jobs, weeks: int
) -> None:
    shown = Overview(ADMIN, full, jobs)
    choose_period(shown, weeks)
    since = dt.date(2026, 11, 23) - dt.timedelta(weeks=weeks - 1)
    figures = monitoring.overview(
        full.database, SYSTEM, since, dt.date(2026, 11, 27), zone=full.settings.zone
    )
    tiles = shown.tiles
    median, p90 = figures.figure("analysis_median"), figures.figure("analysis_p90")
    lag, spend = figures.figure("approval_lag"), figures.figure("spend")
    assert lag.value is not None
    assert tiles.sessions.value == f"{sum(w.sessions for w in figures.weeks):,}"
    assert tiles.transcripts.value == f"{figures.figure('transcripts').value:,}"
    assert tiles.coaches.value == str(figures.figure("active_coaches").value)
    assert tiles.waits.value == duration(median.value)
    assert duration(p90.value) in tiles.waits.detail
    assert f"{median.n:,}" in tiles.waits.detail
    assert tiles.approval.value == duration(lag.value * 3600)
    assert tiles.answers.value == f"{figures.figure('helpfulness').n:,}"
    assert tiles.consent.value == f"{figures.figure('consent_processing').value:.0f}%"
    assert tiles.spend.value == money(spend.value or 0)
    sent = sum(c.n for c in figures.follow_ups if c.labels == ("sent",))
    assert tiles.sent.value == f"{sent:,}"
    for tile, key in ((tiles.waits, "analysis_median"), (tiles.spend, "spend")):
        assert " ".join(figures.figure(key).definition.split()) in " ".join(tile.text().split())


def test_everything_is_read_from_both_kinds_of_database(database: Database, home: Path) -> None:
    seed_organisation(
        database, coaches=3, clients=8, sessions=40, utterances_per_session=4, seed=3,
        until=dt.date(2026, 11, 26),
    )  # fmt: skip
    with database.write() as session:
        session.execute(sa.delete(Consent).where(Consent.kind == "processing"))
        audit.record(session, ADMIN, "export.made", "export", str(ids.new_id()), rows=7)
    services = Services(load_settings(home=home, database_url=database.url), database)
    with Jobs(services.settings, services) as jobs:
        shown = Overview(ADMIN, services, jobs)
        choose_period(shown, 78)
    assert shown.page.banner.text() == ""
    assert shown.tiles.transcripts.value == "40"
    assert shown.tiles.consent.value == "0%"
    assert "Clients without consent" in shown.needs.widget.text()
    assert "7 rows" in shown.system.products.text()


def test_every_tile_says_how_it_is_counted(full: Services, jobs: Jobs) -> None:
    for tile in Overview(ADMIN, full, jobs).tiles.all:
        said = tile.text().split("How this is counted", 1)[1].removeprefix(f" : {tile.label}")
        assert len(said.strip()) > 30, tile.label


@pytest.mark.parametrize("weeks", [4, 12, 78])
def test_weeks_add_up_to_the_figures_of_monitoring(full: Services, weeks: int) -> None:
    period = Period(weeks, dt.date(2026, 11, 26), full.settings.zone)
    figures = overview_figures.load(full.database, ADMIN, period)
    by_engine = {kind: sum(row) for kind, row in figures.weeks.by_engine.items()}
    assert by_engine == {count.labels: count.n for count in figures.now.analyses}
    assert sum(w.n for w in figures.weeks.waits) == figures.now.figure("analysis_median").n
    assert sum(figures.weeks.cost) / 1_000_000 == pytest.approx(figures.now.figure("spend").value)
    assert [week.start for week in figures.now.weeks] == period.mondays
    assert [week.complete for week in figures.now.weeks][-2:] == [True, False]


def test_the_week_under_way_is_marked_in_the_chart_and_left_out_of_trends(
    full: Services, jobs: Jobs
) -> None:
    shown = Overview(ADMIN, full, jobs)
    complete, running = shown.panels.transcripts.spec["series"]
    assert complete["values"][-1] is None
    assert running["values"][:-1] == [None] * 11
    assert running["values"][-1] is not None
    assert "week so far" in str(shown.panels.transcripts.spec["summary"])


def test_the_period_before_is_compared_only_where_there_was_one(full: Services, jobs: Jobs) -> None:
    shown = Overview(ADMIN, full, jobs)
    assert "compared with 18 Jun" in text_of(shown.page) or "compared with" in text_of(shown.page)
    assert any(tile.change for tile in shown.tiles.all)
    choose_period(shown, 78)
    assert "no comparison" in text_of(shown.page)
    assert not any(tile.change for tile in shown.tiles.all)


def test_the_span_before_is_not_read_again_at_each_beat(full: Services, jobs: Jobs) -> None:
    shown = Overview(ADMIN, full, jobs)
    first = shown._known
    shown.refresh()
    assert first is not None
    assert shown._known is not first
    assert shown._known is not None
    assert shown._known.before is first.before


def test_no_coach_is_named_outside_the_list_of_what_waits(full: Services, jobs: Jobs) -> None:
    shown = Overview(ADMIN, full, jobs)
    with full.database.read() as session:
        names = session.scalars(sa.select(Coach.name)).all()
    kept = [shown.tiles.widget, shown.panels.thirds, shown.jobs.widget, shown.system.processes]
    said = " ".join(part.text() for part in kept)
    said += json.dumps([chart.spec for chart in shown.page.find(Chart)])
    assert not [name for name in names if name in said]


# -- small groups ---------------------------------------------------------------------------------


def test_durations_of_fewer_than_five_are_withheld() -> None:
    assert waits([1, 2, 3, 4]) == overview_figures.Waits(4, None, None)
    assert waits([5, 1, 2, 4, 3]) == overview_figures.Waits(5, 3, 5)


def test_answers_of_fewer_than_five_are_not_broken_down(full: Services) -> None:
    period = Period(12, dt.date(2026, 11, 26), full.settings.zone)
    figures = overview_figures.load(full.database, ADMIN, period)
    few = replace(
        figures.now,
        feedback=tuple(replace(c, n=1 if c.labels == ("1",) else 0) for c in figures.now.feedback),
        figures=tuple(
            replace(f, n=SMALL_GROUP - 1) if f.key in {"helpfulness", "approval_lag"} else f
            for f in figures.now.figures
        ),
    )
    panels, tiles = Panels(), Tiles()
    panels.show(replace(figures, now=few))
    tiles.show(replace(figures, now=few))
    assert "1 answer: fewer than 5 are not broken down" in panels.thirds.text()
    assert "average" not in tiles.answers.detail.replace("no average", "")
    assert tiles.approval.value == "\u2013"


# -- periods --------------------------------------------------------------------------------------


@given(
    last=st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)),
    weeks=st.sampled_from([4, 12, 78]),
)
def test_a_period_is_whole_weeks_beside_a_span_of_the_same_length(
    last: dt.date, weeks: int
) -> None:
    period = Period(weeks, last, LONDON)
    before = period.before()
    assert len(period.mondays) == weeks
    assert {day.weekday() for day in period.mondays} == {0}
    assert period.mondays[-1] <= last < period.mondays[-1] + dt.timedelta(weeks=1)
    assert before.until - before.since == period.until - period.since
    assert before.since + dt.timedelta(weeks=weeks) == period.since
    assert period.week_of(period.start) == 0
    assert period.week_of(period.end - dt.timedelta(microseconds=1)) == weeks - 1


def test_weeks_hold_their_days_across_a_change_of_the_clock() -> None:
    period = Period(4, dt.date(2026, 11, 5), LONDON)  # summer time ended on 25 October
    sunday_night = dt.datetime(2026, 10, 25, 23, 30, tzinfo=dt.UTC)
    summer_midnight = dt.datetime(2026, 10, 18, 23, 30, tzinfo=dt.UTC)  # 19 October in London
    assert period.week_of(sunday_night) == 1
    assert period.week_of(summer_midnight) == 1


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (None, 4, ""),
        (40, None, ""),
        (40, 40, "Same as before (x)"),
        (3, 2, "1 more than before (x)"),
        (2, 5, "3 fewer than before (x)"),
        (110, 100, "Up 10% from x"),
        (75, 100, "Down 25% from x"),
        (1_000, 100, "10.0 times x"),
        (5, 0, "Up from x"),
        (1_000, 1_001, "About the same as before (x)"),
    ],
)
def test_a_change_reads_as_people_say_it(now: int | None, before: int | None, words: str) -> None:
    assert change(now, before, "x") == words


def test_numbers_read_as_people_say_them() -> None:
    assert [duration(s) for s in (None, 0.2, 45, 120, 6_120, 7_200, 200_000)] == [
        "\u2013", "<1 s", "45 s", "2 min", "1.7 h", "2 h", "2.3 days",
    ]  # fmt: skip
    assert [money(d) for d in (0, 0.004, 1.5, 12_345.6)] == ["$0", "<$0.01", "$1.50", "$12,346"]
    assert [share(*p) for p in ((0, 0), (1, 1_000), (999, 1_000), (1, 3))] == [
        "", "<1%", ">99%", "33%",
    ]  # fmt: skip


# -- states of the page ---------------------------------------------------------------------------


def test_a_fresh_installation_is_told_what_to_do_first(empty: Services) -> None:
    page = overview.page(ADMIN, empty)
    said = text_of(page)
    assert "Four steps to the first figures" in said
    assert "coachops roster import" in said
    assert "Sessions held" not in said
    assert "None" not in said


def test_a_failed_reading_keeps_the_figures_and_says_so_until_the_next_succeeds(
    full: Services, jobs: Jobs
) -> None:
    shown = Overview(ADMIN, full, jobs)
    sessions = shown.tiles.sessions.value
    path = full.settings.home / "coachops.db"
    full.database.close()
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    shown.refresh()
    assert "Not updating" in text_of(shown.page)
    assert "COACH-DB-001" in shown.page.banner.text()
    assert shown.tiles.sessions.value == sessions
    path.rmdir()
    path.with_suffix(".away").rename(path)
    shown.refresh()
    assert "Not updating" not in text_of(shown.page)
    assert shown.page.banner.text() == ""


def test_a_refresh_changes_numbers_in_place_and_nothing_else(full: Services, jobs: Jobs) -> None:
    shown = Overview(ADMIN, full, jobs)
    changed: list[str] = []
    for part in [shown.page, *shown.page.find(Element), *shown.page.find(Chart)]:
        part.observe(
            lambda change: changed.append(change.name), names=["content", "_slots", "spec"]
        )
    shown.fresh.widget.unobserve_all()
    shown.refresh()
    assert changed == []
    with full.database.write() as session:
        one = session.scalars(sa.select(Analysis).limit(1)).one()
        session.add(
            Analysis(
                transcript_id=one.transcript_id, status="failed", engine="local", model="rules",
                input_sha256="0" * 64, dropped={}, error_code="COACH-AI-001",
            )
        )  # fmt: skip
    shown.refresh()
    assert "spec" in changed
    assert "_slots" not in changed


def test_the_page_asks_only_while_it_is_looked_at(full: Services, jobs: Jobs) -> None:
    shown = Overview(ADMIN, full, jobs)
    (ticker,) = shown.page.find(Ticker)
    assert ticker.every == overview.REFRESH_SECONDS
    read_at = shown._read_at
    with clock.frozen(NOW + dt.timedelta(seconds=10)):
        ticker.receive({"event": "tick"})  # comes from a visible page only
    assert shown._read_at != read_at


# -- what waits for a person ----------------------------------------------------------------------


def test_what_waits_is_counted_as_monitoring_counts_it(full: Services) -> None:
    with full.database.write() as session:
        transcripts = session.scalars(
            sa.select(Transcript).where(Transcript.state == "analysed").limit(4)
        ).all()
        for transcript, state in zip(
            transcripts,
            ("waiting_roles", "waiting_roles", "waiting_consent", "failed"),
            strict=True,
        ):
            transcript.state = state
        session.scalars(
            sa.select(Message).where(Message.state == "sent").limit(1)
        ).one().state = "uncertain"
    groups = {g.kind: g for g in overview_needs.load(full.database, NOW, NOW.date())}
    figures = monitoring.overview(full.database, SYSTEM)
    kinds = ("analysis_failed", "roles", "consent", "uncertain", "send_failed")
    counted = sum(groups[kind].count for kind in kinds if kind in groups)
    assert counted == figures.failures_total
    assert groups["roles"].count == 2
    assert [g for g in groups.values() if g.count and not g.items] == []


def test_stuck_work_and_missing_consent_are_among_it(full: Services) -> None:
    long_ago = NOW - dt.timedelta(days=900)
    before = {g.kind: g.count for g in overview_needs.load(full.database, NOW, NOW.date())}
    with full.database.write() as session:
        stuck, moving = session.scalars(
            sa.select(Transcript).where(Transcript.state == "analysed").limit(2)
        )
        session.execute(
            sa.update(Transcript)
            .where(Transcript.id == stuck.id)
            .values(state="imported", updated_at=long_ago)
        )
        session.execute(
            sa.update(Transcript)
            .where(Transcript.id == moving.id)
            .values(state="analysing", updated_at=NOW)
        )
        client_id = session.scalar(
            sa.text(
                "SELECT client_id FROM engagements WHERE ended_on IS NULL ORDER BY client_id LIMIT 1"
            )
        )
        session.add(
            Consent(client_id=ids.parse_id(str(client_id)), kind="processing", granted=False,
                    recorded_at=NOW)
        )  # fmt: skip
    groups = {g.kind: g for g in overview_needs.load(full.database, NOW, NOW.date())}
    assert groups["stuck"].count == before.get("stuck", 0) + 1
    assert groups["stuck"].items[0].transcript_id == stuck.id
    assert groups["no_consent"].count == before.get("no_consent", 0) + 1


def test_an_admin_starts_a_failed_analysis_again_and_an_analyst_cannot(
    full: Services, jobs: Jobs
) -> None:
    groups = overview_needs.load(full.database, NOW, NOW.date())
    failed = next(g for g in groups if g.kind == "analysis_failed").items[0].transcript_id
    shown = Overview(ADMIN, full, jobs)
    block = shown.needs._blocks["analysis_failed"]
    block._table.receive({"event": "action", "name": "again", "value": str(ids.new_id())})
    assert jobs.list_jobs() == []  # not one of those offered
    block._table.receive({"event": "action", "name": "again", "value": str(failed)})
    assert [job.id for job in jobs.list_jobs()] == [f"pipeline/{failed}/1"]
    assert "put into the queue" in shown.page.banner.text()

    watched = Overview(ANALYST, full, jobs)
    table = watched.needs._blocks["analysis_failed"]._table
    assert "again" not in [column.key for column in table.columns]
    table.receive({"event": "action", "name": "again", "value": str(failed)})
    with pytest.raises(CoachError, match="COACH-IDN-003"):
        watched._again(failed)  # type: ignore[arg-type] # it is an id
    assert len(jobs.list_jobs()) == 1


# -- background work, workers, products -----------------------------------------------------------


def press(part: Element, label: str) -> None:
    next(b for b in part.find(Button) if b.label == label).click()


def test_an_admin_cancels_a_waiting_job_after_a_question(full: Services, jobs: Jobs) -> None:
    ref = jobs.enqueue_pipeline(ids.new_id())
    shown = Overview(ADMIN, full, jobs)
    assert "Waiting 1" in shown.jobs.widget.text()
    shown.jobs.table.receive({"event": "action", "name": "act", "value": ref})
    assert jobs.get(ref).state == "waiting"
    press(shown.jobs.widget, "Leave it")
    assert jobs.get(ref).state == "waiting"
    shown.jobs.table.receive({"event": "action", "name": "act", "value": ref})
    press(shown.jobs.widget, "Cancel the work")
    assert jobs.get(ref).state == "cancelled"
    assert "It was cancelled." in shown.jobs.widget.text()
    assert "Cancelled 1" in shown.jobs.widget.text()


def test_a_failed_job_shows_its_code_and_is_tried_again(full: Services, jobs: Jobs) -> None:
    ref = jobs.enqueue_pipeline(ids.new_id())
    jobs.run_inline([ref])
    shown = Overview(ADMIN, full, jobs)
    said = shown.jobs.widget.text()
    assert "Failed 1" in said
    assert "COACH-CCH-001" in said
    shown.jobs.table.receive({"event": "action", "name": "act", "value": ref})
    assert [job.id for job in jobs.list_jobs(state="waiting")] == [f"{ref[:-1]}2"]
    assert "Failed 0" in shown.jobs.widget.text()  # its later run stands for it


def test_an_admin_runs_a_report_by_a_click_and_an_analyst_cannot(
    full: Services, jobs: Jobs
) -> None:
    shown = Overview(ADMIN, full, jobs)
    press(shown.jobs.widget, "Run 'Weekly operations' now")
    (row,) = jobs.list_jobs(kind="report")
    assert (row.kind, row.state) == ("report", "waiting")
    assert "was put into the queue" in shown.jobs.widget.text()
    assert list(Overview(ANALYST, full, jobs).jobs.widget.find(Button)) == []


def test_work_that_does_not_move_is_told_on_top_of_its_card(full: Services, jobs: Jobs) -> None:
    queued = jobs.get(jobs.enqueue_pipeline(ids.new_id())).created_at  # by the database's clock
    with clock.frozen(queued + dt.timedelta(seconds=9)):
        assert "Work does not move" not in Overview(ADMIN, full, jobs).jobs.widget.text()
    with clock.frozen(queued + dt.timedelta(minutes=12)):
        said = Overview(ADMIN, full, jobs).jobs.widget.text()
    assert "Work does not move" in said
    assert "1 job is waiting for 12 min, and no worker runs." in said


def test_of_backups_and_drills_the_newest_run_stands_for_all_before(
    full: Services, jobs: Jobs
) -> None:
    for key in ("a", "b"):
        jobs.queue.enqueue_as(keyed_id("integrity", key))
    jobs.cancel(ADMIN, "integrity/a/1")
    jobs.cancel(ADMIN, "integrity/b/1")
    queue = overview_jobs.load(jobs)
    assert queue.counts == {"cancelled": 1}


def test_an_analyst_is_offered_no_button_and_forged_clicks_are_dropped(
    full: Services, jobs: Jobs
) -> None:
    ref = jobs.enqueue_pipeline(ids.new_id())
    shown = Overview(ANALYST, full, jobs)
    assert "act" not in [column.key for column in shown.jobs.table.columns]
    shown.jobs.table.receive({"event": "action", "name": "act", "value": ref})
    shown.jobs._run(lambda: jobs.cancel(ANALYST, ref), "It was cancelled.")
    assert "COACH-IDN-003" in shown.jobs.widget.text()
    assert jobs.get(ref).state == "waiting"


def test_workers_reports_and_exports_are_shown_with_where_they_are(
    full: Services, jobs: Jobs
) -> None:
    export_id, elsewhere = str(ids.new_id()), str(ids.new_id())
    folder = full.settings.home / "exports" / "monday"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"export_id": export_id}))
    broken = full.settings.home / "exports" / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    with full.database.write() as session:
        for ref in (export_id, elsewhere):
            audit.record(session, ADMIN, "export.made", "export", ref, rows=1_234, datasets=2)
        session.add_all(
            WorkerHeartbeat(name=name, first_started_at=NOW, started_at=NOW, seen_at=seen,
                            stopped=stopped)
            for name, seen, stopped in (
                ("worker-0", NOW, False),
                ("worker-1", NOW - dt.timedelta(hours=3), False),
                ("worker-2", NOW - dt.timedelta(days=3), True),
            )
        )  # fmt: skip
    shown = Overview(ADMIN, full, jobs)
    said = shown.system.products.text()
    assert "exports/monday" in said
    assert "where its maker chose" in said
    assert "1,234 rows" in said
    workers = shown.system.processes.text()
    assert "worker-0 Running just now" in workers
    assert "worker-1 Not answering 3 h ago" in workers
    assert "worker-2 Stopped 3 days ago" in workers
    assert "1 worker not answering" in text_of(shown.page)


# -- who may see it -------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["coach", "service"])
def test_others_get_an_error_card_even_if_the_gate_let_them_in(full: Services, role: str) -> None:
    page = overview.page(Actor(ids.new_id(), role, "Anna Alder", coach_id=ids.new_id()), full)
    assert "COACH-IDN-003" in page.text()
    assert "Sessions held" not in page.text()
    assert page.find(Button) == []


def test_the_links_are_those_the_viewer_may_open(full: Services, jobs: Jobs) -> None:
    assert "/app/users" in Overview(ADMIN, full, jobs).page.content
    assert "/app/users" not in Overview(ANALYST, full, jobs).page.content
    assert "/app/workspace" not in Overview(ADMIN, full, jobs).page.content

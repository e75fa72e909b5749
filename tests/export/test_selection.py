"""Filters choose by the rules of the contract, and closure leaves no reference dangling."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.core import clock
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.db.models import Coach
from coachops.export import DATASETS, exporting, planning, run_export, verify_export
from coachops.export.plan import Plan
from tests.export.conftest import UNTIL
from tests.export.test_export import read_json

SINCE = UNTIL - dt.timedelta(days=150)
ZONE = zoneinfo.ZoneInfo("Europe/London")


@pytest.fixture
def full(organisation: Database, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every dataset, unfiltered."""
    run_export(organisation, SYSTEM, tmp_path / "full", ["json"])
    return {name: read_json(tmp_path / "full", name) for name in DATASETS}


def runs_today(engagement: dict[str, Any]) -> bool:
    end, today = engagement["ended_on"], clock.today(clock.UTC).isoformat()
    return end is None or (end > today and end > engagement["started_on"])


def expected(  # noqa: C901 the rules in one place, to be read against the contract
    full: dict[str, list[dict[str, Any]]],
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    coach: str | None = None,
    client: str | None = None,
) -> dict[str, set[str]]:
    """The rules once more, over the rows themselves, without SQL."""
    table = {name: {row[DATASETS[name].key]: row for row in rows} for name, rows in full.items()}
    runs = [e for e in full["engagements"] if runs_today(e)]
    coached = {e["client_id"] for e in runs}
    pairs = {(e["coach_id"], e["client_id"]) for e in full["engagements"]}
    now = {(e["coach_id"], e["client_id"]) for e in runs}
    now |= {(coach_id, client_id) for coach_id, client_id in pairs if client_id not in coached}

    def session_of(name: str, row: dict[str, Any]) -> dict[str, Any] | None:
        if "session_id" in row:
            return table["sessions"].get(row["session_id"])
        if name in {"utterances", "analyses", "insights"}:
            return session_of("transcripts", table["transcripts"][row["transcript_id"]])
        return None

    def in_time(name: str, row: dict[str, Any]) -> bool:
        session = session_of(name, row)
        if session is not None:
            day = dt.date.fromisoformat(session["held_on"])
        else:
            at = dt.datetime.fromisoformat(row.get("created_at") or row["at"])
            day = at.astimezone(ZONE).date()
        return (since is None or day >= since) and (until is None or day < until)

    def belongs(name: str, row: dict[str, Any]) -> bool:
        session = session_of(name, row) or {}
        if name == "goal_ratings":
            session = table["goals"][row["goal_id"]]
        own_coach = session.get("coach_id", row.get("coach_id"))
        own_client = session.get("client_id", row.get("client_id"))
        if coach is not None:
            if own_coach is None and own_client is not None:
                if (coach, own_client) not in now:
                    return False
            elif own_coach != coach:
                return False
        if client is not None:
            if own_client is None and name == "coaches":
                return (own_coach, client) in pairs
            if own_client != client:
                return False
        return True

    chosen = {
        name: {key for key, row in rows.items() if in_time(name, row) and belongs(name, row)}
        for name, rows in table.items()
    }
    changed = True
    while changed:
        changed = False
        for name, dataset in DATASETS.items():
            for key, reference in itertools.product(list(chosen[name]), dataset.foreign_keys):
                parent = table[name][key][reference.column]
                if parent is not None and parent not in chosen[reference.dataset]:
                    chosen[reference.dataset].add(parent)
                    changed = True
    return chosen


def test_filters_and_closure_follow_the_rules(
    organisation: Database, full: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    coach = next(row for row in full["coaches"] if row["external_id"] == "coach-0002")
    client = next(
        row for row in full["clients"]
        if sum(s["client_id"] == row["client_id"] for s in full["sessions"]) >= 3
    )  # fmt: skip
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"since": SINCE}, {"since": SINCE}),
        ({"until": SINCE}, {"until": SINCE}),
        ({"coaches": [coach["email"].upper()]}, {"coach": coach["coach_id"]}),
        ({"clients": [client["external_id"]]}, {"client": client["client_id"]}),
        (
            {"clients": [client["client_id"]], "since": SINCE, "until": UNTIL},
            {"client": client["client_id"], "since": SINCE, "until": UNTIL},
        ),
        (
            {"coaches": [coach["external_id"]], "since": SINCE},
            {"coach": coach["coach_id"], "since": SINCE},
        ),
    ]
    for number, (filters, rules) in enumerate(cases):
        out = tmp_path / f"filtered-{number}"
        run_export(organisation, SYSTEM, out, ["json"], zone=ZONE, **filters)
        found = {
            name: {row[dataset.key] for row in read_json(out, name)}
            for name, dataset in DATASETS.items()
        }
        wanted = expected(full, **rules)
        # what the exports before this one left behind is not in `full`
        for name in ("activity", "audit_events"):
            found[name] &= {row[DATASETS[name].key] for row in full[name]}
        assert found == wanted, filters
        assert sum(map(len, found.values())) > 0
        assert all(check.ok for check in verify_export(out))


def test_a_file_holds_the_same_rows_whichever_datasets_are_beside_it(
    sqlite_organisation: Database, tmp_path: Path
) -> None:
    both = run_export(sqlite_organisation, SYSTEM, tmp_path / "a", ["csv"], since=SINCE)
    alone = run_export(
        sqlite_organisation, SYSTEM, tmp_path / "b", ["csv"], ["clients"], since=SINCE
    )
    digest = {entry["name"]: entry["digest"] for entry in both["datasets"]}
    assert alone["datasets"][0]["digest"] == digest["clients"]


def test_days_are_those_of_the_organisation(sqlite_database: Database, tmp_path: Path) -> None:
    """A row made at 23:30 UTC in summer belongs to the next day in London."""
    from coachops.db.models import Coach

    late = dt.datetime(2026, 6, 30, 23, 30, tzinfo=clock.UTC)
    with sqlite_database.write() as session:
        session.add(Coach(external_id="c", name="C", email="c@example.org", created_at=late))
    day = dt.date(2026, 7, 1)
    for zone, rows in ((ZONE, 1), (clock.UTC, 0)):
        manifest = run_export(
            sqlite_database, SYSTEM, tmp_path / str(rows), ["csv"], ["coaches"], since=day,
            zone=zone,
        )  # fmt: skip
        assert manifest["datasets"][0]["rows"] == rows


def test_an_address_names_whose_it_is_in_the_moment_that_is_exported(
    sqlite_organisation: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two coaches exchange their addresses while the processes that read are starting."""
    made: list[Any] = []
    with sqlite_organisation.read() as session:
        (mail, first), (other, second) = session.execute(
            sa.select(Coach.email, Coach.id).order_by(Coach.id).limit(2)
        )

    def plan_within(*how: Any, **more: Any) -> Plan:
        made.append(how)
        plan = planning.plan_within(*how, **more)
        if len(made) == 1:
            with sqlite_organisation.write() as session:
                for coach, address in (
                    (first, "for-a-moment@example.org"),
                    (second, mail),
                    (first, other),
                ):
                    session.execute(sa.update(Coach).where(Coach.id == coach).values(email=address))
        return plan

    monkeypatch.setattr(exporting, "plan_within", plan_within)
    out = tmp_path / "out"
    run_export(sqlite_organisation, SYSTEM, out, ["json"], coaches=[mail], workers=2)
    assert len(made) == 2
    assert {row["coach_id"] for row in read_json(out, "sessions")} == {str(second)}
    assert all(check.ok for check in verify_export(out))

"""Seeding: a reproducible organisation, written in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.coaching.seed.history import Pair, add_session
from coachops.coaching.seed.plan import EngagementPlan, Plan, make_plan
from coachops.coaching.seed.rows import Rows, as_json
from coachops.coaching.seed.talk import make_pools, person_name
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database, capture
from coachops.db.bulk import instant
from coachops.db.models import (
    Client,
    Coach,
    Consent,
    Engagement,
    Goal,
    GoalRating,
    User,
)

_FLUSH_UTTERANCES = 20_000
_NOTED_AT_ONCE = 20_000
"""Utterances from which it pays to make the triggers of the change feed anew."""


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What was made: rows by table, and the last day of the history."""

    seed: int
    until: dt.date
    rows: dict[str, int]


def seed_organisation(
    database: Database,
    *,
    coaches: int,
    clients: int,
    sessions: int,
    utterances_per_session: int,
    seed: int,
    until: dt.date | None = None,
    months: int = 18,
    progress: Callable[[int], None] = lambda _: None,
    retell: Callable[[str], str] = lambda text: text,
) -> SeedResult:
    """Make an organisation in an empty database; equal parameters make equal rows.

    Parameters:
        sessions: sessions in all, each with a transcript.
        utterances_per_session: mean length; lengths have a long tail.
        seed: of the random generator.
        until: the day after the last session; None is today.
        months: length of the history.
        progress: called with the number of sessions written so far.
        retell: gives what is written down in place of a made-up sentence. There are some 600 of
            those; a measure of compression or deduplication needs speech that varies.

    Raises:
        CoachError: COACH-CCH-005 for impossible sizes, COACH-CCH-007 where coaches are already
            there.
    """
    _check(coaches, clients, sessions, utterances_per_session)
    until = until or clock.today()
    rng = Random(seed)  # noqa: S311 reproducible, not secret
    plan = make_plan(
        rng,
        coaches=coaches,
        clients=clients,
        sessions=sessions,
        utterances_per_session=utterances_per_session,
        until=until,
        months=months,
    )
    rows = Rows(rng, retell)
    with database.connect(write=True) as connection:
        taken = connection.scalar(
            sa.select(sa.func.count()).select_from(Coach).where(Coach.external_id.like("coach-%"))
        )
        if taken:
            raise CoachError("COACH-CCH-007", count=taken)
        # SQLite notes row by row for the change feed: at once afterwards takes half the time, and
        # nobody else writes meanwhile. PostgreSQL notes by statement, and its triggers have owners.
        at_once = database.is_sqlite and sum(plan.sizes) >= _NOTED_AT_ONCE
        if at_once:
            capture.remove(connection)
        _write(connection, plan, rows, progress)
        if at_once:
            capture.install(connection)
    return SeedResult(seed, until, dict(rows.written))


def _check(coaches: int, clients: int, sessions: int, utterances: int) -> None:
    for name, value, least in (
        ("coaches", coaches, 1),
        ("clients", clients, 1),
        ("sessions", sessions, 0),
        ("utterances per session", utterances, 1),
    ):
        if value < least:
            raise CoachError("COACH-CCH-005", field=name, reason=f"must be {least} or more")


def _write(connection: Connection, plan: Plan, rows: Rows, progress: Callable[[int], None]) -> None:
    people = _People(plan, rows)
    pools = make_pools()
    sizes = iter(plan.sizes)
    waiting = done = 0
    for engagement in plan.engagements:
        pair = people.pair(engagement)
        favourite = rows.rng.sample(pools, k=3)
        for day in engagement.session_days:
            size = next(sizes)
            pool = favourite[min(2, int(rows.rng.random() ** 2 * 3))]
            add_session(rows, rows.rng, pair, pool, day, size, plan.until)
            done += 1
            waiting += size
            if waiting >= _FLUSH_UTTERANCES:
                rows.flush(connection)
                progress(done)
                waiting = 0
        _goals(rows, pair, engagement, plan.until)
    rows.flush(connection)
    progress(done)


class _People:
    """The people of a plan as rows; hands out who meets in an engagement."""

    def __init__(self, plan: Plan, rows: Rows) -> None:
        self._rows = rows
        self._coaches: dict[int, tuple[str, str, str]] = {}
        self._clients: dict[int, tuple[str, str, str, bool]] = {}
        for coach in plan.coaches:
            at = _morning(coach.joined_on)
            name = person_name(rows.rng, coach.number)
            email = f"coach-{coach.number:04}@example.org"
            coach_id, user_id = rows.new_id(at), rows.new_id(at)
            rows.add(
                Coach,
                id=coach_id, external_id=f"coach-{coach.number:04}", name=name, email=email,
                left_on=coach.left_on.isoformat() if coach.left_on else None,
                created_at=instant(at), updated_at=instant(at),
            )  # fmt: skip
            gone = _morning(coach.left_on) if coach.left_on else None
            rows.add(
                User,
                id=user_id, email=email, name=name, role="coach", coach_id=coach_id,
                failed_sign_ins=0, disabled_at=instant(gone) if gone else None,
                created_at=instant(at), updated_at=instant(at),
            )  # fmt: skip
            self._coaches[coach.number] = (coach_id, name, user_id)

    def pair(self, engagement: EngagementPlan) -> Pair:
        """The coach and client of an engagement; the client's rows are made the first time."""
        rows = self._rows
        at = _morning(engagement.started_on)
        if engagement.client not in self._clients:
            self._clients[engagement.client] = self._client(engagement, at)
        client_id, client_name, client_email, external_ai = self._clients[engagement.client]
        coach_id, coach_name, user_id = self._coaches[engagement.coach]
        engagement_id = rows.new_id(at)
        rows.add(
            Engagement,
            id=engagement_id, external_id=f"engagement-{engagement.client:04}-{engagement.part}",
            coach_id=coach_id, client_id=client_id, title="Coaching",
            started_on=engagement.started_on.isoformat(),
            ended_on=engagement.ended_on.isoformat() if engagement.ended_on else None,
            created_at=instant(at), updated_at=instant(at),
        )  # fmt: skip
        return Pair(
            coach_id, coach_name, user_id, client_id, client_name, client_email, engagement_id,
            external_ai,
        )  # fmt: skip

    def _client(self, engagement: EngagementPlan, at: dt.datetime) -> tuple[str, str, str, bool]:
        rows = self._rows
        client_id = rows.new_id(at)
        name = person_name(rows.rng, engagement.client * 3 + 5)
        email = f"client-{engagement.client:04}@example.com"
        rows.add(
            Client,
            id=client_id, external_id=f"client-{engagement.client:04}", name=name, email=email,
            created_at=instant(at), updated_at=instant(at),
        )  # fmt: skip
        external_ai = rows.rng.random() < 0.8
        for kind, granted in (("processing", True), ("external_ai", external_ai)):
            rows.add(
                Consent,
                id=rows.new_id(at), client_id=client_id, kind=kind, granted=granted,
                recorded_at=instant(at), note="intake form", created_at=instant(at),
            )  # fmt: skip
        return client_id, name, email, external_ai


def _goals(rows: Rows, pair: Pair, engagement: EngagementPlan, until: dt.date) -> None:
    """One to three goals of an engagement, rated now and then, rising slowly."""
    rng = rows.rng
    titles = rng.sample(
        ("Delegate more", "Calmer meetings", "A clear plan for the year", "Two free evenings a week",
         "Speak up in the board", "Regular feedback to the team"),
        k=rng.choice((1, 2, 2, 3)),
    )  # fmt: skip
    days = engagement.session_days
    if not days:
        return
    for title in titles:
        at = _morning(days[0])
        goal_id = rows.new_id(at)
        levels = {
            "-2": "Much less than now", "-1": "As now", "0": f"{title}: most weeks",
            "1": f"{title}: every week", "2": f"{title}: without thinking of it",
        }  # fmt: skip
        rows.add(
            Goal,
            id=goal_id, client_id=pair.client_id, coach_id=pair.coach_id,
            engagement_id=pair.engagement_id, title=title, levels=as_json(levels),
            weight=rng.choice((1, 1, 2, 3)), status="open", created_at=instant(at),
            updated_at=instant(at),
        )  # fmt: skip
        level = -1.0
        for day in days[:: max(1, len(days) // 5)]:
            if day >= until:
                break
            level = max(-2.0, min(2.0, level + rng.gauss(0.35, 0.5)))
            rated = _morning(day)
            rows.add(
                GoalRating,
                id=rows.new_id(rated), goal_id=goal_id, level=round(level),
                rated_by=rng.choice(("coach", "coach", "client")), rated_on=day.isoformat(),
                note="", created_at=instant(rated),
            )  # fmt: skip


def _morning(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(7), clock.UTC)

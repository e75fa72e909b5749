"""The overview: all figures of one moment."""

from __future__ import annotations

import datetime as dt

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.monitoring import figures
from coachops.monitoring.failures import stuck
from coachops.monitoring.model import Overview

DEFAULT_WEEKS = 12


def overview(
    database: Database,
    actor: Actor,
    since: dt.date | None = None,
    until: dt.date | None = None,
    *,
    zone: dt.tzinfo = clock.UTC,
    failures_shown: int = 50,
) -> Overview:
    """Every figure of the admin overview, read in one moment.

    Parameters:
        since: first day; None is the Monday eleven weeks before the current week.
        until: day after the last; None is tomorrow.
        zone: the organisation's time zone.

    Raises:
        CoachError: COACH-IDN-003 for coaches, COACH-SYS-002 for an empty span.
    """
    actor.require_role("admin", "analyst", what="see the overview")
    today = clock.today(zone)
    until = until or today + dt.timedelta(days=1)
    if since is None:
        last = until - dt.timedelta(days=1)
        since = last - dt.timedelta(days=last.weekday() + 7 * (DEFAULT_WEEKS - 1))
    if until <= since:
        raise CoachError("COACH-SYS-002", reason=f"{since} to {until} (exclusive) holds no day.")
    span = figures.Span(since, until, today, zone)
    with database.read() as session:
        as_of = clock.now()
        mean, answers = figures.helpfulness(session, span)
        failures, total = stuck(session, failures_shown)
        return Overview(
            as_of=as_of,
            since=since,
            until=until,
            figures=(
                figures.uploads(session, span),
                *figures.time_to_analysis(session, span),
                figures.approval_lag(session, span),
                figures.active_coaches(session, span),
                *figures.consent_coverage(session, span),
                mean,
                figures.spend(session, span),
            ),
            weeks=figures.weeks(session, span),
            analyses=figures.analyses(session, span),
            follow_ups=figures.follow_ups(session, span),
            feedback=answers,
            by_coach=figures.by_coach(session, span),
            failures=failures,
            failures_total=total,
            freshness=figures.freshness(session),
        )

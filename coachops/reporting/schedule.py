"""When reports are due: `reports/schedule.toml`, read against the runs that are there.

The same table serves `coachops report due` (for cron and other schedulers) and the background
worker. Times are those of the organisation; the form is cron's five fields.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.reporting.catalog import FOLDER, find_report
from coachops.reporting.runner import list_runs

SCHEDULE = FOLDER / "schedule.toml"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A line of the schedule: report, cron expression, parameters."""

    report: str
    cron: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """A report that should have run at `due_at` and has not run since."""

    report: str
    due_at: dt.datetime
    parameters: dict[str, Any]


def read_schedule(path: Path = SCHEDULE) -> list[Scheduled]:
    """The schedule, checked: known reports, accepted parameters, valid cron expressions.

    Raises:
        CoachError: COACH-REP-001, -002, and COACH-REP-006 for a file that cannot be used.
    """
    from croniter import croniter  # type: ignore[import-untyped]  # noqa: PLC0415 no stubs; only where schedules are read

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = [
            Scheduled(row["report"], row.get("cron", ""), dict(row.get("parameters", {})))
            for row in document.get("schedule", [])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CoachError("COACH-REP-006", path=path, reason=type(error).__name__) from None
    made = []
    for row in rows:
        report = find_report(row.report)
        report.check(row.parameters)
        cron = row.cron or report.cron
        if len(cron.split()) != 5 or not croniter.is_valid(cron):
            raise CoachError(
                "COACH-REP-006", path=path, reason=f"'{cron}' is not a cron expression"
            )
        made.append(Scheduled(row.report, cron, row.parameters))
    return made


def due_reports(settings: Settings, path: Path = SCHEDULE) -> list[Due]:
    """Reports whose last scheduled time has passed without a finished run since.

    A schedule that is read for the first time owes one run, not every one since the beginning.
    """
    from croniter import croniter  # noqa: PLC0415 as above

    now = clock.now().astimezone(settings.zone)
    due = []
    for row in read_schedule(path):
        checked = find_report(row.report).check(row.parameters).model_dump()
        last: dt.datetime = croniter(row.cron, now).get_prev(dt.datetime)
        done = any(
            run.started_at >= last and run.parameters == checked
            for run in list_runs(settings, row.report)
        )
        if not done:
            due.append(Due(row.report, last, row.parameters))
    return due

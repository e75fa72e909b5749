"""What runs by the calendar, and which slot of it is due.

The table is reports/schedule.toml, over the built-in rows of `CARE`: whatever becomes of that file,
backups, drills and checks go on. Level-triggered: a look asks which slot was due last and queues it
under an id made of that slot. So two workers queue it once, and after an outage the newest missed
slot runs, not each of them. Nothing is due from before the first worker ever ran. In the hour that
the clock skips, a slot runs as much later; in the hour that comes twice, once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import tomllib
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.export.exporting import require_known
from coachops.export.issued import ExportRequest
from coachops.jobs.ids import BY_KEY, JobId, keyed_id, report_id
from coachops.reporting import SCHEDULE, find_report, list_runs, read_schedule

CARE = {
    "sqlite": {
        "backup": "*/10 * * * *", "drill": "40 4 * * *", "integrity": "20 3 * * *",
        "retention": "50 2 * * *",
    },
    "postgresql": {
        "backup": "10 1 * * *", "drill": "40 4 * * *", "integrity": "20 3 * * *",
        "retention": "50 2 * * *",
    },
}  # fmt: skip
"""Kind of database -> kind of job -> cron. Of SQLite a backup is all there is, so it is taken often
enough that two are never 15 minutes apart; PostgreSQL archives its log all the time besides."""

NEVER = "never"
"""Instead of a cron expression: this kind of work is looked after elsewhere."""

_REPEATED = dt.timedelta(hours=2)
"""No clock change repeats more than this."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that runs by the calendar.

    Attributes:
        name: of the report; of other work its kind.
        cron: five fields (minute, hour, day, month, weekday), in `zone`.
        parameters_json: a JSON object.
        kind: of the job.
    """

    name: str
    cron: str
    zone: zoneinfo.ZoneInfo
    parameters_json: str = "{}"
    kind: str = "report"

    def last_due(self, now: dt.datetime) -> dt.datetime:
        """The newest slot that is not after `now`, in UTC.

        Reckoned on the wall clock without a zone and turned into an instant afterwards, so a day of
        a clock change has each slot exactly once.
        """
        from croniter import croniter  # type: ignore[import-untyped] # noqa: PLC0415 worker only

        wall_clock = now.astimezone(self.zone).replace(tzinfo=None)
        # begin ahead: in the second pass of the hour that comes twice, slots that are later by the
        # wall clock were due in the first pass
        slots = croniter(self.cron, wall_clock + _REPEATED, ret_type=dt.datetime)
        while True:
            slot: dt.datetime = slots.get_prev(dt.datetime)
            instant = slot.replace(tzinfo=self.zone, fold=0).astimezone(dt.UTC)
            if instant <= now:
                return instant

    def job(self, slot: dt.datetime) -> JobId:
        """The job of a slot; the same work with other parameters is another job."""
        key = slot.strftime("%Y-%m-%dT%H%MZ")
        if self.parameters_json != "{}":
            key += "-" + hashlib.sha256(self.parameters_json.encode()).hexdigest()[:8]
        return report_id(self.name, key) if self.kind == "report" else keyed_id(self.kind, key)

    def arguments(self, job: JobId) -> tuple[str, ...]:
        """What the job of a slot is queued with."""
        if self.kind == "report":
            return (self.name, self.parameters_json)
        return (job.subject, self.parameters_json) if self.kind == "export" else ()

    def ran_since(self, settings: Settings, slot: dt.datetime) -> bool:
        """Whether another scheduler (cron with `coachops report due`) has run it already."""
        if self.kind != "report":
            return False
        checked = find_report(self.name).check(json.loads(self.parameters_json)).model_dump()
        return any(
            run.started_at >= slot and run.parameters == checked
            for run in list_runs(settings, self.name)
        )


def load_schedules(settings: Settings, path: Path | None = None) -> list[Schedule]:
    """The schedules of the file and the built-in ones that it does not replace.

    What cannot be used of the file is told to the log and stops nothing else.

    Parameters:
        path: None for the project's own.
    """
    path = path or SCHEDULE
    rows: list[Schedule] = []
    if path.exists():
        with _told_to_the_log():
            rows += [
                Schedule(
                    row.report, row.cron, settings.zone, json.dumps(row.parameters, sort_keys=True)
                )
                for row in read_schedule(path)
            ]
        for work in _read_work(path):
            with _told_to_the_log():
                rows.append(_work(settings, path, work))
    replaced = {row.kind for row in rows}
    database = "sqlite" if settings.database_url.startswith("sqlite") else "postgresql"
    built_in = [
        Schedule(kind, cron, settings.zone, kind=kind)
        for kind, cron in CARE[database].items()
        if kind not in replaced
    ]
    return [row for row in (*rows, *built_in) if row.cron != NEVER]


@contextlib.contextmanager
def _told_to_the_log() -> Iterator[None]:
    try:
        yield
    except CoachError as error:
        _log.error("a schedule is off", extra={"code": error.code, "reason": error.message})


def _read_work(path: Path) -> list[Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("work", [])
    except (OSError, ValueError):
        return []  # told already: the reports stand in the same file
    return found if isinstance(found, list) else []


def _work(settings: Settings, path: Path, row: Any) -> Schedule:
    from croniter import croniter  # noqa: PLC0415 worker only

    def refused(reason: str) -> CoachError:
        return CoachError("COACH-REP-006", path=path, reason=reason)

    if not isinstance(row, dict) or row.get("kind") not in BY_KEY:
        raise refused(f"a [[work]] needs a kind: {', '.join(BY_KEY)}")
    kind, cron, parameters = row["kind"], str(row.get("cron", "")), row.get("parameters", {})
    if cron != NEVER and (len(cron.split()) != 5 or not croniter.is_valid(cron)):
        raise refused(f"'{cron}' is not a cron expression")
    if not isinstance(parameters, dict) or (parameters and kind != "export"):
        raise refused(f"the work '{kind}' takes no parameters")
    if kind != "export":
        return Schedule(kind, cron, settings.zone, kind=kind)
    if parameters.keys() - {"formats", "datasets", "csv_profile"}:
        raise refused("a scheduled export takes formats, datasets and csv_profile")
    request = ExportRequest.from_json(json.dumps(parameters))
    require_known(request.formats, request.datasets, request.csv_profile)
    return Schedule(kind, cron, settings.zone, request.to_json(), kind)

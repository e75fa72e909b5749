"""What runs by the calendar, and which slot of it is due.

The table is reports/schedule.toml, read by `reporting`. Level-triggered: a look asks which slot was
due last and queues it under an id made of that slot. So two workers queue it once, and after an
outage the newest missed slot runs, not each of them. Nothing is due from before the first worker
ever ran. In the hour that the clock skips, a slot runs as much later; in the hour that comes twice,
once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

from coachops.core.settings import Settings
from coachops.jobs.ids import JobId, report_id
from coachops.reporting import find_report, list_runs, read_schedule

_REPEATED = dt.timedelta(hours=2)
"""No clock change repeats more than this."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A report that runs by the calendar.

    Attributes:
        name: of the report.
        cron: five fields (minute, hour, day, month, weekday), in `zone`.
        parameters_json: a JSON object.
    """

    name: str
    cron: str
    zone: zoneinfo.ZoneInfo
    parameters_json: str = "{}"

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
        """The job of a slot; the same report with other parameters is another job."""
        key = slot.strftime("%Y-%m-%dT%H%MZ")
        if self.parameters_json != "{}":
            key += "-" + hashlib.sha256(self.parameters_json.encode()).hexdigest()[:8]
        return report_id(self.name, key)

    def ran_since(self, settings: Settings, slot: dt.datetime) -> bool:
        """Whether another scheduler (cron with `coachops report due`) has run it already."""
        checked = find_report(self.name).check(json.loads(self.parameters_json)).model_dump()
        return any(
            run.started_at >= slot and run.parameters == checked
            for run in list_runs(settings, self.name)
        )


def load_schedules(settings: Settings, path: Path | None = None) -> list[Schedule]:
    """The schedules of the file (None: the project's own); none where there is no file.

    Raises:
        CoachError: COACH-REP-… names what is not valid in it.
    """
    if path is not None and not path.exists():
        return []
    rows = read_schedule() if path is None else read_schedule(path)
    return [
        Schedule(row.report, row.cron, settings.zone, json.dumps(row.parameters, sort_keys=True))
        for row in rows
    ]

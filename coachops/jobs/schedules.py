"""Everything that runs by the calendar, in one table: reports/schedule.toml read into it.

    [[report]]
    name = "weekly_operations"
    cron = "0 6 * * 1"            # minute hour day month weekday, in `zone`
    zone = "Europe/London"        # optional; the organisation's zone without it
    parameters = { weeks = 4 }    # optional

Level-triggered: a look asks which slot was due last and queues it under an id made of that slot. So
two workers queue it once, and after an outage the newest missed slot runs, not each of them. Nothing
is due from before the first worker ever ran. In the hour that the clock skips, a slot runs right
after it; in the hour that comes twice, it runs once.
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.jobs.ids import JobId, report_id

SCHEDULE_FILE = Path(__file__).resolve().parents[2] / "reports" / "schedule.toml"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A report that runs by the calendar.

    Attributes:
        name: of the report; also the schedule's own name.
        cron: five fields, in `zone`.
        parameters_json: a JSON object.
    """

    name: str
    cron: str
    zone: zoneinfo.ZoneInfo
    parameters_json: str

    def last_due(self, now: dt.datetime) -> dt.datetime:
        """The newest slot that is not after `now`, in UTC.

        Reckoned on the wall clock without a zone and turned into an instant afterwards, so a day of
        a clock change has each slot exactly once.
        """
        from croniter import croniter  # type: ignore[import-untyped] # noqa: PLC0415 worker only

        local = now.astimezone(self.zone).replace(tzinfo=None)
        # begin two hours ahead: in the second pass of the hour that comes twice, slots that are
        # later by the wall clock were due in the first pass
        slots = croniter(self.cron, local + dt.timedelta(hours=2), ret_type=dt.datetime)
        while True:
            wall: dt.datetime = slots.get_prev(dt.datetime)
            instant = wall.replace(tzinfo=self.zone, fold=0).astimezone(dt.UTC)
            if instant <= now:
                return instant

    def job(self, slot: dt.datetime) -> JobId:
        """The job of a slot."""
        return report_id(self.name, slot.strftime("%Y-%m-%dT%H%MZ"))


def load_schedules(settings: Settings, path: Path = SCHEDULE_FILE) -> list[Schedule]:
    """The schedules of the file; none where there is no file.

    Raises:
        CoachError: COACH-JOB-005 names the first entry that is not valid.
    """
    if not path.exists():
        return []
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CoachError("COACH-JOB-005", reason=str(error)) from error
    unknown = set(document) - {"report"}
    entries = document.get("report", [])
    if unknown or not isinstance(entries, list):
        raise CoachError("COACH-JOB-005", reason="it may hold [[report]] entries only")
    found = [_schedule(settings, number, each) for number, each in enumerate(entries, 1)]
    names = [schedule.name for schedule in found]
    for name in names:
        if names.count(name) > 1:
            raise CoachError("COACH-JOB-005", reason=f"the report '{name}' stands in it twice")
    return found


def _schedule(settings: Settings, number: int, entry: Mapping[str, Any]) -> Schedule:
    from croniter import croniter  # noqa: PLC0415 as above

    def refuse(reason: str) -> CoachError:
        return CoachError("COACH-JOB-005", reason=f"entry {number}: {reason}")

    unknown = sorted(set(entry) - {"name", "cron", "zone", "parameters"})
    if unknown:
        raise refuse(f"'{unknown[0]}' is not known")
    name, cron = entry.get("name"), entry.get("cron")
    if not isinstance(name, str) or not name or "/" in name:
        raise refuse("it needs a name")
    if not isinstance(cron, str) or len(cron.split()) != 5 or not croniter.is_valid(cron):
        raise refuse("cron needs five fields, such as '0 6 * * 1'")
    try:
        zone = zoneinfo.ZoneInfo(entry["zone"]) if "zone" in entry else settings.zone
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError) as error:
        raise refuse("its zone is not of the IANA list") from error
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise refuse("parameters must be a table")
    try:
        parameters_json = json.dumps(parameters, sort_keys=True)
    except TypeError as error:
        raise refuse("write dates in parameters as text") from error
    return Schedule(name, cron, zone, parameters_json)

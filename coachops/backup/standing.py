"""How well the installation could be recovered now: what the limits say of backups, drills, keys."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import Final, Literal

from coachops.backup import catalogue
from coachops.backup.folder import FolderPlace
from coachops.backup.model import BackupRow, DrillResult, Problem, RecoveryStatus
from coachops.backup.sealing import fingerprint
from coachops.backup.shelf import look
from coachops.backup.site import Site
from coachops.backup.turn import running
from coachops.core import clock
from coachops.core.errors import CATALOGUE, CoachError
from coachops.db import Database

Severity = Literal["bad", "warn"]

DRILL_GRACE: Final = dt.timedelta(hours=2)
"""A drill that is due runs within this time, unless the worker is away."""


def status(site: Site, database: Database, *, thorough: bool) -> RecoveryStatus:
    """What holds now.

    Parameters:
        thorough: also ask the place whether it has what the database remembers.
    """
    now = clock.now()
    settings = site.settings
    with database.read() as session:
        good = catalogue.last_good(session)
        failure = catalogue.last_failure(session)
        last = catalogue.last_drill(session)
        passed = catalogue.last_drill(session, passed=True)
        first = catalogue.first_good_at(session)
        escrow = catalogue.escrow_confirmed(session)
    rpo_limit = dt.timedelta(minutes=settings.backup_rpo_minutes)
    drill_limit = dt.timedelta(hours=settings.backup_drill_hours) + DRILL_GRACE
    reach = good.heartbeat if good is not None else None
    problems: list[Problem] = []
    if thorough or not database.is_sqlite:  # a server's log is ahead of what the table knows
        found, seen = _at_the_place(site, good)
        problems += found
        reach = seen or reach
    rpo = max(dt.timedelta(), now - reach) if reach is not None else None
    problems += _rpo_problems(rpo, rpo_limit)
    if failure is not None:
        code = failure[1] if failure[1] in CATALOGUE else "COACH-SYS-003"
        problems.append(_problem(code, "bad", place=site.place.url, reason="see the log"))
    young = first is not None and now - first <= drill_limit
    problems += _drill_problems(now, last, passed, drill_limit, young=young)
    problems += _key_problems(site, escrow)
    problems += _place_problems(site)
    fingerprints = {fingerprint(one) for one in site.ring.stated()}
    confirmed = [at for name, at in escrow.items() if name in fingerprints]
    return RecoveryStatus(
        at=now,
        ok=not any(problem.severity == "bad" for problem in problems),
        place=site.place.url,
        engine=good.engine if good else "sqlite" if database.is_sqlite else "postgresql",
        rpo_seconds=rpo.total_seconds() if rpo is not None else None,
        rpo_target_seconds=rpo_limit.total_seconds(),
        drill_target_seconds=drill_limit.total_seconds(),
        last_good=good,
        last_drill=last,
        last_passed=passed,
        escrow_confirmed_at=max(confirmed, default=None),
        running=running(site.home),
        problems=tuple(problems),
    )


def span(length: dt.timedelta) -> str:
    """A duration in words: the two largest units that matter."""
    seconds = int(length.total_seconds())
    for size, name, smaller, unit in (
        (86_400, "day", 3_600, "h"),
        (3_600, "hour", 60, "min"),
        (60, "minute", 1, "s"),
    ):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            more = f" {rest // smaller} {unit}" if rest >= smaller and whole < 10 else ""
            return f"{whole} {name}{'' if whole == 1 else 's'}{more}"
    return f"{seconds} s"


def _rpo_problems(rpo: dt.timedelta | None, limit: dt.timedelta) -> list[Problem]:
    if rpo is None:
        return [_problem("COACH-BKP-014", "bad", lost="everything", limit=span(limit))]
    if rpo > limit:
        return [_problem("COACH-BKP-014", "bad", lost=f"{span(rpo)} of work", limit=span(limit))]
    return []


def _drill_problems(
    now: dt.datetime,
    last: DrillResult | None,
    passed: DrillResult | None,
    limit: dt.timedelta,
    *,
    young: bool,
) -> list[Problem]:
    """A young installation is given the time in which its first drill is due."""
    found = []
    if last is not None and not last.passed:
        reason = last.reasons[0] if last.reasons else "no reason was kept"
        found.append(_problem("COACH-BKP-013", "bad", reason=reason))
    if passed is None:
        severity: Severity = "warn" if young else "bad"
        found.append(_problem("COACH-BKP-015", severity, since="yet", limit=span(limit)))
    elif now - passed.at > limit:
        found.append(
            _problem(
                "COACH-BKP-015", "bad", since=f"for {span(now - passed.at)}", limit=span(limit)
            )
        )
    return found


def _key_problems(site: Site, escrow: dict[str, dt.datetime]) -> list[Problem]:
    """A key that was never shown to lie elsewhere is a warning; one that changed since is worse."""
    if not site.ring.own:
        return []
    now = {fingerprint(one) for one in site.ring.stated()}
    if now & escrow.keys():
        return []
    return [_problem("COACH-BKP-016", "bad" if escrow and now else "warn")]


def _place_problems(site: Site) -> list[Problem]:
    """A place on the disk of the data is no second place."""
    if not isinstance(site.place, FolderPlace):
        return []
    if _device(site.place.root) != _device(site.home):
        return []
    production = site.settings.env == "production"
    return [_problem("COACH-BKP-017", "bad" if production else "warn", place=site.place.url)]


def _device(path: Path) -> int | None:
    """The disk that a path lies on, or will lie on."""
    for each in (path, *path.parents):
        with contextlib.suppress(OSError):
            return each.stat().st_dev
    return None


def _at_the_place(site: Site, good: BackupRow | None) -> tuple[list[Problem], dt.datetime | None]:
    """What the place says, and the newest heartbeat that can be brought back from it."""
    try:
        shelf = look(site.place)
        manifests = shelf.good(site.installation or "")
        reach = site.engine(manifests[0]).reach(manifests) if manifests else None
        behind = site.engine().problems(manifests)
    except CoachError as error:
        return [_of(error, "bad")], None
    own = [one for one in shelf.backups if one.may_be_of(site.installation)]
    found = [  # an older one that is damaged harms nobody as long as the newest is whole
        _problem(
            "COACH-BKP-007", "bad" if one is own[0] else "warn", backup=one.id, reason=one.problem
        )
        for one in own
        if not one.good
    ]
    if good is not None and good.id not in {one.id for one in shelf.backups}:
        found.append(
            _problem("COACH-BKP-007", "bad", backup=good.id, reason="it is gone from the place")
        )
    return found + behind, reach


def _problem(code: str, severity: Severity, **details: object) -> Problem:
    return _of(CoachError(code, **details), severity)


def _of(error: CoachError, severity: Severity) -> Problem:
    return Problem(error.code, severity, error.message, error.next_step)

"""The coordinator of an export, and the writer of one part.

PostgreSQL: the coordinator exports its snapshot, any worker imports it. An embedded database has one
worker, so the parts are written here, one after the other, inside the held transaction.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.coached import keep_day
from coachops.export.issued import Place, Registry, Standing, open_place
from coachops.export.moments import mark_of
from coachops.export.parts import write_part
from coachops.export.planning import plan_within
from coachops.export.publishing import FilesGoneError, describe
from coachops.export.recording import record_made
from coachops.export.snapshot import DEFAULT_WORKERS, open_moment
from coachops.jobs.exports import SUITE, announce
from coachops.jobs.queue import JobQueue
from coachops.resilience import RetryPolicy

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from coachops.bootstrap import Services
    from coachops.export.plan import Plan
    from coachops.jobs.ids import JobId
    from coachops.jobs.runtime import Outcome

LOOK_EVERY = 0.2
"""Seconds between two looks at the parts."""
ASK_EVERY = 5.0
"""Seconds between two looks at the jobs of the parts."""
PATIENCE = 900.0
"""Seconds without a database, without the queue, or without a part that could be written, after which an export is given up; it can be begun again."""

LOST = "COACH-EXP-020"
BROKEN = "COACH-EXP-021"
QUEUE_AWAY = "COACH-JOB-003"

_log = logging.getLogger(__name__)

_STORAGE = RetryPolicy(4, 0.5, 5.0, 30.0)
"""How a part is tried again where its place does not take it."""


class Coordinator:
    """Sees to it that every part of an export is written.

    Parameters:
        job: that does it; the jobs of the parts are named after it.
    """

    def __init__(self, services: Services, export_id: uuid.UUID, job: JobId) -> None:
        self._services = services
        self._registry = Registry(services.database)
        self._id = export_id
        self._job = job

    def write(self) -> str:
        """Returns `written`, or the state in which somebody put the export meanwhile.

        Raises:
            CoachError: of a part that could not be written; of the database when it stays away.
        """
        waited, most = _Patience(), -1
        while True:
            try:
                keep_day(self._services.database, patient=True)
                standing = self._registry.standing(self._id)
                ended = self._ended(standing)
                if ended is not None:
                    return ended
                if len(standing.done) > most:  # it goes on: only what never does is given up
                    waited.reset()
                    most = len(standing.done)
                with open_moment(self._services.database, lightly=True) as moment:
                    plan = self._plan(moment.connection)
                    if not moment.settle():
                        plan = self._plan(moment.connection)
                    self._have_written(plan, moment.token)
            except CoachError as error:
                if not is_passing(error):
                    raise
                waited.wait(error)

    def _ended(self, standing: Standing) -> str | None:
        if standing.state != "running":
            return standing.state
        if standing.failed is not None:
            raise standing.failed
        plan = self._registry.plan(self._id)
        if plan is not None and len(standing.done) == len(plan.parts):
            return "written"
        return None

    def _plan(self, connection: Connection) -> Plan:
        """The plan that was made of the very same data, else a new one of this moment."""
        moment = mark_of(connection)
        plan = self._registry.plan(self._id, moment)
        if plan is None:
            export = self._registry.get(SUITE, str(self._id))
            spec = export.request.spec(self._services.settings.time_zone)
            plan = plan_within(
                connection, spec, export_id=str(self._id), feed=self._services.secret("feed")
            )
            self._registry.replan(self._id, plan, moment)
        return plan

    def _have_written(self, plan: Plan, token: str) -> None:
        standing = self._registry.standing(self._id)
        generation = standing.generation
        missing = [part.number for part in plan.parts if part.number not in standing.done]
        self._registry.hold(self._id, generation, token)
        if self._services.database.is_sqlite:
            with ThreadPoolExecutor(DEFAULT_WORKERS) as threads:
                list(
                    threads.map(
                        lambda number: write(self._services, self._id, generation, number), missing
                    )
                )
            return
        with contextlib.closing(JobQueue(self._services.settings)) as queue:
            jobs: dict[str, int] = {}
            waited = _Patience()
            while len(jobs) < len(missing):
                number = missing[len(jobs)]
                try:
                    ref = queue.enqueue_part(self._job, str(self._id), generation, number)
                except CoachError as error:  # the moment stays held: nothing is planned anew
                    if error.code != QUEUE_AWAY:
                        raise
                    if self._registry.standing(self._id).state != "running":
                        return
                    waited.wait(error)
                else:
                    jobs[ref] = number
                    waited.reset()
            self._wait(plan, token, queue, jobs)

    def _wait(self, plan: Plan, token: str, queue: JobQueue, jobs: dict[str, int]) -> None:
        """Until all parts are written, or one cannot be."""
        asked, over = clock.monotonic(), frozenset[str]()
        while True:
            standing = self._registry.standing(self._id)
            all_done = len(standing.done) == len(plan.parts)
            if all_done or standing.state != "running" or standing.failed is not None:
                return
            if standing.token != token:  # a worker found that it opens nothing any more
                raise CoachError("COACH-EXP-020", reason="its server went away")
            left = [ref for ref in over if jobs[ref] not in standing.done]
            if left:  # its job ended before this look, and has not said why
                reason = f"part {jobs[min(left)]} was given up"
                raise CoachError("COACH-JOB-002", name="export_part", reason=reason)
            if clock.monotonic() - asked > ASK_EVERY:
                with contextlib.suppress(CoachError):  # the queue is away: the parts go on
                    over = queue.ended([ref for ref in jobs if jobs[ref] not in standing.done])
                asked = clock.monotonic()
            time.sleep(LOOK_EVERY)


class _UnwantedError(Exception):
    """Nobody wants the part any more that is being written."""


def write(services: Services, export_id: uuid.UUID, generation: int, number: int) -> str:
    """Write one part; returns `written`, `failed` (the record says why) or `unwanted`."""
    registry = Registry(services.database)
    waited = _Patience()
    while True:
        try:
            standing = registry.standing(export_id)
            if standing.generation != generation or standing.state != "running":
                return "unwanted"
            if number in standing.done:
                return "written"
            if standing.failed is not None:
                return "failed"
            if standing.token is not None:
                return _write(services, registry, export_id, generation, number, standing.token)
            time.sleep(LOOK_EVERY)  # whoever takes the coordinator over gives a new one
        except _UnwantedError:
            return "unwanted"
        except Exception as error:  # else the coordinator would wait for it for ever
            if isinstance(error, CoachError) and is_passing(error):
                if services.database.is_sqlite and error.code in {LOST, BROKEN}:
                    raise  # the coordinator is in this process: it holds a new moment
                waited.wait(error)
                continue
            known = error if isinstance(error, CoachError) else unexpected(error)
            registry.add_part(export_id, generation, number, known)
            return "failed"


def unexpected(error: Exception) -> CoachError:
    """An error that nobody foresaw, as the record of an export may hold it."""
    _log.error("a part of an export failed unexpectedly", exc_info=error)
    return CoachError("COACH-SYS-003", reason=type(error).__name__)


def _write(
    services: Services,
    registry: Registry,
    export_id: uuid.UUID,
    generation: int,
    number: int,
    token: str,
) -> str:
    plan = registry.plan(export_id)
    export = registry.get(SUITE, str(export_id))
    if plan is None:
        return "unwanted"
    place = open_place(services.settings, export.place, export.id)
    part = plan.parts[number]
    looked = clock.monotonic()

    def still_wanted(_name: str, _rows: int) -> None:
        nonlocal looked
        if clock.monotonic() - looked < LOOK_EVERY or services.database.is_sqlite:
            return
        looked = clock.monotonic()
        if registry.standing(export_id).state != "running":
            raise _UnwantedError

    def once() -> None:
        folder = place.work(generation)
        result = write_part(
            services.database,
            plan.spec,
            part,
            folder,
            token,
            privacy=services.privacy_profile(plan.spec.privacy),
            progress=still_wanted,
        )
        place.keep(generation, [entry.path for entry in result.files])
        registry.add_part(export_id, generation, number, result)

    try:
        _STORAGE.run(once, transient=_storage_is_away)
    except CoachError as error:
        if error.code == LOST and not services.database.is_sqlite:
            registry.lost(export_id, token)
        raise
    finally:
        state = registry.standing(export_id).state
        unwanted = state not in {"running", "ready"}
        if unwanted and state != "failed":  # which may go on with what is written
            place.discard()
    return "unwanted" if unwanted else "written"


def publish(services: Services, export_id: uuid.UUID) -> Outcome:
    """Make the bundle of the parts that were written, and write it down.

    Raises:
        CoachError: COACH-EXP-003, -006, -050.
    """
    registry = Registry(services.database)
    export = registry.get(SUITE, str(export_id))
    plan = registry.plan(export_id)
    place = open_place(services.settings, export.place, export.id)
    answer: Outcome = {"export_id": str(export_id), "folder": export.place, "state": export.state}
    if export.state != "running" or plan is None:
        if export.state != "failed":
            _leave(place, wanted=export.state != "cancelled")
        return answer
    generation = registry.standing(export_id).generation
    results = registry.results(export_id, generation)
    rows = sum(result.rows for result in results)
    actor = Actor(export.requested_by_id, "service", "")
    record_made(services.database, actor, export_id, rows=rows, datasets=len(export.datasets))
    variant = services.privacy_profile(plan.spec.privacy)
    try:
        manifest, files = place.publish(
            generation,
            lambda folder: describe(
                plan, results, folder, key=services.signing_key, privacy=variant
            ),
            lambda: _require_running(registry, export_id),
        )
    except Exception as error:
        state = _take_back(registry, place, export_id)
        if isinstance(error, _UnwantedError) or state == "cancelled":
            return answer | {"state": state}
        if isinstance(error, FilesGoneError):
            registry.void(export_id, generation)  # else starting it again would end here again
        raise
    if manifest["export_id"] != str(export_id):
        raise CoachError("COACH-EXP-003", path=export.place)
    wanted = registry.finish(
        export_id,
        manifest,
        files,
        beside=lambda session, row: announce(session, "export.ready", row),
    )
    _leave(place, wanted=wanted)
    return answer | {"state": "ready" if wanted else "cancelled", "files": len(files), "rows": rows}


def _require_running(registry: Registry, export_id: uuid.UUID) -> None:
    if registry.standing(export_id).state != "running":
        raise _UnwantedError


def _take_back(registry: Registry, place: Place, export_id: uuid.UUID) -> str:
    """Leave nothing of what was being published; returns the state that the export is in.

    What fails here, `Exports.discard_left` does later.
    """
    state = "running"
    try:
        state = registry.standing(export_id).state
        if state == "cancelled":
            _leave(place, wanted=False)
        else:
            place.withdraw(whole=False)  # what the parts wrote is kept: it may be started again
    except CoachError as error:
        _log.warning("half an export stays", extra={"export": str(export_id), "code": error.code})
    return state


def _leave(place: Place, *, wanted: bool) -> None:
    if not wanted:
        place.withdraw(whole=True)
    place.discard()


class _Patience:
    """Waits between tries while something is away, until that has taken too long."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """It is there again."""
        self._since: float | None = None
        self._pause = LOOK_EVERY

    def wait(self, error: CoachError) -> None:
        """Wait a little longer than the last time. Raises `error` where that is too long."""
        now = clock.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > PATIENCE:
            raise error
        time.sleep(self._pause)
        self._pause = min(self._pause * 2, 5.0)


def is_passing(error: CoachError) -> bool:
    """Whether the database, or the held moment, is away for now."""
    return error.code in {LOST, BROKEN} or (
        error.code.startswith("COACH-DB-") and error.spec.retryable
    )


def _storage_is_away(error: BaseException) -> bool:
    return isinstance(error, CoachError) and error.code == "COACH-EXP-050"

"""The executor: the part of the engine that runs workflows, one for a process.

It takes a place first (see `places`), so it recovers what the holder before it left unfinished.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.jobs import runtime
from coachops.jobs.places import Place, Watch, take_lowest, try_take
from coachops.jobs.store import (
    APPLICATION,
    SCHEMA,
    VERSION,
    ensure_store,
    quiet_engine_logs,
    server_engine,
    store_file,
    store_url,
)

if TYPE_CHECKING:
    from coachops.bootstrap import Services

OFTEN, POLLING, SELDOM = 0.2, 0.5, 2.0
"""Seconds between two looks at a queue: where a job waits for one piece after another, where somebody
waits for the job, and where nobody does. A look takes five to ten milliseconds: seven queues looked
at five times a second cost a sixth of a core."""

QUEUE_OF = {
    "pipeline": "analysis",
    "send": "mail",
    "report": "reports",
    "export": "exports",
    "backup": "backups",
    "drill": "backups",
    "integrity": "checks",
    "retention": "checks",
}
"""Kind of job -> its queue."""

PARTS_QUEUE = "export-parts"
"""Takes the parts of exports: pieces of a job that no list shows."""

_LOOKS = {PARTS_QUEUE: OFTEN, "reports": SELDOM, "backups": SELDOM, "checks": SELDOM}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a queue takes on.

    Attributes:
        here: jobs at a time in one process.
        everywhere: jobs at a time in all processes; None: no limit beyond `here`.
        per_minute: starts in all processes; None: no limit.
    """

    here: int
    everywhere: int | None = None
    per_minute: int | None = None


def queues(settings: Settings) -> dict[str, Limits]:
    """The queues. Analyses wait for a service most of the time; reports and exports are heavy.

    Backups and drills take turns, and are made by one worker at a time.
    """
    return {
        "analysis": Limits(
            settings.worker_analyses, per_minute=settings.analyses_per_minute or None
        ),
        "mail": Limits(4),
        "reports": Limits(1),
        "exports": Limits(1),
        PARTS_QUEUE: Limits(2),
        "backups": Limits(1, everywhere=1),
        "checks": Limits(1, everywhere=1),
    }


POOL = 8
"""Connections of the engine to its store."""

STOP_SECONDS = 2
"""How long stopping waits for steps in progress; what is cut off is recovered at the next start."""

_log = logging.getLogger(__name__)


class Executor:
    """Runs queued workflows in this process between `start` and `stop`.

    Parameters:
        services: what the workflows work with.
        brief: it will stop soon; its threads look more often whether they shall end.
        listen: the queues to take work from; None: all.
        on_lost_place: called when others may take our work over; the process must end then.
    """

    _running: ClassVar[threading.Lock] = threading.Lock()
    """The engine allows one executor in a process."""

    def __init__(
        self,
        services: Services,
        *,
        brief: bool = False,
        listen: frozenset[str] | None = None,
        on_lost_place: Callable[[], object] = lambda: None,
    ) -> None:
        self._services = services
        self._brief = brief
        self._listen = listen
        self._on_lost_place = on_lost_place
        self._watch: Watch | None = None
        self._engine: sa.Engine | None = None
        self.place: Place | None = None

    def start(self) -> Place:
        """Take a place, recover its unfinished work, begin to look at the queues.

        Raises:
            CoachError: COACH-JOB-003, COACH-JOB-005.
        """
        if not self._running.acquire(blocking=False):
            raise RuntimeError("another executor runs in this process")
        try:
            self.place = take_lowest(self._services.settings)
            self._watch = Watch(self.place, self._on_lost_place)
            self._watch.start()
            self._launch(self.place)
        except BaseException:
            self._let_go()
            raise
        return self.place

    def stop(self) -> bool:
        """Stop taking work; returns whether every step in progress came to its end."""
        from dbos import DBOS  # noqa: PLC0415 imported since `start`

        # the engine's own wait takes at least a second: only where something is in progress
        patience = 0 if runtime.wait_until_idle(0) else STOP_SECONDS
        DBOS.destroy(workflow_completion_timeout_sec=patience)
        ended = runtime.wait_until_idle(0)
        self._let_go()
        return ended

    def recover_dead(self) -> list[str]:
        """Take over unfinished work of places whose process is gone; returns their names."""
        from dbos import DBOS  # noqa: PLC0415 imported since `start`

        if self.place is None:
            return []
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        names = {each.executor_id for each in pending if each.executor_id} - {self.place.name}
        taken = []
        for name in sorted(names):
            number = name.removeprefix("worker-")
            if not number.isdecimal():
                continue
            dead = try_take(self._services.settings, int(number))
            if dead is None:
                continue
            with dead:
                # private in dbos, hence `dbos~=3.4.0` and a test that fails when it changes
                DBOS._recover_pending_workflows([name])  # noqa: SLF001 there is no public way
                taken.append(name)
        return taken

    def _launch(self, place: Place) -> None:
        from dbos import DBOS, DBOSPortableJSONSerializer  # noqa: PLC0415 a second or more

        from coachops.jobs import workflows  # noqa: F401, PLC0415 registers them

        quiet_engine_logs()
        settings = self._services.settings
        ensure_store(settings, thorough=True)
        self._services.secret("feedback")  # made here once, before threads ask for it together
        runtime.bind(self._services)
        limits = queues(settings)
        if store_file(settings) is None:
            self._engine = server_engine(settings, POOL)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": store_url(settings),
                "system_database_engine": self._engine,
                "dbos_system_schema": SCHEMA,
                "sys_db_pool_size": POOL,
                "application_version": VERSION,
                "executor_id": place.name,
                "log_level": "WARNING",
                "serializer": DBOSPortableJSONSerializer(),
                "notification_listener_polling_interval_sec": 0.1 if self._brief else 0.5,
            }
        )
        DBOS.listen_queues(
            [name for name in limits if self._listen is None or name in self._listen]
        )
        try:
            DBOS.launch()
        except Exception as error:
            DBOS.destroy()
            raise CoachError("COACH-JOB-003", reason=type(error).__name__) from error
        for queue, limit in limits.items():
            DBOS.register_queue(
                queue,
                worker_concurrency=limit.here,
                global_concurrency=limit.everywhere,
                limiter={"limit": limit.per_minute, "period": 60} if limit.per_minute else None,
                polling_interval_sec=_LOOKS.get(queue, POLLING),
                on_conflict="always_update",  # the newest start's settings hold
            )

    def _let_go(self) -> None:
        runtime.bind(None)
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self.place is not None:
            self.place.release()
            self.place = None
        self._running.release()

"""Workers that are made to be killed: forked from a process that has imported everything.

Starting an interpreter takes seconds, in which nothing is at work yet; a fork is at work at once, so
that kills at random moments meet the work. The child is a worker like any other, with a pid of its own.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from coachops.core.settings import Settings
from tests.support.commands import Forked
from tests.support.worker import environment

_PROGRAM = """
import signal, sys
from pathlib import Path

from coachops.bootstrap import services
from coachops.telemetry import configure_logging

schedule = Path(sys.argv[1])
configure_logging("WARNING")
opened = services()
{begin}
while True:
    signal.pause()
"""

EVERYTHING = """
from coachops.jobs import Jobs
Jobs(opened.settings, opened, schedule_file=schedule).start(worker=True)
"""
COURIER = """
from coachops.jobs.courier import Courier
Courier(opened).start()
"""
"""Of all that a worker does, only the deliveries of webhooks: it is at work in no time."""


class ForkedWorkers:
    """One worker after the other, each a process of its own.

    Parameters:
        settings: of the installation.
        schedule: what they run by the calendar.
        log: file that takes their logs.
        work: the lines that begin what they do.
    """

    def __init__(
        self, settings: Settings, schedule: Path, log: Path, work: str = EVERYTHING, **extra: str
    ) -> None:
        self._program = _PROGRAM.replace("{begin}", work)
        self._settings, self._schedule, self._log, self._extra = settings, schedule, log, extra
        self._worker: Forked | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._worker is not None:
            self.kill()

    def start(self) -> int:
        """A new worker; returns its pid. It begins to work a moment later."""
        with self._log.open("ab") as log:
            self._worker = Forked(
                "-c",
                self._program,
                self._schedule,
                env=environment(self._settings, **self._extra),
                stderr=log,
            )
        return self._worker.pid

    def kill(self) -> int:
        """kill -9; returns how it ended once it is gone: -9, or its own exit code if it was faster."""
        if self._worker is None:
            raise RuntimeError("no worker was started")
        self._worker.kill()
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        if self._worker is None:
            raise RuntimeError("no worker was started")
        worker, self._worker = self._worker, None
        return worker.wait()

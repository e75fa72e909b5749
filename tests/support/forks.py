"""Workers that are made to be killed: forked from a process that has imported everything.

Starting an interpreter takes seconds, in which nothing is at work yet; a fork is at work at once, so
that kills at random moments meet the work. The child is a worker like any other, with a pid of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from coachops.core.settings import Settings
from tests.support.worker import environment

_PROGRAM = """
    import importlib, os, pkgutil, signal, sys
    from pathlib import Path

    from coachops.bootstrap import services
    from coachops.telemetry import configure_logging
    {imports}

    schedule = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            configure_logging("WARNING")
            opened = services()
            {begin}
            while True:
                signal.pause()
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Work:
    """What the workers do: the lines that import all they would import while at work, and begin it."""

    imports: str
    begin: str

    @property
    def program(self) -> str:
        indented = textwrap.indent(textwrap.dedent(self.imports).strip(), "    ").strip()
        text = _PROGRAM.replace("{imports}", indented).replace("{begin}", self.begin)
        return textwrap.dedent(text)


EVERYTHING = Work(
    """
    import openai
    from coachops import ai, coaching, jobs
    from coachops.jobs import Jobs
    for package in (ai, coaching, jobs):
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(each.name)
    """,
    "Jobs(opened.settings, opened, schedule_file=schedule).start(worker=True)",
)
COURIER = Work(
    "from coachops.jobs.courier import Courier",
    "Courier(opened).start()",
)
"""Of all that a worker does, only the deliveries of webhooks: it is at work in no time."""


class ForkedWorkers:
    """One worker after the other, each a process of its own.

    Parameters:
        settings: of the installation.
        schedule: what they run by the calendar.
        log: file that takes their logs.
        work: what they do.
    """

    def __init__(
        self, settings: Settings, schedule: Path, log: Path, work: Work = EVERYTHING, **extra: str
    ) -> None:
        self._program = work.program
        self._settings, self._schedule, self._log, self._extra = settings, schedule, log, extra
        self._pid: int | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self._program, self._schedule],
                env=environment(self._settings, **self._extra),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pid is not None:
            self.kill()
        self._process.stdin.close()  # type: ignore[union-attr]  # a pipe
        self._process.wait(timeout=30)
        self._process.stdout.close()  # type: ignore[union-attr]  # a pipe

    def start(self) -> int:
        """A new worker; returns its pid. It begins to work a moment later."""
        self._process.stdin.write("go\n")  # type: ignore[union-attr]  # a pipe
        self._process.stdin.flush()  # type: ignore[union-attr]
        self._pid = int(self._process.stdout.readline())  # type: ignore[union-attr]
        return self._pid

    def kill(self) -> int:
        """kill -9; returns how it ended once it is gone: -9, or its own exit code if it was faster."""
        if self._pid is None:
            raise RuntimeError("no worker was started")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        self._pid = None
        return int(self._process.stdout.readline())  # type: ignore[union-attr]

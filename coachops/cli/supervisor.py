"""Running a process table: start, tell ready, prefix logs, restart with back-off, stop cleanly.

Where this process itself is killed, the guard beside it (`cli.guard`) ends the table.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from coachops.cli.process_table import Process
from coachops.core import clock
from coachops.core.errors import CoachError

STOP_SECONDS = 7.0
"""After SIGTERM; who is not gone by then is killed, so that a stop takes less than 10 s."""

STABLE_SECONDS = 20.0
"""A process that lived so long starts its back-off anew."""

MAX_FAILURES = 6
"""Deaths in a row of a vital process after which the suite gives up instead of hiding that it is
broken. A worker's deaths are told by /readyz, by 'coachops job status' and on the overview."""

BACK_OFF = 0.5
"""Seconds before the first restart; doubled each time, up to 30."""

_TICK = 0.2


@dataclass
class _Child:
    process: Process
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restart_at: float = 0.0
    failures: int = 0
    ready: bool = False
    logs: list[threading.Thread] = field(default_factory=list)


class Supervisor:
    """Keeps a table of processes running until told to stop.

    Parameters:
        processes: the table.
        write: takes each line of the log.
    """

    def __init__(
        self, processes: tuple[Process, ...], write: Callable[[str], None] | None = None
    ) -> None:
        self._children = [_Child(process) for process in processes]
        self._write = write or _to_stderr
        self._stop = threading.Event()
        self._guard: subprocess.Popen[bytes] | None = None
        self._width = max((len(process.name) for process in processes), default=0)

    def stop(self) -> None:
        """Ask `run` to end; callable from a signal handler."""
        self._stop.set()

    def run(self, when_ready: Callable[[], None] | None = None) -> None:
        """Run until `stop`, or until a process cannot be kept alive; no child is left afterwards.

        Parameters:
            when_ready: called once, when every process works.

        Raises:
            CoachError: COACH-SYS-006 names the process that keeps dying.
        """
        announced = False
        self._guard = _start_guard()
        try:
            while not self._stop.is_set():
                for child in self._children:
                    self._look_after(child)
                if not announced and all(child.ready for child in self._children):
                    announced = True
                    if when_ready is not None:
                        when_ready()
                self._stop.wait(_TICK)
        finally:
            self._end_all()

    def _look_after(self, child: _Child) -> None:
        now = clock.monotonic()
        if child.popen is None:
            if now >= child.restart_at:
                self._start(child)
            return
        code = child.popen.poll()
        if code is None:
            if not child.ready:
                child.ready = _answers(child.process.ready_url)
            return
        lived = now - child.started
        child.failures = 1 if lived > STABLE_SECONDS else child.failures + 1
        if child.process.vital and child.failures >= MAX_FAILURES:
            raise CoachError("COACH-SYS-006", name=child.process.name, exit_code=code)
        wait = min(30.0, BACK_OFF * 2 ** min(child.failures - 1, 10))
        self._write(f"serve: {child.process.name} ended with {code}; again in {wait:g} s")
        _kill_group(child.popen)
        self._tell_guard(f"-{child.popen.pid}")
        child.popen, child.ready, child.restart_at = None, False, now + wait

    def _start(self, child: _Child) -> None:
        # a group of its own: Ctrl-C reaches us alone, and we end them in order
        child.popen = subprocess.Popen(  # noqa: S603 our own table
            child.process.command,
            env=child.process.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._tell_guard(f"+{child.popen.pid}")
        child.started = clock.monotonic()
        reader = threading.Thread(
            target=self._copy_log, args=(child.process.name, child.popen), daemon=True
        )
        reader.start()
        child.logs = [reader]

    def _copy_log(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        stream = popen.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                if text:
                    self._write(f"{name:<{self._width}} | {text}")

    def _end_all(self) -> None:
        running = [child.popen for child in self._children if child.popen is not None]
        for popen in running:
            with contextlib.suppress(ProcessLookupError):
                popen.terminate()
        deadline = clock.monotonic() + STOP_SECONDS
        for popen in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                popen.wait(max(0.1, deadline - clock.monotonic()))
        for popen in running:
            _kill_group(popen)
            popen.wait()
            self._tell_guard(f"-{popen.pid}")
        for child in self._children:
            for reader in child.logs:
                reader.join(timeout=1)
        guard, self._guard = self._guard, None
        if guard is not None and guard.stdin is not None:
            with contextlib.suppress(OSError):
                guard.stdin.close()  # its list is empty by now: it just ends
            guard.wait()

    def _tell_guard(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):  # without a guard the suite still works
                self._guard.stdin.write(f"{line}\n".encode())
                self._guard.stdin.flush()


@contextlib.contextmanager
def stopped_by_signals(supervisor: Supervisor) -> Iterator[None]:
    """SIGTERM and SIGINT stop the supervisor inside the block."""
    handlers = {
        number: signal.signal(number, lambda *_: supervisor.stop())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _start_guard() -> subprocess.Popen[bytes]:
    """The process that outlives us where we are killed; Ctrl-C does not reach it."""
    return subprocess.Popen(
        [sys.executable, "-m", "coachops.cli.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill_group(popen: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's group; harmless when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(popen.pid, signal.SIGKILL)


def _answers(url: str | None) -> bool:
    if url is None:
        return True
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _to_stderr(line: str) -> None:
    # a full disk or a closed terminal must not stop the reading: the child would block on its pipe
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

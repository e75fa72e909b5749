"""Starting processes that write parts, giving them work, and noticing when one dies."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from coachops.core.errors import CoachError
from coachops.export.orders import Order, Progress, quiet
from coachops.export.plan import PartResult

_SINGLE = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""One thread each: the processes are the parallel part, and more threads only wait for each other."""

_PATIENCE = 5.0
"""Seconds that a process may take to end when it is told to."""


class Pool:
    """Processes that write parts. A context manager: at its end none of them is left.

    They load their modules while the one that started them goes on; whoever needs them waits.

    Parameters:
        count: how many.
        sqlite: the file that they read.
        servers: of the PostgreSQL database that they read (`readers.postgres.Servers`).

    Raises:
        CoachError: COACH-EXP-021 where one cannot be started.
    """

    def __init__(self, count: int, *, sqlite: Path | None = None, servers: Any = ()) -> None:
        self.count = count
        self._first = ("open", "sqlite", sqlite) if sqlite else ("open", "postgresql", servers)
        self._children: list[_Child] = []
        self._idle: queue.Queue[_Child] = queue.Queue()
        self._broken = threading.Event()
        self._ready = False
        self._waiting = threading.Lock()

    def __enter__(self) -> Self:
        try:
            self._children = [_Child() for _ in range(self.count)]
            for child in self._children:
                child.send(self._first)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def wait(self) -> None:
        """Wait until all processes can take orders. Raises COACH-EXP-021."""
        with self._waiting:
            if self._ready:
                return
            try:
                for child in self._children:
                    child.receive("ready")
                    self._idle.put(child)
            except BaseException:
                self.stop()  # or the next one would wait for an answer that was taken already
                raise
            self._ready = True

    def begin(self) -> None:
        """Have all processes fix the moment that they read (SQLite)."""
        self.wait()
        for child in self._children:
            child.send(("begin",))
        for child in self._children:
            child.receive("done")

    def write(self, order: Order, *, token: str = "", progress: Progress) -> PartResult:
        """Have the next idle process write a part; returns when it is written.

        Parameters:
            token: of the moment to read (PostgreSQL).

        Raises:
            CoachError: COACH-EXP-021 a process died; and whatever writing a part raises.
        """
        self.wait()
        child = self._take()
        try:
            child.send(("part", order, token))
            return PartResult.from_json(child.receive("done", progress))
        finally:
            if child.idle:
                self._idle.put(child)
            else:  # it died, or was left in the middle of its work
                self.stop()

    def stop(self) -> None:
        """End all processes at once; whoever waits for one is told."""
        self._broken.set()
        for child in self._children:
            child.kill()

    def _take(self) -> _Child:
        while not self._broken.is_set():
            with contextlib.suppress(queue.Empty):
                return self._idle.get(timeout=0.2)
        raise CoachError("COACH-EXP-021", reason="another one of them ended")

    def _end(self) -> None:
        self._broken.set()
        for child in self._children:
            child.close()
        for child in self._children:
            child.wait()


class _Child:
    """One process, seen from the one that started it.

    Attributes:
        idle: it waits for an order.
    """

    def __init__(self) -> None:
        self.idle = True
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "coachops.export.workers.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | _SINGLE,
            )
        except OSError as error:
            raise CoachError("COACH-EXP-021", reason=str(error.strerror)) from error

    def send(self, order: tuple[Any, ...]) -> None:
        if self._process.stdin is None:
            raise TypeError("a process without an input")
        self.idle = False
        try:
            pickle.dump(order, self._process.stdin)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._died() from None

    def receive(self, name: str, progress: Progress = quiet) -> Any:
        """The answer of that name; what is told on the way goes to `progress`."""
        while True:
            try:
                answer = pickle.load(self._process.stdout)  # type: ignore[arg-type]  # noqa: S301 it is our own program
            except (EOFError, ValueError, pickle.UnpicklingError):
                raise self._died() from None
            match answer:
                case ("progress", dataset, rows):
                    progress(dataset, rows)
                case ("refused", code, details):
                    self.idle = True
                    raise CoachError(code, **details)
                case ("failed", trace):
                    self.idle = True
                    raise RuntimeError(f"in a process that writes an export:\n{trace}")
                case (found, *rest) if found == name:
                    self.idle = True
                    return rest[0] if rest else None
                case _:
                    raise RuntimeError(f"an answer that was not asked for: {answer[0]}")

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """Tell the process to end: it does when its input ends or by this signal."""
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.terminate()

    def wait(self) -> None:
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _died(self) -> CoachError:
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return CoachError("COACH-EXP-021", reason="it stopped answering")
        how = f"signal {-status}" if status < 0 else f"exit code {status}"
        return CoachError("COACH-EXP-021", reason=how)

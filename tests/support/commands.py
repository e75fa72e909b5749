"""`coachops` commands as processes of their own, forked from one that has imported everything.

A command takes an interpreter two seconds to begin and often a tenth of one to do. A fork has its own
pid, environment, folder, streams and exit code, and runs the same entry point. That the installed
command starts is what `tests.cli.test_main` and the suites of the browser tests show.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypedDict

from tests.support import patience
from tests.support.patience import PATIENCE, WHOLE

ROOT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).parent / "coachops")
_LARGEST = 100_000
"""Bytes of a request, arguments and environment included."""


class _Request(TypedDict):
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    patient: bool


class Forked:
    """A running command, with those of `subprocess.Popen`'s methods that tests use."""

    def __init__(
        self,
        *arguments: object,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
    ) -> None:
        request: _Request = {
            "arguments": [str(each) for each in arguments],
            "environment": dict(env),
            "folder": str(cwd or Path.cwd()),
            "patient": patience.are_long(),
        }
        self.args = [COMMAND, *request["arguments"]]
        self.returncode: int | None = None
        self.stdout, out = _stream(stdout)
        self.stderr, err = _stream(stderr)
        told, tell = os.pipe()
        self._told = os.fdopen(told)
        try:
            _server().ask(request, (out, err, tell))
        finally:
            for mine in {out, err, tell} - {_fileno(stdout), _fileno(stderr)}:
                os.close(mine)
        self.pid = int(self._told.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wait()
        self._close()

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        if self.returncode is None:
            ready, _, _ = select.select([self._told], [], [], timeout)
            if not ready:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that it writes into its pipes, once it has ended."""
        texts = {"stdout": "", "stderr": ""}
        readers = [
            threading.Thread(target=lambda name=name, pipe=pipe: texts.update({name: pipe.read()}))
            for name, pipe in (("stdout", self.stdout), ("stderr", self.stderr))
            if pipe is not None
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        self._close()
        return texts["stdout"], texts["stderr"]

    def _close(self) -> None:
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()


def run_forked(
    *arguments: object, env: Mapping[str, str], cwd: Path | None = None, timeout: float = WHOLE
) -> subprocess.CompletedProcess[str]:
    """`coachops` with these words and this environment, to its end; with what it wrote.

    `-c` and code as words: Python instead of `coachops`.
    """
    pipe = subprocess.PIPE
    command = Forked(*arguments, env=env, cwd=cwd, stdout=pipe, stderr=pipe)
    try:
        out, err = command.communicate(timeout)
    except subprocess.TimeoutExpired:
        command.kill()
        raise
    return subprocess.CompletedProcess(command.args, command.wait(), out, err)


def _stream(wanted: int | IO[bytes]) -> tuple[IO[str] | None, int]:
    """What the test reads, and what the command writes into."""
    if wanted == subprocess.PIPE:
        read, write = os.pipe()
        return os.fdopen(read, encoding="utf-8"), write
    if wanted == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    return None, _fileno(wanted)


def _fileno(stream: int | IO[bytes]) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


class _Server:
    """The test's side of the process that forks; it ends when this side is closed."""

    def __init__(self) -> None:
        self._side, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LARGEST)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.commands", str(other.fileno())],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
        )
        other.close()
        atexit.register(self.close)

    def ask(self, request: _Request, streams: tuple[int, int, int]) -> None:
        with self._lock:
            socket.send_fds(self._side, [json.dumps(request).encode()], streams)

    def close(self) -> None:
        self._side.close()
        self._process.wait(timeout=PATIENCE)


@functools.cache
def _server() -> _Server:
    return _Server()


def _serve(side: socket.socket) -> list[str]:
    """Fork a command for each request; returns in the command, with its arguments."""
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        text, streams, _, _ = socket.recv_fds(side, _LARGEST, 3)
        if not text:
            os._exit(0)
        if os.fork() == 0:
            return _attend(side, json.loads(text), list(streams))
        for each in streams:
            os.close(each)


def _attend(side: socket.socket, request: _Request, streams: list[int]) -> list[str]:
    """Between server and command: tells the command's pid and later how it ended."""
    out, err, tell = streams
    pid = os.fork()
    if pid:
        os.close(out)
        os.close(err)
        os.write(tell, f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(BrokenPipeError):
            os.write(tell, f"{code}\n".encode())
        os._exit(0)
    side.close()
    os.dup2(out, 1)
    os.dup2(err, 2)
    for each in streams:
        os.close(each)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors=sys.stdout.errors, closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", errors=sys.stderr.errors, closefd=False)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.path[0] = str(Path(COMMAND).parent)  # as for a program, not the folder of the tests
    if request["patient"]:
        patience.lengthen()  # as in the test's own process
    arguments = request["arguments"]
    sys.argv = [COMMAND, *arguments]
    return arguments


def _import_everything() -> None:
    """All that a command imports before and while it works, but the frames of analysts."""
    import openai  # noqa: F401 imported by the first call only

    from coachops import ai, cli, coaching, jobs

    for package in (ai, cli, coaching, jobs):
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not each.name.endswith("__main__"):
                importlib.import_module(each.name)
    patience.find_limits()
    gc.collect()
    gc.freeze()  # a command's collections need not touch, and so copy, what all share


if __name__ == "__main__":
    _import_everything()
    words = _serve(socket.socket(fileno=int(sys.argv[1])))
    if words[:1] == ["-c"]:
        sys.argv = ["-c", *words[2:]]
        exec(words[1], {"__name__": "__main__"})  # noqa: S102 as `python -c` does
    else:
        from coachops.cli.main import run

        run(words)

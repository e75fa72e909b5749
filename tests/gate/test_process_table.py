"""The process table: what each process may know, restarts, giving up, and a stop that leaves nobody."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from coachops.cli import guard
from coachops.cli.process_table import (
    Process,
    free_port,
    make_runtime,
    only_one,
    require_free_port,
    table,
    write_voila_config,
)
from coachops.cli.supervisor import (
    MAX_FAILURES,
    STOP_SECONDS,
    Supervisor,
    stopped_by_signals,
)
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings
from coachops.identity.runtime import Runtime
from tests.support.patience import PATIENCE, descendants, running, until
from tests.support.suite import get

ROOT = Path(__file__).resolve().parents[2]


def _process(name: str, code: str, ready_url: str | None = None) -> Process:
    return Process(name, (sys.executable, "-u", "-c", code), dict(os.environ), ready_url)


def _running(supervisor: Supervisor) -> tuple[threading.Thread, list[CoachError]]:
    errors: list[CoachError] = []

    def run() -> None:
        try:
            supervisor.run()
        except CoachError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def test_a_runtime_is_private_and_reads_back_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    runtime = make_runtime(folder, notebooks=ROOT / "notebooks" / "dashboards")
    runtime.save()
    assert Runtime.load(folder) == runtime
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "runtime.json").stat().st_mode) == 0o600
    with pytest.raises(CoachError) as caught:
        Runtime.load(tmp_path)
    assert caught.value.code == "COACH-SYS-004"


def test_every_page_has_its_two_cell_notebook() -> None:
    runtime = make_runtime(Path("unused"))
    names = {path.stem for path in runtime.notebooks.glob("*.ipynb")}
    assert names == {page.name for page in runtime.pages}
    for page in runtime.pages:
        document = json.loads((runtime.notebooks / f"{page.name}.ipynb").read_text())
        kinds = [cell["cell_type"] for cell in document["cells"]]
        assert kinds == ["markdown", "code"]
        assert document["metadata"]["title"] == page.title
        assert document["cells"][1]["outputs"] == []


def test_voila_and_kernels_know_settings_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for kernels")
    monkeypatch.setenv("COACHOPS_ORGANISATION", "Here")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(home=Path("var"), database_url="sqlite:///here.db", kernel_pool=3)
    runtime = make_runtime(tmp_path / "run")
    runtime.save()
    write_voila_config(settings, runtime)
    api, voila, worker = table(settings, runtime)
    assert "AWS_SECRET_ACCESS_KEY" not in voila.environment
    assert voila.environment["COACHOPS_ORGANISATION"] == "Here"
    for process in (api, voila, worker):
        # kernels run in the folder of the notebooks: relative paths would lead elsewhere
        assert process.environment["COACHOPS_DATABASE_URL"] == f"sqlite:///{tmp_path / 'here.db'}"
        assert process.environment["COACHOPS_HOME"] == str(tmp_path / "var")
        assert runtime.voila_token not in " ".join(process.command)
        assert runtime.voila_token not in str(process.environment)
    path = runtime.folder / "voila.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = json.loads(path.read_text())
    assert config["Voila"]["token"] == runtime.voila_token
    assert config["Voila"]["ip"] == "127.0.0.1"
    write_voila_config(load_settings(log_level="DEBUG", kernel_pool=3), runtime)
    config = json.loads(path.read_text())
    assert config["Voila"]["log_level"] == "INFO"  # its DEBUG writes what people typed
    pools = config["VoilaKernelManager"]["kernel_pools_config"]
    assert pools["workspace.ipynb"]["pool_size"] == 3
    assert pools["overview.ipynb"]["pool_size"] == 1
    assert pools["default"]["pool_size"] == 0


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CoachError, match=str(port)) as caught:
            require_free_port("127.0.0.1", port)
    assert caught.value.code == "COACH-SYS-005"
    require_free_port("127.0.0.1", free_port())


def test_a_process_that_dies_is_started_again_and_its_lines_are_prefixed(tmp_path: Path) -> None:
    lines: list[str] = []
    twice = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        if lines.count("worker | at work") == 2:
            twice.set()

    code = "import sys, time; print('at work'); print(); time.sleep(0.1); sys.exit(3)"
    supervisor = Supervisor((_process("worker", code),), write)
    thread, errors = _running(supervisor)
    assert twice.wait(PATIENCE)
    supervisor.stop()
    thread.join(PATIENCE)
    assert errors == []
    assert "serve: worker ended with 3; again in 0.5 s" in lines
    assert "worker | " not in lines


def test_a_worker_that_keeps_dying_leaves_the_rest_of_the_suite_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from coachops.cli import supervisor as module

    monkeypatch.setattr(module, "BACK_OFF", 0.001)
    often = threading.Event()
    deaths: list[str] = []

    def write(line: str) -> None:
        deaths.append(line)
        if len(deaths) > MAX_FAILURES:
            often.set()

    worker = replace(_process("worker", "raise SystemExit(70)"), vital=False)
    supervisor = Supervisor((worker,), write)
    thread, errors = _running(supervisor)
    assert often.wait(PATIENCE)
    supervisor.stop()
    thread.join(PATIENCE)
    assert errors == []
    assert deaths[0].startswith("serve: worker ended with 70")


def test_a_process_that_keeps_dying_ends_the_suite_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from coachops.cli import supervisor as module

    monkeypatch.setattr(module, "BACK_OFF", 0.01)
    steady = _process("steady", "import time; time.sleep(1000)")
    supervisor = Supervisor((steady, _process("broken", "raise SystemExit(7)")), lambda _: None)
    before = set(descendants())
    with pytest.raises(CoachError, match="broken") as caught:
        supervisor.run()
    assert caught.value.code == "COACH-SYS-006"
    assert caught.value.details["exit_code"] == 7
    assert set(descendants()) <= before
    assert MAX_FAILURES > 2


def test_who_ignores_the_stop_is_killed_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    from coachops.cli import supervisor as module

    monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    pids: list[int] = []
    ready = threading.Event()

    def write(line: str) -> None:
        pids.append(int(line.rpartition(" ")[2]))
        ready.set()

    code = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print(child.pid)
time.sleep(1000)
"""
    supervisor = Supervisor((_process("deaf", code),), write)
    thread, _ = _running(supervisor)
    assert ready.wait(PATIENCE)
    deaf = [psutil.Process(pids[0])]
    supervisor.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    until(lambda: not any(running(each) for each in deaf))
    assert STOP_SECONDS < 10


_SUPERVISED = """
import os, sys
from coachops.cli.process_table import Process
from coachops.cli.supervisor import Supervisor

clean = "import os, time; print(os.getpid()); time.sleep(1000)"
deaf = '''
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print(os.getpid(), child.pid)
time.sleep(1000)
'''
rows = [Process(n, (sys.executable, "-u", "-c", c), dict(os.environ)) for n, c in (("clean", clean), ("deaf", deaf))]
Supervisor(tuple(rows), lambda line: print(line, flush=True)).run()
"""


def test_where_serve_itself_is_killed_nobody_outlives_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SUPERVISED], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as serve:
        assert serve.stdout is not None
        lines = [serve.stdout.readline() for _ in range(2)]
        pids = [int(word) for line in lines for word in line.split() if word.isdecimal()]
        assert len(pids) == 3
        family = [psutil.Process(pid) for pid in pids]
        family += psutil.Process(serve.pid).children()
        serve.kill()
    until(lambda: not any(running(each) for each in family))


def test_the_guard_forgets_who_ended_and_spares_who_leads_no_group() -> None:
    lines = ["+12\n", "+13\n", "-12\n", "", "nonsense\n", "-99\n", "+x\n", "14\n"]
    assert guard.follow(lines) == {13}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        guard.end([other.pid, 2**22 + 1], patience=0)
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0


def test_a_home_is_served_once_at_a_time(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    with only_one(settings):
        with pytest.raises(CoachError, match=str(tmp_path)) as caught, only_one(settings):
            pass
        assert caught.value.code == "COACH-SYS-007"
    with only_one(settings):
        pass
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CoachError) as caught, only_one(load_settings(home=tmp_path / "file")):
        pass
    assert caught.value.code == "COACH-SYS-001"


def test_ctrl_c_stops_as_sigterm_does() -> None:
    supervisor = Supervisor((_process("steady", "import time; time.sleep(1000)"),), lambda _: None)
    before = signal.getsignal(signal.SIGINT)
    with stopped_by_signals(supervisor):
        supervisor.run(lambda: os.kill(os.getpid(), signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is before


def test_serve_sets_up_announces_and_stops_without_leaving_a_child(tmp_path: Path) -> None:
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COACHOPS_")} | {
        "COACHOPS_HOME": str(tmp_path / "home"),
        "COACHOPS_KERNEL_POOL": "0",
        "COACHOPS_PORT": str(port),
    }
    command = [sys.executable, "-m", "coachops.cli.main", "serve"]
    lines: list[str] = []
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as serve,
    ):
        assert serve.stdout is not None
        for line in serve.stdout:
            lines.append(line.strip())
            if "First sign-in" in line:
                break
        family = descendants(serve.pid)
        assert len(family) >= 3
        assert get(f"http://localhost:{port}/healthz") == (200, '{"status":"ok"}')
        link = lines[-1].rpartition(" ")[2]
        assert get(link)[0] == 200
        busy = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        second = subprocess.run(
            [*command, "--port", str(free_port())],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        started = clock.monotonic()
        serve.terminate()
        serve.wait(PATIENCE)
        took = clock.monotonic() - started
    assert (busy.returncode, "COACH-SYS-005" in busy.stderr) == (4, True)
    assert (second.returncode, "COACH-SYS-007" in second.stderr) == (4, True)
    assert serve.returncode == 0
    assert f"coachops is running at http://localhost:{port}" in lines[0]
    until(lambda: not any(running(process) for process in family))
    print(f"serve stopped after {took:.1f} s")  # noqa: T201 a figure of the run
    assert "Traceback" not in (tmp_path / "log").read_text()

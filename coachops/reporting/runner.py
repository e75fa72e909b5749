"""Running a report: checked parameters, a process of its own with a time limit, one folder per run.

A run's folder is `<home>/reports/<name>/<time>-<id>/` with the notebook, the HTML and `run.json`. It is
made under a hidden name and renamed when it is whole; a failed run's folder ends in `-failed` and
holds the notebook as far as it came. So does, at the next run, that of a run that was killed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.reporting.catalog import Report, find_report
from coachops.reporting.failed import write_failure

TIMEOUT_SECONDS = 600.0
_START_SECONDS = 60.0
"""Time for the child to import, beyond the notebook's own limit."""

_KEPT_BACK = (
    "COACHOPS_OPENAI_API_KEY",
    "COACHOPS_SECOND_OPENAI_API_KEY",
    "COACHOPS_SMTP_URL",
)
"""Secrets that no report needs."""


@dataclass(frozen=True, slots=True)
class ReportRun:
    """A finished run.

    Attributes:
        name: of the report.
        parameters: with defaults filled in.
        notebook_path: the executed notebook.
        html_path: the one file to hand on.
        started_at: when it began.
        seconds: how long it took.
        ticket: what it was run for, such as the id of a job; empty: by hand.
    """

    name: str
    parameters: dict[str, Any]
    notebook_path: Path
    html_path: Path
    started_at: dt.datetime
    seconds: float
    ticket: str = ""


def run_report(
    settings: Settings,
    name: str,
    parameters: Mapping[str, object] | None = None,
    *,
    timeout: float = TIMEOUT_SECONDS,
    ticket: str = "",
) -> ReportRun:
    """Run a report and publish it as HTML.

    Parameters:
        parameters: by name; texts are converted to the types of the catalog.
        timeout: seconds after which the run is ended.
        ticket: a run that was delivered under it before is the answer, and nothing runs.

    Raises:
        CoachError: COACH-REP-001 unknown report, -002 a parameter refused (before anything runs),
            -003 stopped in a cell, -004 took too long, -005 the folder cannot be written;
            COACH-SYS-004 where the notebook is not installed.
    """
    report = find_report(name)
    checked = report.check(parameters or {}).model_dump()
    if not report.notebook.is_file():
        raise CoachError("COACH-SYS-004", path=report.notebook)
    if ticket:
        for delivered in list_runs(settings, name):
            if delivered.ticket == ticket:
                return delivered
    started_at, began = clock.now(), clock.monotonic()
    home = settings.home / "reports" / name
    final = home / f"{started_at:%Y%m%dT%H%M%SZ}-{ids.new_id().hex[-8:]}"
    draft = final.with_name(f".{final.name}.partial")
    try:
        _keep_abandoned(home, timeout)
        draft.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise CoachError("COACH-REP-005", path=home, reason=error.strerror) from error
    try:
        result = _in_child(report, checked, draft, settings, timeout)
    except BaseException as error:
        kept = _keep_failed(draft, final)
        if isinstance(error, CoachError):
            write_failure(kept, report.title, error, settings.public_url)
        raise
    if not result["ok"]:
        kept = _keep_failed(draft, final)
        cell = "?" if result["cell"] is None else result["cell"]
        failed = CoachError(
            "COACH-REP-003", name=name, cell=cell, reason=result["reason"], path=kept
        )
        write_failure(kept, report.title, failed, settings.public_url)
        raise failed
    run = ReportRun(
        name=name,
        parameters=checked,
        notebook_path=final / f"{name}.ipynb",
        html_path=final / f"{name}.html",
        started_at=started_at,
        seconds=round(clock.monotonic() - began, 3),
        ticket=ticket,
    )
    record = asdict(run) | {"started_at": started_at.isoformat()}
    (draft / "run.json").write_text(json.dumps(record, default=str, indent=2) + "\n")
    draft.rename(final)
    return run


def list_runs(settings: Settings, name: str) -> list[ReportRun]:
    """The finished runs of a report, the newest first."""
    runs = []
    for path in (settings.home / "reports" / name).glob("[0-9]*/run.json"):
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            record = json.loads(path.read_text())
            record["started_at"] = dt.datetime.fromisoformat(record["started_at"])
            record["notebook_path"] = path.parent / f"{name}.ipynb"
            record["html_path"] = path.parent / f"{name}.html"
            runs.append(ReportRun(**record))
    return sorted(runs, key=lambda run: run.started_at, reverse=True)


def _in_child(
    report: Report, parameters: dict[str, Any], folder: Path, settings: Settings, timeout: float
) -> dict[str, Any]:
    """The result of `coachops.reporting.execute`; the process group is ended with the time."""
    job = {
        "notebook": str(report.notebook),
        "output": str(folder / f"{report.name}.ipynb"),
        "html": str(folder / f"{report.name}.html"),
        "title": report.title,
        "parameters": parameters,
        "timeout": timeout,
        "folder": str(folder),
        "parent": os.getpid(),
    }
    with (
        (folder / "log.txt").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "coachops.reporting.execute"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(settings),
            start_new_session=True,  # so that the kernel ends with it
        ) as child,
    ):
        try:
            output, _ = child.communicate(json.dumps(job).encode(), timeout + _START_SECONDS)
        except subprocess.TimeoutExpired:
            raise CoachError("COACH-REP-004", name=report.name, seconds=round(timeout)) from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError:
        result = {"ok": False, "cell": None, "reason": "the process ended without a result"}
    if result.get("kind") == "CellTimeoutError":
        raise CoachError("COACH-REP-004", name=report.name, seconds=round(timeout))
    if result["ok"]:
        (folder / "log.txt").unlink()
    return result


def _environment(settings: Settings) -> dict[str, str]:
    """What the notebook may know: where the data are, but no secret of other services."""
    kept = {name: value for name, value in os.environ.items() if name not in _KEPT_BACK}
    return kept | {
        "COACHOPS_HOME": str(settings.home),
        "COACHOPS_DATABASE_URL": settings.database_url,
        "COACHOPS_TIME_ZONE": settings.time_zone,
        "COACHOPS_ORGANISATION": settings.organisation,
        "COACHOPS_ENV": settings.env,
    }


def _keep_abandoned(home: Path, timeout: float) -> None:
    """Show runs as failed whose process was killed: nothing writes into their folders any more."""
    before = clock.now().timestamp() - timeout - _START_SECONDS
    for draft in home.glob(".*.partial"):
        with contextlib.suppress(OSError):
            if draft.stat().st_mtime < before:
                name = draft.name.removeprefix(".").removesuffix(".partial")
                _keep_failed(draft, home / name)


def _keep_failed(draft: Path, final: Path) -> Path:
    failed = final.with_name(f"{final.name}-failed")
    draft.rename(failed)
    return failed

"""What a check is, and running all of them at once within one limit of time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from coachops.core import clock, request
from coachops.core.errors import CoachError

TOTAL_SECONDS = 20.0
"""All checks together; what has not answered by then is told as such."""

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at: `fail` keeps people from working, `warn` will one day."""

    name: str
    status: Status
    found: str
    next_step: str = ""
    code: str = ""


def failed(name: str, error: CoachError) -> Check:
    """The check that ended with an error of the catalogue."""
    return Check(name, "fail", f"{error.code} {error.message}", error.next_step, error.code)


def run_all(
    steps: Mapping[str, Callable[[], Check]], seconds: float = TOTAL_SECONDS
) -> list[Check]:
    """The results in the order of `steps`, after `seconds` at the latest."""
    results: dict[str, Check] = {}
    run_id = request.current_id()

    def work(name: str, step: Callable[[], Check]) -> None:
        with request.using(run_id):
            try:
                results[name] = step()
            except CoachError as error:
                results[name] = failed(name, error)
            except Exception as error:  # one check must not end the others
                known = CoachError("COACH-SYS-003", reason=type(error).__name__)
                results[name] = failed(name, known)

    threads = [
        threading.Thread(target=work, args=row, name=f"check {row[0]}", daemon=True)
        for row in steps.items()
    ]
    for thread in threads:
        thread.start()
    deadline = clock.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - clock.monotonic()))
    silent = f"gave no answer within {seconds:g} seconds"
    step = "Look at what it depends on (network, disk, load), then run 'coachops doctor' again."
    return [results.get(name) or Check(name, "fail", silent, step) for name in steps]

"""What running workflows need of their process: its services, and a count of steps in progress.

Workflows are plain functions that the engine calls by name, also after a restart; so they find the
services here, bound once when the executor starts.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

from dbos import DBOS

from coachops.core import request
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services

P = ParamSpec("P")
Outcome = dict[str, Any]
"""What a step answers: ids, codes and counts. Where it failed, `error` holds a code, and
`retry_after` the seconds after which it may succeed by itself, where somebody said so."""

POISON_LIMIT = 100
"""Beginnings of one job after which it counts as what kills its workers, and is left to a person. So
many, because a job is not to blame for every end of the process it runs in."""

_log = logging.getLogger(__name__)


class _Runtime:
    def __init__(self) -> None:
        self.services: Services | None = None
        self.busy = 0
        self.idle = threading.Condition()


_runtime = _Runtime()


def bind(services: Services | None) -> None:
    """Give (or with None take away) the services of this process."""
    _runtime.services = services


def current() -> Services:
    """The services of this process."""
    if _runtime.services is None:
        raise RuntimeError("a workflow ran in a process without services")
    return _runtime.services


def wait_until_idle(seconds: float) -> bool:
    """Wait at most so long for the steps in progress; returns whether all ended."""
    with _runtime.idle:
        return _runtime.idle.wait_for(lambda: _runtime.busy == 0, timeout=seconds)


def guarded(step: Callable[P, Outcome]) -> Callable[P, Outcome]:
    """A step whose failure is an answer with a code, never an exception.

    So a replay after a crash reads what the first run read, and no text of another library (which
    may quote a client) gets into the records of the engine.
    """

    @functools.wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> Outcome:
        with _runtime.idle:
            _runtime.busy += 1
        try:
            # the job's own id, so that a line of the log leads to 'coachops job list'
            with request.using((DBOS.workflow_id or "").replace("/", ".")):
                return answered(*args, **kwargs)
        finally:
            with _runtime.idle:
                _runtime.busy -= 1
                _runtime.idle.notify_all()

    def answered(*args: P.args, **kwargs: P.kwargs) -> Outcome:
        try:
            return step(*args, **kwargs)
        except CoachError as error:
            _log.warning(
                "a step failed",
                extra={"step": step.__name__, "code": error.code, "arguments": str(args)},
            )
            outcome: Outcome = {"error": error.code}
            wait = error.details.get("retry_after")
            if isinstance(wait, int | float) and error.spec.retryable:
                outcome["retry_after"] = float(wait)
            return outcome
        except Exception as error:
            _log.error(
                "a step failed unexpectedly",
                extra={
                    "step": step.__name__, "error": type(error).__name__, "arguments": str(args),
                },
            )  # fmt: skip
            return {"error": "COACH-SYS-003"}

    return run

"""The child process of a report: executes the notebook with papermill and publishes it.

    python -m coachops.reporting.execute < job.json > result.json

A process of its own, because a notebook may take all memory or hang, and because its environment
holds what the notebook may know. The job holds paths, parameters and seconds, no secret. It ends
with the process that started it, so that a stopped or killed worker leaves no notebook running.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    """Run the job on stdin; print `{"ok": true}` or where and why it stopped."""
    job = json.load(sys.stdin)
    end_with(job["parent"])
    result = execute(job)
    sys.stdout.write(json.dumps(result))


def execute(job: dict[str, Any]) -> dict[str, Any]:
    """Execute and publish; a failed notebook is saved as far as it came."""
    from papermill import execute_notebook  # noqa: PLC0415 two seconds, only in the child

    from coachops.reporting.publisher import publish  # noqa: PLC0415 as above

    try:
        execute_notebook(
            job["notebook"],
            job["output"],
            parameters=job["parameters"],
            kernel_name="python3",
            language="python",
            progress_bar=False,
            execution_timeout=job["timeout"],
            cwd=job["folder"],
        )
        publish(Path(job["output"]), Path(job["html"]), job["title"])
    except Exception as error:  # whatever it is, the parent needs to be told in one document
        traceback.print_exc(file=sys.stderr)
        return failure(error)
    return {"ok": True}


def end_with(parent: int) -> None:
    """End this process within a second after `parent` did; its kernel looks after itself alike."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def failure(error: Exception) -> dict[str, Any]:
    """Where and why it stopped: errors of the catalogue in their words, of others the name only.

    The words of an unknown error may be a client's; they stay in the notebook and its log.
    """
    own = getattr(error, "ename", "") == "CoachError"
    return {
        "ok": False,
        "cell": getattr(error, "cell_index", None),
        "kind": type(error).__name__,
        "reason": error.evalue if own else getattr(error, "ename", type(error).__name__),  # type: ignore[attr-defined]  # papermill has no types
    }


if __name__ == "__main__":
    main()

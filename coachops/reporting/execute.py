"""The child process of a report: executes the notebook with papermill and publishes it.

    python -m coachops.reporting.execute < job.json > result.json

A process of its own, because a notebook may take all memory or hang, and because its environment
holds what the notebook may know. The job holds paths, parameters and seconds, no secret.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Run the job on stdin; print `{"ok": true}` or where and why it stopped."""
    job = json.load(sys.stdin)
    result = execute(job)
    sys.stdout.write(json.dumps(result))


def execute(job: dict[str, Any]) -> dict[str, Any]:
    """Execute and publish; a failed notebook is saved as far as it came."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415 two seconds of imports, only in the child
    from papermill import execute_notebook  # noqa: PLC0415 as above
    from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415 as above

    from coachops.reporting.publisher import publish  # noqa: PLC0415 as above

    try:
        execute_notebook(
            job["notebook"],
            job["output"],
            parameters=job["parameters"],
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=job["timeout"],
            cwd=job["folder"],
        )
    except PapermillExecutionError as error:
        # the words of an unknown error may be a client's: only our own texts are passed on
        own = error.ename == "CoachError"
        return {
            "ok": False,
            "cell": error.cell_index,
            "reason": error.evalue if own else error.ename,
        }
    except (CellTimeoutError, DeadKernelError) as error:
        return {"ok": False, "cell": None, "reason": type(error).__name__}
    publish(Path(job["output"]), Path(job["html"]), job["title"])
    return {"ok": True}


if __name__ == "__main__":
    main()

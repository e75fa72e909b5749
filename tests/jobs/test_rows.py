"""How a job that failed is shown: by the code behind it, or by the one for workers that died of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from coachops.core.errors import CATALOGUE, CoachError
from coachops.jobs.rows import row_of


def _status(state: str, error: Exception | None = None) -> SimpleNamespace:
    """A status as the engine gives it."""
    return SimpleNamespace(
        workflow_id="report/x/1", name="report", status=state, error=error, output=None,
        created_at=1_764_000_000_000, updated_at=1_764_000_000_000, recovery_attempts=5,
        executor_id="worker-0", delay_until_epoch_ms=None, queue_name=None, priority=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, "COACH-JOB-002"),
        (ValueError("words of a client"), "COACH-JOB-002"),
        (CoachError("COACH-DB-002"), "COACH-DB-002"),
    ],
)
def test_a_failed_job_has_a_code_and_no_foreign_words(error: Exception | None, code: str) -> None:
    state = "MAX_RECOVERY_ATTEMPTS_EXCEEDED" if error is None else "ERROR"
    row = row_of(_status(state, error))
    assert (row.state, row.error_code) == ("failed", code)
    assert row.error_code in CATALOGUE
    assert "words of a client" not in str(row)

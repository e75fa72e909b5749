"""Programs that a backup runs: missing ones, failing ones and silent ones end with a code of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from coachops.backup.postgres.programs import Runner
from coachops.core.errors import CoachError


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such/program"], "not installed"),
        (["sh", "-c", "echo it broke >&2; exit 3"], "it broke"),
    ],
)
def test_a_program_that_fails_is_named_with_its_reason(command: list[str], reason: str) -> None:
    with pytest.raises(CoachError, match=reason) as caught:
        Runner.ordinary().run(command)
    assert caught.value.code == "COACH-BKP-020"


def test_a_program_that_never_ends_is_ended() -> None:
    with pytest.raises(CoachError, match="no end after") as caught:
        Runner.ordinary().run(["sleep", "60"], timeout=0.2)
    assert caught.value.code == "COACH-BKP-020"


def test_a_folder_that_the_servers_user_cannot_enter_is_said(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    (locked / "data").mkdir(parents=True)
    locked.chmod(0o700 if os.geteuid() == 0 else 0o000)
    try:
        with pytest.raises(CoachError) as caught:
            Runner.ordinary().require_entry(locked / "data")
    finally:
        locked.chmod(0o700)
    assert caught.value.code == "COACH-BKP-026"

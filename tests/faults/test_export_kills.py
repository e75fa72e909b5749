"""Workers killed at random moments of an export: the bundle is the one of an undisturbed run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.core.settings import Settings, load_settings
from tests.jobs.parts import NOTHING
from tests.support.export_kills import KilledExports
from tests.support.worker import run_command


@pytest.fixture
def settings(home: Path, backend: str, new_database_url: Callable[..., str]) -> Settings:
    return load_settings(
        home=home, database_url=new_database_url(backend), mail_from="coaching@example.org"
    )


@pytest.mark.faults(27)
@pytest.mark.timeout(3000)
def test_kill_9_at_random_moments_leaves_the_bundle_of_an_undisturbed_run(
    backend: str,
    settings: Settings,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(
        settings, "seed", "--coaches", 3, "--clients", 12, "--sessions", 200,
        "--utterances-per-session", fault_runs(100, 400), "--seed", 5,
    ).returncode == 0  # fmt: skip
    schedule = tmp_path / "schedule.toml"
    schedule.write_text(NOTHING)
    killed = KilledExports(
        settings,
        tmp_path,
        schedule,
        workers=1 if backend == "sqlite" else 2,
        formats=["jsonl", "csv"],
    )
    kills = fault_runs(1, 50)
    figures = killed.run(kills)
    with capsys.disabled():
        print(f"\n{backend}: {figures}")  # noqa: T201 the figure of this run, for `make faults`
    assert figures.problems == [], (tmp_path / "worker-0.log").read_text()[-3000:]
    assert figures.kills == kills
    assert figures.differing == 0
    assert figures.files > 0
    assert figures.most_parts >= fault_runs(1, 2)  # of one dataset: files that depend on each other

"""Workers killed at random moments of the transcript pipeline: nothing is lost, doubled, paid twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.core.settings import Settings, load_settings
from tests.support.ai_server import AiServer, ai_server
from tests.support.kills import KilledPipeline


@pytest.fixture
def ai() -> Iterator[AiServer]:
    yield from ai_server()


@pytest.fixture
def settings(
    home: Path, backend: str, new_database_url: Callable[..., str], ai: AiServer
) -> Settings:
    return load_settings(
        home=home,
        database_url=new_database_url(backend),
        mail_from="coaching@example.org",
        openai_api_key="sk-test",
        openai_base_url=ai.url,
    )


@pytest.mark.faults(13, 27)
@pytest.mark.timeout(3000)
def test_kill_9_at_random_moments_loses_and_doubles_nothing(
    backend: str,
    settings: Settings,
    ai: AiServer,
    tmp_path: Path,
    fault_runs: Callable[[int, int], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    embedded = backend == "sqlite"
    kills = fault_runs(3, 100) if embedded else fault_runs(2, 100)
    pipeline = KilledPipeline(settings, ai, tmp_path, workers=1 if embedded else 2)
    figures = pipeline.run(kills)
    with capsys.disabled():
        print(f"\n{backend}: {figures}")  # noqa: T201 the figure of this run, for `make faults`
    assert figures.problems == [], (tmp_path / "worker-0.log").read_text()[-3000:]
    assert figures.kills == kills
    assert figures.transcripts >= kills // 2

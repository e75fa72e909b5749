"""What logs hold: our own words at every level, of libraries nothing that quotes a request."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from coachops.telemetry import configure_logging


@pytest.fixture
def _restored() -> Iterator[None]:
    names = (None, "coachops", "openai", "httpcore", "httpx", "websockets", "uvicorn.error")
    before = [(name, logging.getLogger(name).level) for name in names]
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)  # a server of a test set its own
    handlers = list(logging.getLogger().handlers)
    yield
    for name, level in before:
        logging.getLogger(name).setLevel(level)
    logging.getLogger().handlers[:] = handlers


@pytest.mark.usefixtures("_restored")
def test_debug_is_for_our_own_lines_since_libraries_quote_requests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("DEBUG", plain=True)
    logging.getLogger("coachops.gate").debug("ours")
    for library in ("openai._base_client", "httpcore.http11", "websockets.client"):
        logging.getLogger(library).debug("what the client said")
    logging.getLogger("uvicorn.error").info("theirs")
    written = capsys.readouterr().err
    assert "ours" in written
    assert "theirs" in written
    assert "what the client said" not in written
    configure_logging("ERROR", plain=True)
    logging.getLogger("coachops.gate").warning("hushed")
    assert "hushed" not in capsys.readouterr().err

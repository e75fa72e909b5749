"""aimock, an OpenAI-compatible server made by others: the independent peer of the AI engine.

Installed by `npm ci` in `tests/support/node`; tests that need it are skipped by name where it is not.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.patience import PATIENCE, until
from tests.support.postgres import free_port

NODE = Path(__file__).parent / "node"
PROGRAM = NODE / "node_modules" / ".bin" / "llmock"


def require_aimock() -> None:
    """Skip (fail where CI is set) the test where Node or aimock is missing."""
    reason = None
    if shutil.which("node") is None:
        reason = "Node is not installed (apt-get install nodejs npm)"
    elif not PROGRAM.exists():
        reason = "aimock is not installed (npm ci --prefix tests/support/node)"
    if reason is not None and os.environ.get("CI"):
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


class AiMock:
    """A running aimock."""

    def __init__(self, origin: str) -> None:
        self.url = f"{origin}/v1"
        self._origin = origin

    def requests(self) -> list[dict[str, Any]]:
        """The requests it received, as it recorded them."""
        found: list[dict[str, Any]] = httpx.get(
            f"{self._origin}/__aimock/journal", timeout=PATIENCE
        ).json()
        return found


@contextmanager
def running_aimock(
    folder: Path, answers: dict[str, dict[str, Any]], *options: str
) -> Iterator[AiMock]:
    """aimock answering each request whose user message contains a key of `answers`.

    Parameters:
        folder: for its fixture file.
        answers: `response` objects of its fixtures, by a piece of the user's message.
        options: of its command line, such as `--chaos-malformed 1`.
    """
    fixtures = folder / "fixtures.json"
    fixtures.write_text(
        json.dumps(
            {
                "fixtures": [
                    {"match": {"userMessage": piece}, "response": response}
                    for piece, response in answers.items()
                ]
            }
        )
    )
    port = free_port()
    with (folder / "aimock.log").open("wb") as log:
        process = subprocess.Popen(
            ["node", PROGRAM, "-p", str(port), "-f", fixtures, "--strict", *options],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        _wait(port, process, folder / "aimock.log")
        yield AiMock(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(lambda: process.poll() is not None or answers(), said=log.read_text)
    if process.poll() is not None:
        raise RuntimeError(log.read_text())

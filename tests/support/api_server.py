"""The API alone in a process of its own: `python -m tests.support.api_server`.

Settings come from the environment, as for `coachops serve`; there are no dashboards and no worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from coachops.api import create_app
from coachops.bootstrap import services
from coachops.identity.limits import FailureLimit
from tests.support.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def running(home: Path, database_url: str, port: int, **settings: str) -> Iterator[str]:
    """The API of that home and database; its address. What it logs goes to `home/api.log`."""
    origin = f"http://localhost:{port}"
    environment = os.environ | {
        "COACHOPS_HOME": str(home),
        "COACHOPS_DATABASE_URL": database_url,
        "COACHOPS_PORT": str(port),
        **{f"COACHOPS_{name.upper()}": value for name, value in settings.items()},
    }
    home.mkdir(parents=True, exist_ok=True)
    with (home / "api.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.api_server"],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()  # it says one word when it listens
            assert line, (home / "api.log").read_text()
            with urllib.request.urlopen(f"{origin}/healthz", timeout=PATIENCE):  # noqa: S310 our own
                pass
            yield origin
        finally:
            process.terminate()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


class _Server(uvicorn.Server):
    async def startup(self, sockets: object = None) -> None:
        await super().startup(None)
        sys.stdout.write("listening\n")
        sys.stdout.flush()


def main() -> None:
    opened = services()
    try:
        app = create_app(opened)
        if os.environ.get("ANY_NUMBER_OF_BAD_TOKENS"):
            app.state.context = dataclasses.replace(
                app.state.context, bad_tokens=FailureLimit(1_000_000)
            )
        config = uvicorn.Config(
            app,
            host=opened.settings.host,
            port=opened.settings.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=int(PATIENCE),  # a slow client finds its connection as it left it
        )
        _Server(config).run()
    finally:
        opened.close()


if __name__ == "__main__":
    main()

"""The API process: `python -m coachops.api --runtime FOLDER`, started by the process table."""

from __future__ import annotations

import argparse
import gc
import logging
from pathlib import Path

import uvicorn

from coachops.api.app import create_app
from coachops.bootstrap import services
from coachops.identity.runtime import Runtime
from coachops.telemetry import configure_logging

LARGEST_MESSAGE = 64 << 20
"""Bytes of one websocket message: several transcripts of 10 MB may be dropped at once."""


def main() -> None:
    """Serve until SIGTERM; open pages get two seconds to finish."""
    parser = argparse.ArgumentParser(prog="coachops.api", description=__doc__)
    parser.add_argument("--runtime", type=Path, required=True)
    runtime = Runtime.load(parser.parse_args().runtime)
    opened = services()
    configure_logging(opened.settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # a line for each socket else
    application = create_app(opened, runtime)
    gc.collect()
    gc.freeze()  # what stays as long as the process need not be walked through at each collection
    try:
        uvicorn.run(
            application,
            host=opened.settings.host,
            port=opened.settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(opened.settings.trusted_proxy),
            forwarded_allow_ips=opened.settings.trusted_proxy or None,
            ws="websockets-sansio",
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=2,
        )
    finally:
        opened.close()


if __name__ == "__main__":
    main()

"""Logs: one JSON object per line on stderr for machines, plain lines for a terminal."""

from __future__ import annotations

import json
import logging
import sys

from coachops.core import clock
from coachops.core.request import current_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the id of the request, and what the call passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        entry: dict[str, object] = {
            "at": clock.now().isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_id():
            entry["request_id"] = request_id
        entry.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class PlainFormatter(logging.Formatter):
    """Level, logger and message for a terminal; problems name their request."""

    def __init__(self) -> None:
        super().__init__("%(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of text."""
        line = super().format(record)
        request_id = current_id()
        if request_id and record.levelno >= logging.WARNING and request_id not in line:
            return f"{line} [{request_id}]"
        return line


def configure_logging(level: str, *, plain: bool | None = None) -> None:
    """Send logs of `level` and above to stderr; plain text where stderr is a terminal.

    Libraries never log below INFO: at DEBUG some write requests with all that is in them, the
    words of people and tokens.
    """
    handler = logging.StreamHandler(sys.stderr)
    plain = sys.stderr.isatty() if plain is None else plain
    handler.setFormatter(PlainFormatter() if plain else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("INFO" if level == "DEBUG" else level)
    logging.getLogger("coachops").setLevel(level)
    for noisy in ("httpx", "httpx2", "alembic", "websockets", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

"""Whether the database takes writes now, as seen by the connections that were made or refused."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from dataclasses import dataclass, replace
from typing import Literal

from coachops.core import clock

log = logging.getLogger("coachops.db")

Mode = Literal["read_write", "read_only", "down"]

FRESH_SECONDS = 1.0
"""How long what was seen last counts as the present."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What the database can do.

    Attributes:
        mode: read_write; read_only (a standby answers, no server takes writes); down.
        since: when this mode was first seen by this process.
        detail: why, for an admin; empty for read_write.
    """

    mode: Mode
    since: dt.datetime
    detail: str = ""

    @property
    def writable(self) -> bool:
        """Whether changes can be saved."""
        return self.mode == "read_write"


class Watch:
    """The state of one database in one process; safe in threads."""

    def __init__(self) -> None:
        self._state = DatabaseState("read_write", clock.now())
        self._no_writes_since: float | None = None
        self._seen_at = float("-inf")
        self._lock = threading.Lock()
        self._looking = threading.Lock()

    @property
    def state(self) -> DatabaseState:
        """What was seen last."""
        return self._state

    def saw(self, mode: Mode, detail: str = "") -> None:
        """Note what a connection just showed."""
        with self._lock:
            first = self._seen_at == float("-inf")
            self._seen_at = clock.monotonic()
            if mode == self._state.mode:
                if detail:
                    self._state = replace(self._state, detail=detail)
                return
            self._state = DatabaseState(mode, clock.now(), detail)
            if mode == "read_write":
                self._no_writes_since = None
            elif self._no_writes_since is None:
                self._no_writes_since = self._seen_at
        log.log(
            # the first look is answered by an error to whoever asked
            logging.INFO if mode == "read_write" or first else logging.WARNING,
            "the state of the database changed",
            extra={"mode": mode, "detail": detail},
        )

    def fresh(self, seconds: float = FRESH_SECONDS) -> bool:
        """Whether the last look was less than `seconds` ago."""
        return clock.monotonic() - self._seen_at < seconds

    @property
    def seconds_without_writes(self) -> float:
        """For how long no server has taken writes; 0 where one does."""
        since = self._no_writes_since
        return 0.0 if since is None else clock.monotonic() - since

    def begin_look(self) -> bool:
        """Whether the caller is the one thread that looks; it calls `end_look` afterwards."""
        return self._looking.acquire(blocking=False)

    def end_look(self) -> None:
        """Let the next thread look."""
        self._looking.release()

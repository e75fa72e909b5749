"""Which history of a PostgreSQL cluster is the valid one: the fence against a primary that returns.

PostgreSQL counts a new *timeline* each time a standby is promoted. Whoever has written on timeline 2
must never write to a server of the same cluster that is still on timeline 1: that is the old primary,
back from the dead. The highest timeline seen is kept in memory and in a file of the home folder, so
that all processes of a machine know it and a restart does not forget it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

log = logging.getLogger("coachops.db")

FILE = "database-timeline.json"


class Fence:
    """The highest timeline seen of each cluster (by its system identifier).

    Parameters:
        home: folder that keeps what was seen; None keeps it in memory only.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._file = None if home is None else home / FILE
        self._seen: dict[str, int] = {}
        self._read_at: int | None = None
        self._lock = threading.Lock()

    def highest(self, system: str) -> int:
        """The highest timeline of the cluster `system` that was seen; 0 for an unknown cluster."""
        with self._lock:
            self._refresh()
            return self._seen.get(system, 0)

    def note(self, system: str, timeline: int) -> bool:
        """Remember that a primary of `system` is on `timeline`; whether it replaced another one."""
        with self._lock:
            self._refresh()
            before = self._seen.get(system, 0)
            if timeline <= before:
                return False
            self._seen[system] = timeline
            self._keep()
        return before > 0

    def accept(self, system: str, timeline: int) -> None:
        """Make `timeline` the valid one although a higher one was seen: an operator's decision."""
        with self._lock:
            self._refresh()
            self._seen[system] = timeline
            self._keep()

    def _refresh(self) -> None:
        """Read the file again where another process changed it; one system call where not."""
        if self._file is None:
            return
        try:
            changed = self._file.stat().st_mtime_ns
        except OSError:
            return
        if changed == self._read_at:
            return
        try:
            found = json.loads(self._file.read_text())
            self._seen = {str(system): int(timeline) for system, timeline in found.items()}
            self._read_at = changed
        except (OSError, ValueError, AttributeError):
            log.warning("the file of timelines cannot be read", extra={"file": str(self._file)})

    def _keep(self) -> None:
        if self._file is None:
            return
        draft = self._file.with_name(f".{FILE}.{os.getpid()}.{threading.get_ident()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(json.dumps(self._seen, sort_keys=True) + "\n")
            draft.replace(self._file)
            self._read_at = self._file.stat().st_mtime_ns
        except OSError as error:  # a full disk must not stop the database
            draft.unlink(missing_ok=True)
            log.warning("the timeline was not written down", extra={"reason": error.strerror})

"""The program of a process that writes parts: reads orders from its input, answers on its output.

Orders and answers are pickled tuples, each with its name first. The end of the input, which comes
when the process that started this one ends in any way, ends it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from coachops.core.errors import CoachError

Answer = Callable[..., None]


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    orders, answers = _own_streams()

    def answer(*message: Any) -> None:
        pickle.dump(message, answers)
        answers.flush()

    _, how, where = pickle.load(orders)  # noqa: S301 from the process that started this one
    writer = _SqliteParts(where) if how == "sqlite" else _PostgresParts(where)
    answer("ready")
    while True:
        try:
            order = pickle.load(orders)  # noqa: S301 as above
        except EOFError:
            return
        try:
            answer("done", writer.obey(order, lambda *told: answer("progress", *told)))
        except CoachError as error:
            answer("refused", error.code, error.details)
        except BrokenPipeError:
            return
        except Exception:
            answer("failed", traceback.format_exc())


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Input and output, so that nothing else is written between the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


class _SqliteParts:
    """Parts of an SQLite file."""

    def __init__(self, where: Path) -> None:
        from coachops.export.readers.sqlite import (  # noqa: PLC0415 not for PostgreSQL
            SqliteFile,
            forbid_python_sqlite,
        )

        forbid_python_sqlite()
        self._file = SqliteFile(where)

    def obey(self, order: tuple[Any, ...], progress: Callable[[str, int], None]) -> str:
        if order[0] == "begin":
            self._file.begin()
            return ""
        from coachops.export.datasets import DATASETS  # noqa: PLC0415 while the parent goes on
        from coachops.export.parts import part_sql, write_files  # noqa: PLC0415 as above

        _, spec, part, folder, privacy = order
        query = part_sql(spec, part, sqlite=True)
        batches = self._file.read(DATASETS[part.dataset], query)
        return write_files(
            spec, part, folder, batches, privacy=privacy, progress=progress
        ).to_json()


class _PostgresParts:
    """Parts of a PostgreSQL database."""

    def __init__(self, where: str) -> None:
        from coachops.db import Database  # noqa: PLC0415 not for SQLite

        self._database = Database(where)

    def obey(self, order: tuple[Any, ...], progress: Callable[[str, int], None]) -> str:
        from coachops.export.parts import write_part  # noqa: PLC0415 while the parent goes on

        _, plan, part, folder, token, privacy = order
        return write_part(
            self._database, plan, part, folder, token, privacy=privacy, progress=progress
        ).to_json()


if __name__ == "__main__":
    main()

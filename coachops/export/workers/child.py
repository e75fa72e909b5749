"""The program of a process that writes parts: reads orders from its input, answers on its output.

Orders and answers are pickled tuples, each with its name first. The end of the input, which comes
when the process that started this one ends in any way, ends it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import traceback
from pathlib import Path
from typing import IO, Any

from coachops.core.errors import CoachError
from coachops.export.orders import Progress, write_files
from coachops.export.readers.lookup import read_part
from coachops.export.tokens import PostgresToken


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

    def obey(self, order: tuple[Any, ...], progress: Progress) -> str:
        if order[0] == "begin":
            self._file.begin()
            return ""
        _, part, _ = order
        with contextlib.closing(read_part(part, self._file.read)) as batches:
            return write_files(part, batches, progress).to_json()


class _PostgresParts:
    """Parts of a PostgreSQL database."""

    def __init__(self, where: Any) -> None:
        from coachops.export.readers import postgres  # noqa: PLC0415 not for SQLite

        self._servers, self._carry_out = where, postgres.carry_out

    def obey(self, order: tuple[Any, ...], progress: Progress) -> str:
        _, part, token = order
        joined = PostgresToken.from_text(token)
        return self._carry_out(part, self._servers, joined, progress).to_json()


if __name__ == "__main__":
    main()

"""Where the processor's time of an export of `utterances` goes: one process, stage by stage.

python -m benchmarks.export.stages URL FORMAT ROWS OUT

Each stage is a function of the engine that is wrapped and measured by the clock of its thread, without
the stages that it calls. What the server of PostgreSQL takes is not among them.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from unittest import mock

import sqlalchemy as sa

from coachops.export.blocks import BlockDigest
from coachops.export.orders import Order, quiet, write_files
from coachops.export.parts import order_of
from coachops.export.plan import ExportSpec, Part
from coachops.export.readers.lookup import read_part
from coachops.export.writers.csv import CsvRows
from coachops.export.writers.jsonl import JsonLinesRows
from coachops.export.writers.output import Output
from coachops.export.writers.parquet import ParquetShard

REST = "threads of libraries, and the rest"


class Stages:
    """Seconds of each stage, those of the stages inside it left out.

    Parameters:
        clock: gives the seconds; that of the processor's time of this thread, or of all time.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._threads = threading.local()
        self._watched = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watched.close()

    @contextlib.contextmanager
    def inside(self, stage: str) -> Iterator[None]:
        """Count the time of this thread for the stage."""
        stack: list[float] = self._threads.__dict__.setdefault("stack", [])
        stack.append(0.0)
        before = self._clock()
        try:
            yield
        finally:
            taken = self._clock() - before
            own = taken - stack.pop()
            self.seconds[stage] = self.seconds.get(stage, 0.0) + own
            if stack:
                stack[-1] += taken

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Measure every call of a function or method until the end of the block."""
        plain: Callable[..., Any] = getattr(owner, name)

        def measured(*arguments: Any, **named: Any) -> Any:
            with self.inside(stage):
                return plain(*arguments, **named)

        self._watched.enter_context(mock.patch.object(owner, name, measured))

    def watch_items(self, owner: Any, name: str, stage: str) -> None:
        """Measure what a generator takes to make its items."""
        plain: Callable[..., Iterator[Any]] = getattr(owner, name)

        def measured(*arguments: Any, **named: Any) -> Iterator[Any]:
            items = plain(*arguments, **named)
            while True:
                with self.inside(stage):
                    item = next(items, None)
                if item is None:
                    return
                yield item

        self._watched.enter_context(mock.patch.object(owner, name, measured))


def main(url: str, format_name: str, rows: int, out: Path) -> None:
    """Write the file of all rows and print the seconds of each stage as JSON."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    spec = ExportSpec((format_name,), ("utterances",))
    part = Part(0, "utterances", 1, None, None, rows)
    sqlite = url.startswith("sqlite")
    order = order_of(spec, part, out, sqlite=sqlite)
    began = time.process_time()
    with Stages() as found:
        found.watch(BlockDigest, "update", "digest")
        found.watch(CsvRows, "rows", "text")
        found.watch(JsonLinesRows, "rows", "text")
        found.watch(ParquetShard, "write", "Parquet")
        found.watch(ParquetShard, "finish", "Parquet")
        found.watch(Output, "write", "SHA-256 and writing")
        found.watch(Output, "finish", "SHA-256 and writing")
        (_sqlite if sqlite else _postgres)(url, order, found)
    whole = time.process_time() - began
    print(json.dumps({**found.seconds, REST: whole - sum(found.seconds.values())}))


def _sqlite(url: str, order: Order, found: Stages) -> None:
    from coachops.export.readers.sqlite import SqliteFile, forbid_python_sqlite

    found.watch_items(SqliteFile, "_stream", "SQLite, and arrays of it")
    found.watch_items(SqliteFile, "_typed", "types")
    forbid_python_sqlite()
    file = SqliteFile(Path(str(sa.make_url(url).database)))
    file.begin()
    with contextlib.closing(read_part(order, file.read)) as batches:
        write_files(order, batches)


def _postgres(url: str, order: Order, found: Stages) -> None:
    from coachops.db import Database
    from coachops.export.readers import postgres
    from coachops.export.readers.receiving import Rows
    from coachops.export.snapshot import open_moment, servers_of
    from coachops.export.tokens import PostgresToken

    found.watch(postgres._Receiver, "_run", "receiving")  # noqa: SLF001 what it is to measure
    found.watch(postgres, "_passed_through", "receiving")
    found.watch(Rows, "_decoded", "decoding")
    database = Database(url)
    with open_moment(database, workers=1) as moment:
        token = PostgresToken.from_text(moment.token)
        postgres.carry_out(order, servers_of(database), token, quiet)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))

"""Writing a part: its rows read once, digested, and written into one file per format."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.export import passthrough
from coachops.export.blocks import BlockDigest
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset
from coachops.export.plan import ExportSpec, Part, PartResult, Plan
from coachops.export.planning import filters_of
from coachops.export.queries import sql_text, typed_query, within
from coachops.export.readers import postgres, read_batches
from coachops.export.selection import Selection
from coachops.export.shapes import Shape
from coachops.export.snapshot import PostgresToken, sqlite_moment
from coachops.export.writers import open_shard

Batches = Iterable[pa.RecordBatch]
Transform = Callable[[pa.RecordBatch], pa.RecordBatch]
Privacy = Callable[[Dataset], tuple[Dataset, Transform]]
"""For a dataset: what of it is written, and how each batch becomes that. Other processes get it by
pickle, so it is a function of a module or a `functools.partial` of one."""

Progress = Callable[[str, int], None]


def quiet(_name: str, _rows: int) -> None:
    """Progress that nobody watches."""


def write_part(
    database: Database,
    plan: Plan,
    part: Part,
    folder: Path,
    token: str,
    *,
    privacy: Privacy | None = None,
    progress: Progress = quiet,
) -> PartResult:
    """Write the files of a part below `folder`; they are there whole, or not at all.

    May be called by several threads or, on PostgreSQL, on several machines at once.

    Parameters:
        token: of the moment to read (`hold_snapshot`).
        privacy: what of each dataset is written; None is everything.
        progress: called with the dataset and how many more rows were written.

    Raises:
        CoachError: COACH-EXP-006, -009, -020 … -023, COACH-DB-001.
    """
    if database.is_sqlite:
        moment = sqlite_moment(token)
        if moment.pool is not None:
            return moment.pool.write_part(plan, part, folder, privacy=privacy, progress=progress)
        dataset = DATASETS[part.dataset]
        with moment.lock:
            conditions = part_conditions(plan.spec, part)
            batches = read_batches(moment.connection, dataset, *conditions)
            return write_files(plan.spec, part, folder, batches, privacy=privacy, progress=progress)
    dataset = DATASETS[part.dataset]
    with postgres.imported(database, PostgresToken.from_text(token)) as connection:
        if privacy is None and passthrough.possible(dataset, plan.spec):
            conditions = part_conditions(plan.spec, part)
            return passthrough.write(connection, dataset, part, folder, conditions, progress)
        batches = postgres.read(connection, dataset, part_sql(plan.spec, part, sqlite=False))
        with contextlib.closing(batches):
            return write_files(plan.spec, part, folder, batches, privacy=privacy, progress=progress)


def write_files(
    spec: ExportSpec,
    part: Part,
    folder: Path,
    batches: Batches,
    *,
    privacy: Privacy | None = None,
    progress: Progress = quiet,
) -> PartResult:
    """Write `batches`, the rows of `part`, in every format.

    Raises:
        CoachError: COACH-EXP-006, COACH-EXP-022.
    """
    dataset, transform = DATASETS[part.dataset], None
    if privacy is not None:
        dataset, transform = privacy(dataset)
    shape = Shape.of(dataset)
    digest = BlockDigest(shape.fields)
    with contextlib.ExitStack() as undo:
        writers = []
        for name in spec.formats:
            writer = open_shard(
                folder, shape, name, part.shard,
                csv_profile=spec.csv_profile, compression=spec.compression,
            )  # fmt: skip
            undo.callback(writer.abort)
            writers.append(writer)
        for batch in batches:
            written = batch if transform is None else transform(batch)
            digest.update(written)
            for writer in writers:
                writer.write(written)
            progress(part.dataset, batch.num_rows)
        require_rows(part, digest.rows)
        files = tuple(writer.finish(digest.blocks()) for writer in writers)
        undo.pop_all()
    return PartResult(part.number, digest.rows, files)


def require_rows(part: Part, found: int) -> None:
    """Refuse a part that has not the rows that were counted.

    Raises:
        CoachError: COACH-EXP-022.
    """
    if found != part.rows:
        raise CoachError(
            "COACH-EXP-022",
            dataset=part.dataset, shard=part.shard, found=found, planned=part.rows,
        )  # fmt: skip


def part_conditions(spec: ExportSpec, part: Part) -> list[Any]:
    """The conditions that choose the rows of a part."""
    dataset = DATASETS[part.dataset]
    return [Selection(filters_of(spec)).condition(dataset), *within(dataset, part)]


def part_sql(spec: ExportSpec, part: Part, *, sqlite: bool) -> str:
    """The query of a part as text."""
    statement = typed_query(DATASETS[part.dataset], part_conditions(spec, part), sqlite=sqlite)
    return sql_text(statement, sqlite=sqlite)

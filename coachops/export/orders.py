"""Writing one part as an order: everything a process needs that knows neither database nor registry.

Rows are read once, digested, and written into one file per format.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.blocks import BlockDigest
from coachops.export.plan import ExportSpec, Part, PartResult
from coachops.export.shapes import Shape
from coachops.export.writers import open_shard

if TYPE_CHECKING:
    from coachops.export.definitions import Dataset

Batches = Iterable[pa.RecordBatch]
Transform = Callable[[pa.RecordBatch], pa.RecordBatch]
Privacy = Callable[["Dataset"], "tuple[Dataset, Transform]"]
"""For a dataset: what of it is written, and how each batch becomes that. Other processes get it by
pickle, so it is a function of a module or a `functools.partial` of one."""

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A column that the query of a part leaves out: it is a parent's, so it is read by itself.

    Attributes:
        column: its name. by: the column that holds the parent's id. parent: the parents' dataset.
        query: text of a SELECT of id and value of all parents of the part.
    """

    column: str
    by: str
    parent: str
    query: str


@dataclass(frozen=True, slots=True)
class Order:
    """A part to be written.

    Attributes:
        spec: of the export. part: of its plan.
        shape: of the dataset as it is read.
        folder: of the bundle.
        query: text of the SELECT. lookup: of what it leaves out.
        passed: the query's CSV is passed through as the database writes it.
        privacy: what of the dataset is written; None is everything.
    """

    spec: ExportSpec
    part: Part
    shape: Shape
    folder: Path
    query: str
    lookup: Lookup | None = None
    passed: bool = False
    privacy: Privacy | None = None


def quiet(_name: str, _rows: int) -> None:
    """Progress that nobody watches."""


def write_files(order: Order, batches: Batches, progress: Progress = quiet) -> PartResult:
    """Write `batches`, the rows of the part, in every format.

    Raises:
        CoachError: COACH-EXP-006, COACH-EXP-022.
    """
    spec, part, shape = order.spec, order.part, order.shape
    transform: Transform | None = None
    if order.privacy is not None:
        from coachops.export.datasets import DATASETS  # noqa: PLC0415 needs SQLAlchemy

        view, transform = order.privacy(DATASETS[part.dataset])
        shape = Shape.of(view)
    digest = BlockDigest(shape.fields)
    with contextlib.ExitStack() as undo:
        writers = []
        for name in spec.formats:
            writer = open_shard(
                order.folder, shape, name, part.shard,
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

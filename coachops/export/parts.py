"""Writing a part of a plan: the order is made out of the registry, then carried out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coachops.db import Database
from coachops.export import passthrough
from coachops.export.datasets import DATASETS
from coachops.export.orders import Lookup, Order, Privacy, Progress, Transform, quiet, write_files
from coachops.export.plan import ExportSpec, Part, PartResult
from coachops.export.planning import filters_of
from coachops.export.queries import part_query, shown_query, sql_text, within_join
from coachops.export.readers import postgres, read_batches
from coachops.export.selection import Selection
from coachops.export.shapes import Shape
from coachops.export.snapshot import servers_of, sqlite_moment
from coachops.export.tokens import PostgresToken

__all__ = ["Privacy", "Progress", "Transform", "order_of", "quiet", "write_part"]


def write_part(
    database: Database,
    spec: ExportSpec,
    part: Part,
    folder: Path,
    token: str,
    *,
    privacy: Privacy | None = None,
    progress: Progress = quiet,
) -> PartResult:
    """Write the files of a part of a plan of `spec` below `folder`; they are there whole, or not at all.

    May be called by several threads or, on PostgreSQL, on several machines at once.

    Parameters:
        token: of the moment to read (`hold_snapshot`).
        privacy: what of each dataset is written; None is everything.
        progress: called with the dataset and how many more rows were written.

    Raises:
        CoachError: COACH-EXP-006, -009, -020 … -023, COACH-DB-001.
    """
    if not database.is_sqlite:
        order = order_of(spec, part, folder, sqlite=False, privacy=privacy)
        joined = PostgresToken.from_text(token)
        return postgres.carry_out(order, servers_of(database), joined, progress)
    moment = sqlite_moment(token)
    order = order_of(spec, part, folder, sqlite=True, privacy=privacy)
    if moment.pool is not None:
        return moment.pool.write(order, progress=progress)
    with moment.lock:
        dataset = Selection(filters_of(spec)).shown(DATASETS[part.dataset])
        batches = read_batches(moment.connection, dataset, *part_conditions(spec, part))
        return write_files(order, batches, progress)


def order_of(
    spec: ExportSpec, part: Part, folder: Path, *, sqlite: bool, privacy: Privacy | None = None
) -> Order:
    """The order to write a part, for any process."""
    selection = Selection(filters_of(spec))
    selected = selection.condition(DATASETS[part.dataset])
    dataset = selection.shown(DATASETS[part.dataset])
    shape, lookup = Shape.of(dataset), None
    if passed := not sqlite and privacy is None and passthrough.possible(dataset, spec):
        statement = passthrough.text_query(dataset, [selected, *within_join(dataset, part)])
    else:
        statement = part_query(dataset, part, selected, sqlite=sqlite)
        if (shown := dataset.shown) is not None:
            parents = sql_text(shown_query(dataset, part, selected, sqlite=sqlite), sqlite=sqlite)
            parent = dataset.parent_key(shown.by).dataset
            lookup = Lookup(shown.column, shown.by, parent, parents)
    query = sql_text(statement, sqlite=sqlite)
    return Order(spec, part, shape, folder, query, lookup, passed, privacy)


def part_conditions(spec: ExportSpec, part: Part) -> list[Any]:
    """The conditions that choose the rows of a part, for a query that joins what they show."""
    dataset = DATASETS[part.dataset]
    return [Selection(filters_of(spec)).condition(dataset), *within_join(dataset, part)]

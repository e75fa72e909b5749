"""Making a plan: what is selected, how many rows that is, and where its files begin.

Everything is read in one snapshot. Where the files of a dataset begin is for `cutting.py`.
"""

from __future__ import annotations

import datetime as dt
import uuid
import zoneinfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.export import blocks
from coachops.export.ahead import Announce
from coachops.export.cutting import cuts, looks_longer
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset
from coachops.export.feed.handing import Handoff, handoff
from coachops.export.feed.selecting import Seen
from coachops.export.limits import no_time_limit
from coachops.export.plan import ExportSpec, Part, Plan
from coachops.export.queries import Condition, restricted
from coachops.export.selection import Filters, Selection

EXCEL_BLOCKS = 15
"""Blocks that fit into a worksheet of 1,048,576 rows, its header included."""


def make_plan(
    database: Database, spec: ExportSpec, *, export_id: str | None = None, feed: bytes = b""
) -> Plan:
    """The plan of an export of this moment.

    Parameters:
        export_id: to keep the id of an export that was announced; None makes one.
        feed: secret of the feed's cursors; empty gives none.

    Raises:
        CoachError: COACH-EXP-001, COACH-SYS-002, COACH-DB-001 … -011.
    """
    with database.connect() as connection:
        return plan_within(connection, spec, export_id=export_id, feed=feed)


def plan_within(
    connection: Connection,
    spec: ExportSpec,
    *,
    export_id: str | None = None,
    feed: bytes = b"",
    announce: Announce | None = None,
) -> Plan:
    """The plan of an export of the moment that the open transaction sees.

    Parameters: as `make_plan`, and
        announce: told each part, in order, as soon as nothing of it can change. With it, the first
            part of a long dataset is sought before the rows are counted.

    Raises:
        CoachError: COACH-EXP-001, COACH-SYS-002.
    """
    taken_at = clock.now()
    no_time_limit(connection)
    handed = _handoff(connection, spec, feed)
    selection = Selection(filters_of(spec))
    counts: dict[str, dict[str, int]] = {}
    outside: dict[str, dict[str, int]] = {}
    parts: list[Part] = []
    for name in spec.datasets:
        dataset = _known(name)
        condition = selection.condition(dataset)
        counts[name] = {}
        most = rows_per_file(dataset, spec)
        early = (
            announce is not None and condition is None and looks_longer(connection, dataset, most)
        )
        found = cuts(connection, dataset, condition, counts[name], most, early=early)
        for shard, (low, high, rows) in enumerate(found, 1):
            parts.append(Part(len(parts), name, shard, low, high, rows))
            if announce is not None:
                announce(parts[-1])
        outside[name] = _outside(connection, dataset, condition, spec, counts[name]["rows"])
    revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return Plan(
        export_id=export_id or str(ids.new_id()),
        spec=spec,
        snapshot_at=taken_at.astimezone(clock.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        head=handed.pos,
        cursors=handed.cursors,
        database={"kind": connection.dialect.name, "revision": str(revision)},
        counts=counts,
        parts=tuple(parts),
        outside=outside,
    )


def filters_of(spec: ExportSpec) -> Filters:
    """The filters that a request names."""
    return Filters(
        dt.date.fromisoformat(spec.since) if spec.since else None,
        dt.date.fromisoformat(spec.until) if spec.until else None,
        tuple(map(uuid.UUID, spec.coaches)),
        tuple(map(uuid.UUID, spec.clients)),
        zoneinfo.ZoneInfo(spec.time_zone),
    )


def rows_per_file(dataset: Dataset, spec: ExportSpec) -> int:
    """Most rows of one file of this dataset: whole blocks of the digest.

    Raises:
        CoachError: COACH-SYS-002 where the request asks for something else.
    """
    wanted, block = spec.shard_rows, blocks.BLOCK_ROWS
    if wanted < 0 or wanted % block:
        reason = f"Rows of a file must be a multiple of {block}, not {wanted}."
        raise CoachError("COACH-SYS-002", reason=reason)
    rows = wanted or dataset.shard_blocks * block
    excel = "csv" in spec.formats and spec.csv_profile == "excel"
    return min(rows, EXCEL_BLOCKS * block) if excel else rows


def _handoff(connection: Connection, spec: ExportSpec, secret: bytes) -> Handoff:
    """Where the change feed stands in this snapshot, and the cursors to follow it from there.

    The one place where an export and the feed meet.
    """
    followed = bool(secret) and not (spec.since or spec.until) and spec.privacy == "full"
    coaches = frozenset(map(uuid.UUID, spec.coaches)) or None
    clients = frozenset(map(uuid.UUID, spec.clients)) or None
    names = spec.datasets if followed else ()
    return handoff(connection, secret, [Seen(_known(name), coaches, clients) for name in names])


def _outside(
    connection: Connection,
    dataset: Dataset,
    condition: Condition | None,
    spec: ExportSpec,
    rows: int,
) -> dict[str, int]:
    """How many of the rows refer to something of a dataset that was not asked for, by column.

    To what was asked for, every reference holds: the selection takes the parents of all its rows,
    and the database refuses a reference to nothing. `verify` counts that in the files; joins with
    every parent here would take ten times what all other counting takes.
    """
    found: dict[str, int] = {}
    for key in dataset.foreign_keys:
        if key.dataset in spec.datasets:
            continue
        column = dataset.column(key.column)
        found[key.column] = rows
        if column.nullable:
            counted = sa.select(sa.func.count(column.source)).select_from(dataset.table)
            statement = restricted(counted, dataset, [condition])
            found[key.column] = int(connection.scalar(statement) or 0)
    return found


def _known(name: str) -> Dataset:
    if name not in DATASETS:
        raise CoachError("COACH-EXP-001", name=name)
    return DATASETS[name]

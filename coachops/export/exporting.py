"""Making an export: a plan, all its parts, and a bundle that appears at once."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.coached import keep_day
from coachops.export.ahead import PlanAhead
from coachops.export.compatibility import released_schemas
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset
from coachops.export.parts import Privacy
from coachops.export.plan import ExportSpec, Plan
from coachops.export.planning import plan_within
from coachops.export.progress import Meter, Watch
from coachops.export.publishing import describe, draft_folder, finish
from coachops.export.recording import record_made
from coachops.export.running import write_parts
from coachops.export.selection import make_filters
from coachops.export.signing import SigningKey
from coachops.export.snapshot import open_moment
from coachops.export.writers import COMPRESSIONS, CSV_PROFILES, FORMATS

Progress = Callable[[str, int], None]


def run_export(
    database: Database,
    actor: Actor,
    out: Path,
    formats: Sequence[str],
    datasets: Sequence[str] | None = None,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    coaches: Sequence[str] = (),
    clients: Sequence[str] = (),
    csv_profile: str = "lossless",
    compression: str = "none",
    zone: dt.tzinfo = clock.UTC,
    shard_rows: int = 0,
    workers: int = 0,
    key: SigningKey | None = None,
    privacy: tuple[str, Privacy] | None = None,
    export_id: str | None = None,
    feed: bytes = b"",
    progress: Progress = lambda _name, _rows: None,
    watch: Watch = lambda _far: None,
) -> dict[str, Any]:
    """Export one moment of the database into the new folder `out`; returns the manifest.

    Parameters:
        formats: some of `csv`, `json`, `jsonl`, `parquet`.
        datasets: names; None is all of them.
        since, until: days of the organisation's calendar, inclusive and exclusive.
        coaches, clients: REFs (e-mail, external id or id); empty is all.
        csv_profile: `lossless` for machines, `excel` for people.
        compression: `none`, `zstd` or `gzip`, of text formats.
        zone: the organisation's time zone.
        shard_rows: most rows of a file, a multiple of `BLOCK_ROWS`; 0 takes each dataset's own.
        workers: processes that read and write; 0 chooses.
        key: signs the bundle; None leaves it unsigned.
        privacy: name of a privacy profile and what it leaves of a dataset; None is everything.
        export_id: of an export that is on record already; None makes one.
        feed: secret of the change feed's cursors, for whoever goes on from this export.
        progress: called with the dataset and its number of rows so far.
        watch: called now and then with how far the whole is.

    Raises:
        CoachError: COACH-IDN-003 for coaches (an export crosses clients of all coaches),
            COACH-EXP-001 to -003, -006 to -009, -016, -020 to -023, COACH-CCH-001.
    """
    actor.require_role("admin", "analyst", "service", what="export data")
    require_known(formats, datasets or (), csv_profile, compression)
    keep_day(database, patient=True)
    written: dict[str, int] = {}
    variant = None if privacy is None else privacy[1]

    def told(name: str, more: int) -> None:
        written[name] = written.get(name, 0) + more
        meter.add(more)
        progress(name, written[name])

    with draft_folder(out, ids.parse_id(export_id or "")) as folder:
        meter = Meter(folder, watch)
        with open_moment(database, workers=workers, lightly=True) as moment:

            def wanted() -> ExportSpec:
                return _spec(
                    moment.connection, formats, datasets, since, until, coaches, clients,
                    csv_profile=csv_profile, compression=compression, zone=zone,
                    shard_rows=shard_rows, privacy="full" if privacy is None else privacy[0],
                )  # fmt: skip

            spec = wanted()

            def make(connection: Connection, spec: ExportSpec, **more: Any) -> Plan:
                return meter.expect(
                    plan_within(connection, spec, export_id=export_id, feed=feed, **more)
                )

            write = partial(
                write_parts, database, folder=folder, token=moment.token, privacy=variant,
                progress=told,
            )  # fmt: skip
            if database.is_sqlite:
                plan = make(moment.connection, spec)
                if not moment.settle():  # a REF may name somebody else now, too
                    spec = wanted()
                    plan = make(moment.connection, spec)
                results = write(spec, sorted(plan.parts, key=lambda part: -part.rows))
            else:
                connection = moment.connection
                with PlanAhead(
                    lambda tell: make(connection, spec, announce=tell), moment.cancel
                ) as ahead:
                    results = write(spec, ahead.parts(), failed=ahead.give_up)
                    plan = ahead.plan()
        meter.tell()
        manifest, paths = describe(plan, results, folder, key=key, privacy=variant)
        rows = sum(dataset["rows"] for dataset in manifest["datasets"])
        record_made(
            database, actor, uuid.UUID(manifest["export_id"]),
            rows=rows, datasets=len(manifest["datasets"]),
        )  # fmt: skip
        finish(folder, out.absolute(), paths)
    return manifest


def require_known(
    formats: Sequence[str], datasets: Sequence[str], csv_profile: str, compression: str = "none"
) -> None:
    """Refuse names that no export knows.

    Raises:
        CoachError: COACH-EXP-001, -002, -008, -016.
    """
    _datasets(datasets)
    for name in formats or ("",):
        if name not in FORMATS:
            raise CoachError("COACH-EXP-002", name=name)
    if csv_profile not in CSV_PROFILES:
        raise CoachError("COACH-EXP-008", name=csv_profile)
    if compression not in COMPRESSIONS:
        raise CoachError("COACH-EXP-016", name=compression)


def schema_documents(
    names: Sequence[str] | None = None, version: str | None = None
) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each dataset, by name.

    Parameters:
        version: a released one, of a single dataset; None is today's.

    Raises:
        CoachError: COACH-EXP-001 for an unknown name, COACH-SYS-002 for an unknown version.
    """
    chosen = _datasets(names)
    if version is None:
        return {dataset.name: dataset.json_schema() for dataset in chosen}
    if len(chosen) != 1:
        raise CoachError("COACH-SYS-002", reason="Give --dataset NAME with --version.")
    released = {schema["x-version"]: schema for schema in released_schemas(chosen[0].name).values()}
    if version not in released:
        there = ", ".join(released)
        reason = f"{chosen[0].name} was released as {there}, not as {version}."
        raise CoachError("COACH-SYS-002", reason=reason)
    return {chosen[0].name: released[version]}


def _datasets(names: Sequence[str] | None) -> list[Dataset]:
    if not names:
        return list(DATASETS.values())
    for name in names:
        if name not in DATASETS:
            raise CoachError("COACH-EXP-001", name=name)
    return [dataset for dataset in DATASETS.values() if dataset.name in names]


def _spec(
    connection: Connection,
    formats: Sequence[str],
    datasets: Sequence[str] | None,
    since: dt.date | None,
    until: dt.date | None,
    coaches: Sequence[str],
    clients: Sequence[str],
    *,
    csv_profile: str,
    compression: str,
    zone: dt.tzinfo,
    shard_rows: int,
    privacy: str,
) -> ExportSpec:
    """The request with every REF resolved in the moment that is read."""
    filters = make_filters(
        connection, since=since, until=until, coaches=coaches, clients=clients, zone=zone
    )
    return ExportSpec(
        formats=tuple(dict.fromkeys(formats)),
        datasets=tuple(dataset.name for dataset in _datasets(datasets)),
        since=since.isoformat() if since else "",
        until=until.isoformat() if until else "",
        coaches=tuple(map(str, filters.coaches)),
        clients=tuple(map(str, filters.clients)),
        csv_profile=csv_profile,
        compression=compression,
        privacy=privacy,
        time_zone=str(zone),
        shard_rows=shard_rows,
    )

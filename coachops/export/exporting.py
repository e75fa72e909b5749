"""Making an export: one moment of the database, written beside, checked in, published at once."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops import __version__, audit
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.export import bundle
from coachops.export.codecs import CSV_PROFILES, FORMATS, Codec, codec_for
from coachops.export.codecs.codec import Shape
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset
from coachops.export.digest import Digest
from coachops.export.reader import Columns, read
from coachops.export.selection import Filters, Selection, make_filters
from coachops.telemetry import record_activity

SHARD_BYTES = 128 * 1024 * 1024
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
    zone: dt.tzinfo = clock.UTC,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = lambda _name, _rows: None,
) -> dict[str, Any]:
    """Export one moment of the database into the new folder `out`; returns the manifest.

    Parameters:
        formats: some of `csv`, `json`, `jsonl`.
        datasets: names; None is all of them.
        since, until: days of the organisation's calendar, inclusive and exclusive.
        coaches, clients: REFs (e-mail, external id or id); empty is all.
        csv_profile: `lossless` for machines, `excel` for people.
        zone: the organisation's time zone.
        shard_bytes: a file that has grown beyond this is followed by the next shard.
        progress: called with the dataset and its number of rows so far.

    Raises:
        CoachError: COACH-IDN-003 for coaches (an export crosses clients of all coaches),
            COACH-EXP-001 to -003, -006, -007, COACH-CCH-001.
    """
    actor.require_role("admin", "analyst", "service", what="export data")
    chosen = _datasets(datasets)
    codecs = _codecs(formats, csv_profile)
    with bundle.staged(out) as folder:
        with database.connect() as connection:
            taken_at = clock.now()
            _no_time_limit(connection)
            filters = make_filters(
                connection, since=since, until=until, coaches=coaches, clients=clients, zone=zone
            )
            written = _write_data(
                connection, folder, chosen, codecs, filters, shard_bytes, progress
            )
            revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        shapes = [Shape.of(dataset) for dataset in chosen]
        files = [entry for entries, _ in written for entry in entries]
        files += _write_schemas(folder, chosen)
        created_at = _instant(clock.now())
        names = [codec.name for codec in codecs]
        package = bundle.datapackage(
            shapes, files, names, created_at=created_at, csv_profile=csv_profile
        )
        files.append(_write_json(folder, "datapackage.json", package))
        manifest = {
            "format": "coachops-export",
            "format_version": bundle.FORMAT_VERSION,
            "export_id": str(ids.new_id()),
            "coachops_version": __version__,
            "database": {"kind": database.engine.dialect.name, "revision": revision},
            "snapshot_at": _instant(taken_at),
            "created_at": created_at,
            "time_zone": str(zone),
            "filters": _filters_document(filters),
            "formats": names,
            "csv_profile": csv_profile if "csv" in names else None,
            "datasets": [
                {
                    "name": dataset.name,
                    "version": dataset.version,
                    "schema": _schema_path(dataset),
                    "rows": digest.rows,
                    "digest": digest.hexdigest(),
                }
                for dataset, (_, digest) in zip(chosen, written, strict=True)
            ],
            "files": files,
        }
        bundle.write_manifest(folder, manifest)
        _record(database, actor, manifest)
    return manifest


def schema_documents(names: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each dataset, by name.

    Raises:
        CoachError: COACH-EXP-001 for an unknown name.
    """
    return {dataset.name: dataset.json_schema() for dataset in _datasets(names)}


def _datasets(names: Sequence[str] | None) -> list[Dataset]:
    if not names:
        return list(DATASETS.values())
    for name in names:
        if name not in DATASETS:
            raise CoachError("COACH-EXP-001", name=name)
    return [dataset for dataset in DATASETS.values() if dataset.name in names]


def _codecs(formats: Sequence[str], csv_profile: str) -> list[Codec]:
    if not formats:
        raise CoachError("COACH-EXP-002", name="")
    for name in formats:
        if name not in FORMATS:
            raise CoachError("COACH-EXP-002", name=name)
    if csv_profile not in CSV_PROFILES:
        raise CoachError("COACH-EXP-008", name=csv_profile)
    return [codec_for(name, csv_profile) for name in dict.fromkeys(formats)]


def _no_time_limit(connection: Connection) -> None:
    """The suite's limit of a minute per statement is for requests; sorting a big table takes more."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _write_data(
    connection: Connection,
    folder: Path,
    datasets: Sequence[Dataset],
    codecs: Sequence[Codec],
    filters: Filters,
    shard_bytes: int,
    progress: Progress,
) -> list[tuple[list[dict[str, Any]], Digest]]:
    (folder / "data").mkdir()
    selection = Selection(filters)
    written = []
    for dataset in datasets:
        shape = Shape.of(dataset)
        digest = Digest([(field.name, field.kind) for field in shape.fields])
        outputs = [_Output(folder, codec, shape, shard_bytes) for codec in codecs]
        try:
            for chunk in read(connection, dataset, selection.condition(dataset)):
                digest.update(chunk)
                for output in outputs:
                    output.write(chunk)
                progress(dataset.name, digest.rows)
        finally:
            entries = [entry for output in outputs for entry in output.close()]
        progress(dataset.name, digest.rows)
        written.append((entries, digest))
    return written


class _Output:
    """The shards of one dataset in one format."""

    def __init__(self, folder: Path, codec: Codec, shape: Shape, shard_bytes: int) -> None:
        self._folder, self._codec, self._shape = folder, codec, shape
        self._shard_bytes = shard_bytes
        self._entries: list[dict[str, Any]] = []
        self._file: IO[bytes] | None = None
        self._open()

    def write(self, chunk: Columns) -> None:
        """Append the rows, in a next shard where this one is full."""
        rows = len(chunk[0])
        limit = self._codec.max_rows
        if limit is not None and self._rows + rows > limit:
            room = limit - self._rows
            self._append([values[:room] for values in chunk])
            self._next()
            self.write([values[room:] for values in chunk])
            return
        if self._bytes >= self._shard_bytes and self._rows:
            self._next()
        self._append(chunk)

    def close(self) -> list[dict[str, Any]]:
        """End the last shard; returns the manifest entries of all."""
        if self._file is not None:
            self._finish()
        return self._entries

    def _append(self, chunk: Columns) -> None:
        if chunk[0]:
            self._put(self._codec.rows(self._shape, chunk, first=self._rows == 0))
            self._rows += len(chunk[0])

    def _open(self) -> None:
        self._shard = len(self._entries) + 1
        self._path = f"data/{self._shape.name}-{self._shard:04d}.{self._codec.extension}"
        self._file = (self._folder / self._path).open("wb")
        self._sha = hashlib.sha256()
        self._bytes = self._rows = 0
        self._put(self._codec.header(self._shape, self._shard))

    def _next(self) -> None:
        self._finish()
        self._open()

    def _finish(self) -> None:
        self._put(self._codec.footer(empty=self._rows == 0))
        if self._file is not None:
            self._file.close()
            self._file = None
        self._entries.append(
            {
                "path": self._path,
                "dataset": self._shape.name,
                "format": self._codec.name,
                "shard": self._shard,
                "rows": self._rows,
                "bytes": self._bytes,
                "sha256": self._sha.hexdigest(),
            }
        )

    def _put(self, data: bytes) -> None:
        if self._file is not None and data:
            self._file.write(data)
            self._sha.update(data)
            self._bytes += len(data)


def _write_schemas(folder: Path, datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
    (folder / "schemas").mkdir()
    return [
        _write_json(folder, _schema_path(dataset), dataset.json_schema()) for dataset in datasets
    ]


def _schema_path(dataset: Dataset) -> str:
    return f"schemas/{dataset.name}-{dataset.version}.json"


def _write_json(folder: Path, path: str, document: dict[str, Any]) -> dict[str, Any]:
    data = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    (folder / path).write_bytes(data)
    return {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _filters_document(filters: Filters) -> dict[str, Any]:
    return {
        "since": filters.since.isoformat() if filters.since else None,
        "until": filters.until.isoformat() if filters.until else None,
        "coaches": [str(identifier) for identifier in filters.coaches],
        "clients": [str(identifier) for identifier in filters.clients],
    }


def _record(database: Database, actor: Actor, manifest: dict[str, Any]) -> None:
    """Who exported how much, before the export appears: an unrecorded export must not exist."""
    export_id = ids.parse_id(manifest["export_id"])

    def work(session: sa.orm.Session) -> None:
        rows = sum(dataset["rows"] for dataset in manifest["datasets"])
        audit.record(
            session, actor, "export.made", "export", manifest["export_id"],
            rows=rows, datasets=len(manifest["datasets"]),
        )  # fmt: skip
        record_activity(session, actor, "export.made", subject_id=export_id)

    database.run(work)


def _instant(at: dt.datetime) -> str:
    return at.astimezone(clock.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

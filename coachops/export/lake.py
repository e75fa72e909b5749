"""Delta Lake tables out of an export, for Spark, Databricks, Snowflake, Trino and DuckDB.

One table per dataset, overwritten as one new version: readers see the old rows or the new ones,
never a mixture. The commit carries the export's id and the dataset's digest. The package
`deltalake` is an extra of this one (`coachops[lake]`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from coachops.core.errors import CoachError
from coachops.export.batches import TEXT_KINDS
from coachops.export.files import read_file
from coachops.export.manifest import MANIFEST
from coachops.export.shapes import Shape
from coachops.export.verifying import require_intact, shapes_of, verify_export
from coachops.export.verifying.inside import files_of
from coachops.export.writers.texts import uuid_texts

_PREFERENCE = ("parquet", "csv", "jsonl", "json")
_FILE_BYTES = 128 << 20
_AWS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
    "AWS_ENDPOINT_URL",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeltaTable:
    """A table that was written.

    Attributes:
        name: of the dataset. rows: in it. version: of the Delta table. address: where it lies.
    """

    name: str
    rows: int
    version: int
    address: str


def write_delta(
    folder: Path,
    into: str,
    *,
    key: str | None = None,
    options: dict[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[DeltaTable]:
    """Write the export in `folder` as Delta tables below `into`.

    Parameters:
        into: a folder or an address such as `s3://bucket/path`.
        key: as for `verify_export`.
        options: of the store, as `deltalake` takes them; None takes keys, region and endpoint from
            where every S3 program looks for them.
        progress: called with what is done.

    Raises:
        CoachError: COACH-EXP-014 without the package, COACH-EXP-004, -005, -010, -011, -015 and
            -017 where the export does not verify, COACH-EXP-018 where the store refuses.
    """
    try:
        import deltalake  # noqa: PLC0415 an extra
    except ImportError as error:
        raise CoachError("COACH-EXP-014") from error
    options = _of_environment(into) if options is None else options
    require_intact(folder, verify_export(folder, progress, key=key))
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    format_name = next(name for name in _PREFERENCE if name in manifest["formats"])
    done = []
    for name, shape in shapes_of(folder, manifest, []).items():
        progress(f"delta: {name}")
        address = f"{into.rstrip('/')}/{name}"
        listed = next(d for d in manifest["datasets"] if d["name"] == name)
        schema = _schema(shape)
        reader = pa.RecordBatchReader.from_batches(
            schema, _batches(folder, manifest, shape, format_name, schema)
        )
        try:
            deltalake.write_deltalake(
                address,
                reader,
                mode="overwrite",
                schema_mode="overwrite",
                name=name,
                target_file_size=_FILE_BYTES,
                storage_options=options,
                commit_properties=deltalake.CommitProperties(
                    custom_metadata={
                        "coachops.export_id": manifest["export_id"],
                        "coachops.snapshot_at": manifest["snapshot_at"],
                        "coachops.schema": shape.schema_id,
                        "coachops.digest": listed["digest"] or "",
                    }
                ),
            )
            version = deltalake.DeltaTable(address, storage_options=options).version()
        except (OSError, deltalake.exceptions.DeltaError) as error:
            reason = str(error).splitlines()[0]
            raise CoachError("COACH-EXP-018", url=address, reason=reason) from error
        done.append(DeltaTable(name, listed["rows"], version, address))
    return done


def _of_environment(into: str) -> dict[str, str] | None:
    """Keys, region and endpoint: `deltalake` looks into the environment for some of them only."""
    if not into.startswith(("s3://", "s3a://")):
        return None
    options = {name: value for name in _AWS if (value := os.environ.get(name))}
    if region := os.environ.get("AWS_DEFAULT_REGION"):
        options.setdefault("AWS_REGION", region)
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3"):
        options["AWS_ENDPOINT_URL"] = endpoint
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


def _schema(shape: Shape) -> pa.Schema:
    """Delta has no type for ids: they are texts of 36 characters."""
    types = {
        "integer": pa.int32(),
        "int64": pa.int64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "instant": pa.timestamp("us", "UTC"),
    }
    return pa.schema(
        [
            pa.field(field.name, types.get(field.kind, pa.string()), field.nullable)
            for field in shape.fields
        ],
    )


def _batches(
    folder: Path, manifest: dict[str, Any], shape: Shape, format_name: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    profile = manifest["csv_profile"] or "lossless"
    for entry in files_of(manifest, shape.name, format_name):
        for batch in read_file(folder / entry["path"], shape, format_name, csv_profile=profile):
            arrays = [
                uuid_texts(array).cast(pa.string())
                if field.kind == "uuid"
                else array.cast(pa.string())
                if field.kind in TEXT_KINDS
                else array
                for array, field in zip(batch.columns, shape.fields, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

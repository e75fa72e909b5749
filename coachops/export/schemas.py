"""Every description of the datasets, derived from the one definition, never from data.

JSON Schema 2020-12 of a row (`Dataset.json_schema`) and of the manifest, Table Schema for the
Frictionless descriptor, CSVW metadata for the lossless CSV. The Arrow and Parquet types are in
`batches.py` and `writers/parquet.py`, the page for people in `reference.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coachops.export.definitions import PATTERNS, SCHEMA_BASE
from coachops.export.plan import FileEntry
from coachops.export.shapes import Field, Shape
from coachops.export.writers.dialect import NULL

DESCRIPTOR = "datapackage.json"
CSVW = "csvw-metadata.json"
FORMAT_VERSION = "2.1.0"
"""Version of a bundle's layout and of the manifest's keys."""
NOT_ASKED_FOR = "dataset_not_exported"
"""Why rows of a bundle refer to something that it does not hold; there is no other reason yet."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HEX = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_COUNT = {"type": "integer", "minimum": 0}
_INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"

_MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
_TABLE_TYPES: dict[str, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "int64": {"type": "integer"},
    "boolean": {"type": "boolean", "trueValues": ["true"], "falseValues": ["false"]},
    "date": {"type": "date"},
    "instant": {"type": "datetime", "format": _INSTANT_FORMAT},
    "uuid": {"type": "string", "format": "uuid"},
    "json": {"type": "any"},
}
_CSVW_TYPES: dict[str, Any] = {
    "uuid": {"base": "string", "format": PATTERNS["uuid"].strip("^$")},
    "integer": "int",
    "int64": "long",
    "boolean": {"base": "boolean", "format": "true|false"},
    "date": "date",
    "instant": {"base": "string", "format": PATTERNS["instant"].strip("^$")},
    "json": "json",
}


def datapackage(
    shapes: Mapping[str, Shape], files: Sequence[FileEntry], *, created: str, csv_profile: str
) -> dict[str, Any]:
    """The Data Package v2 descriptor: one resource per data file.

    Foreign keys are told where the parents lie in one file; the manifest's proof covers all.
    """
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "coachops-export",
        "created": created,
        "resources": [
            _resource(entry, shapes, files, csv_profile) for entry in files if entry.dataset
        ],
    }


def csvw(shapes: Mapping[str, Shape], files: Sequence[FileEntry]) -> dict[str, Any]:
    """CSVW metadata of the lossless CSV files, as one group of tables."""
    tables = [entry for entry in files if entry.format == "csv"]
    alone = {entry.dataset: entry for entry in tables if _alone(entry, tables)}
    return {
        "@context": "http://www.w3.org/ns/csvw",
        "dialect": {"encoding": "utf-8", "lineTerminators": ["\n"], "doubleQuote": True},
        "tables": [
            {
                "url": entry.path,
                "tableSchema": _csvw_schema(shapes[entry.dataset], shapes, alone),
            }
            for entry in tables
        ],
    }


def manifest_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of `manifest.json`."""
    text, nothing = {"type": "string"}, {"type": "null"}
    file = _closed(
        {
            "path": text, "bytes": _COUNT, "sha256": _HEX, "dataset": text, "format": text,
            "shard": {"type": "integer", "minimum": 1}, "rows": _COUNT,
            "digest": {"anyOf": [_HEX, nothing]}, "blocks": {"type": "array", "items": _HEX},
        },
        required=("path", "bytes", "sha256"),
    )  # fmt: skip
    dataset = _closed(
        {
            "name": text, "version": text, "schema": text, "rows": _COUNT,
            "digest": {"anyOf": [_HEX, nothing]},
        }
    )  # fmt: skip
    counts = _closed({"rows": _COUNT, "left_out": _COUNT, "never_exported": _COUNT})
    link = {"dataset": text, "column": text, "parent": text}
    closed, leads_out = _closed(link), _closed(link | {"rows": _COUNT, "reason": text})
    day = {"anyOf": [{"type": "string", "pattern": PATTERNS["date"]}, nothing]}
    many = {"type": "array", "items": text}
    return {
        "$schema": _DIALECT,
        "$id": f"{SCHEMA_BASE}/manifest/{FORMAT_VERSION}",
        "title": "manifest",
        "description": "What an export holds, with the proofs that it is whole.",
        **_closed(
            {
                "format": {"const": "coachops-export"},
                "format_version": {"type": "string", "pattern": "^2\\."},
                "export_id": {"type": "string", "pattern": PATTERNS["uuid"]},
                "coachops_version": text,
                "database": _closed({"kind": text, "revision": text}),
                "snapshot_at": {"type": "string", "pattern": PATTERNS["instant"]},
                "time_zone": text,
                "filters": _closed({"since": day, "until": day, "coaches": many, "clients": many}),
                "privacy": text,
                "formats": many,
                "csv_profile": {"anyOf": [text, nothing]},
                "compression": text,
                "digest": _closed({"algorithm": text, "block_rows": _COUNT}),
                "feed": {
                    "anyOf": [
                        _closed(
                            {
                                "head": _COUNT,
                                "cursors": {"type": "object", "additionalProperties": text},
                            }
                        ),
                        nothing,
                    ]
                },
                "signed_by": {"anyOf": [_HEX, nothing]},
                "datasets": {"type": "array", "items": dataset},
                "completeness": _closed(
                    {
                        "counts": {"type": "object", "additionalProperties": counts},
                        "foreign_keys": {"type": "array", "items": closed},
                        "outside": {"type": "array", "items": leads_out},
                    },
                    ("counts", "foreign_keys"),  # 2.0 did not tell the others
                ),
                "files": {"type": "array", "items": file},
            }
        ),
    }


def _closed(properties: dict[str, Any], required: Sequence[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _resource(
    entry: FileEntry,
    shapes: Mapping[str, Shape],
    files: Sequence[FileEntry],
    csv_profile: str,
) -> dict[str, Any]:
    shape = shapes[entry.dataset]
    resource: dict[str, Any] = {
        "name": _resource_name(entry),
        "type": "file",
        "path": entry.path,
        "format": entry.format,
        "mediatype": _MEDIA_TYPES[entry.format],
        "bytes": entry.bytes,
        "hash": f"sha256:{entry.sha256}",
        "x-json-schema": shape.schema_id,
    }
    if entry.format != "csv" or entry.path.endswith(".zst"):
        return resource  # programs for tables know neither nested values nor zstd
    if entry.path.endswith(".gz"):
        resource["compression"] = "gz"
    return resource | {
        "type": "table",
        "encoding": "utf-8",
        "dialect": {"delimiter": ",", "quoteChar": '"', "doubleQuote": True},
        "schema": _table_schema(shape, entry, shapes, files, csv_profile),
        "x-csv-profile": csv_profile,
    }


def _table_schema(
    shape: Shape,
    entry: FileEntry,
    shapes: Mapping[str, Shape],
    files: Sequence[FileEntry],
    csv_profile: str,
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "fields": [_table_field(field) for field in shape.fields],
        "missingValues": [NULL if csv_profile == "lossless" else ""],
        "primaryKey": [shape.key],
    }
    keys = [
        {
            "fields": [column],
            "reference": {
                "resource": _resource_name(parent),
                "fields": [shapes[parent.dataset].key],
            },
        }
        for column, dataset in shape.foreign_keys
        for parent in files
        if parent.dataset == dataset and parent.format == entry.format and _alone(parent, files)
    ]
    return schema | ({"foreignKeys": keys} if keys else {})


def _resource_name(entry: FileEntry) -> str:
    return f"{entry.dataset}-{entry.shard:04d}-{entry.format}"


def _alone(entry: FileEntry, files: Sequence[FileEntry]) -> bool:
    """Whether this file holds its whole dataset in its format."""
    return entry.shard == 1 and not any(
        other.dataset == entry.dataset and other.format == entry.format and other.shard > 1
        for other in files
    )


def _table_field(field: Field) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": field.name,
        **_TABLE_TYPES.get(field.kind, {"type": "string"}),
    }
    constraints: dict[str, Any] = {"required": not field.nullable}
    if field.enum:
        constraints["enum"] = list(field.enum)
    return made | {"constraints": constraints}


def _csvw_schema(
    shape: Shape, shapes: Mapping[str, Shape], alone: Mapping[str, FileEntry]
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "columns": [
            {
                "name": field.name,
                "titles": field.name,
                "datatype": _CSVW_TYPES.get(field.kind, "string"),
                "required": not field.nullable,
                "null": NULL,
            }
            for field in shape.fields
        ],
        "primaryKey": shape.key,
    }
    nullable = {field.name for field in shape.fields if field.nullable}
    keys = [
        {
            "columnReference": column,
            "reference": {
                "resource": alone[dataset].path,
                "columnReference": shapes[dataset].key,
            },
        }
        for column, dataset in shape.foreign_keys
        if dataset in alone and column not in nullable  # strict readers refuse NULL in a key
    ]
    return schema | ({"foreignKeys": keys} if keys else {})

"""The plan of an export: what will be written, cut into parts that any worker can write alone.

A plan is made once, in the snapshot whose rows are written, and can be kept as JSON. Everything in
the published bundle that is not data (ids, times, order of files) comes from the plan, so an export
whose workers were killed and begun again is equal, byte for byte, to one that ran through.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

Key = tuple[str | int, ...]
"""Values of a dataset's order columns: uuids as text with hyphens, integers as they are."""


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """What is asked for. References are resolved to ids, so it can wait in a queue.

    Attributes:
        formats: some of csv, json, jsonl, parquet; each once.
        datasets: names, in the order of the registry; never empty.
        since, until: days YYYY-MM-DD, inclusive and exclusive; "" is open.
        coaches, clients: ids as text; empty is all.
        csv_profile: lossless or excel.
        compression: none, zstd or gzip, of text formats (Parquet is always zstd inside).
        privacy: full or pseudonymous.
        time_zone: IANA name of the organisation's zone; days are its days.
        shard_rows: most rows of a file; 0 takes each dataset's own. A multiple of BLOCK_ROWS.
    """

    formats: tuple[str, ...]
    datasets: tuple[str, ...]
    since: str = ""
    until: str = ""
    coaches: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    csv_profile: str = "lossless"
    compression: str = "none"
    privacy: str = "full"
    time_zone: str = "UTC"
    shard_rows: int = 0

    @property
    def filtered(self) -> bool:
        """Whether some rows are left out by days, coaches or clients."""
        return bool(self.since or self.until or self.coaches or self.clients)

    def to_json(self) -> str:
        """The same request as the same text."""
        return _dumped(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The request that `to_json` wrote."""
        return cls(**_tuples(json.loads(text)))


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one dataset that become one file per format.

    Attributes:
        number: place in the plan, from 0.
        dataset: its name.
        shard: number of the file, from 1.
        low: the first key, inclusive; None from the beginning.
        high: the key after the last, exclusive; None to the end.
        rows: how many rows lie there, counted in the snapshot.
    """

    number: int
    dataset: str
    shard: int
    low: Key | None
    high: Key | None
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first row is written.

    Attributes:
        export_id: of the export.
        spec: what was asked for.
        snapshot_at: moment of the snapshot, as in the files.
        head: position of the change feed in that snapshot; None where there is no feed.
        cursors: dataset -> where the change feed goes on after this export; none where a follower
            cannot select the same (days, pseudonyms).
        database: kind and schema revision.
        counts: dataset -> figures of the completeness proof: rows selected, rows left out by the
            filters, rows never exported.
        parts: in the order of the datasets, then of the shards.
        outside: dataset -> column -> rows that refer by it to a dataset which was not asked for;
            None in plans of versions that did not count them.
    """

    export_id: str
    spec: ExportSpec
    snapshot_at: str
    head: int | None
    cursors: dict[str, str]
    database: dict[str, str]
    counts: dict[str, dict[str, int]]
    parts: tuple[Part, ...]
    outside: dict[str, dict[str, int]] | None = None

    def to_json(self) -> str:
        """The same plan as the same text."""
        return _dumped(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan that `to_json` wrote."""
        read = json.loads(text)
        read["spec"] = ExportSpec(**_tuples(read["spec"]))
        read["parts"] = tuple(Part(**_tuples(part)) for part in read["parts"])
        return cls(**read)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as the manifest lists it.

    Attributes:
        path: below the bundle's folder.
        bytes: its size.
        sha256: of its bytes.
        dataset, format, shard: of data files; "" and 0 for others.
        rows: of data files.
        blocks: digests of its blocks of typed rows; empty where they were not computed (CSV that
            came straight from the database) and for files that are not data.
    """

    path: str
    bytes: int
    sha256: str
    dataset: str = ""
    format: str = ""
    shard: int = 0
    rows: int = 0
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartResult:
    """What writing a part made.

    Attributes:
        number: of the part.
        rows: how many were written.
        files: one per format.
    """

    number: int
    rows: int
    files: tuple[FileEntry, ...] = field(default=())

    def to_json(self) -> str:
        """The same result as the same text."""
        return _dumped(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The result that `to_json` wrote."""
        read = json.loads(text)
        read["files"] = tuple(FileEntry(**_tuples(entry)) for entry in read["files"])
        return cls(**read)


def _dumped(value: Any) -> str:
    return json.dumps(asdict(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }

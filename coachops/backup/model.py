"""What a backup is, on paper: the manifest at the place, and the results that surfaces show.

A manifest is JSON that holds counts, digests and names of tables, never a word of a person, so
that it can be read without the key: on an empty machine it is all that is left.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

FORMAT = 1
"""Of the manifest. A reader refuses a higher one and understands all lower ones."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
BackupId = Annotated[str, StringConstraints(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{12}$")]


def _below(name: str) -> str:
    if not name.isprintable() or "\\" in name or {"", ".", ".."} & set(name.split("/")):
        raise ValueError("it is no path below the place")
    return name


StoredName = Annotated[str, AfterValidator(_below)]
"""A path below the place, with `/`; never absolute, never upwards."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableState(_Document):
    """A table at one moment.

    Attributes:
        rows: how many.
        digest: SHA-256 over all rows in the order of the primary key; see `digest`.
    """

    rows: int = Field(ge=0)
    digest: Sha256


class AuditMark(_Document):
    """The end of the audit chain: number and hash of its last row."""

    seq: int = Field(ge=0)
    hash: str = Field(max_length=200)


class Snapshot(_Document):
    """What the database held at the moment of the backup; a restore must give exactly this.

    Attributes:
        revision: of the schema.
        tables: name to its state; those of the queue's own store as `jobs.<name>` (embedded) or
            `dbos.<name>`.
        heartbeat: the newest heartbeat row in it; measures how much a restore would lose.
        audit: the end of the audit chain; None where no row is in it.
    """

    revision: str = Field(max_length=100)
    tables: dict[str, TableState]
    heartbeat: dt.datetime | None
    audit: AuditMark | None = None


class StoredFile(_Document):
    """A file at the place.

    Attributes:
        name: path below the place.
        part: what it holds; `engine` files are those that an engine keeps in its own way.
        bytes, sha256: of the file as it lies there.
        plain_bytes, plain_sha256: of what is inside, once opened; None for `engine` files.
        packing: `zstd+age` is sealed by us, `engine` is whatever the engine does.
    """

    name: StoredName
    part: Literal["database", "jobs", "home", "engine"]
    bytes: int = Field(ge=0)
    sha256: Sha256
    plain_bytes: int | None = None
    plain_sha256: Sha256 | None = None
    packing: Literal["zstd+age", "engine"] = "zstd+age"


class LeftOut(_Document):
    """Something that is not in the backup on purpose."""

    what: str
    why: str


class Manifest(_Document):
    """Everything known about one backup. Its file name carries the SHA-256 of its bytes.

    Attributes:
        installation: random id of the installation that made it; retention touches no other's.
        engine: `sqlite`, `pgbackrest` or `basebackup`.
        kind: `incremental` needs every backup in `needs`, too.
        made_at: the moment of the snapshot.
        recipients: public age keys that it is sealed for; one of their identities opens it.
        engine_data: what the engine itself needs to find its parts (labels, positions in the WAL).
        tools: program or library to its version.
    """

    format: int = Field(default=FORMAT, le=FORMAT)
    id: BackupId
    installation: str = Field(max_length=64)
    engine: str = Field(max_length=30)
    kind: Literal["full", "incremental"] = "full"
    needs: tuple[BackupId, ...] = ()
    made_at: AwareDatetime
    finished_at: AwareDatetime
    snapshot: Snapshot
    files: tuple[StoredFile, ...]
    recipients: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    engine_data: dict[str, str] = Field(default_factory=dict)
    tools: dict[str, str] = Field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """Of all its files at the place."""
        return sum(file.bytes for file in self.files)

    @property
    def total_plain_bytes(self) -> int:
        """Of what is inside, where known."""
        return sum(file.plain_bytes or file.bytes for file in self.files)

    def encoded(self) -> bytes:
        """The bytes that lie at the place."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def manifest_name(backup_id: str, data: bytes) -> str:
    """The path of a manifest at the place: its folder, and its digest in its name."""
    return f"{folder_of(backup_id)}/manifest-{hashlib.sha256(data).hexdigest()}.json"


def folder_of(backup_id: str) -> str:
    """The folder of a backup at the place."""
    return f"backups/{backup_id}"


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup as lists show it.

    Attributes:
        state: `good` (listed with a sound manifest), `damaged` (its manifest cannot be read).
        proven_at: when a drill last restored it and found all equal; None never.
        problem: why a damaged one cannot be used.
    """

    id: str
    state: str
    made_at: dt.datetime
    engine: str
    kind: str
    bytes: int
    rows: int
    revision: str
    manifest_sha256: str
    installation: str = ""
    heartbeat: dt.datetime | None = None
    proven_at: dt.datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a drill measured.

    Attributes:
        rpo_seconds: from the newest heartbeat that came back to the moment the drill began: what a
            disaster at that moment would have lost. None where nothing came back.
        rto_seconds: from the first byte fetched to a database that answers, with integrity checked.
        bytes: of the restored files.
        reasons: why it failed, each with its code; empty when passed.
        escrow: whether the escrow copy of the key opened it.
    """

    at: dt.datetime
    passed: bool
    backup_id: str | None
    rpo_seconds: float | None
    rto_seconds: float | None
    bytes: int
    reasons: tuple[str, ...] = ()
    escrow: bool = False
    tables: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    Attributes:
        lost_seconds: between the snapshot and the moment asked for (or now).
        held: messages set to *uncertain*, since they may have been sent after the snapshot.
        notes: what a person must know or do now, in words.
        aside: folder with what was there before; None for an empty place.
    """

    backup_id: str
    made_at: dt.datetime
    into: str
    seconds: float
    lost_seconds: float
    held: int
    drafts: int
    signed_out: int
    rows: int
    notes: tuple[str, ...] = ()
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why recovery is not assured: a code of the catalogue with its words.

    Attributes:
        severity: `bad` fails `backup status`; `warn` is shown.
    """

    code: str
    severity: Literal["bad", "warn"]
    message: str
    next_step: str


@dataclass(frozen=True, slots=True)
class RecoveryStatus:
    """How well the installation could be recovered now.

    Attributes:
        rpo_seconds: what a disaster now would lose; None without a good backup.
        rpo_target_seconds, drill_target_seconds: the limits in force.
        last_drill: the newest, passed or not; `last_passed` the newest that passed.
    """

    at: dt.datetime
    ok: bool
    place: str
    engine: str
    rpo_seconds: float | None
    rpo_target_seconds: float
    drill_target_seconds: float
    last_good: BackupRow | None
    last_drill: DrillResult | None
    last_passed: DrillResult | None
    escrow_confirmed_at: dt.datetime | None
    running: str | None = None
    problems: tuple[Problem, ...] = field(default=())

"""What `/v1/exports` takes and answers."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coachops.api.export_examples import WANTED
from coachops.api.problem_examples import one_of
from coachops.coaching.directory.model import Day
from coachops.core.text import CleanLine
from coachops.export.datasets import DATASETS
from coachops.export.writers import CSV_PROFILES, FORMATS

Refs = Annotated[list[Annotated[str, CleanLine(max=200)]], Field(max_length=1000)]
DatasetName = Annotated[str, CleanLine(max=200), one_of(*DATASETS)]


class ExportWanted(BaseModel):
    """What is wanted. Everything may be left out: then it is all that the caller may see, as CSV."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [WANTED]})

    datasets: Annotated[list[DatasetName], Field(max_length=1000)] = Field(
        default=[], description="Names of datasets; empty: all."
    )
    formats: Annotated[
        list[Annotated[str, one_of(*FORMATS)]], Field(min_length=1, max_length=10)
    ] = Field(default=["csv"], description="One or several.")
    since: Day | None = Field(default=None, description="First day.")
    until: Day | None = Field(default=None, description="Day after the last.")
    coaches: Refs = Field(default=[], description="E-mail, external id or id; empty: all.")
    clients: Refs = Field(default=[], description="E-mail, external id or id; empty: all.")
    csv_profile: Annotated[str, one_of(*CSV_PROFILES)] = Field(
        default="lossless", description="Of CSV files."
    )
    privacy: Literal["full", "pseudonymous"] | None = Field(
        default=None, description="pseudonymous: no names, addresses or words. Null: as granted."
    )
    compression: Literal["none", "gzip", "zstd"] = Field(
        default="none", description="Of text formats."
    )


class ExportProgress(BaseModel):
    """How far it is. `eta_seconds` is null where nothing tells yet."""

    rows: int
    rows_expected: int
    bytes: int
    parts: int
    parts_done: int
    eta_seconds: float | None = None


class ExportState(BaseModel):
    """An export, without its files."""

    export_id: uuid.UUID
    state: Literal["queued", "running", "ready", "failed", "cancelled", "expired"]
    requested_by: str | None
    made_at: dt.datetime
    snapshot_at: dt.datetime | None
    finished_at: dt.datetime | None = None
    expires_at: dt.datetime | None
    datasets: list[str]
    formats: list[str]
    privacy: str
    request: dict[str, Any]
    progress: ExportProgress
    error_code: str | None = None
    url: str


class ExportFile(BaseModel):
    """A file, and where to fetch it."""

    path: str
    url: str
    bytes: int
    sha256: str
    rows: int | None = None
    dataset: str | None = None
    format: str | None = None


class ExportReady(ExportState):
    """An export that can be fetched: its files, and its manifest as it lies beside them."""

    files: list[ExportFile]
    manifest: dict[str, Any]


class ExportPage(BaseModel):
    """Exports, the newest first; `next` is the address of older ones."""

    exports: list[ExportState]
    next: str | None

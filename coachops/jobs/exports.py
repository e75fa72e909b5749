"""What an export job was asked for: checked when it is queued, with ids instead of addresses."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.settings import Settings
from coachops.db import Database


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """The arguments of `export.run_export`, as JSON can hold them.

    Attributes:
        formats, datasets: names; no datasets is all of them.
        since, until: days YYYY-MM-DD, or empty.
        coaches, clients: ids.
        csv_profile: of CSV files.
    """

    formats: tuple[str, ...] = ("csv",)
    datasets: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    coaches: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    csv_profile: str = "lossless"

    @classmethod
    def checked(
        cls,
        database: Database,
        actor: Actor,
        settings: Settings,
        *,
        formats: Sequence[str] = ("csv",),
        datasets: Sequence[str] = (),
        since: dt.date | None = None,
        until: dt.date | None = None,
        coaches: Sequence[str] = (),
        clients: Sequence[str] = (),
        csv_profile: str = "lossless",
    ) -> Self:
        """A request that can be run: every name is known, every REF is one person.

        Raises:
            CoachError: COACH-IDN-003, COACH-EXP-001, -002, -007, -008, COACH-CCH-001.
        """
        from coachops.export.selection import make_filters  # noqa: PLC0415 only for exports

        actor.require_role("admin", "analyst", "service", what="export data")
        require_known(formats, datasets, csv_profile)
        with database.connect() as connection:
            found = make_filters(
                connection,
                since=since,
                until=until,
                coaches=coaches,
                clients=clients,
                zone=settings.zone,
            )
        return cls(
            tuple(formats),
            tuple(datasets),
            since.isoformat() if since else "",
            until.isoformat() if until else "",
            tuple(map(str, found.coaches)),
            tuple(map(str, found.clients)),
            csv_profile,
        )

    def to_json(self) -> str:
        """The same request as the same text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The request that `to_json` wrote."""
        read: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in read.items()
        }
        return cls(**values)

    def run(
        self, database: Database, actor: Actor, settings: Settings, out: Path
    ) -> dict[str, Any]:
        """Make the export in the new folder `out`; returns its manifest.

        Raises:
            CoachError: as `run_export`.
        """
        from coachops.export import run_export  # noqa: PLC0415 only for exports

        return run_export(
            database,
            actor,
            out,
            self.formats,
            self.datasets or None,
            since=dt.date.fromisoformat(self.since) if self.since else None,
            until=dt.date.fromisoformat(self.until) if self.until else None,
            coaches=self.coaches,
            clients=self.clients,
            csv_profile=self.csv_profile,
            zone=settings.zone,
        )


def require_known(formats: Sequence[str], datasets: Sequence[str], csv_profile: str) -> None:
    """Refuse names that no export knows. Raises COACH-EXP-001, -002, -008."""
    from coachops.export import CSV_PROFILES, DATASETS, FORMATS  # noqa: PLC0415 only for exports

    for name in datasets:
        if name not in DATASETS:
            raise CoachError("COACH-EXP-001", name=name)
    for name in formats:
        if name not in FORMATS:
            raise CoachError("COACH-EXP-002", name=name)
    if csv_profile not in CSV_PROFILES:
        raise CoachError("COACH-EXP-008", name=csv_profile)


def folder_of(settings: Settings, key: str) -> Path:
    """Where the export job of that key puts its files."""
    return settings.home / "exports" / key

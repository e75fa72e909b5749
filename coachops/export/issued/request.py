"""What an export was asked for: checked before it is written down, with ids instead of addresses."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, PRIVACY_PROFILES, Grant
from coachops.db import Database
from coachops.export.datasets import DATASETS
from coachops.export.exporting import require_known
from coachops.export.issued.narrowing import narrowed
from coachops.export.naming import Naming
from coachops.export.plan import ExportSpec
from coachops.export.selection import make_filters


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A request, as JSON can hold it.

    Attributes:
        formats, datasets: names; no datasets is all of them.
        since, until: days YYYY-MM-DD, or empty.
        coaches, clients: ids; empty is all.
        csv_profile: of CSV files.
        privacy: full or pseudonymous.
        compression: none, gzip or zstd.
    """

    formats: tuple[str, ...] = ("csv",)
    datasets: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    coaches: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    csv_profile: str = "lossless"
    privacy: str = "full"
    compression: str = "none"

    def to_dict(self) -> dict[str, Any]:
        """The request as a JSON object."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def to_json(self) -> str:
        """The same request as the same text."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The request that `to_dict` made; what it does not name is as by default."""
        made: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**made)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The request that `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    @property
    def digest(self) -> str:
        """Equal for equal requests."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def spec(self, zone: str) -> ExportSpec:
        """The request as the engine takes it.

        Parameters:
            zone: the organisation's, an IANA name.
        """
        return ExportSpec(
            self.formats,
            tuple(name for name in DATASETS if not self.datasets or name in self.datasets),
            self.since,
            self.until,
            self.coaches,
            self.clients,
            self.csv_profile,
            self.compression,
            self.privacy,
            zone,
        )

    @property
    def first_day(self) -> dt.date | None:
        """`since` as a day."""
        return dt.date.fromisoformat(self.since) if self.since else None

    @property
    def end_day(self) -> dt.date | None:
        """`until` as a day."""
        return dt.date.fromisoformat(self.until) if self.until else None


def check_request(
    database: Database,
    actor: Actor,
    *,
    grant: Grant = EVERYTHING,
    formats: Sequence[str] = ("csv",),
    datasets: Sequence[str] = (),
    since: dt.date | None = None,
    until: dt.date | None = None,
    coaches: Sequence[str] = (),
    clients: Sequence[str] = (),
    csv_profile: str = "lossless",
    privacy: str | None = None,
    compression: str = "none",
) -> ExportRequest:
    """A request that can be run, no wider than the caller may see.

    Parameters:
        coaches, clients: REFs (e-mail, external id or id).
        privacy: None: full, or what the grant insists on.

    Raises:
        CoachError: COACH-EXP-001, -002, -007, -008, -016 for what is not known; COACH-CCH-001 for a REF
            that names nobody (or nobody this coach works with); COACH-EXP-043 for what may not be
            exported, of whom a token may not name there is no telling whether they exist.
    """
    require_known(formats, datasets, csv_profile, compression)
    if privacy is not None and privacy not in PRIVACY_PROFILES:
        raise CoachError("COACH-SYS-002", reason="The privacy must be full or pseudonymous.")
    if grant.privacy == "pseudonymous" and (coaches or clients):
        # the rows of somebody who was named would tell whose pseudonym theirs is
        raise CoachError("COACH-EXP-043", what="data of people it names, only pseudonyms")
    with database.connect() as connection:
        found = make_filters(
            connection,
            since=since,
            until=until,
            coaches=coaches,
            clients=clients,
            zone=database.zone,
            naming=Naming(actor, grant, "COACH-EXP-043"),
        )
    limits = narrowed(
        actor,
        grant,
        datasets=tuple(name for name in DATASETS if name in datasets),
        coaches=found.coaches,
        clients=found.clients,
        privacy=privacy,
    )
    return ExportRequest(
        tuple(dict.fromkeys(formats)),
        limits.datasets,
        since.isoformat() if since else "",
        until.isoformat() if until else "",
        tuple(map(str, limits.coaches)),
        tuple(map(str, limits.clients)),
        csv_profile,
        limits.privacy,
        compression,
    )

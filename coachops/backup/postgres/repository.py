"""pgBackRest's repository: its options, its commands, and what they truly say.

Options travel in the environment of the program (`PGBACKREST_…`): no secret on a command line, no
file that could say otherwise. `pgbackrest verify` ends with 0 on a damaged repository (seen with
2.45, reported to its authors as issue 2502), so its text is read and only a restore counts as proof.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coachops.backup.postgres.programs import Runner
from coachops.core.errors import CoachError

STANZA = "coachops"
"""pgBackRest's word for one database cluster."""
FOLDER = "pgbackrest"
"""Of the repository at the place."""
PROGRAM = "pgbackrest"
CONFIG = Path("/etc/pgbackrest/pgbackrest.conf")
"""Where the database's own archive command finds the options."""

_COMMON = {
    "REPO1_CIPHER_TYPE": "aes-256-cbc",
    "REPO1_BUNDLE": "y",
    # nothing expires by itself: what is dropped is decided for all engines in one place
    "REPO1_RETENTION_FULL": "9999999",
    "COMPRESS_TYPE": "zst",
    "PROCESS_MAX": "2",
    "ARCHIVE_TIMEOUT": "60",
    "LOG_LEVEL_CONSOLE": "warn",
    "LOG_LEVEL_FILE": "off",
    "JOB_RETRY": "1",
    "JOB_RETRY_INTERVAL": "1",
}
_INVALID = re.compile(r"(missing|checksum invalid|size invalid|other): (\d+)")
_S3_ENDPOINT = "AWS_ENDPOINT_URL"


@dataclass(frozen=True, slots=True)
class Label:
    """A backup as pgBackRest lists it.

    Attributes:
        backup_id: ours, noted by pgBackRest as an annotation; None for one that others made.
        references: labels that it cannot be restored without.
        first, last: segments of the log that make it consistent.
        stopped: Unix time of its end.
    """

    label: str
    kind: str
    backup_id: str | None
    references: tuple[str, ...]
    first: str
    last: str
    stopped: int


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository and the user who works on it.

    Parameters:
        url: of the place: a folder, or `s3://bucket/prefix`.
        cipher_pass: of the repository's encryption.
        locks: private folder of that user for lock files.
    """

    url: str
    cipher_pass: str = field(repr=False)
    runner: Runner
    locks: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Options of pgBackRest as it reads them from the environment."""
        chosen = (
            options(self.url)
            | {"STANZA": STANZA, "LOCK_PATH": str(self.locks), "CONFIG": os.devnull}
            | {"REPO1_CIPHER_PASS": self.cipher_pass}
            | {name.upper(): value for name, value in more.items()}
        )
        return {f"PGBACKREST_{name}": value for name, value in chosen.items()}

    def run(self, *arguments: str, **more: str) -> str:
        """Run a command; its standard output.

        Raises:
            CoachError: COACH-BKP-020 with pgBackRest's own reason; COACH-BKP-023 when the log does
                not reach the repository.
        """
        try:
            done = self.runner.run([PROGRAM, *arguments], env=self.environment(**more))
        except CoachError as error:
            if "[082]" in str(error.details.get("reason")):  # ArchiveTimeoutError
                raise CoachError(
                    "COACH-BKP-023", reason="the end of the backup never arrived"
                ) from error
            raise
        return done.stdout

    def labels(self) -> list[Label]:
        """Its backups, oldest first; empty for a repository without any.

        Raises:
            CoachError: COACH-BKP-009 when the key does not open it.
        """
        stanza = self._info()
        return [
            Label(
                label=row["label"],
                kind=row["type"],
                backup_id=(row.get("annotation") or {}).get("coachops"),
                references=tuple(row["reference"] or ()),
                first=row["archive"]["start"],
                last=row["archive"]["stop"],
                stopped=int(row["timestamp"]["stop"]),
            )
            for row in stanza.get("backup", [])
            if not row.get("error")
        ]

    def _info(self) -> dict[str, Any]:
        stanzas = json.loads(self.run("info", "--output=json") or "[]")
        found: dict[str, Any] = next((s for s in stanzas if s["name"] == STANZA), {})
        status = found.get("repo", [{}])[0].get("status", {})
        if status.get("code") == 99:  # "other": files there that this key does not open
            raise CoachError(
                "COACH-BKP-009",
                reason="its catalogue is not readable with this key",
                recipients="of the repository",
            )
        return found

    def problems(self) -> list[str]:
        """What `verify` finds, from its words; empty: nothing."""
        text = self.run("verify", "--output=text", "--verbose")
        if "status: ok" in text:
            return []
        found = [f"{count} {kind}" for kind, count in _INVALID.findall(text) if count != "0"]
        others = [line.strip() for line in text.splitlines() if line.strip().startswith("No ")]
        return [f"pgBackRest's verify: {each}" for each in found + others or ["no sound answer"]]


def options(url: str) -> dict[str, str]:
    """Options of the repository of the place `url`, but for its passphrase."""
    return _COMMON | storage(url)


def storage(url: str) -> dict[str, str]:
    """Options that say where the repository of the place `url` lies."""
    if not url.startswith("s3://"):
        return {"REPO1_TYPE": "posix", "REPO1_PATH": str(Path(url) / FOLDER)}
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    found = {
        "REPO1_TYPE": "s3",
        "REPO1_S3_BUCKET": bucket,
        "REPO1_S3_REGION": region,
        "REPO1_PATH": "/" + "/".join(part for part in (prefix.strip("/"), FOLDER) if part),
        "REPO1_S3_ENDPOINT": f"s3.{region}.amazonaws.com",
    }
    if endpoint := os.environ.get(_S3_ENDPOINT):
        parts = urlsplit(endpoint)
        found["REPO1_S3_ENDPOINT"] = parts.hostname or ""
        found["REPO1_STORAGE_PORT"] = str(parts.port or 443)
        found["REPO1_S3_URI_STYLE"] = "path"
    found |= _s3_keys(os.environ)
    if authority := os.environ.get("AWS_CA_BUNDLE"):
        found["REPO1_STORAGE_CA_FILE"] = authority
    return found


def _s3_keys(environment: Mapping[str, str]) -> dict[str, str]:
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return {"REPO1_S3_KEY_TYPE": "auto"}  # the machine's role
    options = {"REPO1_S3_KEY": key, "REPO1_S3_KEY_SECRET": secret}
    if token := environment.get("AWS_SESSION_TOKEN"):
        options["REPO1_S3_TOKEN"] = token
    return options

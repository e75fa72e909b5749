"""Every setting in one typed table: the environment variable `COACHOPS_<NAME>`, its default, its help.

`coachops config` and the settings reference are printed from this class; nothing else reads the
environment.
"""

from __future__ import annotations

import ipaddress
import os
import zoneinfo
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from coachops.core.errors import CoachError

WITHHELD = "withheld"
"""In place of a key where a process may know that there is one, but not which."""


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"'{name}' is not a time zone of the IANA list") from error
    return name


def _one_proxy(addresses: str) -> str:
    """`*` would believe whoever connects, and let anybody choose the address that is counted."""
    if "*" in addresses:
        raise ValueError("name the proxy's address; '*' would believe everybody")
    return addresses


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is not a number, a host with half a bracket
        known = False
    if not known:
        raise ValueError("it must start with http:// or https:// and name a host")
    return url


def _hosts(names: str) -> str:
    """Each is a network, an address or the name of a host."""
    for name in names.split():
        if "/" in name:
            try:
                ipaddress.ip_network(name)
            except ValueError as error:
                raise ValueError(f"'{name}' is not a network such as 10.20.0.0/16") from error
        elif "*" in name or "://" in name:
            raise ValueError(f"'{name}' is not the name of a host")
    return names


def _web_address_or_none(url: str) -> str:
    return _web_address(url) if url else ""


class Settings(BaseSettings):
    """The settings of one process. Immutable; made once by `bootstrap` and handed down."""

    model_config = SettingsConfigDict(env_prefix="COACHOPS_", frozen=True, extra="ignore")

    home: Path = Field(
        Path("var"), description="Folder of database, outbox, exports, reports, backups, secrets."
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy URL; empty: SQLite in the home folder. PostgreSQL in production; "
        "name a standby too: postgresql://user@/name?host=a:5432&host=b:5432.",
    )
    database_pool: int = Field(
        5, ge=1, le=200, description="Connections to the database that a process keeps open."
    )
    database_overflow: int = Field(
        5, ge=0, le=200, description="Further connections in moments of load."
    )
    database_pool_wait: float = Field(
        5, gt=0, le=5, description="Seconds to wait for a free connection of the pool."
    )
    database_wait: float = Field(
        10,
        ge=1,
        le=120,
        description="Seconds that a write waits for a lock, a failover or a standby.",
    )
    env: Literal["local", "production"] = Field(
        "local",
        description="'production' insists on an https:// address and a PostgreSQL database.",
    )
    organisation: str = Field("Coaching organisation", description="Name shown in pages and mails.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "Europe/London", description="Time zone of the organisation's dates."
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Key of the AI service.")
    openai_base_url: Annotated[str, AfterValidator(_web_address)] = Field(
        "https://api.openai.com/v1", description="Address of any OpenAI-compatible API."
    )
    openai_model: str = Field("gpt-5-mini", description="Model used for the analysis.")
    openai_timeout: float = Field(60.0, gt=0, le=600, description="Seconds for one AI call.")
    openai_fallback_model: str = Field(
        "", description="Model of the same service that is asked when the first one fails."
    )
    second_openai_base_url: Annotated[str, AfterValidator(_web_address_or_none)] = Field(
        "", description="OpenAI-compatible API of another provider, asked when the first fails."
    )
    second_openai_api_key: SecretStr = Field(
        SecretStr(""), description="Key of the second AI provider; empty where it asks for none."
    )
    second_openai_model: str = Field(
        "", description="Model of the second AI provider; empty: the name of the first one's."
    )
    ai_deadline: float = Field(
        300.0,
        gt=0,
        le=3600,
        description="Seconds for the AI part of one analysis in all: every part, try and service.",
    )
    ai_daily_limit_usd: float = Field(
        0.0, ge=0, le=1_000_000, description="US dollars for AI services a day; 0: no limit."
    )
    worker_analyses: int = Field(
        4, ge=1, le=64, description="Analyses at a time in one worker process."
    )
    analyses_per_minute: int = Field(
        0, ge=0, le=10_000, description="Analyses begun per minute by all workers; 0: no limit."
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 (STARTTLS), smtps://…; empty: .eml files.",
    )
    mail_from: str = Field("coaching@localhost", description="Sender address of follow-ups.")
    bounce_address: str = Field(
        "",
        description="Mailbox for returned letters; each goes out under this address with +token.",
    )
    guide: Path = Field(Path("build/site"), description="Folder of the built guide.")
    host: str = Field("127.0.0.1", description="Address that 'coachops serve' listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the one origin.")
    public_url: str = Field("", description="Origin in links and cookies; empty: from the port.")
    trusted_proxy: Annotated[str, AfterValidator(_one_proxy)] = Field(
        "",
        description="Address of the reverse proxy whose X-Forwarded-For is believed; empty: none.",
    )
    requests_per_minute: int = Field(
        600,
        ge=0,
        le=1_000_000,
        description="Requests to /v1 that one token or person may make, per process; 0: no limit.",
    )
    session_hours: float = Field(12, gt=0, le=24 * 30, description="Life of a sign-in.")
    kernel_pool: int = Field(2, ge=0, le=20, description="Warm dashboard kernels per page.")
    kernel_grace: float = Field(
        30, gt=0, le=3600, description="Seconds a closed tab's kernel may live on."
    )
    kernels_per_session: int = Field(6, ge=1, le=50, description="Open pages per sign-in.")
    quarantine_days: int = Field(
        30, ge=1, le=365, description="Days that what could not be accepted is kept."
    )
    feed_keep_days: int = Field(
        400, ge=1, le=3650, description="Days that deletions stay in the change feed."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Detail of the logs."
    )
    webhook_private_hosts: Annotated[str, AfterValidator(_hosts)] = Field(
        "",
        description="Hosts or networks of your own network that webhooks may go to, by spaces, such "
        "as 'crm.internal 10.20.0.0/16'; loopback too in a local installation.",
    )
    webhook_changes_seconds: float = Field(
        10, ge=0, le=86400, description="Seconds between two webhooks about changed data."
    )
    webhook_days: int = Field(
        30, ge=4, le=365, description="Days that ended deliveries of webhooks are kept."
    )
    storage_url: str = Field(
        "",
        description="Second place, for backups: a folder on another disk or machine, or "
        "s3://bucket/prefix (keys from AWS_…); empty: 'backups' in the home folder.",
    )
    backup_engine: Literal["auto", "pgbackrest", "basebackup"] = Field(
        "auto", description="How PostgreSQL is backed up; auto: pgBackRest where it is installed."
    )
    backup_recipients: str = Field(
        "",
        description="Public age keys (age1…, by spaces) that backups are sealed for; empty: a key "
        "pair of the installation's own.",
    )
    backup_escrow: str = Field(
        "",
        description="File with the copy of the secret backup key that is kept elsewhere; drills "
        "open backups with it.",
    )
    backup_rpo_minutes: float = Field(
        15, gt=0, le=7 * 24 * 60, description="Minutes of work that may be lost at most."
    )
    backup_drill_hours: float = Field(
        24, gt=0, le=90 * 24, description="Hours between two drills; two more are allowed."
    )
    backup_keep: str = Field(
        "7d 5w 12m",
        pattern=r"^\d{1,3}d \d{1,3}w \d{1,3}m$",
        description="Backups kept beside those of the last 24 hours: days, weeks, months.",
    )

    export_url: str = Field(
        "",
        description="Where exports are put that nobody chose a place for: a folder that all workers "
        "see, or s3://bucket/prefix (keys from AWS_…); empty: 'exports' in the home folder.",
    )
    export_days: int = Field(
        7, ge=1, le=365, description="Days after which the files of such an export are deleted."
    )
    export_open: int = Field(
        5,
        ge=0,
        le=1000,
        description="Exports of one token or person that may wait or be in the making; 0: no limit.",
    )

    @model_validator(mode="after")
    def _derive(self) -> Self:
        home = self.home.expanduser().resolve()
        object.__setattr__(self, "home", home)
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{home / 'coachops.db'}")
        for short in ("postgresql://", "postgres://"):
            if self.database_url.startswith(short):
                url = "postgresql+psycopg://" + self.database_url.removeprefix(short)
                object.__setattr__(self, "database_url", url)
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://localhost:{self.port}")
        object.__setattr__(self, "public_url", self.public_url.rstrip("/"))
        return self

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The organisation's time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)

    @property
    def outbox(self) -> Path:
        """Where `.eml` files are written when no mail server is set."""
        return self.home / "outbox"

    @property
    def has_ai_key(self) -> bool:
        """Whether an external AI engine can be used by this process."""
        return self.ai_connected and self.openai_api_key.get_secret_value() != WITHHELD

    @property
    def ai_connected(self) -> bool:
        """Whether the installation uses an external AI engine, be it in other processes only."""
        return bool(self.openai_api_key.get_secret_value())

    def rows(self) -> list[dict[str, str]]:
        """Name, value (secrets masked), source and help of every setting, for `coachops config`."""
        rows = []
        for name, field in type(self).model_fields.items():
            variable = f"COACHOPS_{name.upper()}"
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                shown = "********" if value.get_secret_value() else ""
            else:
                shown = mask_password(str(value))
            rows.append(
                {
                    "setting": variable,
                    "value": shown,
                    "source": "environment" if variable in os.environ else "default",
                    "help": field.description or "",
                }
            )
        return rows


def mask_password(url: str) -> str:
    """`url` with the password in its authority replaced by stars."""
    scheme, sep, rest = url.partition("://")
    if not sep or "@" not in rest:
        return url
    authority, at, tail = rest.rpartition("@")
    user, colon, _ = authority.partition(":")
    return f"{scheme}://{user}{':***' if colon else ''}{at}{tail}"


def load_settings(**overrides: object) -> Settings:
    """The settings from the environment, `overrides` first.

    Raises:
        CoachError: COACH-SYS-001 names the first setting that is not valid.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # values are validated inside
    except ValidationError as error:
        first = error.errors()[0]
        name = "COACHOPS_" + str(first["loc"][0] if first["loc"] else "").upper()
        raise CoachError(
            "COACH-SYS-001", name=name, reason=first["msg"].removeprefix("Value error, ")
        ) from None
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    """What holds between settings. Raises COACH-SYS-001."""
    try:
        _web_address(settings.public_url)
    except ValueError as error:
        raise _refused("public_url", str(error)) from None
    if settings.env != "production":
        return
    if settings.database_url.startswith("sqlite"):
        raise _refused("database_url", "production needs a PostgreSQL database")
    if not settings.public_url.startswith("https://"):
        raise _refused(
            "public_url", "production needs the https:// address by which browsers reach it"
        )


def _refused(name: str, reason: str) -> CoachError:
    return CoachError("COACH-SYS-001", name=f"COACHOPS_{name.upper()}", reason=reason)

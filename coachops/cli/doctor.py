"""`coachops doctor`: checks of the installation, each with a next step."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from coachops.cli.output import JsonOption, emit
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.core.settings import Settings

app = typer.Typer(add_completion=False)
MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
MIN_FREE_BYTES = 1_000_000_000
CONNECT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at: `status` is ok, warn or fail."""

    name: str
    status: str
    found: str
    next_step: str = ""


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check settings, database, home folder, AI, mail and the built guide.

    Exit code 1 where a check fails.

    Example:  coachops doctor
    """
    checks = run_checks()

    def text() -> None:
        for check in checks:
            typer.echo(f"{MARKS[check.status]}  {check.name}: {check.found}")
            if check.next_step:
                typer.echo(f"      Next: {check.next_step}")

    emit({"checks": checks}, as_json=as_json, text=text)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(1)


def run_checks() -> list[Check]:
    """Every check; those that need the settings are left out where the settings are not valid."""
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms of pydantic-settings

    try:
        settings = load_settings()
    except CoachError as error:
        return [_failed("settings", error)]
    steps: list[tuple[str, Callable[[Settings], Check]]] = [
        ("home folder", _home),
        ("database", _database),
        ("AI", _ai),
        ("mail", _mail),
        ("guide", _guide),
    ]
    checks = [Check("settings", "ok", f"environment '{settings.env}'")]
    for name, step in steps:
        try:
            checks.append(step(settings))
        except CoachError as error:
            checks.append(_failed(name, error))
    return checks


def _failed(name: str, error: CoachError) -> Check:
    return Check(name, "fail", f"{error.code} {error.message}", error.next_step)


def _home(settings: Settings) -> Check:
    home = settings.home
    if not home.is_dir():
        return Check("home folder", "fail", f"{home} does not exist", "Run 'coachops init'.")
    if not os.access(home, os.W_OK):
        return Check(
            "home folder", "fail", f"{home} is not writable", f"chown {home} to this user."
        )
    if home.stat().st_mode & 0o007:
        return Check(
            "home folder", "warn", f"{home} can be read by every user of this machine",
            f"Run 'chmod 700 {home}'.",
        )  # fmt: skip
    free = shutil.disk_usage(home).free
    if free < MIN_FREE_BYTES:
        return Check("home folder", "warn", f"{free // 1_000_000} MB free", "Free some space.")
    return Check("home folder", "ok", f"{home}, {free // 1_000_000_000} GB free")


def _database(settings: Settings) -> Check:
    from coachops.bootstrap import services  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.settings import mask_password  # noqa: PLC0415 as above

    services(settings).close()
    return Check("database", "ok", mask_password(settings.database_url))


def _ai(settings: Settings) -> Check:
    if not settings.has_ai_key:
        return Check(
            "AI", "ok", "no key: analyses use the local engine, nothing leaves the machine"
        )
    parts = urlsplit(settings.openai_base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return _reachable("AI", parts.hostname or "", port, "Check COACHOPS_OPENAI_BASE_URL.")


def _mail(settings: Settings) -> Check:
    url = settings.smtp_url.get_secret_value()
    if not url:
        return Check("mail", "ok", f"no server: follow-ups are written to {settings.outbox}")
    from coachops.coaching.messages.mailers import parse_smtp_url  # noqa: PLC0415 imports SQLAlchemy

    server = parse_smtp_url(url)
    return _reachable("mail", server.host, server.port, "Check COACHOPS_SMTP_URL.")


def _reachable(name: str, host: str, port: int, next_step: str) -> Check:
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        return Check(name, "fail", f"{host}:{port} does not answer ({error})", next_step)
    return Check(name, "ok", f"{host}:{port} answers")


def _guide(settings: Settings) -> Check:
    folder = settings.guide.resolve()
    if not (folder / "index.html").is_file():
        return Check("guide", "warn", f"the guide is not built in {folder}", "Run 'make docs'.")
    return Check("guide", "ok", str(folder))

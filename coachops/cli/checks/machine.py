"""Checks of the machine and of the services around it: folders, disk, address, AI, mail, guide."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from coachops import __version__
from coachops.cli.checks.model import Check, failed
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.ai.targets import Target
    from coachops.core.settings import Settings

MIN_FREE_BYTES = 1_000_000_000
CONNECT_SECONDS = 3.0
AI_SECONDS = 8.0


def home(settings: Settings) -> Check:
    """The home folder is there, writable, and nobody else's to read."""
    name, folder = "home folder", settings.home
    if not folder.is_dir():
        return Check(name, "fail", f"{folder} does not exist", "Run 'coachops init'.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, "fail", f"{folder} is not writable", f"chown {folder} to this user.")
    if folder.stat().st_mode & 0o007:
        found = f"{folder} can be read by every user of this machine"
        return Check(name, "warn", found, f"Run 'chmod 700 {folder}'.")
    return Check(name, "ok", str(folder))


def secrets(settings: Settings) -> Check:
    """Secrets and databases can be read by their owner only."""
    name, folder = "secrets", settings.home / "secrets"
    if not folder.is_dir():
        return Check(name, "ok", "none yet: they are made when they are first needed")
    open_ones = [
        path.relative_to(settings.home)
        for path in sorted([folder, *folder.rglob("*")])
        if path.stat().st_mode & 0o077
    ]
    if open_ones:
        listed = ", ".join(str(path) for path in open_ones[:3])
        return Check(
            name, "fail", f"others on this machine can read {listed}",
            f"Run 'chmod -R go= {folder}'. If others were here, make new secrets.",
        )  # fmt: skip
    count = sum(path.is_file() for path in folder.rglob("*"))
    return Check(name, "ok", f"{count} files, readable by their owner only")


def disk(settings: Settings) -> Check:
    """There is room on the disk of the home folder."""
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < MIN_FREE_BYTES // 10:
        return Check("disk", "fail", found, "Free some space now: writing will fail soon.")
    if free < MIN_FREE_BYTES:
        return Check("disk", "warn", found, "Free some space.")
    return Check("disk", "ok", found)


def address(settings: Settings) -> Check:
    """Browsers reach the suite by the address that it answers to."""
    name = "address"
    if settings.public_url.startswith("https://") and not settings.trusted_proxy:
        return Check(
            name, "warn",
            f"{settings.public_url}: every visitor seems to come from the reverse proxy, so guesses "
            "of passwords are not limited by address",
            "Set COACHOPS_TRUSTED_PROXY to the proxy's address, as this machine sees it.",
        )  # fmt: skip
    return Check(name, "ok", settings.public_url)


def ai(settings: Settings) -> Check:
    """The AI services answer, and take the key. Asking for the list of models costs nothing."""
    from coachops.ai.targets import chain  # noqa: PLC0415 imports pydantic

    targets = chain(settings)
    if not targets:
        return Check(
            "AI", "ok", "no key: analyses use the local engine, nothing leaves the machine"
        )
    found: list[str] = []
    for target in targets:
        problem = _ask(target)
        if problem is not None:
            return problem
        found.append(target.label)
    return Check("AI", "ok", f"{', then '.join(found)}: takes the key")


def _ask(target: Target) -> Check | None:
    import httpx  # noqa: PLC0415 200 ms, with a key only

    url = f"{target.base_url.rstrip('/')}/models"
    key = target.api_key.get_secret_value()
    try:
        reply = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=AI_SECONDS)
    except httpx.HTTPError as error:
        reason = f"{target.host}: {type(error).__name__}"
        return failed("AI", CoachError("COACH-AI-003", reason=reason))
    if reply.status_code in {401, 403}:
        return failed("AI", CoachError("COACH-AI-002"))
    if reply.status_code >= 500:
        reason = f"{target.host}: status {reply.status_code}"
        return failed("AI", CoachError("COACH-AI-003", reason=reason))
    return _model_known(target, reply)


def _model_known(target: Target, reply: object) -> Check | None:
    """A warning where the service lists its models and ours is not among them."""
    try:
        listed = {str(row["id"]) for row in reply.json()["data"]}  # type: ignore[attr-defined]  # httpx
    except (ValueError, KeyError, TypeError):
        return None  # not every compatible service has such a list
    if listed and target.model not in listed:
        return Check(
            "AI", "warn", f"{target.host} does not list the model {target.model}",
            "Choose one of its models with COACHOPS_OPENAI_MODEL.",
        )  # fmt: skip
    return None


def mail(settings: Settings) -> Check:
    """The mail server answers at the port that letters go to."""
    url = settings.smtp_url.get_secret_value()
    if not url:
        return Check("mail", "ok", f"no server: follow-ups are written to {settings.outbox}")
    from coachops.coaching.messages.mailers import parse_smtp_url  # noqa: PLC0415 imports SQLAlchemy

    server = parse_smtp_url(url)
    where = f"{server.host}:{server.port}"
    try:
        socket.create_connection((server.host, server.port), CONNECT_SECONDS).close()
    except OSError as error:
        return Check(
            "mail", "fail", f"{where} does not answer ({error})", "Check COACHOPS_SMTP_URL."
        )
    return Check("mail", "ok", f"{where} answers")


def guide(settings: Settings) -> Check:
    """The guide is built."""
    folder = settings.guide.resolve()
    if not (folder / "index.html").is_file():
        return Check("guide", "warn", f"the guide is not built in {folder}", "Run 'make docs'.")
    return Check("guide", "ok", str(folder))


def versions(settings: Settings) -> Check:
    """What runs here, to be quoted when asking for help."""
    import sqlite3  # noqa: PLC0415 kept out of --help

    parts = [f"coachops {__version__}", f"Python {platform.python_version()}"]
    if settings.database_url.startswith("sqlite"):
        parts.append(f"SQLite {sqlite3.sqlite_version}")
    parts.append(f"{platform.system()} {platform.release()}")
    return Check("versions", "ok", ", ".join(parts))


CHECKS: dict[str, Callable[[Settings], Check]] = {
    "home folder": home,
    "secrets": secrets,
    "disk": disk,
    "address": address,
    "AI": ai,
    "mail": mail,
    "guide": guide,
    "versions": versions,
}
"""Name -> check, in the order in which they are shown."""

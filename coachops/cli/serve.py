"""`coachops serve`: the whole suite on one origin."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from coachops.core.settings import Settings

app = typer.Typer(add_completion=False)

FIRST_ADMIN = "admin@localhost"


@app.command()
def serve(
    host: str | None = typer.Option(None, help="Address to listen on; default COACHOPS_HOST."),
    port: int | None = typer.Option(None, min=1, max=65535, help="Default COACHOPS_PORT, 8000."),
) -> None:
    """Run API, guide, dashboards and worker on one address until SIGTERM or Ctrl-C.

    On the first run it prints a link by which the first admin signs in.

    Example:  coachops serve --port 8000
    """
    from coachops.cli.process_table import (  # noqa: PLC0415 imports SQLAlchemy
        make_runtime,
        only_one,
        require_free_port,
        table,
        write_voila_config,
    )
    from coachops.cli.supervisor import Supervisor, stopped_by_signals  # noqa: PLC0415 as above
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms of pydantic-settings

    given = {"host": host, "port": port}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    require_free_port(settings.host, settings.port)
    with only_one(settings):
        first_link = _prepare(settings)
        folder = Path(tempfile.mkdtemp(prefix="coachops-"))
        try:
            runtime = make_runtime(folder, guide=settings.guide.resolve())
            runtime.save()
            write_voila_config(settings, runtime)
            supervisor = Supervisor(table(settings, runtime))

            def announce() -> None:
                typer.echo(f"coachops is running at {settings.public_url}  (stop with Ctrl-C)")
                if first_link:
                    typer.echo(f"First sign-in as {FIRST_ADMIN}: {first_link}")

            with stopped_by_signals(supervisor):
                supervisor.run(announce)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(settings: Settings) -> str | None:
    """Set up an empty database, refuse a damaged one or one of another version.

    Returns the first admin's link, where nobody can sign in as admin.
    """
    from coachops.bootstrap import prepare, services  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above
    from coachops.db import Database, migrate  # noqa: PLC0415 as above

    database = Database.of(settings)
    try:
        empty = migrate.current(database) is None
    finally:
        database.close()
    if empty:
        prepare(settings)
    opened = services(settings)
    try:
        opened.database.require_sound()
        identity = opened.identity
        if identity.has_working_admin():
            return None
        admins = [user for user in identity.list_users(SYSTEM) if user.role == "admin"]
        if any(user.email != FIRST_ADMIN for user in admins):
            return None  # invited by 'coachops user add': a new link would end that one
        if not admins:
            admins = [identity.add_user(SYSTEM, FIRST_ADMIN, "Administrator", "admin")]
        return f"{settings.public_url}/link/{identity.invite_link(SYSTEM, admins[0].id)}"
    finally:
        opened.close()

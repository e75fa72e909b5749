"""`coachops doctor`: everything that can be checked without changing or paying anything."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Annotated

import typer

from coachops.cli.checks import Check, failed, run_all
from coachops.cli.output import JsonOption, emit
from coachops.core import request
from coachops.core.errors import CoachError

app = typer.Typer(add_completion=False)
MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@app.command()
def doctor(
    seconds: Annotated[
        float, typer.Option("--within", min=1, max=600, help="Seconds for all checks together.")
    ] = 20.0,
    as_json: JsonOption = False,
) -> None:
    """Check everything, with a next step for each problem.

    Settings, home folder, secrets, disk, address, database and its servers, damage, background
    work, AI services and spending, mail, backups, clock, guide, audit record, quarantine, tokens, versions.
    Exit code 1 where a check fails; a warning does not.

    Example:  coachops doctor
    """
    checks = run_checks(seconds)

    def text() -> None:
        for check in checks:
            typer.echo(f"{MARKS[check.status]}  {check.name}: {check.found}")
            if check.next_step:
                typer.echo(f"      Next: {check.next_step}")

    document = {"checks": checks, "request_id": request.current_id()}
    emit(document, as_json=as_json, text=text)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(1)


def run_checks(seconds: float = 20.0) -> list[Check]:
    """Every check; those whose ground is missing (settings, database) say only that."""
    from coachops.cli.checks import data, machine  # noqa: PLC0415 with the settings
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms of pydantic-settings

    try:
        settings = load_settings()
    except CoachError as error:
        return [failed("settings", error)]
    first = [Check("settings", "ok", f"environment '{settings.env}'")]
    steps: dict[str, Callable[[], Check]] = {
        name: functools.partial(check, settings) for name, check in machine.CHECKS.items()
    }
    from coachops.bootstrap import services  # noqa: PLC0415 imports SQLAlchemy

    try:
        opened = services(settings)
    except CoachError as error:
        return [*first, failed("database", error), *run_all(steps, seconds)]
    try:
        steps |= {name: functools.partial(check, opened) for name, check in data.CHECKS.items()}
        return [*first, *run_all(steps, seconds)]
    finally:
        opened.close()

"""`coachops roster`: coaches, clients and engagements from a CSV file."""

from __future__ import annotations

from pathlib import Path

import typer

from coachops.cli.output import JsonOption, emit, opened
from coachops.core.errors import CoachError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """Import coaches, clients and engagements."""


@app.command("import")
def import_(file: Path, as_json: JsonOption = False) -> None:
    """Create or update coaches, clients and engagements by external id.

    Exit code 1 where a row was rejected; the others are imported, and rejected ones wait in the
    quarantine.

    Example:  coachops roster import samples/roster.csv
    """
    from coachops.coaching.roster import import_roster  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    if not file.is_file():
        raise CoachError("COACH-SYS-004", path=file)
    with opened() as services:
        result = import_roster(
            services.database, SYSTEM, file.read_bytes(), file.name, source="cli"
        )

    def text() -> None:
        typer.echo(
            f"{result.rows} rows: {result.coaches_created} coaches, {result.clients_created} "
            f"clients and {result.engagements_created} engagements created, {result.updated} "
            f"rows updated, {result.unchanged} unchanged, {len(result.rejected)} rejected."
        )
        for row in result.rejected:
            typer.echo(f"  line {row.line}: {row.reason}")
            typer.echo(f"    Look at it: coachops quarantine show {row.item}")

    emit(result, as_json=as_json, text=text)
    if result.rejected:
        if not as_json:
            raise CoachError("COACH-ROS-002", rejected=len(result.rejected), rows=result.rows)
        raise typer.Exit(1)

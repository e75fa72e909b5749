"""`coachops report`: list and run reports."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from coachops.cli.output import JsonOption, emit, opened, progress, table
from coachops.core.errors import CoachError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """List and run reports."""


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the reports with their parameters and when they run.

    Example:  coachops report list
    """
    from coachops.reporting import list_reports, read_schedule  # noqa: PLC0415 imports pydantic

    times: dict[str, list[str]] = {}
    for row in read_schedule():
        times.setdefault(row.report, []).append(row.cron)
    rows: list[dict[str, Any]] = [
        {
            "name": report.name,
            "title": report.title,
            "description": report.description,
            "parameters": [
                {
                    "name": name,
                    "type": getattr(field.annotation, "__name__", str(field.annotation)),
                    "default": field.default,
                    "description": field.description,
                }
                for name, field in report.parameters.model_fields.items()
            ],
            "schedule": times.get(report.name, []),
        }
        for report in list_reports()
    ]

    def text() -> None:
        for row in rows:
            when = ", ".join(row["schedule"]) or "by hand only"
            typer.echo(f"{row['name']}  ({when})\n  {row['description']}")
            for p in row["parameters"]:
                typer.echo(f"  -p {p['name']}={p['default']!s:<4} {p['description']}")

    emit({"reports": rows}, as_json=as_json, text=text)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="Name of the report.")],
    parameters: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="key=value; may be repeated.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds it may take.")] = 600,
    background: Annotated[
        bool, typer.Option("--background", help="Let the worker run it; prints the job.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a report: an executed notebook and one HTML file that needs nothing else.

    Example:  coachops report run weekly_operations -p week_start=2026-11-16
    """
    from coachops.reporting import run_report  # noqa: PLC0415 imports pydantic

    given = _pairs(parameters or [])
    if background:
        _queue(name, given, as_json=as_json)
        return
    with opened() as services, progress() as bars:
        bars.add_task(f"Running {name}", total=None)
        done = run_report(services.settings, name, given, timeout=timeout)

    def text() -> None:
        typer.echo(
            f"{done.name} took {done.seconds:.1f} s.\n{done.html_path}\n{done.notebook_path}"
        )

    emit(done, as_json=as_json, text=text)


@app.command()
def due(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is due.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run every scheduled report whose time has passed since its last run; for cron and the like.

    Exit code 1 where one failed; the others run nevertheless.

    Example:  coachops report due
    """
    from coachops.reporting import due_reports, run_report  # noqa: PLC0415 imports pydantic

    rows: list[dict[str, Any]] = []
    errors: list[CoachError] = []
    with opened() as services, progress() as bars:
        waiting = due_reports(services.settings)
        task = bars.add_task("Reports due", total=len(waiting))
        for item in waiting:
            row: dict[str, Any] = {"report": item.report, "due_at": item.due_at}
            rows.append(row)
            if dry_run:
                continue
            try:
                row["run"] = run_report(services.settings, item.report, item.parameters)
            except CoachError as error:
                row["error"] = error.as_dict()
                errors.append(error)
            bars.advance(task)

    def text() -> None:
        if not rows:
            typer.echo("Nothing is due.")
            return
        table(
            ["report", "due at", "result"],
            [
                [r["report"], r["due_at"], r["run"].html_path if "run" in r else r.get("error", {}).get("code", "due")]
                for r in rows
            ],
        )  # fmt: skip

    emit({"due": rows}, as_json=as_json, text=text)
    for problem in errors:
        typer.echo(f"{problem.code}  {problem.message}\n  Next: {problem.next_step}", err=True)
    if errors:
        raise typer.Exit(1)


def _queue(name: str, given: dict[str, str], *, as_json: bool) -> None:
    from coachops.jobs import Jobs  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services, Jobs(services.settings, services) as jobs:
        row = jobs.get(jobs.enqueue_report(name, given))
    emit(row, as_json=as_json, text=lambda: typer.echo(f"{row.id} is {row.state}."))


def _pairs(parameters: list[str]) -> dict[str, str]:
    made = {}
    for text in parameters:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise CoachError("COACH-SYS-002", reason=f"-p takes key=value, not '{text}'.")
        made[name.strip()] = value
    return made

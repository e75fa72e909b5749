"""`coachops job`: look at background work, start it again, cancel it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened, table

if TYPE_CHECKING:
    from coachops.jobs import Jobs

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """Show, retry and cancel background work."""


@app.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option(help="waiting, running, done, failed or cancelled.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="pipeline, send, report, export, backup, drill, integrity.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first, and say whether a worker is alive.

    Example:  coachops job list --state failed
    """
    from coachops.jobs import worker_status  # noqa: PLC0415 imports SQLAlchemy

    with _jobs() as jobs:
        rows = jobs.list_jobs(state=state, kind=kind, limit=limit)
        workers = worker_status(jobs.services.database)

    def text() -> None:
        table(
            ["job", "state", "since", "error", "worker"],
            [
                [
                    r.id,
                    f"waiting until {r.due_at:%H:%M} UTC" if r.due_at else r.state,
                    r.updated_at,
                    r.error_code,
                    r.worker,
                ]
                for r in rows
            ],
        )
        alive = ", ".join(workers.alive) if workers.running else "none: start 'coachops worker'"
        typer.echo(f"Workers alive: {alive}")

    emit({"jobs": rows, "workers": workers}, as_json=as_json, text=text)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Tell whether background work moves; read from the tables, not through the queue.

    Exit code 1 where jobs wait and nobody does them, or where a queue is stuck.

    Example:  coachops job status
    """
    from coachops.jobs import queue_health  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services:
        health = queue_health(services.settings, services.database)

    def text() -> None:
        oldest = (
            "" if health.oldest_seconds is None else f", the oldest {health.oldest_seconds:.0f} s"
        )
        typer.echo(f"Waiting: {health.waiting}{oldest}")
        typer.echo(f"Running: {health.running}")
        typer.echo(f"Failed within a day: {health.failed}")
        typer.echo(f"Workers alive: {', '.join(health.workers.alive) or 'none'}")
        if health.silent:
            typer.echo(f"Workers that fell silent: {', '.join(health.silent)}")
        for problem in health.problems:
            typer.echo(f"Problem: {problem}.", err=True)
        if health.problems:
            typer.echo("  Next: start 'coachops worker', or look into its log.", err=True)

    emit({"ok": health.ok, **asdict(health)}, as_json=as_json, text=text)
    if not health.ok:
        raise typer.Exit(1)


@app.command()
def retry(
    job: Annotated[str, typer.Argument(help="Id of a job, from 'coachops job list'.")],
    as_json: JsonOption = False,
) -> None:
    """Start the work of a failed or cancelled job again.

    Retrying a message approves it again; one whose delivery is unknown must be resolved first.

    Example:  coachops job retry send/0199…/2
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 only when used

    with _jobs() as jobs:
        row = jobs.get(jobs.retry(SYSTEM, job))
    emit(row, as_json=as_json, text=lambda: typer.echo(f"{row.id} is {row.state}."))


@app.command()
def cancel(
    job: Annotated[str, typer.Argument(help="Id of a job, from 'coachops job list'.")],
    as_json: JsonOption = False,
) -> None:
    """Cancel a job that waits or runs; a step in progress comes to its end.

    Example:  coachops job cancel pipeline/0199…/1
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 only when used

    with _jobs() as jobs:
        row = jobs.cancel(SYSTEM, job)
    emit(row, as_json=as_json, text=lambda: typer.echo(f"{row.id} is {row.state}."))


@contextlib.contextmanager
def _jobs() -> Iterator[Jobs]:
    from coachops.jobs import Jobs  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services, Jobs(services.settings, services) as jobs:
        yield jobs

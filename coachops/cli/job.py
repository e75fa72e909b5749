"""`coachops job`: look at background work, start it again, cancel it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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
    kind: Annotated[str | None, typer.Option(help="pipeline, send or report.")] = None,
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
            [[r.id, r.state, r.updated_at, r.error_code, r.worker] for r in rows],
        )
        alive = ", ".join(workers.alive) if workers.running else "none: start 'coachops worker'"
        typer.echo(f"Workers alive: {alive}")

    emit({"jobs": rows, "workers": workers}, as_json=as_json, text=text)


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

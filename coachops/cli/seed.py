"""`coachops seed`: a reproducible organisation of any size."""

from __future__ import annotations

from typing import Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened, parse_date, progress, table

app = typer.Typer(add_completion=False)


@app.command()
def seed(
    coaches: Annotated[int, typer.Option(help="Coaches.", min=1)] = 12,
    clients: Annotated[
        int, typer.Option(help="Clients, dealt to the coaches in turn.", min=1)
    ] = 60,
    sessions: Annotated[int, typer.Option(help="Sessions in all.", min=0)] = 900,
    utterances_per_session: Annotated[int, typer.Option(help="Mean length.", min=1)] = 60,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal organisations.")] = 1,
    until: Annotated[str | None, typer.Option(help="Day after the last session.")] = None,
    months: Annotated[int, typer.Option(help="Length of the history.", min=1)] = 18,
    as_json: JsonOption = False,
) -> None:
    """Make a reproducible organisation in a database without seeded coaches.

    Example:  coachops seed --coaches 12 --clients 60 --sessions 900 --seed 1
    """
    from coachops.coaching.seed import seed_organisation  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services, progress() as bars:
        task = bars.add_task("Seeding sessions", total=sessions)
        result = seed_organisation(
            services.database,
            coaches=coaches,
            clients=clients,
            sessions=sessions,
            utterances_per_session=utterances_per_session,
            seed=seed,
            until=parse_date(until, "--until"),
            months=months,
            progress=lambda done: bars.update(task, completed=done),
        )

    def text() -> None:
        table(["table", "rows"], [[name, f"{n:,}"] for name, n in result.rows.items()])
        typer.echo(
            "Coaches sign in as coach-0001@example.org, …: see 'coachops user reset --help'."
        )

    emit(result, as_json=as_json, text=text)

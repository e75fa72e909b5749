"""`coachops goal`: goals of a client and where they stand."""

from __future__ import annotations

from typing import Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened, parse_date, table
from coachops.core.errors import CoachError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """Goals and their ratings (Goal Attainment Scaling, -2 to +2)."""


@app.command()
def add(
    client: Annotated[str, typer.Option(help="REF of the client.")],
    title: Annotated[str, typer.Option(help="What the client wants to reach.")],
    level: Annotated[
        list[str],
        typer.Option(help="Five descriptions, from -2 (much less than expected) to +2."),
    ],
    weight: Annotated[int, typer.Option(min=1, max=5, help="Importance.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Add a goal with its five described levels.

    Example:  coachops goal add --client client-0001 --title "Delegate more" --level "does all alone"
    --level "as now" --level "hands over weekly" --level "hands over daily" --level "team decides"
    """
    from coachops.coaching import goals, people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    if len(level) != len(goals.LEVELS):
        raise CoachError(
            "COACH-SYS-002", reason=f"Give --level five times, not {len(level)} times."
        )
    with opened() as services:
        with services.database.read() as session:
            client_id = people.find_client(session, SYSTEM, client).id
        row = goals.add_goal(
            services.database, SYSTEM, client_id, title,
            dict(zip(goals.LEVELS, level, strict=True)), weight,
        )  # fmt: skip
    emit(row, as_json=as_json, text=lambda: typer.echo(f"Added goal {row.id}: {row.title}"))


@app.command()
def rate(
    goal: Annotated[str, typer.Argument(help="Id of the goal.")],
    level: Annotated[int, typer.Option(min=-2, max=2, help="-2, -1, 0, 1 or 2.")],
    by: Annotated[str, typer.Option(help="Whose view: coach or client.")] = "coach",
    date: Annotated[str | None, typer.Option(help="Day of the rating, YYYY-MM-DD.")] = None,
    note: Annotated[str, typer.Option(help="A remark.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Record where a goal stands.

    Example:  coachops goal rate 0199… --level 1 --by client
    """
    from coachops.coaching import goals  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core import clock  # noqa: PLC0415 as above
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above
    from coachops.core.ids import parse_id  # noqa: PLC0415 as above

    goal_id, day = parse_id(goal), parse_date(date, "--date")
    if goal_id is None:
        raise CoachError("COACH-CCH-001", what="goal", ref=goal)
    with opened() as services:
        row = goals.rate_goal(
            services.database, SYSTEM, goal_id, level,
            rated_by=by, rated_on=day or clock.today(services.settings.zone), note=note,
        )  # fmt: skip
    emit(row, as_json=as_json, text=lambda: typer.echo(f"{row.title}: {row.levels[level]}"))


@app.command("list")
def list_(
    client: Annotated[str, typer.Option(help="REF of the client.")],
    as_json: JsonOption = False,
) -> None:
    """List the goals of a client and where they stand together.

    Example:  coachops goal list --client client-0001
    """
    from coachops.coaching import goals, people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        with services.database.read() as session:
            client_id = people.find_client(session, SYSTEM, client).id
        rows = goals.list_goals(services.database, SYSTEM, client_id)
    together = goals.attainment(rows)

    def text() -> None:
        table(
            ["goal", "state", "weight", "level", "on", "id"],
            [
                [r.title, r.status, r.weight, r.latest.level if r.latest else None,
                 r.latest.rated_on if r.latest else None, r.id]
                for r in rows
            ],
        )  # fmt: skip
        if together.t_score is not None:
            typer.echo(
                f"Together: T = {together.t_score:.1f} over {together.rated} rated goals"
                " (50 = as expected)."
            )

    emit({"goals": rows, "attainment": together}, as_json=as_json, text=text)

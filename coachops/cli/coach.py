"""`coachops coach`: a coach leaves the organisation."""

from __future__ import annotations

import typer

from coachops.cli.output import JsonOption, emit, opened, parse_date
from coachops.core.errors import CoachError

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """What happens to the coaches themselves."""


@app.command()
def leave(
    coach: str = typer.Argument(help="REF of the coach who leaves."),
    on: str = typer.Option(..., help="First day without the coach, as YYYY-MM-DD."),
    to: str = typer.Option(..., help="REF of the successor."),
    as_json: JsonOption = False,
) -> None:
    """Hand a coach's clients over to a successor, from a day on.

    Running engagements end that day and follow-on ones begin; sessions from that day on move. What
    was held stays with the coach who held it. On the day, the coach can no longer sign in, and
    their unsent letters are held. Safe to repeat.

    Example:  coachops coach leave coach-0001@example.org --on 2026-12-31
        --to coach-0002@example.org
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue
    from coachops.jobs.leaving import leave as hand_over  # noqa: PLC0415 imports the queue

    day = parse_date(on, "--on")
    if day is None:
        raise CoachError("COACH-SYS-002", reason="--on must be a date such as 2026-03-31.")
    with opened() as services:
        done = hand_over(services.database, SYSTEM, coach, to, day)

    def text() -> None:
        typer.echo(f"Coach {done.coach} leaves on {done.on}; {done.successor} takes over.")
        for each in done.engagements:
            sessions = "1 session" if each.sessions == 1 else f"{each.sessions} sessions"
            typer.echo(f"  {each.ended} ends, {each.begun} begins, {sessions} moved")
        out = "can no longer sign in" if done.signed_out else "can sign in until then"
        typer.echo(f"The coach {out}. Unsent letters held for an admin: {len(done.letters)}.")
        for letter in done.letters:
            typer.echo(f"  coachops message show {letter}")

    emit(done, as_json=as_json, text=text)

"""`coachops demo`: the main job, once, on sample data; the steps stand in `demo_steps`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coachops.cli.output import JsonOption, emit, progress, table
from coachops.core.errors import CoachError

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of your own transcripts to import as well.")
    ] = None,
    samples: Annotated[Path, typer.Option(help="Folder of the shipped samples.")] = Path("samples"),
    as_json: JsonOption = False,
) -> None:
    """Run everything once on sample data and show what it made; safe to repeat.

    Makes an organisation (12 coaches, 60 clients, 18 months), imports the sample transcripts,
    analyses them on this machine, sends the follow-ups to the outbox, exports and verifies, runs
    the weekly report and builds the guide.

    Example:  COACHOPS_HOME=./demo coachops demo
    """
    from coachops.cli.demo_steps import run_demo  # noqa: PLC0415 imports SQLAlchemy

    if not (samples / "manifest.csv").is_file():
        raise CoachError("COACH-SYS-004", path=samples / "manifest.csv")
    if folder is not None and not folder.is_dir():
        raise CoachError("COACH-SYS-004", path=folder)
    with progress() as bars:
        result = run_demo(samples, folder, bars)

    def text() -> None:
        table(
            ["step", "made", "where", "seconds"],
            [[step.name, step.made, step.where, f"{step.seconds:.1f}"] for step in result.steps],
        )
        typer.echo(f"\nDone in {result.seconds:.1f} s. Everything lies in {result.home}.")
        for line in result.notes:
            typer.echo(f"  {line}")
        typer.echo("\nNext: look at it in the browser, with the command")
        typer.echo(f"  {result.next_command}")
        for name, link in result.sign_in:
            typer.echo(f"  and sign in as {name}: {link}")

    emit(result, as_json=as_json, text=text)

"""`coachops config`: every setting, its value and where it comes from."""

from __future__ import annotations

import typer

from coachops.cli.output import JsonOption, emit, table

app = typer.Typer(add_completion=False)


@app.command()
def config(as_json: JsonOption = False) -> None:
    """Show every setting and where it comes from; secrets are masked.

    Example:  coachops config --json
    """
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms of pydantic-settings

    rows = load_settings().rows()

    def text() -> None:
        table(
            ["setting", "value", "source", "help"],
            [[row["setting"], row["value"], row["source"], row["help"]] for row in rows],
        )

    emit({"settings": rows}, as_json=as_json, text=text)

"""`coachops init`: bring the database to the schema of this version."""

from __future__ import annotations

import typer

from coachops.cli.output import JsonOption, emit

app = typer.Typer(add_completion=False)


@app.command()
def init(as_json: JsonOption = False) -> None:
    """Set up or migrate the database; safe to repeat.

    Example:  coachops init
    """
    from coachops.bootstrap import prepare  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.settings import load_settings, mask_password  # noqa: PLC0415 as above

    settings = load_settings()
    before, after = prepare(settings)
    document = {
        "database": mask_password(settings.database_url),
        "before": before,
        "after": after,
        "changed": before != after,
    }

    def text() -> None:
        did = "already at" if before == after else "migrated to"
        typer.echo(f"Database {document['database']} {did} revision {after}.")

    emit(document, as_json=as_json, text=text)

"""`coachops consent`: what clients consented to."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from coachops.cli.output import JsonOption, emit, opened

app = typer.Typer(no_args_is_help=True, add_completion=False)
Kind = Annotated[Literal["processing", "external_ai"], typer.Argument(help="What for.")]
ClientRef = Annotated[str, typer.Argument(help="E-mail, external id or id of the client.")]


@app.callback()
def group() -> None:
    """Record and show clients' consents."""


@app.command()
def give(client: ClientRef, kind: Kind, note: str = "", as_json: JsonOption = False) -> None:
    """Record that a client consents.

    Example:  coachops consent give client-0001 external_ai --note "by mail, 3 March"
    """
    _record(client, kind, note, granted=True, as_json=as_json)


@app.command()
def withdraw(client: ClientRef, kind: Kind, note: str = "", as_json: JsonOption = False) -> None:
    """Record that a client withdraws a consent; transcripts not yet analysed wait from now on.

    Example:  coachops consent withdraw client-0001 external_ai
    """
    _record(client, kind, note, granted=False, as_json=as_json)


@app.command()
def show(client: ClientRef, as_json: JsonOption = False) -> None:
    """Show what a client consents to now.

    Example:  coachops consent show client-0001
    """
    from coachops.coaching import consent, people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services, services.database.read() as session:
        found = people.find_client(session, SYSTEM, client)
        name, external_id = found.name, found.external_id
        current = consent.current(session, found.id)

    def text() -> None:
        typer.echo(f"{name} ({external_id})")
        for kind, granted in current.items():
            typer.echo(f"  {kind}: {'yes' if granted else 'no'}")

    emit({"client": external_id, "consents": current}, as_json=as_json, text=text)


def _record(client: str, kind: str, note: str, *, granted: bool, as_json: bool) -> None:
    from coachops.coaching import consent  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        consent.record(services.database, SYSTEM, client, kind, granted, note)

    def text() -> None:
        typer.echo(f"Recorded: {client} {'consents to' if granted else 'withdraws'} {kind}.")

    emit({"client": client, "kind": kind, "granted": granted}, as_json=as_json, text=text)

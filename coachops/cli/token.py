"""`coachops token`: tokens by which other systems call the API."""

from __future__ import annotations

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tokens of other systems.")


@app.command()
def create(
    user: str = typer.Option(..., help="Whom the token acts for: e-mail or id, often a service."),
    name: str = typer.Option(..., help="What uses it, for the list."),
    scope: list[str] = typer.Option(
        ..., help="What it may do; repeat for several. 'coachops token scopes' lists them."
    ),
    days: int = typer.Option(90, min=0, max=3650, help="Life in days; 0: no end."),
    as_json: JsonOption = False,
) -> None:
    """Create a token and print it; it is shown this once.

    Example:  coachops token create --user robot@example.org --name feed --scope transcripts:write
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        secret, row = services.identity.create_token(SYSTEM, user, name, scope, days or None)

    def text() -> None:
        typer.echo(f"Token '{row.name}' of {row.user_email}, id {row.id}. Keep it now:", err=True)
        typer.echo(secret)

    emit({"token": secret, "details": row}, as_json=as_json, text=text)


@app.command("list")
def list_tokens(as_json: JsonOption = False) -> None:
    """List all tokens, without their secrets.

    Example:  coachops token list
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        rows = services.identity.list_tokens(SYSTEM)

    def text() -> None:
        table(
            ["id", "name", "user", "scopes", "state", "until", "last used"],
            [
                [
                    row.id, row.name, row.user_email, " ".join(row.scopes), row.status,
                    row.expires_at.date() if row.expires_at else "no end",
                    row.last_used_at.strftime("%Y-%m-%d %H:%M") if row.last_used_at else "",
                ]
                for row in rows
            ],
        )  # fmt: skip

    emit({"tokens": rows}, as_json=as_json, text=text)


@app.command()
def revoke(
    token_id: str = typer.Argument(help="Id from 'coachops token list'."),
    as_json: JsonOption = False,
) -> None:
    """Take a token back at once.

    Example:  coachops token revoke 0192f0c1-2b3c-7d4e-8f50-123456789abc
    """
    from coachops.core import ids  # noqa: PLC0415 kept out of --help
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    found = ids.parse_id(token_id)
    if found is None:
        raise CoachError("COACH-IDN-011", ref=token_id)
    with opened() as services:
        row = services.identity.revoke_token(SYSTEM, found)
    emit({"details": row}, as_json=as_json, text=lambda: typer.echo(f"'{row.name}' is revoked."))


@app.command()
def scopes(as_json: JsonOption = False) -> None:
    """List what a token may be allowed to do.

    Example:  coachops token scopes
    """
    from coachops.identity.tokens import SCOPES  # noqa: PLC0415 imports SQLAlchemy

    rows = [[name, text] for name, text in SCOPES.items()]
    emit({"scopes": SCOPES}, as_json=as_json, text=lambda: table(["scope", "allows"], rows))

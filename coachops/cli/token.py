"""`coachops token`: tokens by which other systems call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.core.grants import Grant
    from coachops.identity.tokens import TokenRow

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tokens of other systems.")


@app.command()
def create(
    *,
    user: str = typer.Option(..., help="Whom the token acts for: e-mail or id, often a service."),
    name: str = typer.Option(..., help="What uses it, for the list."),
    scope: list[str] = typer.Option(
        ..., help="What it may do; repeat for several. 'coachops token scopes' lists them."
    ),
    days: int = typer.Option(90, min=0, max=3650, help="Life in days; 0: no end."),
    dataset: list[str] = typer.Option(
        [], help="It sees only this dataset; repeat for several. Without: every dataset."
    ),
    coach: list[str] = typer.Option(
        [], help="It sees only what belongs to this coach (REF); repeat for several."
    ),
    client: list[str] = typer.Option(
        [], help="It sees only what belongs to this client (REF); repeat for several."
    ),
    privacy: str = typer.Option(
        "full", help="full, or pseudonymous: exports without names, addresses or free text."
    ),
    as_json: JsonOption = False,
) -> None:
    """Create a token and print it; it is shown this once.

    The limits narrow what the user may see, they never widen it. Coaches and clients are
    remembered by id: a row belongs to whoever coaches the client now.

    Example:  coachops token create --user robot@example.org --name feed --scope changes:read
        --coach coach-0001@example.org --dataset sessions
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        grant = _grant(services, dataset, coach, client, privacy)
        secret, row = services.identity.create_token(SYSTEM, user, name, scope, days or None, grant)

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
            ["id", "name", "user", "scopes", "limits", "state", "until", "last used"],
            [
                [
                    row.id, row.name, row.user_email, " ".join(row.scopes), _limits(row), row.status,
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


def _grant(
    services: Services, datasets: list[str], coaches: list[str], clients: list[str], privacy: str
) -> Grant:
    """The limits that the options name. Raises COACH-EXP-001, COACH-CCH-001, COACH-SYS-002."""
    from coachops.coaching.people import find_client, find_coach  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue
    from coachops.core.grants import PRIVACY_PROFILES, Grant  # noqa: PLC0415 as above
    from coachops.export import DATASETS  # noqa: PLC0415 as above

    for name in datasets:
        if name not in DATASETS:
            raise CoachError("COACH-EXP-001", name=name)
    profile = next((known for known in PRIVACY_PROFILES if known == privacy), None)
    if profile is None:
        known = " or ".join(PRIVACY_PROFILES)
        raise CoachError("COACH-SYS-002", reason=f"--privacy must be {known}, not '{privacy}'.")
    with services.database.read() as session:
        return Grant(
            frozenset(datasets) if datasets else None,
            frozenset(find_coach(session, SYSTEM, ref).id for ref in coaches) or None,
            frozenset(find_client(session, SYSTEM, ref).id for ref in clients) or None,
            profile,
        )


def _limits(row: TokenRow) -> str:
    """The limits of a token in a cell of the list."""
    parts = [
        f"{name}: {' '.join(names)}"
        for name, names in (
            ("datasets", row.datasets),
            ("coaches", row.coaches),
            ("clients", row.clients),
        )
        if names is not None
    ]
    if row.privacy != "full":
        parts.append(row.privacy)
    if row.all_left:
        parts.append("(all left)")
    return "; ".join(parts) or "none"

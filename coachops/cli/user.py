"""`coachops user`: who may sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from coachops.cli.output import JsonOption, emit, opened, table

if TYPE_CHECKING:
    from coachops.identity import UserRow

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Invite, list and disable users."
)


@app.command()
def add(
    email: str = typer.Option(..., help="E-mail; a coach user is the coach of that e-mail."),
    role: str = typer.Option(..., help="admin, coach, analyst or service."),
    name: str = typer.Option("", help="Name to show; default: of the coach, else the e-mail."),
    coach: str = typer.Option("", help="REF of the coach, where it has another e-mail."),
    as_json: JsonOption = False,
) -> None:
    """Add a user and print the invitation link, which works once, for 7 days.

    Example:  coachops user add --email ada@example.org --role admin --name "Ada Ash"
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        coach_id, coach_name = None, ""
        if role == "coach":
            from coachops.coaching.people import find_coach  # noqa: PLC0415 imports SQLAlchemy

            with services.database.read() as session:
                found = find_coach(session, SYSTEM, coach or email.strip().lower())
                coach_id, coach_name = found.id, found.name
        user = services.identity.add_user(
            SYSTEM, email, name or coach_name or email, role, coach_id
        )
        link = None
        if role != "service":
            token = services.identity.invite_link(SYSTEM, user.id)
            link = f"{services.settings.public_url}/link/{token}"

    def text() -> None:
        typer.echo(f"Added {user.name} ({user.email}) as {user.role}.")
        if link:
            typer.echo(f"Invitation, works once within 7 days: {link}")
        else:
            typer.echo("A service signs in by token: coachops token create --help")

    emit({"user": user, "link": link}, as_json=as_json, text=text)


@app.command("list")
def list_users(as_json: JsonOption = False) -> None:
    """List all users with role, state and last use.

    Example:  coachops user list --json
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        users = services.identity.list_users(SYSTEM)

    def text() -> None:
        table(
            ["name", "e-mail", "role", "permissions", "state", "last seen"],
            [_cells(user) for user in users],
        )

    emit({"users": users}, as_json=as_json, text=text)


@app.command()
def disable(user: str = typer.Argument(help="E-mail or id."), as_json: JsonOption = False) -> None:
    """Shut a user out at once: sign-ins, links and tokens stop working.

    Example:  coachops user disable ben@example.org
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        row = services.identity.disable(SYSTEM, user)
    emit({"user": row}, as_json=as_json, text=lambda: typer.echo(f"{row.email} is disabled."))


@app.command()
def enable(user: str = typer.Argument(help="E-mail or id."), as_json: JsonOption = False) -> None:
    """Let a disabled or locked user in again.

    Example:  coachops user enable ben@example.org
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        row = services.identity.enable(SYSTEM, user)
    emit({"user": row}, as_json=as_json, text=lambda: typer.echo(f"{row.email} may sign in."))


@app.command()
def reset(
    user: str = typer.Argument(help="E-mail or id."),
    sign_in: bool = typer.Option(False, help="A link that signs in once, password unchanged."),
    as_json: JsonOption = False,
) -> None:
    """Print a link by which a user sets a new password; it works once, for 24 hours.

    Example:  coachops user reset ben@example.org
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        make = services.identity.sign_in_link if sign_in else services.identity.reset_link
        link = f"{services.settings.public_url}/link/{make(SYSTEM, user)}"
    emit({"link": link}, as_json=as_json, text=lambda: typer.echo(link))


@app.command()
def grant(
    user: str = typer.Argument(help="E-mail or id."),
    permission: str = typer.Argument(help="Its name, such as rollout."),
    as_json: JsonOption = False,
) -> None:
    """Grant a permission beyond the role.

    Example:  coachops user grant ben@example.org rollout
    """
    _permission(user, permission, grant=True, as_json=as_json)


@app.command()
def revoke(
    user: str = typer.Argument(help="E-mail or id."),
    permission: str = typer.Argument(help="Its name."),
    as_json: JsonOption = False,
) -> None:
    """Take a permission back; the user's open pages close.

    Example:  coachops user revoke ben@example.org rollout
    """
    _permission(user, permission, grant=False, as_json=as_json)


def _permission(user: str, permission: str, *, grant: bool, as_json: bool) -> None:
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    with opened() as services:
        change = services.identity.grant if grant else services.identity.revoke
        change(SYSTEM, user, permission)
        row = services.identity.get_user(SYSTEM, user)

    def text() -> None:
        typer.echo(f"{row.email}: {', '.join(row.permissions) or 'no permissions'}")

    emit({"user": row}, as_json=as_json, text=text)


def _cells(user: UserRow) -> list[object]:
    seen = user.last_seen_at.strftime("%Y-%m-%d %H:%M") if user.last_seen_at else ""
    return [user.name, user.email, user.role, ", ".join(user.permissions), user.status, seen]

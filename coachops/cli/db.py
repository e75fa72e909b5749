"""`coachops db`: the database's servers, promoting a standby, looking for damage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from coachops.cli.output import JsonOption, emit, table

if TYPE_CHECKING:
    from coachops.db import Database
    from coachops.db.standby import ClusterStatus, Promotion

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """Servers of the database, promotion of a standby, integrity."""


@app.command("status")
def status_(as_json: JsonOption = False) -> None:
    """Show each server's role, how far standbys are behind, and what a failover would lose.

    Exit code 1 where something should be mended.

    Example:  coachops db status
    """
    with _database() as database:
        if database.is_sqlite:
            state = database.state()
            document = {"engine": "sqlite", "state": state}
            emit(document, as_json=as_json, text=lambda: typer.echo(f"one file, {state.mode}"))
            return
        from coachops.db.standby import status  # noqa: PLC0415 imports the driver

        found = status(database)
    emit(found, as_json=as_json, text=lambda: _print(found))
    if found.warnings:
        raise typer.Exit(1)


@app.command()
def promote(
    to: Annotated[
        str | None, typer.Option(help="The standby, as host:port; else the best.")
    ] = None,
    force: Annotated[
        bool, typer.Option(help="Although the primary answers: it becomes read-only first.")
    ] = False,
    alone: Annotated[
        bool, typer.Option(help="The new primary commits without a standby until one joins.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a standby the primary; the old one is not written to when it comes back.

    Refused while the primary answers. Every coachops process finds the new primary by itself.

    Example:  coachops db promote --alone
    """
    from coachops.db.standby import promote as promote_  # noqa: PLC0415 imports the driver

    with _database() as database:
        done = promote_(database, to=to, force=force, alone=alone)
    emit(done, as_json=as_json, text=lambda: _print_promotion(done))


@app.command()
def accept(
    host: Annotated[str, typer.Argument(help="The primary to trust, as host:port.")],
    as_json: JsonOption = False,
) -> None:
    """Trust this primary although one with a newer history was seen (after a restore).

    What only the newer one holds is given up. Run it on every machine.

    Example:  coachops db accept db1:5432
    """
    from coachops.db.standby import accept as accept_  # noqa: PLC0415 imports the driver

    with _database() as database:
        facts = accept_(database, host)
    emit(facts, as_json=as_json, text=lambda: typer.echo(f"{host} is trusted from now on."))


@app.command()
def check(
    full: Annotated[
        bool, typer.Option(help="Also every index against its table: minutes for gigabytes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for damage in the database; exit code 1 and COACH-DB-008 where there is some.

    Example:  coachops db check --full
    """
    from coachops.core.errors import CoachError  # noqa: PLC0415 beside the others

    with _database() as database:
        problems = database.check_integrity(full=full)
    if problems:
        for problem in problems[1:]:
            typer.echo(problem, err=True)
        raise CoachError("COACH-DB-008", reason=problems[0])
    emit({"problems": problems, "full": full}, as_json=as_json, text=lambda: typer.echo("sound"))


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    """The database without the check of its schema: these commands are for bad days."""
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms of pydantic-settings
    from coachops.db import Database  # noqa: PLC0415 imports SQLAlchemy

    database = Database.of(load_settings())
    try:
        yield database
    finally:
        database.close()


def _print(found: ClusterStatus) -> None:
    table(
        ["server", "role", "timeline", "behind", "lost writes", "note"],
        [
            [
                row.host,
                row.role,
                row.timeline or "",
                _behind(row.behind_bytes, row.behind_seconds),
                row.lost_writes,
                row.detail,
            ]
            for row in found.servers
        ],
    )
    if found.followers:
        table(
            ["standby as its primary sees it", "state", "commits wait", "unconfirmed"],
            [
                [
                    one.name,
                    one.state or "hidden: GRANT pg_monitor",
                    one.sync_state,
                    _behind(one.behind_bytes, one.behind_seconds),
                ]
                for one in found.followers
            ],
        )
    if found.loses_nothing:
        typer.echo("A failover loses nothing (RPO 0).")
    for warning in found.warnings:
        typer.echo(f"! {warning}")


def _behind(size: int | None, seconds: float | None) -> str:
    if size is None:
        return ""
    return f"{size} bytes" + (f", {seconds:.1f} s" if seconds else "")


def _print_promotion(done: Promotion) -> None:
    typer.echo(f"{done.host} is the primary now (timeline {done.timeline}).")
    if done.newest_write_at is not None:
        typer.echo(
            f"Its newest write is of {done.newest_write_at:%Y-%m-%d %H:%M:%S} UTC. With an "
            "asynchronous standby what was saved later is not there."
        )
    if done.waits_for:
        typer.echo(
            f"! Its commits wait for '{done.waits_for}', which is not connected: writes stand still."
            "\n  Join a standby, or let it commit alone:"
            "\n    ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();"
        )
    old = done.replaced or "the old primary"
    typer.echo(
        f"Before {old} starts again, join it as a standby. On its machine:\n"
        f"  pg_rewind -D DATA --source-server='host=… user=… dbname=postgres' && "
        "touch DATA/standby.signal\n"
        "and set primary_conninfo to the new primary. 'coachops db status' then lists it so."
    )

"""`coachops changes`: follow the change feed of this installation, compare digests, see its state."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.export.feed import Page, Seen

app = typer.Typer(no_args_is_help=True, add_completion=False)

LOOK_EVERY = 1.0
"""Seconds between two looks where nothing changed."""

_Dataset = Annotated[str, typer.Option("--dataset", help="Name of the dataset, such as sessions.")]
_Coach = Annotated[
    list[str] | None, typer.Option(help="Only this coach (REF); repeat for several.")
]
_Client = Annotated[
    list[str] | None, typer.Option(help="Only this client (REF); repeat for several.")
]


@app.callback()
def group() -> None:
    """Follow what changes, and prove that a copy is equal."""


@app.command()
def follow(
    dataset: _Dataset,
    cursor_file: Annotated[
        Path | None, typer.Option(help="Go on where this file says; kept up to date.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when everything is printed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Changes read at once.")] = 1000,
    coach: _Coach = None,
    client: _Client = None,
) -> None:
    """Print every change of a dataset as a line of JSON; without a cursor file, first every row.

    The cursor is written after its changes are printed: what a crash interrupts is printed again.

    Example:  coachops changes follow --dataset sessions --cursor-file sessions.cursor --once
    """
    cursor = _kept(cursor_file)
    with opened() as services:
        seen = _seen(services, dataset, coach, client)
        while True:
            found = _page(services, seen, cursor, limit)
            for line in found.changes:
                sys.stdout.write(line.decode() + "\n")
            sys.stdout.flush()
            cursor = found.cursor
            _keep(cursor_file, cursor)
            if found.has_more:
                continue
            if once:
                return
            time.sleep(LOOK_EVERY)


@app.command()
def digest(
    dataset: _Dataset,
    coach: _Coach = None,
    client: _Client = None,
    as_json: JsonOption = False,
) -> None:
    """Print the digest of each bucket of a dataset, to compare with a copy.

    Example:  coachops changes digest --dataset sessions --json
    """
    from coachops.db import change_feed  # noqa: PLC0415 imports SQLAlchemy
    from coachops.export.feed import digest as digest_of  # noqa: PLC0415 as above
    from coachops.export.feed import resume  # noqa: PLC0415 as above

    with opened() as services:
        change_feed.sequence(services.database)
        secret = services.secret("feed")
        seen = _seen(services, dataset, coach, client)
        with services.database.connect() as connection:
            found = digest_of(connection, seen, resume(connection, seen, None, secret), secret)
    buckets = [
        {"bucket": each.bucket, "count": each.count, "sum": each.sum} for each in found.buckets
    ]
    document = {
        "dataset": dataset, "pos": found.pos, "rows": found.rows, "cursor": found.cursor,
        "buckets": buckets,
    }  # fmt: skip

    def text() -> None:
        for each in found.buckets:
            if each.count:
                typer.echo(f"{each.bucket:02x}  {each.count:>8}  {each.sum}")
        typer.echo(f"{found.rows} rows at {found.pos}")

    emit(document, as_json=as_json, text=text)


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show how the feed stands: head, what waits for its place, floor, epoch.

    Example:  coachops changes status
    """
    from coachops.db import change_feed  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services, services.database.connect() as connection:
        found = change_feed.state(connection)

    def text() -> None:
        waits = (
            f", the oldest since {found.oldest_waiting:%Y-%m-%d %H:%M:%S} UTC"
            if found.backlog
            else ""
        )
        typer.echo(f"head     {found.head}")
        typer.echo(f"kept     {found.entries} changes")
        typer.echo(f"waiting  {found.backlog} changes without a place{waits}")
        typer.echo(f"floor    {found.floor} (deletions up to here are forgotten)")
        typer.echo(f"epoch    {found.epoch}")

    emit(found, as_json=as_json, text=text)


def _seen(
    services: Services, dataset: str, coach: list[str] | None, client: list[str] | None
) -> Seen:
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue
    from coachops.export.feed import seen_by  # noqa: PLC0415 imports SQLAlchemy
    from coachops.export.selection import make_filters  # noqa: PLC0415 as above

    with services.database.connect() as connection:
        chosen = make_filters(
            connection, since=None, until=None, coaches=coach or (), clients=client or (),
            zone=services.settings.zone,
        )  # fmt: skip
    return seen_by(SYSTEM, dataset=dataset, coaches=chosen.coaches, clients=chosen.clients)


def _page(services: Services, seen: Seen, cursor: str | None, limit: int) -> Page:
    from coachops.db import change_feed  # noqa: PLC0415 imports SQLAlchemy
    from coachops.export.feed import page, resume  # noqa: PLC0415 as above

    change_feed.sequence(services.database)
    secret = services.secret("feed")
    with services.database.connect() as connection:
        at = resume(connection, seen, cursor, secret)
        return page(connection, seen, at, secret, limit)


def _kept(path: Path | None) -> str | None:
    """The cursor in the file; None where there is none yet."""
    if path is None or not path.exists():
        return None
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, ValueError):
        raise CoachError("COACH-FED-001") from None


def _keep(path: Path | None, cursor: str) -> None:
    """Write the cursor, whole or not at all."""
    if path is None:
        return
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text(cursor + "\n", "utf-8")
        new.replace(path)
    except OSError as error:
        raise CoachError("COACH-FED-008", path=path, reason=error.strerror) from error

"""`coachops quarantine`: look at, correct and replay what could not be accepted."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.coaching.quarantine_replay import Replayed

app = typer.Typer(no_args_is_help=True, add_completion=False)
_SHOWN = 20_000

Item = Annotated[str, typer.Argument(metavar="ID", help="Id of the item, from 'list'.")]


@app.callback()
def group() -> None:
    """Look at, correct and replay what could not be accepted."""


@app.command("list")
def list_(
    every: Annotated[
        bool, typer.Option("--all", help="Also what was replayed, or is gone.")
    ] = False,
    kind: Annotated[
        Literal["transcript", "cue", "roster", "roster_row"] | None,
        typer.Option(help="Only whole files, lines of transcripts, or rows of rosters."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what waits, the newest first.

    Example:  coachops quarantine list
    """
    from coachops.coaching import quarantine  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above
    from coachops.db.models.quarantine import QUARANTINE_STATES  # noqa: PLC0415 as above

    with opened() as services:
        _expire(services)
        rows = quarantine.list_items(
            services.database,
            SYSTEM,
            states=QUARANTINE_STATES if every else ("waiting",),
            kinds=None if kind is None else (kind,),
            limit=limit,
        )
        days = services.settings.quarantine_days

    def text() -> None:
        if not rows:
            typer.echo("Nothing waits: everything that came in was accepted.")
            return
        table(
            ["file", "line", "why", "came in", "state", "id"],
            [
                [r.name, r.line, f"{r.code}  {r.reason}", f"{r.created_at:%Y-%m-%d %H:%M}",
                 r.state, r.id]
                for r in rows
            ],
        )  # fmt: skip
        typer.echo(f"The contents are deleted {days} days after they came in.")

    emit({"items": rows, "days": days}, as_json=as_json, text=text)


@app.command()
def show(item: Item, as_json: JsonOption = False) -> None:
    """Show why an item was refused, and what stands there.

    Example:  coachops quarantine show 0199…
    """
    from coachops.coaching import quarantine  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        found = quarantine.get(services.database, SYSTEM, _id(item))
    row, preview = found.row, quarantine.preview(found, _SHOWN)

    def text() -> None:
        place = f", line {row.line}" if row.line else ""
        typer.echo(f"{row.name}{place}  ({row.kind}, {row.state}, {row.size_bytes} bytes)")
        typer.echo(f"{row.code}  {row.reason}\n  Next: {row.next_step}")
        if row.coach_name:
            typer.echo(f"Coach {row.coach_name}, client {row.client_name}")
        typer.echo("")
        typer.echo(preview if preview is not None else "(what came in is not text, or not kept)")
        if row.state == "waiting":
            typer.echo(
                f"\nCorrected: coachops quarantine replay {row.id} --fix FILE"
                f"\nAs it is:  coachops quarantine replay {row.id}"
                f"\nThrow away: coachops quarantine discard {row.id}"
            )

    emit({"item": row, "text": preview}, as_json=as_json, text=text)


@app.command()
def replay(
    item: Item,
    fix: Annotated[
        Path | None, typer.Option(help="A file with the corrected file, line or row.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try an item again, as it is (after an update) or with a correction.

    A corrected file goes to the same coach and client; a corrected line takes its place in the
    transcript; a corrected row needs the head of the table above it.

    Example:  coachops quarantine replay 0199… --fix corrected.vtt
    """
    from coachops.coaching import quarantine_replay  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    if fix is not None and not fix.is_file():
        raise CoachError("COACH-SYS-004", path=fix)
    with opened() as services:
        done = quarantine_replay.replay(
            services.database,
            SYSTEM,
            _id(item),
            fix=None if fix is None else fix.read_bytes(),
            fix_name=None if fix is None else fix.name,
            source="cli",
        )

    def text() -> None:
        typer.echo(_told(done))
        if done.needs_analysis or done.stale:
            typer.echo(f"  Next: coachops transcript analyse {done.transcript_id}")

    emit(done, as_json=as_json, text=text)


@app.command()
def discard(item: Item, as_json: JsonOption = False) -> None:
    """Throw an item away: what came in is deleted, the record of it stays.

    Example:  coachops quarantine discard 0199…
    """
    from coachops.coaching import quarantine  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        quarantine.discard(services.database, SYSTEM, _id(item))
    emit({"item_id": item, "state": "discarded"}, as_json=as_json, text=lambda: typer.echo("Gone."))


def _told(done: Replayed) -> str:
    if done.transcript_id is None:
        return f"Imported; {done.rejected} rows wait in the quarantine."
    more = f"; {done.rejected} lines of it wait in the quarantine" if done.rejected else ""
    cues = "1 utterance" if done.cues == 1 else f"{done.cues} utterances"
    return f"Imported {cues} into transcript {done.transcript_id}{more}."


def _expire(services: Services) -> None:
    from coachops.coaching import quarantine  # noqa: PLC0415 imports SQLAlchemy

    quarantine.expire(services.database, services.settings.quarantine_days)


def _id(text: str) -> uuid.UUID:
    from coachops.core.ids import parse_id  # noqa: PLC0415 imports nothing big, as above

    identifier = parse_id(text)
    if identifier is None:
        raise CoachError("COACH-CCH-001", what="quarantined item", ref=text)
    return identifier

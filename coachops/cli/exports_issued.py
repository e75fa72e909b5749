"""`coachops export list`, `status` and `cancel`: the exports that were asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coachops.cli.export_progress import how_far, show_record
from coachops.cli.output import JsonOption, emit, opened, progress, table

if TYPE_CHECKING:
    from coachops.export.issued import Issued

Ref = Annotated[str, typer.Argument(help="Id or key, as 'coachops export list' shows it.")]

_LOOK_EVERY = 1.0


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group of exports."""
    app.command("list")(list_)
    app.command()(status)
    app.command()(cancel)


def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20, as_json: JsonOption = False
) -> None:
    """List exports, the newest first: who asked, how far they are, until when the files stay.

    Example:  coachops export list
    """
    from coachops.jobs import Jobs  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 as above

    with opened() as services, Jobs(services.settings, services) as jobs:
        rows = jobs.exports.page(SUITE, limit=limit)

    def text() -> None:
        table(
            ["export", "state", "by", "asked for", "rows", "bytes", "files until", "error"],
            [
                [
                    r.key,
                    r.state,
                    r.requested_by or "the suite",
                    f"{r.made_at:%Y-%m-%d %H:%M} UTC",
                    f"{r.rows:,}",
                    f"{r.bytes:,}",
                    f"{r.expires_at:%Y-%m-%d}" if r.expires_at else "kept",
                    r.error.code if r.error else None,
                ]
                for r in rows
            ],
        )

    emit({"exports": [document(r) for r in rows]}, as_json=as_json, text=text)


def status(
    ref: Ref,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until it has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how far an export is: rows, bytes, parts, and how long it takes yet.

    Exit code 1 where it failed.

    Example:  coachops export status 2026-11-30T091500Z-1f00aa42 --watch
    """
    from coachops.jobs import Jobs  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 as above

    with opened() as services, Jobs(services.settings, services) as jobs:
        found = jobs.exports.get(SUITE, ref)
        if watch and found.open:
            with progress() as bars:
                task = bars.add_task(found.state, total=None)
                while found.open:
                    show_record(bars, task, found)
                    time.sleep(_LOOK_EVERY)
                    found = jobs.exports.get(SUITE, ref)
    show_issued(found, as_json=as_json)
    if found.state == "failed":
        if as_json or found.error is None:
            raise typer.Exit(1)
        raise found.error


def cancel(ref: Ref, as_json: JsonOption = False) -> None:
    """Stop an export and remove what is written; of one that is ready, delete the files.

    Example:  coachops export cancel 2026-11-30T091500Z-1f00aa42
    """
    from coachops.jobs import Jobs  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.exports import SUITE  # noqa: PLC0415 as above

    with opened() as services, Jobs(services.settings, services) as jobs:
        found = jobs.exports.remove(SUITE, ref)
    show_issued(found, as_json=as_json)


def show_issued(export: Issued, *, as_json: bool) -> None:
    """Print an export."""

    def text() -> None:
        typer.echo(f"{export.key} is {how_far(export)}.")
        if export.open:
            typer.echo(f"Look again: coachops export status {export.key}")
        elif export.state == "ready":
            until = f", until {export.expires_at:%Y-%m-%d}" if export.expires_at else ""
            typer.echo(f"{len(export.files)} files in {export.place}{until}.")
            if not export.place.startswith("s3://"):
                typer.echo(f"Check them with: coachops export verify {export.place}")

    emit(document(export), as_json=as_json, text=text)


def document(export: Issued) -> dict[str, Any]:
    """An export as JSON prints it."""
    return {
        "export_id": export.id,
        "key": export.key,
        "state": export.state,
        "requested_by": export.requested_by,
        "made_at": export.made_at,
        "snapshot_at": export.snapshot_at,
        "finished_at": export.finished_at,
        "expires_at": export.expires_at,
        "files_deleted_at": export.files_deleted_at,
        "request": export.request.to_dict(),
        "place": export.place,
        "progress": {
            "rows": export.rows,
            "rows_expected": export.rows_expected,
            "bytes": export.bytes,
            "parts": export.parts,
            "parts_done": export.parts_done,
            "eta_seconds": export.eta_seconds,
        },
        "error": export.error.as_dict() if export.error else None,
        "files": list(export.files),
    }

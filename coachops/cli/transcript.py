"""`coachops transcript`: import transcripts and have them analysed."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coachops.cli.output import JsonOption, emit, opened, parse_date, progress, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.coaching.importing import ImportResult

app = typer.Typer(no_args_is_help=True, add_completion=False)
SUFFIXES = {".vtt", ".srt", ".txt", ".docx", ".json"}
"""What is taken from a folder; Markdown only where it is named, for folders hold read-me files."""


@app.callback()
def group() -> None:
    """Import and analyse transcripts."""


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of files.")],
    coach: Annotated[str, typer.Option(help="E-mail, external id or id of the coach.")],
    client: Annotated[str, typer.Option(help="E-mail, external id or id of the client.")],
    date: Annotated[str | None, typer.Option(help="Day of the session, YYYY-MM-DD.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Import transcripts; valid files are imported even where others are rejected.

    Rejected files wait in the quarantine. Exit code 1 where a file was rejected. Of a folder, files of other kinds are left out and named.

    Example:  coachops transcript import samples/01-delegation.vtt --coach AC-101
    --client CL-201 --date 2026-11-10
    """
    from coachops.coaching.importing import (  # noqa: PLC0415 imports SQLAlchemy
        import_transcript,
        refuse_large,
    )
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    held_on = parse_date(date, "--date")
    files, skipped = _files(paths)
    imported: list[ImportResult] = []
    rejected: list[dict[str, str | bool]] = []
    with opened() as services, progress() as bars:
        _require_people(services, coach, client)
        for file in bars.track(files, description="Importing"):
            try:
                refuse_large(
                    services.database,
                    SYSTEM,
                    file.stat().st_size,
                    file.name,
                    coach=coach,
                    client=client,
                    held_on=held_on,
                    source="cli",
                )
                imported.append(
                    import_transcript(
                        services.database,
                        SYSTEM,
                        file.read_bytes(),
                        file.name,
                        coach=coach,
                        client=client,
                        held_on=held_on,
                        source="cli",
                    )
                )
            except CoachError as error:
                rejected.append(
                    {
                        "source_name": file.name,
                        "code": error.code,
                        "message": error.message,
                        "next_step": error.next_step,
                        "quarantine_id": str(error.details.get("quarantine_id", "")),
                        "quarantine_whole": bool(error.details.get("quarantine_whole")),
                    }
                )

    def text() -> None:
        table(
            ["file", "cues", "not imported", "speakers", "transcript"],
            [
                [
                    row.source_name,
                    row.cues,
                    len(row.unparsed),
                    row.role_state,
                    f"{row.transcript_id}{' (already there)' if row.duplicate else ''}",
                ]
                for row in imported
            ],
        )
        for row in imported:
            for line in row.unparsed:
                typer.echo(f"  {row.source_name}, line {line.line}: {line.reason}")
                typer.echo(f"    Look at it: coachops quarantine show {line.item}")
            for warning in row.warnings:
                typer.echo(f"  {row.source_name}: {warning}")
        if skipped:
            typer.echo(f"Left out, not a transcript by its ending: {', '.join(skipped)}", err=True)
        _print_rejected(rejected)

    document = {"imported": imported, "rejected": rejected, "skipped": skipped}
    emit(document, as_json=as_json, text=text)
    if rejected:
        raise typer.Exit(1)


def _print_rejected(rejected: list[dict[str, str | bool]]) -> None:
    for problem in rejected:
        typer.echo(f"{problem['code']}  {problem['message']}", err=True)
        typer.echo(f"  Next: {problem['next_step']}", err=True)
        if kept := problem["quarantine_id"]:
            what = "It is" if problem["quarantine_whole"] else "Only its name and the reason are"
            typer.echo(f"  {what} kept: coachops quarantine show {kept}", err=True)


@app.command()
def analyse(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of transcripts.")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="All that wait.")] = False,
    engine: Annotated[Literal["auto", "openai", "local"], typer.Option()] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Analyse transcripts now, in this process.

    Exit code 1 where one failed or waits for a person, 3 or 4 where every one failed for want of
    a setting or a service.

    Example:  coachops transcript analyse --pending --engine local
    """
    from coachops.coaching.analysis import analyse as run  # noqa: PLC0415 imports SQLAlchemy
    from coachops.coaching.importing import pending_transcripts  # noqa: PLC0415 as above
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    if bool(ids) == pending:
        raise CoachError("COACH-SYS-002", reason="Give ids, or --pending for all that wait.")
    rows: list[dict[str, object]] = []
    errors: list[CoachError] = []
    with opened() as services, _alone_with(services), progress() as bars:
        chosen = pending_transcripts(services.database) if pending else _ids(ids or [])
        for transcript_id in bars.track(chosen, description="Analysing"):
            try:
                done = run(services.database, services.gateway, SYSTEM, transcript_id, engine)
                rows.append(
                    {
                        "transcript_id": transcript_id,
                        "analysis_id": done.analysis_id,
                        "engine": done.engine,
                        "status": done.status,
                        "cost_usd": done.cost_usd,
                        "waiting": done.waiting,
                    }
                )
            except CoachError as error:
                errors.append(error)
                rows.append(
                    {
                        "transcript_id": transcript_id,
                        "analysis_id": None,
                        "engine": engine,
                        "status": "failed",
                        "cost_usd": 0,
                        "error": error.as_dict(),
                    }
                )

    def text() -> None:
        table(
            ["transcript", "engine", "status", "cost $", "waits for"],
            [
                [row["transcript_id"], row["engine"], row["status"], row["cost_usd"],
                 row.get("waiting")]
                for row in rows
            ],
        )  # fmt: skip

    emit({"analyses": rows}, as_json=as_json, text=text)
    for problem in {error.code: error for error in errors}.values():
        typer.echo(f"{problem.code}  {problem.message}\n  Next: {problem.next_step}", err=True)
    if errors:
        from coachops.cli.main import exit_code  # noqa: PLC0415 main imports this module

        codes = {exit_code(error) for error in errors}
        raise typer.Exit(codes.pop() if len(codes) == 1 and len(errors) == len(rows) else 1)
    if any(row.get("waiting") for row in rows):
        raise typer.Exit(1)


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option(help="REF of a client.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List sessions with their transcripts, the newest first.

    Example:  coachops transcript list --limit 10
    """
    from coachops.coaching import people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        client_id = None
        if client is not None:
            with services.database.read() as session:
                client_id = people.find_client(session, SYSTEM, client).id
        rows = people.list_sessions(services.database, SYSTEM, client_id, limit)

    def text() -> None:
        table(
            ["day", "coach", "client", "file", "state", "follow-up", "transcript"],
            [
                [r.held_on, r.coach_name, r.client_name, r.source_name, r.transcript_state,
                 r.message_state, r.transcript_id]
                for r in rows
            ],
        )  # fmt: skip

    emit({"sessions": rows}, as_json=as_json, text=text)


@contextlib.contextmanager
def _alone_with(services: Services) -> Iterator[None]:
    """Say that this process analyses, after giving back what a killed one before it had begun."""
    from coachops.jobs.findings import give_back_abandoned  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.inline import analysing_here  # noqa: PLC0415 as above
    from coachops.jobs.queue import JobQueue  # noqa: PLC0415 as above

    with (
        contextlib.suppress(
            CoachError
        ),  # without the queue nobody can tell; the others are analysed
        contextlib.closing(JobQueue(services.settings)) as queue,
    ):
        give_back_abandoned(services.database, queue, services.settings)
    with analysing_here(services.settings):
        yield


def _files(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """The files to import, and the names of those left out of folders (hidden ones are not told)."""
    files: list[Path] = []
    skipped: list[str] = []
    for path in paths:
        if path.is_dir():
            for inside in sorted(p for p in path.rglob("*") if p.is_file()):
                if inside.suffix.lower() in SUFFIXES:
                    files.append(inside)
                elif not inside.name.startswith("."):
                    skipped.append(inside.name)
        elif path.is_file():
            files.append(path)
        else:
            raise CoachError("COACH-SYS-004", path=path)
    return files, skipped


def _require_people(services: Services, coach: str, client: str) -> None:
    """Refuse unknown people before the first file is read."""
    from coachops.coaching import people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with services.database.read() as session:
        people.find_coach(session, SYSTEM, coach)
        people.find_client(session, SYSTEM, client)


def _ids(texts: list[str]) -> list[uuid.UUID]:
    from coachops.core.ids import parse_id  # noqa: PLC0415 as above

    found = []
    for text in texts:
        identifier = parse_id(text)
        if identifier is None:
            raise CoachError("COACH-CCH-001", what="transcript", ref=text)
        found.append(identifier)
    return found

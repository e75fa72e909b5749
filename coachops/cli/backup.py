"""`coachops backup`: copies elsewhere, proof that they can be restored, and the restore itself."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.backup import BackupRow, Backups, DrillResult, RecoveryStatus, Restored
    from coachops.backup.postgres.setup import Setup
    from coachops.core.settings import Settings

app = typer.Typer(no_args_is_help=True, add_completion=False)

Newest = Annotated[str | None, typer.Argument(help="Id of a backup; without it the newest.")]
KeyFile = Annotated[Path, typer.Argument(help="File of the key's copy.")]


@app.callback()
def group() -> None:
    """Back up, prove that it can be restored, restore."""


@app.command()
def run(
    new_place: Annotated[
        bool,
        typer.Option("--new-place", help="The place is empty, and that is as it should be."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a backup at the second place, then delete what its time has come for.

    The worker does it by itself; nothing of a backup that fails is listed.

    Example:  coachops backup run
    """
    with opened() as services:
        row = services.backups.run(new_place=new_place)
        where = services.backups.place.url
    emit(
        row,
        as_json=as_json,
        text=lambda: typer.echo(f"Backup {row.id}: {row.rows} rows, {_size(row.bytes)} in {where}"),
    )


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List what the place holds, the newest first; needs no database and no key.

    Example:  coachops backup list
    """
    with _without_database() as (backups, settings):
        rows = backups.list()
        where = backups.place.url

    def text() -> None:
        if not rows:
            typer.echo(f"No backup in {where}.")
            return
        table(
            ["backup", "made", "state", "engine", "size", "rows", "proven by a drill"],
            [_line(row, settings) for row in rows],
            title=where,
        )

    emit({"place": where, "backups": rows}, as_json=as_json, text=text)


@app.command()
def verify(backup: Newest = None, as_json: JsonOption = False) -> None:
    """Read every byte of a backup and compare it with its manifest.

    Needs no key. Only a drill proves that it can be restored.

    Example:  coachops backup verify
    """
    with _without_database() as (backups, _):
        row, problems = backups.verify(backup)

    def text() -> None:
        for problem in problems:
            typer.echo(f"FAIL  {problem}")
        if not problems:
            typer.echo(f"Backup {row.id}: every byte is as it was written.")

    emit({"backup": row, "problems": problems, "ok": not problems}, as_json=as_json, text=text)
    if problems:
        _say(CoachError("COACH-BKP-007", backup=row.id, reason=problems[0]))
        raise typer.Exit(1)


@app.command()
def drill(as_json: JsonOption = False) -> None:
    """Restore the newest backup into a scratch folder, compare every table, and measure.

    Opens it with the escrow copy of the key where COACHOPS_BACKUP_ESCROW names one. Exit code 1
    where it failed.

    Example:  coachops backup drill
    """
    with opened() as services:
        result = services.backups.drill()

    def text() -> None:
        mark = "passed" if result.passed else "FAILED"
        typer.echo(f"Drill of backup {result.backup_id or '-'}: {mark}")
        for reason in result.reasons:
            typer.echo(f"  {reason}")
        for line in _measured(result):
            typer.echo(f"  {line}")

    emit(result, as_json=as_json, text=text)
    if not result.passed:
        _say(CoachError("COACH-BKP-013", reason=result.reasons[0]))
        raise typer.Exit(1)


@app.command()
def restore(
    into: Annotated[
        Path | None, typer.Option(help="Empty folder to restore into; default: the home folder.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Moment to go back to, such as '2026-11-23 14:00'.")
    ] = None,
    backup: Annotated[str | None, typer.Option(help="Id of a backup; default: the newest.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="File with the key's copy; default: this machine's key.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace the database that is there; it is kept aside."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring back data, queue, secrets and letters from a backup; compared before it counts.

    Works on an empty machine with the place and the key's copy. Nothing is sent twice: follow-ups
    that were on their way then wait for a person.

    Example:  coachops backup restore --into restored
    """
    with _without_database() as (backups, settings):
        done = backups.restore(
            into, _moment(at, settings), backup_id=backup, replace=replace, key_file=key
        )

    emit(done, as_json=as_json, text=lambda: _tell_restored(done, settings))


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show what a disaster now would lose, the last proof, and what is overdue.

    Exit code 1 where a limit is broken or a drill failed.

    Example:  coachops backup status
    """
    with opened() as services:
        found = services.backups.status(thorough=True)
        settings = services.settings
    emit(found, as_json=as_json, text=lambda: _tell_status(found, settings))
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def setup(as_json: JsonOption = False) -> None:
    """Print what has to be set on the database host before PostgreSQL can be backed up.

    Changes nothing outside of the home folder. Safe to repeat: keys and passphrases stay. The
    embedded database needs no set-up.

    Example:  coachops backup setup
    """
    with opened() as services:
        plan = services.backups.setup()
    emit(plan, as_json=as_json, text=lambda: _tell_setup(plan))


@app.command("key-export")
def key_export(file: KeyFile, as_json: JsonOption = False) -> None:
    """Write a copy of the secret backup key, to be kept off this machine.

    Example:  coachops backup key-export backup-key.txt
    """
    with opened() as services:
        name = services.backups.export_key(file)

    def text() -> None:
        typer.echo(f"Key {name} is copied to {file}.")
        typer.echo("Move the file off this machine (a safe, a password store), then show it:")
        typer.echo(f"  coachops backup key-confirm {file}")

    emit({"key": name, "file": file}, as_json=as_json, text=text)


@app.command("key-confirm")
def key_confirm(file: KeyFile, as_json: JsonOption = False) -> None:
    """Show that the copy kept elsewhere opens the newest backup; the warning ends.

    Example:  coachops backup key-confirm copy-of-key.txt
    """
    with opened() as services:
        name, backup = services.backups.confirm_key(file)
    what = f"opened backup {backup}" if backup else "is the right one (there is no backup yet)"
    emit(
        {"key": name, "opened": backup},
        as_json=as_json,
        text=lambda: typer.echo(f"The copy of key {name} {what}."),
    )


@app.command("key-import")
def key_import(file: KeyFile, as_json: JsonOption = False) -> None:
    """Put the copy kept elsewhere back as this machine's key.

    Example:  coachops backup key-import copy-of-key.txt
    """
    with _without_database() as (backups, _):
        name = backups.import_key(file)
    emit({"key": name}, as_json=as_json, text=lambda: typer.echo(f"Key {name} is back."))


@app.command("key-new")
def key_new(as_json: JsonOption = False) -> None:
    """Make a new key for backups from now on; the old one stays, for older backups.

    Example:  coachops backup key-new
    """
    with opened() as services:
        name = services.backups.renew_key()

    def text() -> None:
        typer.echo(f"Backups from now on are sealed for key {name}. Its copy is kept nowhere yet:")
        typer.echo("  coachops backup key-export FILE")

    emit({"key": name}, as_json=as_json, text=text)


@contextlib.contextmanager
def _without_database() -> Iterator[tuple[Backups, Settings]]:
    """For what must work when the database is lost, damaged or of another version."""
    from coachops.bootstrap import recovery  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms of pydantic-settings

    settings = load_settings()
    yield recovery(settings), settings


def _moment(text: str | None, settings: Settings) -> dt.datetime | None:
    if text is None:
        return None
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CoachError(
            "COACH-SYS-002", reason=f"--at must be a time such as 2026-11-23T14:00, not '{text}'."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=settings.zone)


def _local(at: dt.datetime | None, settings: Settings) -> str:
    return f"{at.astimezone(settings.zone):%Y-%m-%d %H:%M:%S %Z}" if at else ""


def _line(row: BackupRow, settings: Settings) -> list[object]:
    state = row.state if row.problem is None else f"{row.state}: {row.problem}"
    return [
        row.id, _local(row.made_at, settings), state, row.engine, _size(row.bytes), row.rows,
        _local(row.proven_at, settings),
    ]  # fmt: skip


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count / 1_000:.1f} kB"


def _measured(result: DrillResult) -> Iterator[str]:
    from coachops.backup import span  # noqa: PLC0415 imports SQLAlchemy

    if result.rpo_seconds is not None:
        yield f"a disaster would have lost {span(dt.timedelta(seconds=result.rpo_seconds))} (RPO)"
    if result.rto_seconds is not None:
        yield (
            f"back after {result.rto_seconds:.1f} s (RTO): {_size(result.bytes)}, "
            f"{result.tables} tables, {result.rows} rows compared"
        )
    yield "opened with the escrow copy" if result.escrow else "opened with this machine's key"


def _say(error: CoachError) -> None:
    typer.echo(f"{error.code}  {error.message}", err=True)
    typer.echo(f"  Next: {error.next_step}", err=True)


def _tell_setup(plan: Setup) -> None:
    parts = (
        ("On the database host, as root:", plan.commands),
        ("In postgresql.conf, then restart the server:", plan.postgresql),
        ("In pg_hba.conf, then reload the server:", plan.hba),
        (f"In psql, in the database {plan.database}, as the owner of the cluster:", plan.sql),
    )
    typer.echo(f"Backups with {plan.engine}.")
    for number, (title, lines) in enumerate([part for part in parts if part[1]], start=1):
        typer.echo(f"\n{number}. {title}")
        for line in lines:
            typer.echo(f"     {line}")
    for note in plan.notes:
        typer.echo(f"\n- {note}")
    typer.echo("\nThen: 'coachops backup run' and 'coachops backup drill'.")


def _tell_restored(done: Restored, settings: Settings) -> None:
    typer.echo(
        f"Restored backup {done.backup_id} of {_local(done.made_at, settings)} into {done.into}: "
        f"{done.rows} rows in {done.seconds:.1f} s."
    )
    for note in done.notes:
        typer.echo(f"  - {note}")
    typer.echo("Next: 'coachops doctor', then 'coachops serve'.")


def _tell_status(found: RecoveryStatus, settings: Settings) -> None:
    from coachops.backup import span  # noqa: PLC0415 imports SQLAlchemy

    def limit(seconds: float) -> str:
        return span(dt.timedelta(seconds=seconds))

    good, passed = found.last_good, found.last_passed
    lost = limit(found.rpo_seconds) if found.rpo_seconds is not None else "everything"
    rows = [
        ["place", found.place],
        ["last good backup", f"{good.id}, {_local(good.made_at, settings)}" if good else "none"],
        ["a disaster now would lose", f"{lost} (limit {limit(found.rpo_target_seconds)})"],
        ["last passed drill", _local(passed.at, settings) if passed else "none"],
    ]
    if passed is not None and passed.rto_seconds is not None:
        rows.append(["back after", f"{passed.rto_seconds:.1f} s for {_size(passed.bytes)}"])
    shown = _local(found.escrow_confirmed_at, settings)
    rows.append(["copy of the key shown", shown or "never"])
    if found.running:
        rows.append(["running now", found.running])
    table(["", ""], rows)
    for problem in found.problems:
        typer.echo(
            f"{'FAIL' if problem.severity == 'bad' else 'warn'}  {problem.code}  {problem.message}"
        )
        typer.echo(f"      Next: {problem.next_step}")
    if found.ok and passed is None:
        typer.echo("Not proven yet: the first drill is still to come.")
    elif found.ok:
        typer.echo("Recovery is assured." if not found.problems else "Assured, with a warning.")

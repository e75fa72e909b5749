"""`coachops privacy`: what is held of a client, their package, erasure, holds, retention."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.privacy import Erased, Issued

app = typer.Typer(no_args_is_help=True, add_completion=False)
hold_app = typer.Typer(no_args_is_help=True, add_completion=False)
retention_app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(hold_app, name="hold", help="Legal holds: what may not be erased yet.")
app.add_typer(retention_app, name="retention", help="How long each kind of data is kept.")

ClientRef = Annotated[str, typer.Argument(help="E-mail, external id or id of the client.")]


@app.callback()
def group() -> None:
    """Answer a client's request: show, package, erase; legal holds and retention."""


@app.command()
def show(client: ClientRef, as_json: JsonOption = False) -> None:
    """List what is held of a client, by place; nothing is changed.

    Example:  coachops privacy show client-0001
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.privacy import look_at  # noqa: PLC0415 as above

    with opened() as services:
        subject = look_at(services, SYSTEM, client)
    document = _held(subject)

    def text() -> None:
        typer.echo(f"{subject.name} ({subject.external_id})")
        _print_held(document)

    emit(document, as_json=as_json, text=text)


@app.command()
def erase(
    client: ClientRef,
    reason: Annotated[
        str,
        typer.Option(help="request, consent_withdrawn, unlawful, duty or no_longer_needed."),
    ] = "request",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only list.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a client from everything this installation holds. Without --yes nothing is changed.

    Lists the exports that may hold the client, with who made them: whoever was given one must be
    told. Backups keep sealed copies until they expire; a restore erases the client again. This
    cannot be undone.

    Example:  coachops privacy erase client-0029 --reason request --yes
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.privacy import erase_client, look_at  # noqa: PLC0415 as above

    if not yes:
        with opened() as services:
            subject = look_at(services, SYSTEM, client)
        document = _held(subject) | {"dry_run": True}

        def listed() -> None:
            typer.echo(f"This would go of {subject.name} ({subject.external_id}):")
            _print_held(document)
            typer.echo("Nothing was changed. With --yes it is erased for good.")

        emit(document, as_json=as_json, text=listed)
        return
    with opened() as services:
        done = erase_client(services, SYSTEM, client, reason)
    emit(_erased(done), as_json=as_json, text=lambda: _print_erased(done))
    if done.remaining and as_json:
        raise typer.Exit(1)
    if done.remaining:
        raise CoachError(
            "COACH-PRV-007", count=len(done.remaining), places=", ".join(done.remaining)
        )


@app.command()
def erased(as_json: JsonOption = False) -> None:
    """List who was erased: ids only, since nothing else is kept.

    Example:  coachops privacy erased
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        rows = privacy.list_erased(services.database, SYSTEM)
    document = [
        {
            "client_id": row.client_id, "at": row.at, "reason": row.reason, "rows": row.counts,
            "remaining": row.remaining, "readmitted_at": row.readmitted_at,
        }
        for row in rows
    ]  # fmt: skip

    def text() -> None:
        table(
            ("id", "erased", "reason", "rows", "left to clean"),
            [
                (row.client_id, f"{row.at:%Y-%m-%d %H:%M}", row.reason, sum(row.counts.values()),
                 ", ".join(row.remaining))
                for row in rows
            ],
        )  # fmt: skip

    emit({"erased": document}, as_json=as_json, text=text)


@app.command()
def readmit(
    client: Annotated[str, typer.Argument(help="External id, e-mail or id of then.")],
    as_json: JsonOption = False,
) -> None:
    """Let an erased client be taken in again, as a new client; nothing of before comes back.

    Example:  coachops privacy readmit client-0029
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above
    from coachops.jobs.privacy import erased_id  # noqa: PLC0415 as above

    with opened() as services:
        client_id = erased_id(services, client)
        privacy.readmit(services.database, SYSTEM, client_id)

    def text() -> None:
        typer.echo("They may be taken in again: import the roster.")

    emit({"client_id": client_id, "readmitted": True}, as_json=as_json, text=text)


@app.command()
def package(
    client: ClientRef,
    out: Annotated[Path, typer.Option(help="New or empty folder for the package.")],
    *,
    originals: Annotated[
        bool, typer.Option(help="With the files as they were uploaded, left-out lines included.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write everything that is held of a client for the client: JSON, CSV, files and a page.

    Example:  coachops privacy package client-0001 --out packages/client-0001
    """
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports SQLAlchemy
    from coachops.jobs.packaging import make_package  # noqa: PLC0415 as above

    with opened() as services:
        made = make_package(services, SYSTEM, client, out, originals=originals)

    def text() -> None:
        table(("part", "entries"), list(made.rows.items()))
        typer.echo(f"{made.files} files in {made.folder}; begin with READ-ME.html.")

    emit(made, as_json=as_json, text=text)


@hold_app.command("add")
def hold_add(
    client: ClientRef,
    reason: Annotated[str, typer.Option(help="Which duty, in one sentence without names.")],
    as_json: JsonOption = False,
) -> None:
    """Keep everything about a client until the hold is released: no erasure, nothing expires.

    Example:  coachops privacy hold add client-0001 --reason "claim pending, file 12"
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy
    from coachops.coaching import people  # noqa: PLC0415 as above
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        with services.database.read() as session:
            client_id = people.find_client(session, SYSTEM, client).id
        hold_id = privacy.add(services.database, SYSTEM, client_id, reason)
    emit(
        {"hold_id": hold_id, "client_id": client_id},
        as_json=as_json,
        text=lambda: typer.echo(f"Held. To release it: coachops privacy hold release {hold_id}"),
    )


@hold_app.command("release")
def hold_release(
    hold: Annotated[str, typer.Argument(help="Id of the hold.")], as_json: JsonOption = False
) -> None:
    """End a hold: erasure and retention go on.

    Example:  coachops privacy hold release 0199…
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        privacy.release(services.database, SYSTEM, hold)
    emit({"hold_id": hold}, as_json=as_json, text=lambda: typer.echo("Released."))


@hold_app.command("list")
def hold_list(
    *,
    ended: Annotated[bool, typer.Option("--ended", help="With those that were released.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List legal holds.

    Example:  coachops privacy hold list --ended
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        found = privacy.list_holds(services.database, SYSTEM, ended=ended)

    def text() -> None:
        table(
            ("id", "client", "since", "by", "reason", "released"),
            [
                (each.id, each.client_name, f"{each.placed_at:%Y-%m-%d}", each.placed_by,
                 each.reason, f"{each.released_at:%Y-%m-%d}" if each.released_at else "")
                for each in found
            ],
        )  # fmt: skip

    emit({"holds": found}, as_json=as_json, text=text)


@retention_app.command("show")
def retention_show(as_json: JsonOption = False) -> None:
    """Show how long each kind is kept.

    Example:  coachops privacy retention show
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services:
        periods = privacy.list_periods(services.database)

    def text() -> None:
        table(
            ("kind", "days", "what goes then"),
            [(each.kind, each.days or "keep", each.meaning) for each in periods],
        )

    emit({"periods": periods}, as_json=as_json, text=text)


@retention_app.command("set")
def retention_set(
    kind: Annotated[str, typer.Argument(help="As 'coachops privacy retention show' lists them.")],
    days: Annotated[str, typer.Argument(help="Whole days, or 'keep'.")],
    as_json: JsonOption = False,
) -> None:
    """Set how long a kind is kept; the worker deletes what is older each night.

    Example:  coachops privacy retention set transcripts 730
    """
    from coachops import privacy  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    if days != "keep" and not days.isdecimal():
        raise CoachError("COACH-SYS-002", reason=f"Give whole days or 'keep', not '{days}'.")
    number = None if days == "keep" else int(days)
    with opened() as services:
        privacy.set_period(services.database, SYSTEM, kind, number)
    kept = "always" if number is None else f"{number} days"
    emit(
        {"kind": kind, "days": number},
        as_json=as_json,
        text=lambda: typer.echo(f"{kind}: kept {kept}."),
    )


@retention_app.command("run")
def retention_run(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete what is older than its period now, and finish what erasures left.

    Example:  coachops privacy retention run --dry-run
    """
    from coachops.jobs.privacy import run_retention  # noqa: PLC0415 imports SQLAlchemy

    with opened() as services:
        done = run_retention(services, dry_run=dry_run)

    def text() -> None:
        title = "Would go" if dry_run else "Gone"
        table(("kind", "days", title), [(each.kind, each.days, each.count) for each in done.ran])
        for each in done.remaining:
            typer.echo(f"Still to clean: {each}")

    emit(
        {"dry_run": dry_run, "ran": done.ran, "remaining": done.remaining},
        as_json=as_json,
        text=text,
    )


def _held(subject: Any) -> dict[str, Any]:
    """What is held, as a document: rows by place, files, exports."""
    from coachops.privacy import place_of_table  # noqa: PLC0415 imports SQLAlchemy

    held = subject.held
    places: dict[str, int] = {}
    for name, rows in held.rows.items():
        key = place_of_table(name).key
        places[key] = places.get(key, 0) + rows
    for each in held.files:
        places[each.place] = places.get(each.place, 0) + 1
    if held.older:
        places["before_restore"] = len(held.older)
    return {
        "client_id": held.client_id,
        "pseudonym": subject.pseudonym,
        "places": places,
        "rows": held.rows,
        "files": [each.path for each in held.files],
        "exports": [_export(each) for each in held.exports],
        "before_restore": held.older,
        "on_hold": held.on_hold,
    }


def _print_held(document: dict[str, Any]) -> None:
    table(("place", "entries"), list(document["places"].items()))
    _print_exports(document["exports"])
    if document["on_hold"]:
        typer.echo("There is a legal hold: nothing of it can be erased before it is released.")


def _erased(done: Erased) -> dict[str, Any]:
    return {
        "client_id": done.client_id, "at": done.at, "rows": done.rows, "files": done.files,
        "exports": [_export(each, erased=True) for each in done.exports], "remaining": done.remaining,
    }  # fmt: skip


def _print_erased(done: Erased) -> None:
    typer.echo(f"Erased: {sum(done.rows.values())} rows, {sum(done.files.values())} files.")
    _print_exports([_export(each, erased=True) for each in done.exports])


def _print_exports(exports: list[dict[str, Any]]) -> None:
    if not exports:
        return
    typer.echo("Exports that may hold the client; whoever was given one must be told:")
    table(
        ("export", "made", "by", "our copy"),
        [
            (each["export_id"], f"{each['made_at']:%Y-%m-%d %H:%M}", each["made_by"],
             "deleted" if each["deleted"] else each["folder"] or "none here")
            for each in exports
        ],
    )  # fmt: skip


def _export(each: Issued, *, erased: bool = False) -> dict[str, Any]:
    gone = erased and each.folder is not None and not each.folder.exists()
    return {
        "export_id": each.export_id, "made_at": each.made_at, "made_by": each.made_by,
        "folder": each.folder, "deleted": gone, "filters_known": each.datasets is not None,
    }  # fmt: skip

"""`coachops audit`: who did what, and the proof that nobody changed the record afterwards."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from coachops.cli.output import JsonOption, emit, opened, parse_date, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.audit import AuditHead, AuditReport, AuditRow

_RESTORES = 20

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def group() -> None:
    """Show and verify the audit record."""


@app.command("list")
def list_(
    action: Annotated[
        str, typer.Option(help="Only actions that begin with this, such as message.")
    ] = "",
    subject: Annotated[str, typer.Option(help="Only acts on the row with this id.")] = "",
    user: Annotated[str, typer.Option(help="Only acts of this user: e-mail or id.")] = "",
    since: Annotated[str | None, typer.Option(help="From this day on, YYYY-MM-DD.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the newest acts: when, who, what, to which row.

    Example:  coachops audit list --action message. --limit 20
    """
    from coachops import audit  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    day = parse_date(since, "--since")
    with opened() as services:
        zone = services.settings.zone
        rows = audit.list_events(
            services.database,
            SYSTEM,
            action=action,
            subject=subject,
            user_id=services.identity.get_user(SYSTEM, user).id if user else None,
            since=None if day is None else dt.datetime.combine(day, dt.time(), zone),
            limit=limit,
        )

    def text() -> None:
        table(
            ["no.", "when", "who", "did", "to", "details"],
            [
                [
                    "waits" if row.seq is None else row.seq,
                    row.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
                    row.actor,
                    row.action,
                    f"{row.subject_type} {row.subject_id}",
                    " ".join(f"{name}={value}" for name, value in row.details.items()),
                ]
                for row in rows
            ],
        )

    emit({"events": rows}, as_json=as_json, text=text)


@app.command()
def verify(
    against: Annotated[
        list[str] | None,
        typer.Option(help="A head kept elsewhere, SEQ:HASH; repeat for several."),
    ] = None,
    backups: Annotated[
        bool, typer.Option(help="Compare with the heads that the backups hold.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Prove that no act was edited, deleted, inserted or moved, and name the first row that was.

    The chain is also compared with the heads that the backups hold: so a chain that was cut off or
    written anew as a whole is found, too. A restore leaves out the heads made between its backup and
    itself, so each restore on record is listed: one that nobody made hides a change.

    Exit code 1 where the record is not intact.

    Example:  coachops audit verify
    """
    from coachops import audit  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 imports the catalogue

    heads = [audit.AuditHead.parse(text) for text in against or []]
    skipped = ""
    with opened() as services:
        if audit.verify(services.database, newest=0).head is not None:
            audit.seal(services.database)
        if backups:
            try:
                heads += services.backups.audit_heads().values()
            except CoachError as error:  # the place is away: what is here can still be verified
                skipped = f"{error.code} {error.message}"
        report = audit.verify(services.database, against=heads)
        zone = services.settings.zone
        restores = audit.list_events(
            services.database, SYSTEM, action="backup.restored", limit=_RESTORES
        )

    emit(
        {
            "intact": report.intact,
            "checked": report.checked,
            "waiting": report.waiting,
            "head": None if report.head is None else str(report.head),
            "compared_with": [str(head) for head in heads],
            "backups_skipped": skipped or None,
            "restores": [{"backup": row.subject_id, "at": row.at} for row in restores],
            "breaks": report.breaks,
        },
        as_json=as_json,
        text=lambda: _show(report, heads, skipped, restores, zone),
    )
    if not report.intact:
        raise typer.Exit(1)


def _show(
    report: AuditReport,
    heads: list[AuditHead],
    skipped: str,
    restores: list[AuditRow],
    zone: dt.tzinfo,
) -> None:
    if skipped:
        typer.echo(f"warn  not compared with the backups: {skipped}")
    for row in restores:
        typer.echo(
            f"note  backup {row.subject_id} was restored on {row.at.astimezone(zone):%Y-%m-%d %H:%M}, "
            "as the record says: heads made between the two are not compared. Was it you?"
        )
    if report.first is None:
        compared = f", compared with {len(heads)} heads kept elsewhere" if heads else ""
        typer.echo(f"ok    {report.checked} acts, none changed{compared}.")
        typer.echo(f"      head {report.head}")
        return
    error = CoachError("COACH-SYS-009", reason=report.first.text)
    typer.echo(f"FAIL  {error.code}  {error.message}")
    for each in report.breaks[1:20]:
        typer.echo(f"      also: {each.text}")
    if len(report.breaks) > 20:
        typer.echo(f"      and {len(report.breaks) - 20} more")
    typer.echo(
        "      Next: keep the database as it is. A backup of before shows what the row said: "
        "'coachops backup list', then restore it into another folder and compare."
    )

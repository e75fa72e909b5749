"""The part of `coachops message` about addresses: reports of mail servers, and who is not written to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError, Kind

if TYPE_CHECKING:
    from coachops.coaching.messages import Listed

KEPT = 200
"""Mails from standard input that nobody could read a report from, kept for a person at a time."""
FOLDER = "mail-reports"
TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the mail and calls again."""


def bounce(
    mails: Annotated[
        list[str] | None,
        typer.Argument(help="Files (.eml), folders or Maildirs; '-' for standard input."),
    ] = None,
    pipe: Annotated[
        bool, typer.Option("--pipe", help="For a mail server: one mail on standard input.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in what mail servers returned: bounces (RFC 3464) and complaints (RFC 5965).

    Only a report that names one of our letters counts, each once; files stay where they are. A mail
    on standard input that tells nothing is kept in COACHOPS_HOME/mail-reports for a person.

    Example:  coachops message bounce returned.eml
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy

    if bool(mails) == pipe:
        raise CoachError("COACH-SYS-002", reason="Give files or folders, or --pipe.")
    rows: list[dict[str, str]] = []
    try:
        with opened() as services:
            secret = services.secret("feedback")
            for name, data in _mails(mails or ["-"]):
                try:
                    taken = messages.take_mail(services.database, data, secret)
                    row = {"mail": name, "outcome": taken.outcome, "kind": taken.kind or "",
                           "status": taken.status, "reason": ""}  # fmt: skip
                except CoachError as error:
                    if error.code != "COACH-MSG-013":
                        raise
                    row = {"mail": name, "outcome": "unreadable", "kind": "", "status": "",
                           "reason": str(error.details["reason"])}  # fmt: skip
                if name == "-" and row["outcome"] in {"unknown", "no_report", "unreadable"}:
                    row["kept"] = _keep(services.settings.home / FOLDER, data)
                rows.append(row)
    except CoachError as error:
        if pipe and error.kind is Kind.UNAVAILABLE:
            raise typer.Exit(TRY_LATER) from error
        raise
    emit({"mails": rows}, as_json=as_json, text=lambda: _report(rows))


def suppressed(as_json: JsonOption = False) -> None:
    """List who is never written to, with the reason.

    Example:  coachops message suppressed
    """
    import datetime as dt  # noqa: PLC0415 only used here

    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core import clock  # noqa: PLC0415 as above
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        rows = messages.list_standing(services.database, SYSTEM, services.secret("feedback"))
        with services.database.read() as session:
            since = clock.now() - dt.timedelta(days=30)
            unknown = messages.unknown_reports(session, since)

    def text() -> None:
        _table(rows)
        if unknown:
            typer.echo(
                f"{unknown} reports of the last 30 days were about no letter of ours.", err=True
            )

    emit({"suppressed": rows, "unknown_reports": unknown}, as_json=as_json, text=text)


def allow(
    client: Annotated[str, typer.Argument(help="REF of a client.")],
    reason: Annotated[
        Literal["bounce", "opt_out", "complaint"], typer.Option(help="Which reason has ended.")
    ],
    note: Annotated[str, typer.Option(help="How that is known; kept with the record.")],
    as_json: JsonOption = False,
) -> None:
    """Write to a client again.

    Example:  coachops message allow CL-201 --reason bounce --note "Mailbox mended, tested by phone"
    """
    from coachops.coaching import messages, people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        secret = services.secret("feedback")
        with services.database.read() as session:
            client_id = people.find_client(session, SYSTEM, client).id
        messages.lift(services.database, SYSTEM, client_id, reason, note, secret)
        left = messages.of_client(services.database, SYSTEM, client_id, secret)

    def text() -> None:
        typer.echo("The client can be written to." if left is None else f"Still: {left.words}.")

    emit({"client_id": client_id, "still": left}, as_json=as_json, text=text)


def _mails(names: list[str]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each mail, read only as far as a report may be long."""
    from coachops.coaching.messages.reports import MAX_BYTES  # noqa: PLC0415 imports SQLAlchemy

    for name in names:
        if name == "-":
            yield name, typer.get_binary_stream("stdin").read(MAX_BYTES + 1)
            continue
        for path in _files(Path(name)):
            try:
                with path.open("rb") as file:
                    yield str(path), file.read(MAX_BYTES + 1)
            except OSError:
                raise CoachError("COACH-SYS-004", path=path) from None


def _files(path: Path) -> list[Path]:
    """The mails of a folder: those of a Maildir, else every `.eml`."""
    if not path.is_dir():
        return [path]
    maildir = [path / part for part in ("new", "cur") if (path / part).is_dir()]
    if maildir:
        return sorted(each for folder in maildir for each in folder.iterdir() if each.is_file())
    return sorted(each for each in path.glob("*.eml") if each.is_file())


def _keep(folder: Path, data: bytes) -> str:
    """Keep a mail for a person, once, up to `KEPT` of them; its path, empty where it is not kept."""
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.eml"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            if sum(1 for _ in folder.glob("*.eml")) >= KEPT:
                return ""
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
    except OSError:
        return ""  # the count in the database still tells of it
    return str(path)


def _report(rows: list[dict[str, str]]) -> None:
    table(
        ["mail", "outcome", "reports", "status", ""],
        [
            [r["mail"], r["outcome"], r["kind"], r["status"], r["reason"] or r.get("kept", "")]
            for r in rows
        ],
    )


def _table(rows: list[Listed]) -> None:
    table(
        ["since", "reason", "from", "status", "clients with this address now"],
        [[f"{r.since:%Y-%m-%d}", r.reason, r.source, r.status, ", ".join(r.clients)] for r in rows],
    )

"""`coachops message`: follow-up e-mails from draft to sent."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coachops.cli import message_addresses
from coachops.cli.output import JsonOption, emit, opened, table
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.coaching.messages import MessageRow

app = typer.Typer(no_args_is_help=True, add_completion=False)

_MessageArgument = Annotated[str, typer.Argument(help="Id of the message.")]


@app.callback()
def group() -> None:
    """Draft, approve and send follow-ups."""


@app.command()
def draft(
    transcripts: Annotated[list[str], typer.Argument(help="Ids of analysed transcripts.")],
    as_json: JsonOption = False,
) -> None:
    """Draft the follow-up of transcripts; a second call changes no word of the coach.

    Example:  coachops message draft 0199…
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    ids = [_id(text, "transcript") for text in transcripts]
    with opened() as services:
        rows = [messages.draft(services.database, SYSTEM, each) for each in ids]
    emit({"messages": rows}, as_json=as_json, text=lambda: _table(rows))


@app.command("list")
def list_(
    state: Annotated[
        Literal["draft", "approved", "sending", "sent", "uncertain", "failed"] | None,
        typer.Option(help="Only messages in this state."),
    ] = None,
    client: Annotated[str | None, typer.Option(help="REF of a client.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List follow-ups, the newest first.

    Example:  coachops message list --state uncertain
    """
    from coachops.coaching import messages, people  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    with opened() as services:
        client_id = None
        if client is not None:
            with services.database.read() as session:
                client_id = people.find_client(session, SYSTEM, client).id
        rows = messages.list_messages(
            services.database, SYSTEM, state=state, client_id=client_id, limit=limit
        )
    emit({"messages": rows}, as_json=as_json, text=lambda: _table(rows))


@app.command()
def show(message: _MessageArgument, as_json: JsonOption = False) -> None:
    """Show a follow-up as it would leave: each recipient, subject, text.

    Example:  coachops message show 0199…
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    message_id = _id(message, "message")
    with opened() as services:
        row = messages.get(services.database, SYSTEM, message_id)
        letterhead = messages.letterhead_for(services.settings, services.secret("feedback"))
        letter: messages.Preview | None = None
        problem: CoachError | None = None
        try:
            letter = messages.preview(services.database, SYSTEM, message_id, letterhead)
        except CoachError as error:  # no usable address: the draft itself can be read all the same
            problem = error

    def text() -> None:
        typer.echo(f"State:    {_state(row)}, version {row.version}")
        if letter is None:
            typer.echo(f"Subject:  {row.subject}\n\n{row.body}")
            typer.echo(f"{problem}", err=True)
            return
        typer.echo(f"From:     {letter.sender}\nReply to: {letter.reply_to}")
        typer.echo(f"To:       {', '.join(letter.recipients)}\nSubject:  {letter.subject}\n")
        typer.echo(letter.text)

    document = {
        "message": row,
        "preview": letter,
        "problem": problem.as_dict() if problem is not None else None,
    }
    emit(document, as_json=as_json, text=text)


@app.command()
def edit(
    message: _MessageArgument,
    version: Annotated[int, typer.Option(help="The version you read, from 'message show'.")],
    body: Annotated[
        Path | None, typer.Option(help="File with the new text, '-' for standard input.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="New subject.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change subject or text; an approval ends with it.

    Example:  coachops message edit 0199… --version 1 --subject "Our talk" --body letter.txt
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    if body is None and subject is None:
        raise CoachError("COACH-SYS-002", reason="Give --subject, --body or both.")
    message_id, text = _id(message, "message"), _text_of(body)
    with opened() as services:
        known = messages.get(services.database, SYSTEM, message_id)
        row = messages.edit(
            services.database, SYSTEM, message_id, version,
            known.subject if subject is None else subject, known.body if text is None else text,
        )  # fmt: skip
    emit(row, as_json=as_json, text=lambda: _table([row]))


@app.command()
def approve(
    message: _MessageArgument,
    version: Annotated[int, typer.Option(help="The version you read, from 'message show'.")],
    as_json: JsonOption = False,
) -> None:
    """Approve exactly this version; a running worker sends it.

    Example:  coachops message approve 0199… --version 2
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    message_id = _id(message, "message")
    with opened() as services:
        row = messages.approve(
            services.database, SYSTEM, message_id, version, secret=services.secret("feedback")
        )
    emit(row, as_json=as_json, text=lambda: _table([row]))


@app.command()
def send(
    messages_: Annotated[
        list[str] | None, typer.Argument(metavar="MESSAGES", help="Ids of approved messages.")
    ] = None,
    approved: Annotated[bool, typer.Option("--approved", help="All that are approved.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--queue", help="Send now, or leave it to the worker.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Send approved messages, each at most once.

    Exit code 1 where one failed or its delivery is unknown, 4 where the mail server took none.

    Example:  coachops message send --approved
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above
    from coachops.jobs import Jobs  # noqa: PLC0415 as above

    if bool(messages_) == approved:
        raise CoachError("COACH-SYS-002", reason="Give ids, or --approved for all that are.")
    ids = [_id(text, "message") for text in messages_ or []]
    with opened() as services, Jobs(services.settings, services) as jobs:
        if wait:
            _require_mail(services)
        if approved:
            ids = [message_id for message_id, _ in messages.unsent_approved(services.database)]
        queued = [jobs.enqueue_send(each) for each in ids]
        if wait and queued:
            with _bar(len(queued)) as progress:
                jobs.run_inline(queued, progress=progress)
        rows = [messages.get(services.database, SYSTEM, each) for each in ids]
    emit({"messages": rows}, as_json=as_json, text=lambda: _table(rows))
    unsent = [row for row in rows if row.state != "sent"]
    if wait and unsent:
        _report_unsent(unsent, whole=len(unsent) == len(rows))


@app.command()
def resolve(
    message: _MessageArgument,
    outcome: Annotated[Literal["sent", "failed"], typer.Argument(help="What you found out.")],
    as_json: JsonOption = False,
) -> None:
    """Settle a message whose delivery is unknown, after asking the client or the mail server.

    Example:  coachops message resolve 0199… sent
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    message_id = _id(message, "message")
    with opened() as services:
        row = messages.resolve_uncertain(services.database, SYSTEM, message_id, outcome)
    emit(row, as_json=as_json, text=lambda: _table([row]))


@app.command("write-again")
def write_again(
    message: _MessageArgument,
    version: Annotated[int, typer.Option(help="The version you read, from 'message show'.")],
    as_json: JsonOption = False,
) -> None:
    """Make a returned or failed follow-up a draft again, to the client's present address.

    Example:  coachops message write-again 0199… --version 2
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    message_id = _id(message, "message")
    with opened() as services:
        row = messages.write_again(services.database, SYSTEM, message_id, version)
    emit(row, as_json=as_json, text=lambda: _table([row]))


@app.command()
def retry(message: _MessageArgument, as_json: JsonOption = False) -> None:
    """Approve a failed message again, with the same words; a running worker sends it.

    Example:  coachops message retry 0199…
    """
    from coachops.coaching import messages  # noqa: PLC0415 imports SQLAlchemy
    from coachops.core.actor import SYSTEM  # noqa: PLC0415 as above

    message_id = _id(message, "message")
    with opened() as services:
        row = messages.retry(
            services.database, SYSTEM, message_id, secret=services.secret("feedback")
        )
    emit(row, as_json=as_json, text=lambda: _table([row]))


def _require_mail(services: Services) -> None:
    """Refuse to start jobs that could only fail: the mail settings must be right.

    Raises:
        CoachError: COACH-SYS-001 names the setting.
    """
    for part in ("letterhead", "mailer"):
        getattr(services, part)  # built from the settings when first asked for


def _report_unsent(rows: list[MessageRow], *, whole: bool) -> None:
    """Say why messages were not sent, and leave with the exit code that fits."""
    from coachops.cli.main import exit_code  # noqa: PLC0415 main imports this module

    codes_found = dict.fromkeys(row.error_code for row in rows if row.error_code)
    told: dict[str, str] = {"reason": "its answer is in the log", "status": "for good"}
    errors = {code: CoachError(code, **told) for code in codes_found}
    if stuck := next((row for row in rows if not row.error_code), None):
        name = f"send/{stuck.id}/{stuck.version}"
        error = CoachError("COACH-JOB-002", name=name, reason=f"the message is {stuck.state}")
        errors[error.code] = error
    for error in errors.values():
        typer.echo(f"{error.spec.code}  {error.message}\n  Next: {error.next_step}", err=True)
    codes = {exit_code(error) for error in errors.values()}
    raise typer.Exit(codes.pop() if whole and len(codes) == 1 else 1)


def _table(rows: list[MessageRow]) -> None:
    table(
        ["session", "client", "to", "state", "version", "error", "message"],
        [
            [r.held_on, r.client_name, r.recipient_email,
             _state(r), r.version, r.error_code, r.id]
            for r in rows
        ],
    )  # fmt: skip


def _state(row: MessageRow) -> str:
    """The state with what else matters about it."""
    marks = [row.delivery or "", "stale" if row.stale else "", "put off" if row.retry_at else ""]
    told = ", ".join(mark for mark in marks if mark)
    return f"{row.state} ({told})" if told else row.state


def _id(text: str, what: str) -> uuid.UUID:
    from coachops.core.ids import parse_id  # noqa: PLC0415 only when used

    identifier = parse_id(text)
    if identifier is None:
        raise CoachError("COACH-CCH-001", what=what, ref=text)
    return identifier


def _text_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        if str(path) == "-":
            return typer.get_text_stream("stdin").read()
        return path.read_text(encoding="utf-8")
    except OSError:
        raise CoachError("COACH-SYS-004", path=path) from None
    except UnicodeDecodeError:
        raise CoachError("COACH-MSG-006", field="text", reason="it is not UTF-8") from None


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[[int, int], None]]:
    from coachops.cli.output import progress  # noqa: PLC0415 only when used

    with progress() as bars:
        task = bars.add_task("Sending", total=total)
        yield lambda done, _: bars.update(task, completed=done)


for each_command in (
    message_addresses.bounce,
    message_addresses.suppressed,
    message_addresses.allow,
):
    app.command()(each_command)

"""The entry point `coachops`: the table of command groups, loaded when used, and exit codes."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from coachops import __version__
from coachops.cli.words import clean_words
from coachops.core import request
from coachops.core.errors import CoachError, Kind

GROUPS: dict[str, tuple[str, str]] = {
    "init": ("init", "Set up or migrate the database; safe to repeat."),
    "demo": ("demo", "Run everything once on sample data and show what it made."),
    "serve": ("serve", "Run API, guide, dashboards and worker on one address."),
    "worker": ("worker", "Run background work until stopped."),
    "lab": ("lab", "Open JupyterLab on the analyst notebooks."),
    "roster": ("roster", "Import coaches, clients and engagements."),
    "coach": ("coach", "Hand the clients of a coach who leaves to a successor."),
    "seed": ("seed", "Make a reproducible organisation of any size."),
    "transcript": ("transcript", "Import and analyse transcripts."),
    "quarantine": ("quarantine", "Look at, correct and replay what could not be accepted."),
    "consent": ("consent", "Record and show clients' consents."),
    "privacy": ("privacy", "Answer clients' requests: show, package, erase; holds, retention."),
    "message": ("message", "Draft, approve and send follow-ups."),
    "goal": ("goal", "Goals and their ratings."),
    "export": ("export", "Export data and verify exports."),
    "changes": ("changes", "Follow the change feed, compare digests."),
    "report": ("report", "List and run reports."),
    "job": ("job", "Show, retry and cancel background work."),
    "user": ("user", "Invite, list and disable users."),
    "token": ("token", "Tokens of other systems."),
    "webhook": ("webhook", "Tell other systems that something happened."),
    "audit": ("audit", "Show and verify the audit record."),
    "backup": ("backup", "Back up, prove that it can be restored, restore."),
    "db": ("db", "The database's servers, promotion of a standby, integrity."),
    "config": ("config", "Show every setting and where it comes from."),
    "doctor": ("doctor", "Check the installation, with a next step for each problem."),
}
"""Name of a command or group -> its module in this package and its help line."""

EXIT_CODES: dict[Kind, int] = {
    Kind.USAGE: 2,
    Kind.CONFIGURATION: 3,
    Kind.UNAVAILABLE: 4,
}
"""Kind of an error -> exit code; every other kind is 1."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are called, not when help is shown."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the table."""
        return list(GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now, or None."""
        if cmd_name not in GROUPS:
            return None
        module, text = GROUPS[cmd_name]
        app: typer.Typer = importlib.import_module(f"coachops.cli.{module}").app
        command = typer.main.get_command(app)
        command.name = cmd_name
        command.short_help = text
        clean_words(command)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in GROUPS.items()])


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"coachops {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Coaching operations: transcripts, analysis, follow-up, export, reports, dashboards.

    First steps:  coachops init  ·  coachops demo  ·  coachops serve
    """


def exit_code(error: CoachError) -> int:
    """The exit code of an error, by its kind."""
    return EXIT_CODES.get(error.kind, 1)


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with the agreed exit code."""
    with request.using():
        _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: list[str]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may hold bytes that are no text
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(arguments, prog_name="coachops", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except TyperException as error:
        _print_wrong_usage(error, as_json="--json" in arguments)
        sys.exit(error.exit_code)
    except typer.Abort:
        typer.echo("Stopped: nothing was done.", err=True)
        sys.exit(1)
    except CoachError as error:
        _print_error(error, as_json="--json" in arguments)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:  # the last line of defence: a person never sees a traceback
        if os.environ.get("COACHOPS_LOG_LEVEL") == "DEBUG":
            raise
        unexpected = CoachError("COACH-SYS-003", reason=type(error).__name__)
        _print_error(unexpected, as_json="--json" in arguments)
        typer.echo("  (COACHOPS_LOG_LEVEL=DEBUG shows the details)", err=True)
        sys.exit(exit_code(unexpected))


def _print_wrong_usage(error: TyperException, *, as_json: bool) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":  # a group alone: its text is the help
        typer.echo(error.format_message(), err=True)
        return
    reason = error.format_message().strip().replace("Value error, ", "")
    reason += "" if reason.endswith((".", "?", "!")) else "."
    _print_error(CoachError("COACH-SYS-002", reason=reason), as_json=as_json)


def _print_error(error: CoachError, *, as_json: bool) -> None:
    run_id = error.request_id or request.current_id()
    if as_json:
        import json  # noqa: PLC0415 only for this path

        typer.echo(json.dumps({"error": error.as_dict() | {"request_id": run_id}}))
    typer.echo(f"{error.code}  {error.message}", err=True)
    if error.spec.why:
        typer.echo(f"  Why:  {error.spec.why}", err=True)
    typer.echo(f"  Next: {error.next_step}", err=True)
    typer.echo(f"  More: {_origin()}{error.spec.page}  (run {run_id})", err=True)


def _origin() -> str:
    """The address of the suite; nothing where the settings themselves are what is wrong."""
    from coachops.core.settings import load_settings  # noqa: PLC0415 259 ms, only for this path

    try:
        return load_settings().public_url
    except CoachError:
        return "…"


if __name__ == "__main__":
    run()

"""What every command shares: the JSON option, results, tables, progress, and opened services."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from rich.progress import Progress

    from coachops.bootstrap import Services

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def emit(document: object, *, as_json: bool, text: Callable[[], None] | None = None) -> None:
    """Print the result of a command.

    Parameters:
        document: what `--json` prints (dataclasses, pydantic models, ids and dates are fine).
        as_json: print the document, else call `text`.
        text: prints for a person; without it the document is printed as indented JSON.
    """
    if as_json:
        typer.echo(json.dumps(plain(document), ensure_ascii=False))
    elif text is not None:
        text()
    else:
        typer.echo(json.dumps(plain(document), ensure_ascii=False, indent=2))


def plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID | Path | Decimal):
        return str(value)
    return value


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Print a table on stdout, fitted to the terminal."""
    from rich.console import Console  # noqa: PLC0415 73 ms that --help does not need
    from rich.table import Table  # noqa: PLC0415 as above

    shown = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*("" if cell is None else _cell(cell) for cell in row))
    wide = None if sys.stdout.isatty() else 200  # what is read by others is not folded
    Console(highlight=False, width=wide).print(shown)


def _cell(value: object) -> str:
    from rich.markup import escape  # noqa: PLC0415 as above

    return escape(str(value))


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """Progress bars on stderr; silent where stderr is not a terminal."""
    from rich.console import Console  # noqa: PLC0415 73 ms that --help does not need
    from rich.progress import (  # noqa: PLC0415 as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        yield bars


@contextlib.contextmanager
def opened() -> Iterator[Services]:
    """The services of this installation, closed at the end."""
    from coachops.bootstrap import services  # noqa: PLC0415 imports SQLAlchemy

    opened_services = services()
    try:
        yield opened_services
    finally:
        opened_services.close()


def parse_date(text: str | None, option: str) -> dt.date | None:
    """The date of an option given as YYYY-MM-DD.

    Raises:
        CoachError: COACH-SYS-002 where it is not a date.
    """
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise CoachError(
            "COACH-SYS-002", reason=f"{option} must be a date such as 2026-03-31, not '{text}'."
        ) from None

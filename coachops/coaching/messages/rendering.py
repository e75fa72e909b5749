"""The templates of this package, and the small structure of a body that HTML is made from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph: its lines, and the list that follows them, if one does."""

    lines: tuple[str, ...] = ()
    items: tuple[str, ...] = field(default=())


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("coachops.coaching.messages", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: Any) -> str:
    """The template of that file name, filled; HTML ones escape every value."""
    return _environment().get_template(template).render(**values)


def blocks(body: str) -> list[Block]:
    """The paragraphs of a plain-text body; lines that start with "- " are items of a list."""
    found = []
    for paragraph in body.strip("\n").split("\n\n"):
        lines = [line.strip() for line in paragraph.split("\n") if line.strip()]
        head: list[str] = []
        items: list[str] = []
        for line in lines:
            if line.startswith("- "):
                items.append(line[2:].strip())
            elif items:  # words after a list start a paragraph of their own
                found.append(Block(tuple(head), tuple(items)))
                head, items = [line], []
            else:
                head.append(line)
        if head or items:
            found.append(Block(tuple(head), tuple(items)))
    return found


def day(date: dt.date) -> str:
    """A date as people write it, the same in every locale: "Friday 20 March 2026"."""
    return f"{_DAYS[date.weekday()]} {date.day} {_MONTHS[date.month - 1]} {date.year}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

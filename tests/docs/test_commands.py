"""The guide and the README: every command they show exists with the options they give it."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from coachops.cli.main import GROUPS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "site").rglob("*.md"))]
_FENCE = re.compile(r"^( *)```(?:console|bash|sh)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`((?:coachops|make) [a-z][^`]*)`")


def _commands(page: Path) -> Iterator[str]:
    text = page.read_text()
    for match in _FENCE.finditer(text):
        for line in match[2].splitlines():
            if line.strip().startswith("$ "):
                yield line.strip()[2:].split("#")[0].split("|")[0].strip()
    for match in _INLINE.finditer(text):
        yield match[1]


def _leaf(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and what is left of them."""
    module, _ = GROUPS[words[0]]
    command: Any = typer.main.get_command(importlib.import_module(f"coachops.cli.{module}").app)
    rest = words[1:]
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest[0]]
        rest = rest[1:]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_on_the_page_exist_with_their_options(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for text in _commands(page):
        words = [word for word in shlex.split(text) if not re.match(r"^[A-Z_]+=", word)]
        if not words:
            continue
        if words[0] == "make":
            assert words[1] in targets, text
            continue
        if Path(words[0]).name != "coachops" or len(words) < 2 or words[1].startswith("-"):
            continue
        if "…" in text or "/" in words[1]:
            continue
        assert words[1] in GROUPS, text
        command, rest = _leaf(words[1:])
        known = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
        for flag in (word.split("=")[0] for word in rest if word.startswith("-")):
            assert flag in known, f"{text}: {flag}"
        if rest and not rest[0].startswith("-") and getattr(command, "commands", None):
            pytest.fail(f"{text}: no such subcommand")

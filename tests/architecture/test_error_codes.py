"""The catalogue of error codes, the code that raises them and the tests that provoke them agree."""

from __future__ import annotations

import ast
import functools
import re
import string
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import coachops
from coachops.core.errors import CATALOGUE

PACKAGE = Path(coachops.__file__).parent
CODE = re.compile(r"COACH-[A-Z]{2,3}-\d{3}")


@functools.cache
def _trees(word: str) -> dict[str, ast.Module]:
    """Every module that holds `word`, but the catalogue itself, by its path in the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(text)
        for path in sorted(PACKAGE.rglob("*.py"))
        if PACKAGE / "core" / "errors" not in path.parents
        and word in (text := path.read_text("utf-8"))
    }


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _used() -> dict[str, set[str]]:
    """Code -> modules that hold it as a value of its own; docstrings only speak of codes."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, tree in _trees("COACH-").items():
        spoken = {id(node.value) for node in ast.walk(tree) if _is_docstring(node)}  # type: ignore[attr-defined]  # checked
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in spoken:
                value = node.value
                if isinstance(value, str) and CODE.fullmatch(value):
                    found[value].add(name)
    return found


def _last_name(called: ast.expr) -> str:
    """What stands before the brackets of a call, without the modules before it."""
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def test_every_code_of_the_catalogue_is_used() -> None:
    assert sorted(CATALOGUE.keys() - _used().keys()) == []


def test_every_code_used_or_spoken_of_is_in_the_catalogue() -> None:
    unknown = {
        f"{name}: {code}"
        for name, tree in _trees("COACH-").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for code in CODE.findall(node.value)
        if code not in CATALOGUE
    }
    assert unknown == set()


def test_errors_are_raised_with_the_details_that_their_texts_name() -> None:
    """A missing detail would show braces to a person; a spare one shows that the text changed."""
    wrong = []
    for name, tree in _trees("CoachError").items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and _last_name(node.func).endswith("CoachError")):
                continue
            if not (node.args and isinstance(node.args[0], ast.Constant)):
                continue
            if any(keyword.arg is None for keyword in node.keywords):
                continue  # **details: filled elsewhere
            spec = CATALOGUE[str(node.args[0].value)]
            named = {
                field
                for text in (spec.happened, spec.next_step)
                for _, field, _, _ in string.Formatter().parse(text)
                if field
            }
            given = {str(keyword.arg) for keyword in node.keywords}
            if not named <= given:
                wrong.append(f"{name}:{node.lineno} {spec.code} lacks {sorted(named - given)}")
    assert wrong == []


def _own_files(folder: Path) -> Iterator[Path]:
    """The tests' own modules; the tools of others that are installed beside them are thousands."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != "node_modules" and not path.name.startswith("."):
            yield from _own_files(path)
        elif path.suffix == ".py":
            yield path


def _tested() -> set[str]:
    """Codes that a test holds as a value, beyond the files that only list codes."""
    lists = {"matrix.py", Path(__file__).name}
    found: set[str] = set()
    for path in _own_files(PACKAGE.parent / "tests"):
        if path.name in lists or "COACH-" not in (text := path.read_text("utf-8")):
            continue
        tree = ast.parse(text)
        spoken = {id(node.value) for node in ast.walk(tree) if _is_docstring(node)}  # type: ignore[attr-defined]  # checked
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in spoken:
                found.update(CODE.findall(str(node.value)))
    return found


def test_every_code_of_the_catalogue_is_provoked_by_a_test() -> None:
    assert sorted(CATALOGUE.keys() - _tested()) == []


def test_every_code_says_what_happened_why_and_what_to_do_in_whole_sentences() -> None:
    wrong = [
        spec.code
        for spec in CATALOGUE.values()
        for text in (spec.happened, spec.why, spec.next_step)
        if not text or not text.endswith((".", "}")) or "{" in spec.why
    ]
    assert wrong == []


ONLY_ON_PAGES = {"COACH-IDN-013", "COACH-IDN-007"}
"""Codes that nobody can meet but in a browser."""


def test_next_steps_hold_on_every_surface() -> None:
    """A command has no page to reload, and a program no button to press."""
    of_pages = re.compile(r"reload|press|click|this page|\bbelow\b|\babove\b", re.IGNORECASE)
    wrong = {
        spec.code: spec.next_step
        for spec in CATALOGUE.values()
        if of_pages.search(spec.next_step) and spec.code not in ONLY_ON_PAGES
    }
    assert wrong == {}

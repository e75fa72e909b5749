"""The habits of the house that a machine can see: file sizes, settings in use, package doors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import coachops
from coachops.core.settings import Settings
from tests.support.scheduling import LONGEST, TOGETHER, unit

PACKAGE = Path(coachops.__file__).parent
MAX_LINES = 400
DERIVED = {"openai_api_key": "has_ai_key", "time_zone": "zone", "home": "outbox"}
"""Settings also read through a property of the settings."""


def _modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "versions" not in path.parts]


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    long = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in _modules()
        if (lines := path.read_text("utf-8").count("\n")) > MAX_LINES
    }
    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(PACKAGE).as_posix()
        for path in _modules()
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_every_setting_has_an_effect() -> None:
    """A setting that nothing reads is a promise that is not kept."""
    text = "\n".join(
        path.read_text("utf-8") for path in _modules() if path != PACKAGE / "core" / "settings.py"
    )
    read = set(re.findall(r"(?:settings|_settings|given)\.(\w+)", text))
    idle = [
        name
        for name in Settings.model_fields
        if name not in read and DERIVED.get(name, name) not in read
    ]
    assert idle == []


def test_settings_are_read_from_the_environment_in_one_place() -> None:
    """Elsewhere a setting would have no default, no check and no line in `coachops config`."""
    variables = {f"COACHOPS_{name.upper()}" for name in Settings.model_fields}
    found = set()
    for path in _modules():
        text = path.read_text("utf-8")
        if "environ" not in text and "getenv" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            read = isinstance(node, ast.Call | ast.Subscript) and ast.unparse(node)
            if read and re.match(r"os\.(environ(\.get|\.pop)?|getenv)[\[(]", read):
                name = read.split("'")[1] if "'" in read else ""
                if name in variables:
                    found.add((path.relative_to(PACKAGE).as_posix(), name))
    # the last line of defence must work where the settings themselves are what is broken
    assert found == {("cli/main.py", "COACHOPS_LOG_LEVEL")}


def test_the_tests_that_start_first_are_there() -> None:
    """A file or folder that was renamed would start last again, and the others would wait for it."""
    tests = PACKAGE.parent / "tests"
    assert [name for name in LONGEST if not (tests / name).exists()] == []
    assert [name for name in LONGEST if unit(f"tests/{name}") != f"tests/{name}"] == []
    assert [name for name in TOGETHER if not (tests.parent / name / "conftest.py").is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)

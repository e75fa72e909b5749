"""Notebooks are thin, stripped, and run on a seeded database."""

from __future__ import annotations

import ast
import datetime as dt
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from coachops.coaching.seed import seed_organisation
from coachops.core import clock
from coachops.db import Database
from coachops.reporting import REPORTS
from tests.support.patience import WHOLE

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = sorted((ROOT / "notebooks" / "analysis").glob("*.ipynb")) + sorted(
    (ROOT / "reports").glob("*.ipynb")
)
ALL = sorted(
    path
    for folder in ("notebooks", "reports")
    for path in (ROOT / folder).rglob("*.ipynb")
    if ".ipynb_checkpoints" not in path.parts
)
SQL = re.compile(
    r"\b(select\s.+\sfrom|insert\s+into|update\s+\w+\s+set|delete\s+from)\b",
    re.IGNORECASE | re.DOTALL,
)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def code(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_notebooks_are_stripped(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code(path):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert "injected-parameters" not in cell.metadata.get("tags", [])
    assert "papermill" not in notebook.metadata
    assert "widgets" not in notebook.metadata


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_notebooks_are_thin(path: Path) -> None:
    """At most ten lines a cell; functions, classes and SQL live in the package, where tests are."""
    for cell in code(path):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert 0 < len(lines) <= 10, cell.source
        tree = ast.parse(cell.source)
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)], cell.source
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        assert not [t for t in texts if isinstance(t, str) and SQL.search(t)], cell.source


def test_every_report_notebook_is_in_the_catalog() -> None:
    assert {path.stem for path in (ROOT / "reports").glob("*.ipynb")} == set(REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_the_parameters_cell_and_the_model_agree(name: str) -> None:
    """Names, types and defaults; papermill drops unions silently, so only plain types are there."""
    tagged = [c for c in code(REPORTS[name].notebook) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    cell: dict[str, tuple[str, object]] = {}
    for node in ast.parse(tagged[0].source).body:
        assert isinstance(node, ast.AnnAssign)
        assert isinstance(node.target, ast.Name)
        assert isinstance(node.annotation, ast.Name)
        assert node.annotation.id in {"str", "int", "float", "bool"}
        assert node.value is not None
        cell[node.target.id] = (node.annotation.id, ast.literal_eval(node.value))
    model = {
        name: (getattr(field.annotation, "__name__", ""), field.default)
        for name, field in REPORTS[name].parameters.model_fields.items()
    }
    assert cell == model


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("path", "backend"),
    [
        *(pytest.param(path, "sqlite", id=path.stem) for path in EXECUTED),
        pytest.param(
            REPORTS["weekly_operations"].notebook,
            "postgres",
            id="weekly_operations-postgres",
            marks=[pytest.mark.postgres, pytest.mark.long],
        ),
    ],
)
def test_notebooks_run_by_plain_papermill(
    path: Path, backend: str, new_database_url: Callable[..., str], tmp_path: Path
) -> None:
    """The command that any scheduler can run; the database comes by the environment."""
    url = new_database_url(backend)
    database = Database(url)
    seed_organisation(
        database, coaches=4, clients=10, sessions=120, utterances_per_session=6, seed=3,
        until=clock.today(),
    )  # fmt: skip
    database.close()
    out = tmp_path / "out.ipynb"
    monday = clock.today() - dt.timedelta(days=clock.today().weekday())
    report = path.parent.name == "reports"
    done = subprocess.run(
        [
            sys.executable, "-m", "papermill", str(path), str(out), "--no-progress-bar",
            *(["-p", "week_start", monday.isoformat(), "-p", "weeks", "6"] if report else []),
        ],
        env={**os.environ, "COACHOPS_DATABASE_URL": url, "COACHOPS_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=WHOLE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    shown = [
        output.data.get("text/html", "")
        for cell in code(out)
        for output in cell.outputs
        if output.output_type in {"execute_result", "display_data"}
    ]
    assert len(shown) >= 4
    assert all(shown)
    if report:
        assert "not over yet" in shown[0]

"""`coachops export` and `coachops report`: one JSON document, exit codes by the kind of error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coachops.cli.main import run
from coachops.db import Database


@pytest.fixture
def call(
    sqlite_organisation: Database,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Runs the command line in this process; returns exit code, stdout and stderr."""
    monkeypatch.setenv("COACHOPS_DATABASE_URL", sqlite_organisation.url)
    monkeypatch.setenv("COACHOPS_HOME", str(home))

    def invoke(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            run(list(arguments))
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return invoke


def test_run_and_verify_print_one_document(call: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    code, stdout, stderr = call(
        "export", "run", "--out", out, "--format", "csv", "--format", "json", "--json"
    )
    assert (code, stderr) == (0, "")
    assert json.loads(stdout)["formats"] == ["csv", "json"]
    code, stdout, _ = call("export", "verify", out, "--json")
    assert code == 0
    assert json.loads(stdout)["ok"] is True
    code, stdout, _ = call("export", "verify", out)
    assert code == 0
    assert "Intact" in stdout


def test_a_damaged_export_is_exit_1_with_file_and_row(call: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("export", "run", "--out", str(out), "--format", "csv,jsonl", "--dataset", "coaches")
    path = out / "data" / "coaches-0001.csv"
    path.write_bytes(path.read_bytes().replace(b"coach-0001", b"coach-0007"))
    code, stdout, stderr = call("export", "verify", str(out))
    assert code == 1
    assert "data/coaches-0001.csv, block 1, row 1: column external_id" in stdout
    assert "COACH-EXP-004" in stderr
    code, stdout, _ = call("export", "verify", str(out), "--json")
    assert code == 1
    assert [c["check"] for c in json.loads(stdout)["checks"] if not c["ok"]] == [
        "sha256", "rows", "digest",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "error", "arguments"),
    [
        (2, "COACH-EXP-001", ["run", "--out", "OUT", "--dataset", "tickets"]),
        (2, "COACH-EXP-002", ["run", "--out", "OUT", "--format", "xml"]),
        (2, "COACH-SYS-002", ["run", "--out", "OUT", "--since", "yesterday"]),
        (1, "COACH-CCH-001", ["run", "--out", "OUT", "--coach", "nobody"]),
        (1, "COACH-EXP-003", ["run", "--out", "."]),
        (4, "COACH-EXP-006", ["run", "--out", "/proc/nowhere/out"]),
        (1, "COACH-EXP-005", ["verify", "OUT"]),
        (2, "COACH-EXP-001", ["schema", "--dataset", "tickets"]),
    ],
)
def test_exit_codes(call: Any, tmp_path: Path, code: int, error: str, arguments: list[str]) -> None:
    arguments = [a.replace("OUT", str(tmp_path / "out")) for a in arguments]
    found, stdout, stderr = call("export", *arguments, "--json")
    assert (found, json.loads(stdout)["error"]["code"]) == (code, error)
    assert "Next:" in stderr
    assert not (tmp_path / "out").exists()


def test_schema_and_datasets(call: Any) -> None:
    _, stdout, _ = call("export", "schema", "--dataset", "utterances", "--json")
    assert json.loads(stdout)["$schema"].endswith("2020-12/schema")
    _, stdout, _ = call("export", "schema", "--json")
    assert len(json.loads(stdout)) == 16
    _, stdout, _ = call("export", "datasets", "--json")
    assert json.loads(stdout)["datasets"][0]["name"] == "coaches"
    code, stdout, _ = call("export", "datasets")
    assert code == 0
    assert "goal_ratings" in stdout


def test_reports_are_listed_and_bad_parameters_are_usage_errors(call: Any) -> None:
    _, stdout, _ = call("report", "list", "--json")
    report = json.loads(stdout)["reports"][0]
    assert report["name"] == "weekly_operations"
    assert [p["name"] for p in report["parameters"]] == ["week_start", "weeks"]
    assert report["schedule"] == ["0 7 * * 1"]
    for code, error, arguments in [
        (2, "COACH-REP-002", ["weekly_operations", "-p", "weekstart=2026-11-16"]),
        (2, "COACH-SYS-002", ["weekly_operations", "-p", "week_start"]),
        (1, "COACH-REP-001", ["nothing"]),
    ]:
        found, stdout, _ = call("report", "run", *arguments, "--json")
        assert (found, json.loads(stdout)["error"]["code"]) == (code, error)
    code, stdout, _ = call("report", "due", "--dry-run", "--json")
    assert code == 0
    assert [row["report"] for row in json.loads(stdout)["due"]] == ["weekly_operations"]


def test_the_reference_names_every_column() -> None:
    from coachops.export import DATASETS, reference_markdown

    page = reference_markdown()
    for dataset in DATASETS.values():
        assert f"## {dataset.name}\n" in page
        for column in dataset.columns:
            assert f"| `{column.name}` |" in page


def test_who_signs_is_printed_and_insisted_on(call: Any, home: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    call("export", "run", "--out", out, "--dataset", "coaches", "--json")
    _, stdout, _ = call("export", "key", "--json")
    key = json.loads(stdout)
    assert (tmp_path / "out" / "public-key.pem").read_text() == key["public_key"]
    secret = home / "secrets" / "export-signing"
    assert secret.stat().st_mode & 0o777 == 0o600
    code, stdout, _ = call("export", "key")
    assert key["fingerprint"] in stdout
    code, stdout, _ = call("export", "verify", out, "--key", key["fingerprint"])
    assert code == 0
    assert key["fingerprint"] in stdout
    secret.unlink()  # another installation
    _, stdout, _ = call("export", "key", "--json")
    other = json.loads(stdout)["fingerprint"]
    code, stdout, _ = call("export", "verify", out, "--key", other, "--json")
    assert (code, json.loads(stdout)["error"]["code"]) == (1, "COACH-EXP-011")
    code, stdout, _ = call("export", "verify", out, "--key", "nobody", "--json")
    assert (code, json.loads(stdout)["error"]["code"]) == (2, "COACH-EXP-015")


def test_an_export_is_compared_with_the_database_and_restored_by_commands(
    call: Any, tmp_path: Path
) -> None:
    out, target = str(tmp_path / "out"), f"sqlite:///{tmp_path / 'restored.db'}"
    call("export", "run", "--out", out, "--format", "parquet", "--dataset", "coaches,clients")
    code, stdout, _ = call("export", "verify", out, "--source", "--json")
    assert code == 0
    assert [c["subject"] for c in json.loads(stdout)["checks"] if c["check"] == "source"] == [
        "coaches", "clients",
    ]  # fmt: skip
    code, stdout, _ = call("export", "restore", out, "--into", target, "--json")
    assert code == 0
    assert [(t["name"], t["rows"]) for t in json.loads(stdout)["tables"]] == [
        ("coaches", 3), ("clients", 9),
    ]  # fmt: skip
    code, stdout, _ = call("export", "restore", out, "--into", target, "--json")
    assert (code, json.loads(stdout)["error"]["code"]) == (1, "COACH-EXP-012")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    code, stdout, _ = call("export", "restore", out, "--into", other)
    assert code == 0
    assert "Every digest is that of the export." in stdout


def test_delta_tables_are_made_by_a_command(call: Any, tmp_path: Path) -> None:
    out, lake = str(tmp_path / "out"), str(tmp_path / "lake")
    call("export", "run", "--out", out, "--format", "csv", "--dataset", "coaches")
    code, stdout, _ = call("export", "delta", out, "--into", lake, "--json")
    assert code == 0
    assert json.loads(stdout)["tables"][0]["version"] == 0
    code, stdout, _ = call("export", "delta", out, "--into", lake)
    assert code == 0
    assert (tmp_path / "lake" / "coaches" / "_delta_log").is_dir()


def test_a_released_schema_is_printed_by_its_version(call: Any) -> None:
    _, stdout, _ = call("export", "schema", "--dataset", "sessions", "--version", "1.0.0", "--json")
    assert json.loads(stdout)["$id"].endswith("/sessions/1.0.0")
    code, stdout, _ = call(
        "export", "schema", "--dataset", "sessions", "--version", "9.0.0", "--json"
    )
    assert (code, json.loads(stdout)["error"]["code"]) == (2, "COACH-SYS-002")

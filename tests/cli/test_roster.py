"""`coachops roster import` with rows that cannot be taken: the others are in, these wait with a code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coachops.cli import main
from tests.coaching.test_roster import HEADER, ROW


def test_rejected_rows_are_counted_with_a_code_and_wait_in_the_quarantine(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACHOPS_HOME", str(home))
    file = tmp_path / "roster.csv"
    file.write_text(HEADER + ROW + ROW.replace("2026-01-05", "5 Jan").replace("e1", "e2"))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main.run(list(arguments))
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    run("init")
    code, _, err = run("roster", "import", str(file))
    assert code == 1
    assert "COACH-ROS-002  1 of 2 rows were rejected." in err
    _, out, _ = run("quarantine", "list", "--json")
    assert "COACH-ROS-003" in json.dumps(json.loads(out))

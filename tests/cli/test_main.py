"""The command line as a whole: quick help, exit codes by kind, one JSON document, no traceback."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from coachops.cli.main import GROUPS
from tests.support.commands import COMMAND, run_forked
from tests.support.patience import WHOLE

HEAVY = (
    "sqlalchemy", "pandas", "openai", "dbos", "papermill", "fastapi", "pydantic", "tenacity",
    "rich", "alembic", "nbconvert", "ipywidgets", "httpx", "numpy",
)  # fmt: skip


def _environment(home: Path) -> dict[str, str]:
    return {"COACHOPS_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "100"}


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process and an environment of its own."""
    return run_forked(*arguments, env={**_environment(home), **environment})


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "--json"],
        ["transcript", "list"],
        ["transcript", "list", "--json"],
        ["export"],
        ["seed", "--coaches", "many"],
    ],
)
def test_the_installed_command_does_what_the_forked_one_does(
    home: Path, arguments: list[str]
) -> None:
    """The other tests fork their commands, which saves the two seconds of starting each."""
    installed = subprocess.run(
        [COMMAND, *arguments],
        env=_environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=WHOLE,
    )
    forked = run(home, *arguments)
    assert forked.args == installed.args
    assert forked.returncode == installed.returncode
    assert _without_run(forked.stdout) == _without_run(installed.stdout)
    assert _without_run(forked.stderr) == _without_run(installed.stderr)
    assert installed.stdout + installed.stderr


def _without_run(text: str) -> str:
    """What is said, without the number that each run has for itself."""
    return re.sub(r"\b[0-9a-f]{32}\b", "", text)


def _pairs(root: Path) -> list[dict[str, str]]:
    text = (root / "samples" / "roster.csv").read_text("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from coachops.cli.main import app\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    app(['--help'])\n"
        "assert 'transcript' in out.getvalue()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", GROUPS)
def test_every_command_has_help_with_an_example(name: str, home: Path) -> None:
    import importlib

    import typer

    command = typer.main.get_command(importlib.import_module(f"coachops.cli.{GROUPS[name][0]}").app)
    waiting = list(getattr(command, "commands", {"": command}).values())
    while waiting:
        leaf = waiting.pop()
        if inside := getattr(leaf, "commands", None):
            waiting += inside.values()
            continue
        assert "Example:" in (leaf.help or ""), f"{name} {leaf.name}"


def test_init_twice_then_config_masks_secrets(home: Path) -> None:
    first = json.loads(run(home, "init", "--json").stdout)
    assert first["changed"]
    second = run(home, "init")
    assert second.returncode == 0
    assert "already at" in second.stdout
    shown = run(
        home,
        "config",
        "--json",
        COACHOPS_OPENAI_API_KEY="sk-secret",
        COACHOPS_DATABASE_URL="postgresql://u:hidden@127.0.0.1/x",
    ).stdout
    assert "sk-secret" not in shown
    assert "hidden" not in shown
    rows = {row["setting"]: row for row in json.loads(shown)["settings"]}
    assert rows["COACHOPS_OPENAI_API_KEY"]["source"] == "environment"
    assert rows["COACHOPS_PORT"] | {"help": ""} == {
        "setting": "COACHOPS_PORT",
        "value": "8000",
        "source": "default",
        "help": "",
    }


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "exit_code"),
    [
        (["transcript", "list"], {}, "COACH-DB-005", 3),
        (["transcript", "list"], {"COACHOPS_PORT": "many"}, "COACH-SYS-001", 3),
        (["transcript", "list"], {"COACHOPS_ENV": "production"}, "COACH-SYS-001", 3),
        (
            ["transcript", "list"],
            {"COACHOPS_DATABASE_URL": "postgresql://u:pw@127.0.0.1:1/x"},
            "COACH-DB-001",
            4,
        ),
        (["roster", "import", "nothing.csv"], {}, "COACH-SYS-004", 1),
    ],
)
def test_errors_carry_code_next_step_and_exit_code(
    home: Path, arguments: list[str], environment: dict[str, str], code: str, exit_code: int
) -> None:
    done = run(home, *arguments, **environment)
    assert done.returncode == exit_code
    assert done.stderr.startswith(code)
    assert "Next: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    as_json = run(home, *arguments, "--json", **environment) if "list" in arguments else done
    if as_json is not done:
        assert json.loads(as_json.stdout)["error"]["code"] == code


def test_wrong_usage_exits_with_2(home: Path) -> None:
    for arguments in (["nonsense"], ["seed", "--coaches", "many"], ["transcript", "analyse"]):
        assert run(home, *arguments).returncode == 2


def test_a_day_by_hand(home: Path, tmp_path: Path) -> None:
    """Init, roster, import (good and bad files), analyse, list: what a person types."""
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "empty.vtt").write_bytes(b"")
    (tmp_path / "README.md").write_text("What lies in this folder.\n")
    (tmp_path / "talk.txt").write_text(
        "Coach: What would you like to change?\nClient: I will write to Sam by Friday.\n"
    )
    assert run(home, "init").returncode == 0
    assert run(home, "roster", "import", str(root / "samples" / "roster.csv")).returncode == 0
    pair = _pairs(root)[0]
    refs = ["--coach", pair["coach_email"], "--client", pair["client_external_id"]]
    done = run(home, "transcript", "import", str(tmp_path), *refs, "--date", "2026-03-02", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [row["source_name"] for row in document["imported"]] == ["talk.txt"]
    assert document["imported"][0].keys() >= {"transcript_id", "cues", "unparsed", "duplicate"}
    assert [row["code"] for row in document["rejected"]] == ["COACH-TRN-002"]
    again = json.loads(
        run(home, "transcript", "import", str(tmp_path / "talk.txt"), *refs, "--json").stdout
    )
    assert again["imported"][0]["duplicate"]
    analysed = run(home, "transcript", "analyse", "--pending", "--engine", "local", "--json")
    assert analysed.returncode == 0
    [row] = json.loads(analysed.stdout)["analyses"]
    assert (row["engine"], row["status"], row["cost_usd"]) == ("local", "complete", 0)
    listed = json.loads(run(home, "transcript", "list", "--json").stdout)["sessions"]
    assert listed[0]["transcript_state"] == "analysed"


def test_no_key_and_the_openai_engine_is_a_configuration_error(home: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "talk.txt").write_text("Coach: How are you?\nClient: Fine.\n")
    run(home, "init")
    run(home, "roster", "import", str(root / "samples" / "roster.csv"))
    pair = next(row for row in _pairs(root) if row["consent_external_ai"] == "yes")
    refs = ["--coach", pair["coach_email"], "--client", pair["client_external_id"]]
    run(home, "transcript", "import", str(tmp_path / "talk.txt"), *refs)
    done = run(home, "transcript", "analyse", "--pending", "--engine", "openai")
    assert done.returncode == 3
    assert "COACH-AI-001" in done.stderr


def test_doctor_tells_the_next_step(home: Path) -> None:
    before = run(home, "doctor", "--json")
    assert before.returncode == 1
    checks = {check["name"]: check for check in json.loads(before.stdout)["checks"]}
    assert "coachops init" in checks["home folder"]["next_step"] + checks["database"]["next_step"]
    run(home, "init")
    after = run(home, "doctor")
    assert after.returncode == 0
    assert "FAIL" not in after.stdout
    broken = run(
        home,
        "doctor",
        COACHOPS_SMTP_URL="smtp://127.0.0.1:1",
        COACHOPS_OPENAI_API_KEY="k",
        COACHOPS_OPENAI_BASE_URL="http://127.0.0.1:1/v1",
    )
    assert broken.returncode == 1
    assert broken.stdout.count("FAIL") == 2
    wrong = run(home, "doctor", COACHOPS_SMTP_URL="mail.example.org:587")
    assert "FAIL  mail: COACH-SYS-001" in wrong.stdout
    usual_port = run(home, "doctor", COACHOPS_SMTP_URL="smtp://127.0.0.1")
    assert "127.0.0.1:587" in usual_port.stdout  # the port that letters would go to


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nonsense"], "nonsense"),
        (["seed", "--coaches", "many"], "--coaches"),
        (["seed", "--coaches", "0"], "--coaches"),
        (["goal", "rate"], "goal"),
        (["transcript", "analyse", "--engine", "best", "x"], "--engine"),
        (["export", "run", "--format", "csv"], "--out"),
    ],
)
def test_wrong_usage_has_a_code_and_a_next_step_too(
    home: Path, arguments: list[str], word: str
) -> None:
    done = run(home, *arguments, "--json")
    assert done.returncode == 2
    assert done.stderr.startswith("COACH-SYS-002")
    assert word in done.stderr
    assert "Next: " in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "COACH-SYS-002"


def test_a_group_alone_shows_its_commands(home: Path) -> None:
    for arguments in ([], ["export"]):
        done = run(home, *arguments)
        assert done.returncode == 2
        assert "Usage: coachops" in done.stdout + done.stderr
        assert "COACH-" not in done.stdout + done.stderr


def test_what_is_left_out_of_a_folder_is_named(home: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    folder = tmp_path / "talks"
    folder.mkdir()
    (folder / "talk.txt").write_text("Coach: How are you?\nClient: Fine.\n")
    (folder / "recording.mp4").write_bytes(b"\0\0\0\x18ftyp")
    (folder / ".hidden").write_text("x")
    run(home, "init")
    run(home, "roster", "import", str(root / "samples" / "roster.csv"))
    done = run(
        home, "transcript", "import", str(folder), "--coach", "AC-101", "--client", "CL-201",
        "--json",
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout)["skipped"] == ["recording.mp4"]
    assert json.loads(done.stdout)["rejected"] == []


def test_a_home_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file" / "home", "init")
    assert done.returncode == 3
    assert done.stderr.startswith("COACH-SYS-001")
    assert "COACHOPS_HOME" in done.stderr


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"COACHOPS_MAIL_FROM": "nobody"}, "COACHOPS_MAIL_FROM"),
        ({"COACHOPS_SMTP_URL": "mail.example.org"}, "COACHOPS_SMTP_URL"),
    ],
)
def test_nothing_is_sent_with_wrong_mail_settings(
    home: Path, tmp_path: Path, environment: dict[str, str], setting: str
) -> None:
    message_id = _approved(home, tmp_path)
    done = run(home, "message", "send", message_id, **environment)
    assert done.returncode == 3
    assert done.stderr.startswith("COACH-SYS-001")
    assert setting in done.stderr
    shown = json.loads(run(home, "message", "show", message_id, "--json").stdout)
    assert shown["message"]["state"] == "approved"
    assert run(home, "message", "send", "--approved").returncode == 0


def _approved(home: Path, folder: Path) -> str:
    """An approved follow-up in a new home; its id."""
    root = Path(__file__).resolve().parents[2]
    (folder / "talk.txt").write_text("Coach: What will you do?\nClient: I will write to Sam.\n")
    run(home, "init")
    run(home, "roster", "import", str(root / "samples" / "roster.csv"))
    refs = ["--coach", "AC-101", "--client", "CL-201"]
    run(home, "transcript", "import", str(folder / "talk.txt"), *refs)
    [analysed] = json.loads(
        run(home, "transcript", "analyse", "--pending", "--engine", "local", "--json").stdout
    )["analyses"]
    drafted = run(home, "message", "draft", analysed["transcript_id"], "--json").stdout
    [message] = json.loads(drafted)["messages"]
    assert run(home, "message", "approve", message["id"], "--version", "1").returncode == 0
    return str(message["id"])

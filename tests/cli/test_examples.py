"""Every example that a command's help shows does what it promises, on an organisation as seeded."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from coachops.cli import main
from coachops.core.ids import parse_id
from coachops.db import Database
from coachops.db.models import Message
from tests.coaching.messages.mails import returned

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = {
    "demo", "serve", "worker", "lab", "job retry", "job cancel", "backup key-new",
    "db promote", "db accept", "export status", "export cancel", "webhook test", "webhook redeliver",
}  # fmt: skip
"""Examples of processes that stay, of jobs, servers and receivers that a seed has not: they run in tests
of their own."""

NEW_ID = "0199…"


def _examples() -> dict[str, list[str]]:
    """Command -> the words of its example."""
    found = {}
    for name, (module, _) in main.GROUPS.items():
        command = typer.main.get_command(importlib.import_module(f"coachops.cli.{module}").app)
        for title, child in _commands(name, command):
            _, _, text = (child.help or "").partition("Example:")
            words = shlex.split(" ".join(text.split()))
            found[title] = words[words.index("coachops") + 1 :]
    return found


def _commands(title: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command, or every one below a group."""
    if not hasattr(command, "commands"):
        yield title, command
        return
    for child in command.commands.values():
        yield from _commands(f"{title} {child.name}", child)


EXAMPLES = _examples()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the samples, and a seeded home beside it."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "samples").symlink_to(ROOT / "samples")
    (folder / "letter.txt").write_text("Dear client\n")
    (folder / "returned.eml").write_text(returned("address-unknown", letter="not ours"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COACHOPS_HOME", str(folder / "home"))
        patch.chdir(folder)
        for line in (
            "init",
            "seed --coaches 6 --clients 30 --sessions 900 --utterances-per-session 4",
            "roster import samples/roster.csv",
            "user add --email ben@example.org --role admin",
            "user add --email robot@example.org --role service",
            "backup run",
            "backup drill",
            "backup key-export copy-of-key.txt",
        ):
            assert _exit_code(shlex.split(line)) == 0, line
        _one_in_doubt(f"sqlite:///{folder}/home/coachops.db")
        yield folder


def _one_in_doubt(url: str) -> None:
    """A connection that broke at the wrong moment; a seed has none of these."""
    database = Database(url)
    with database.write() as session:
        message = session.scalars(sa.select(Message).where(Message.state == "failed")).first()
        assert message is not None
        message.state, message.error_code = "uncertain", "COACH-MSG-004"
    database.close()


@pytest.fixture(autouse=True)
def _in_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACHOPS_HOME", str(place / "home"))
    monkeypatch.chdir(place)


def _exit_code(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main.run(arguments)
    return int(ended.value.code or 0)


def _document(capsys: pytest.CaptureFixture[str], line: str) -> dict[str, list[dict[str, str]]]:
    capsys.readouterr()
    assert _exit_code(shlex.split(f"{line} --json")) == 0
    document: dict[str, list[dict[str, str]]] = json.loads(capsys.readouterr().out)
    return document


def _message(capsys: pytest.CaptureFixture[str], state: str) -> dict[str, str]:
    """A follow-up in that state: the sample's draft, else one of the seed's."""
    if state != "draft":
        return _document(capsys, f"message list --state {state}")["messages"][0]
    listed = _document(capsys, "transcript list")["sessions"]
    transcript = next(row for row in listed if row["source_name"] == "01-delegation.vtt")
    [drafted] = _document(capsys, f"message draft {transcript['transcript_id']}")["messages"]
    return drafted


def _sample(capsys: pytest.CaptureFixture[str]) -> str:
    """The id of the sample transcript, imported and analysed."""
    line = "transcript import samples/01-delegation.vtt --coach AC-101 --client CL-201"
    [row] = _document(capsys, line)["imported"]
    _document(capsys, f"transcript analyse {row['transcript_id']} --engine local")
    return row["transcript_id"]


def _filled(title: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The example with ids of this database in place of the shortened ones."""
    if title == "message draft":
        return [word.replace(NEW_ID, _sample(capsys)) for word in words]
    if title == "goal rate":
        [goal, *_] = _document(capsys, "goal list --client client-0001")["goals"]
        return [word.replace(NEW_ID, goal["id"]) for word in words]
    if title.startswith("message ") and NEW_ID in words:
        _sample(capsys)
        states = {"resolve": "uncertain", "retry": "failed", "write-again": "failed"}
        state = states.get(title.split()[1], "draft")
        message = _message(capsys, state)
        words = [word.replace(NEW_ID, message["id"]) for word in words]
        if "--version" in words:
            words[words.index("--version") + 1] = str(message["version"])
        return words
    if title.startswith("quarantine ") and NEW_ID in words:
        return [word.replace(NEW_ID, _refused(title, capsys)) for word in words]
    if title.startswith("webhook ") and NEW_ID in words:
        hook = _document(capsys, EXAMPLES_LINE["webhook add"])["webhook"]
        return [word.replace(NEW_ID, str(dict(hook)["id"])) for word in words]
    if title == "privacy hold release":
        line = "privacy hold add client-0002 --reason 'a duty'"
        return [*words[:-1], str(_document(capsys, line)["hold_id"])]
    if title == "privacy readmit":  # whoever is to come back was erased
        _exit_code([*EXAMPLES["privacy erase"]])
        capsys.readouterr()
    if title == "token revoke":
        made = _document(capsys, EXAMPLES_LINE["token create"])
        return [*words[:-1], next(value for value in _values(made) if parse_id(value))]
    return words


def _refused(title: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The id of a file that was refused, different for each command; a correction lies beside it."""
    Path("refused.docx").write_bytes(b"PK\x03\x04 " + title.encode())
    Path("corrected.vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna>Hello\n\n00:02.000 --> 00:03.000\n<v Ben>Hi\n"
    )
    line = "transcript import refused.docx --coach AC-101 --client CL-201"
    assert _exit_code(shlex.split(line)) == 1
    [row, *_] = _document(capsys, "quarantine list --kind transcript")["items"]
    return row["id"]


def _values(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for value in document.values():
            yield from _values(value)
    elif isinstance(document, str):
        yield document


EXAMPLES_LINE = {title: shlex.join(words) for title, words in EXAMPLES.items()}


@pytest.mark.parametrize("title", [each for each in EXAMPLES if each not in ELSEWHERE])
def test_the_example_runs(
    title: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if title == "seed":  # into a database without seeded coaches, as its help says
        monkeypatch.setenv("COACHOPS_HOME", str(place / "new"))
        assert _exit_code(["init"]) == 0
    if title == "export verify" and not (place / "exports" / "today").exists():
        assert _exit_code([*EXAMPLES["export run"]]) == 0
    words = _filled(title, EXAMPLES[title], capsys)
    if title == "export verify":
        words = [*words[:-1], str(_document(capsys, "export key")["fingerprint"])]
    code = _exit_code(words)
    said = capsys.readouterr()
    assert code == 0, said.err
    assert not re.search(r"^(Traceback|COACH-)", said.err, re.MULTILINE)


def test_examples_that_are_not_run_here_exist() -> None:
    assert EXAMPLES.keys() >= ELSEWHERE
    assert all(EXAMPLES.values())

"""The demo on an empty machine: everything is made, nothing is sent twice, own data stays clean."""

from __future__ import annotations

import json
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from tests.cli.test_main import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A home with the demo in it, and what the demo said."""
    home = tmp_path_factory.mktemp("demo") / "home"
    own = tmp_path_factory.mktemp("own")
    (own / "mine.vtt").write_text(
        "WEBVTT\n\n00:01.000 --> 00:03.000\n<v Coach>What is new?</v>\n\n"
        "00:03.000 --> 00:05.000\n<v Client>I will call Sam tomorrow.</v>\n"
    )
    (own / "broken.docx").write_bytes(b"PK\x03\x04 no document")
    done = run(
        home,
        "demo",
        str(own),
        "--json",
        # a person's own services are set: the demo must leave both alone
        COACHOPS_OPENAI_API_KEY="key",
        COACHOPS_OPENAI_BASE_URL="http://127.0.0.1:1/v1",
        COACHOPS_SMTP_URL="smtp://127.0.0.1:1",
    )
    assert done.returncode == 0, done.stderr
    return home, json.loads(done.stdout)


def test_every_step_made_something(made: tuple[Path, dict[str, object]]) -> None:
    home, document = made
    steps = {step["name"]: step for step in document["steps"]}  # type: ignore[attr-defined]
    assert list(steps) == [
        "database",
        "organisation",
        "transcripts",
        "analysis",
        "follow-ups",
        "export and verify",
        "weekly report",
        "guide",
    ]
    assert "12 coaches, 60 clients" in steps["organisation"]["made"]
    assert "13 files" in steps["transcripts"]["made"]
    html = (next((home / "reports").rglob("*.html"))).read_text()
    assert "<html" in html
    [bundle] = (home / "exports").iterdir()
    assert run(home, "export", "verify", str(bundle)).returncode == 0


def test_follow_ups_lie_in_the_outbox_and_one_waits(made: tuple[Path, dict[str, object]]) -> None:
    home, _ = made
    letters = [
        BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        for path in (home / "outbox").glob("*.eml")
    ]
    assert len(letters) >= 9
    assert len({letter["Message-ID"] for letter in letters}) == len(letters)
    assert all(letter["To"].addresses[0].domain == "client.example" for letter in letters)
    listed = json.loads(run(home, "message", "list", "--state", "draft", "--json").stdout)
    assert listed


def test_what_needs_a_person_is_told(made: tuple[Path, dict[str, object]]) -> None:
    _, document = made
    notes = " ".join(document["notes"])  # type: ignore[arg-type]
    assert "05-conflict-with-boss.vtt: lines" in notes
    assert "09-time-management.json: who is coach" in notes
    assert "broken.docx: COACH-TRN" in notes
    assert str(document["next_command"]).endswith("serve")


@pytest.mark.long
def test_running_it_again_sends_nothing_again(made: tuple[Path, dict[str, object]]) -> None:
    home, _ = made
    before = sorted(path.name for path in (home / "outbox").iterdir())
    again = json.loads(run(home, "demo", "--json").stdout)
    steps = {step["name"]: step["made"] for step in again["steps"]}
    assert steps["organisation"] == "already there"
    assert steps["follow-ups"].startswith("0 sent")
    assert sorted(path.name for path in (home / "outbox").iterdir()) == before


def test_made_up_people_never_enter_an_organisations_own_data(home: Path) -> None:
    run(home, "init")
    done = run(home, "demo")
    assert done.returncode == 1
    assert done.stderr.startswith("COACH-SYS-008")
    assert f"{home}/coachops.db" in done.stderr
    elsewhere = f"sqlite:///{home}/coachops.db"  # a home of its own does not make it the demo's
    other = run(home.with_name("other"), "demo", COACHOPS_DATABASE_URL=elsewhere)
    assert other.stderr.startswith("COACH-SYS-008")

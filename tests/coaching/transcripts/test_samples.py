"""The shipped samples: all are read, with the counts and roles that their table promises."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from coachops.ai.types import Speaker
from coachops.coaching.transcripts import (
    Format,
    ParsedTranscript,
    Reason,
    map_speakers,
    notes_to_transcript,
    read,
)

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "samples"
EXPECTED = {  # file: format, encoding, cues, reported
    "01-delegation.vtt": (Format.VTT, "utf-8", 57, 0),
    "02-delegation-follow-up.docx": (Format.DOCX, "utf-8", 71, 0),
    "03-return-from-leave.srt": (Format.SRT, "utf-8", 70, 0),
    "04-career-change.txt": (Format.TEXT, "cp1252", 68, 0),
    "05-conflict-with-boss.vtt": (Format.VTT, "utf-8", 67, 5),
    "06-burnout-prevention.txt": (Format.TEXT, "utf-16-le", 76, 0),
    "07-public-speaking.json": (Format.JSON, "utf-8", 68, 0),
    "08-salary-negotiation.json": (Format.JSON, "utf-8", 70, 0),
    "09-time-management.json": (Format.JSON, "utf-8", 70, 0),
    "10-work-life-boundaries.txt": (Format.TEXT, "utf-8-sig", 70, 0),
    "11-new-manager.vtt": (Format.VTT, "utf-8-sig", 73, 0),
    "12-career-change-notes.md": (Format.TEXT, "utf-8", 20, 0),
}


def rows(name: str) -> list[dict[str, str]]:
    with (SAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sample(name: str) -> ParsedTranscript:
    return read((SAMPLES / name).read_bytes(), name)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_read_with_its_counts(name: str) -> None:
    parsed = sample(name)
    assert (parsed.format, parsed.encoding, len(parsed.cues), len(parsed.unparsed)) == EXPECTED[
        name
    ]
    if not name.endswith(".md"):
        assert 15 <= (parsed.duration_ms or 0) / 60_000 <= 50
        assert 40 <= parsed.candidates <= 120


def test_roster_and_manifest_fit_each_other_and_the_folder() -> None:
    roster, manifest = rows("roster.csv"), rows("manifest.csv")
    assert len({row["coach_external_id"] for row in roster}) >= 4
    assert len({row["client_external_id"] for row in roster}) == len(roster) >= 8
    pairs = {(row["coach_external_id"], row["client_external_id"]): row for row in roster}
    for row in manifest:
        pair = pairs[row["coach_external_id"], row["client_external_id"]]
        assert dt.date.fromisoformat(pair["started_on"]) <= dt.date.fromisoformat(
            row["session_date"]
        )
        assert row["kind"] in {"recording", "notes"}
    assert sorted(row["file"] for row in manifest) == sorted(EXPECTED)
    files = {path.name for path in SAMPLES.iterdir()} - {"README.md", "roster.csv", "manifest.csv"}
    assert files == set(EXPECTED)
    table = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in table for name in EXPECTED)


@pytest.mark.parametrize("row", rows("manifest.csv"), ids=lambda row: row["file"])
def test_the_roster_tells_who_speaks_in_each_sample(row: dict[str, str]) -> None:
    person = next(
        p for p in rows("roster.csv") if p["client_external_id"] == row["client_external_id"]
    )
    parsed = sample(row["file"])
    mapping = map_speakers(
        parsed,
        [person["coach_name"], person["coach_email"]],
        [person["client_name"], person["client_email"]],
    )
    assert parsed.date in {None, dt.date.fromisoformat(row["session_date"])}
    if row["kind"] == "notes":
        assert (dict(mapping.roles), mapping.certain) == ({}, False)
    elif row["file"] == "09-time-management.json":
        assert dict(mapping.roles) == {"Speaker 1": Speaker.COACH, "Speaker 0": Speaker.CLIENT}
        assert (mapping.inferred, mapping.certain) == (True, False)
    else:
        assert dict(mapping.roles) == {
            person["coach_name"]: Speaker.COACH,
            person["client_name"]: Speaker.CLIENT,
        }
        assert (mapping.inferred, mapping.certain) == (False, True)


def test_the_broken_cues_of_the_sample_are_reported_with_line_and_reason() -> None:
    assert [
        (report.line, report.reason) for report in sample("05-conflict-with-boss.vtt").unparsed
    ] == [
        (16, Reason.END_BEFORE_START),
        (108, Reason.BAD_TIME),
        (164, Reason.NO_WORDS),
        (215, Reason.ABSURD_HOUR),
        (250, Reason.NO_TIME),
    ]


def test_the_notes_read_the_same_when_they_are_typed() -> None:
    name = "12-career-change-notes.md"
    typed = notes_to_transcript((SAMPLES / name).read_text(encoding="utf-8"))
    assert typed.cues == sample(name).cues
    assert typed.title == "Session with Luca Moretti"


def test_the_document_is_what_its_script_writes(tmp_path: Path) -> None:
    target = tmp_path / "again.docx"
    script = ROOT / "scripts" / "make_sample_docx.py"
    source = script.with_name("make_sample_docx.source.txt")
    subprocess.run([sys.executable, script, source, target], check=True, cwd=ROOT)
    again = read(target.read_bytes(), target.name)
    shipped = sample("02-delegation-follow-up.docx")
    assert (again.cues, again.title, again.date) == (shipped.cues, shipped.title, shipped.date)
    assert shipped.title == "Delegation follow-up"
    written = read(source.read_bytes(), source.name)
    assert [(c.speaker_label, c.start_ms, c.text) for c in again.cues] == [
        (c.speaker_label, c.start_ms, c.text) for c in written.cues
    ]

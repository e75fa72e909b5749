"""The package of a client: all of theirs, readable without us, and nothing of anybody else."""

from __future__ import annotations

import csv
import hashlib
import json
import pkgutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db.models import AuditEvent, Coach, Transcript
from coachops.export import verify_export
from coachops.export.issued import Owner, Registry
from coachops.jobs.packaging import make_package
from coachops.jobs.privacy import erase_client
from coachops.privacy import RegisteredExports
from tests.privacy.conftest import GONE, SQLITE, STAYS
from tests.support.subjects import Subject, files_with


def test_it_holds_everything_of_the_client_and_nothing_of_others(
    services: Services, gone: Subject, stays: Subject, tmp_path: Path
) -> None:
    out = tmp_path / "package"
    made = make_package(services, SYSTEM, f"ext-{GONE}", out)
    assert made.rows.keys() >= {
        "clients", "sessions", "transcripts", "utterances", "analyses", "insights", "goals",
        "goal_ratings", "action_items", "messages", "feedback", "consents", "engagements",
    }  # fmt: skip
    assert made.rows["clients"] == 1
    assert files_with(out, STAYS) == []
    assert files_with(out, str(stays.client_id)) == []
    with services.database.read() as session:
        original = session.get_one(Transcript, gone.transcript_id).original
        coach = session.get_one(Coach, gone.pair.coach_id).name
    (file,) = (out / "transcripts").iterdir()
    assert file.read_bytes() == original
    assert file.name.endswith(f"-001-{GONE}.vtt")
    assert coach.encode() in (out / "data" / "data" / "coaches-0001.json").read_bytes()
    assert all(check.ok for check in verify_export(out / "data"))
    with (out / "data" / "data" / "utterances-0001.csv").open(encoding="utf-8-sig") as table:
        assert GONE in next(csv.DictReader(table))["text"]
    rows = json.loads((out / "data" / "data" / "messages-0001.json").read_text())["rows"]
    assert [row["recipient_email"] for row in rows] == [f"{GONE}@example.org"]


def test_the_page_says_in_plain_words_what_is_inside(
    services: Services, gone: Subject, tmp_path: Path
) -> None:
    with services.database.write() as session:
        session.execute(sa.text("UPDATE clients SET name = '<b>Maya</b>'"))
    make_package(services, SYSTEM, str(gone.client_id), tmp_path / "package")
    page = (tmp_path / "package" / "READ-ME.html").read_text()
    assert "&lt;b&gt;Maya&lt;/b&gt;, this folder holds" in page
    assert "<td>utterances</td>" in page
    assert "http" not in page
    assert services.settings.organisation in page


@SQLITE
def test_sha256sum_finds_every_file_as_it_was_made(
    services: Services, gone: Subject, tmp_path: Path
) -> None:
    out = tmp_path / "package"
    made = make_package(services, SYSTEM, str(gone.client_id), out)
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=out, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    listed = {line.split("  ", 1)[1] for line in (out / "SHA256SUMS").read_text().splitlines()}
    there = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert listed == there - {"SHA256SUMS"}
    assert made.files == len(there)


@SQLITE
def test_a_file_of_a_very_long_name_is_in_it_too(
    services: Services, gone: Subject, tmp_path: Path
) -> None:
    with services.database.write() as session:
        session.get_one(Transcript, gone.transcript_id).source_name = f"{'会' * 190}.vtt"
    make_package(services, SYSTEM, str(gone.client_id), tmp_path / "package")
    (file,) = (tmp_path / "package" / "transcripts").iterdir()
    assert file.name.endswith("会会.vtt")


@SQLITE
def test_files_with_lines_that_a_coach_left_out_can_stay_here(
    services: Services, gone: Subject, tmp_path: Path
) -> None:
    with services.database.read() as session:
        digest = session.get_one(Transcript, gone.transcript_id).sha256
    made = make_package(services, SYSTEM, str(gone.client_id), tmp_path / "p", originals=False)
    assert made.transcripts == 0
    digests = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (tmp_path / "p").rglob("*")
        if path.is_file()
    }
    assert digest not in digests


@SQLITE
def test_it_is_registered_and_in_the_audit_record(
    services: Services, gone: Subject, tmp_path: Path
) -> None:
    made = make_package(services, SYSTEM, str(gone.client_id), tmp_path / "package")
    exports = RegisteredExports(services.database, services.settings.home).issued()
    (package,) = [each for each in exports if each.export_id == made.export_id]
    assert package.client_ids == (gone.client_id,)
    export = Registry(services.database).get(Owner.of(SYSTEM), made.export_id)
    assert (export.state, export.place) == ("ready", str(tmp_path / "package" / "data"))
    with services.database.read() as session:
        event = session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "package.made")
        ).one()
    assert event.subject_id == str(gone.client_id)
    assert event.details == {"export_id": made.export_id, "transcripts": 1}


@SQLITE
def test_a_package_that_was_given_away_concerns_nobody_else(
    services: Services, gone: Subject, stays: Subject, tmp_path: Path
) -> None:
    made = make_package(services, SYSTEM, str(stays.client_id), tmp_path / "package")
    erased = erase_client(services, SYSTEM, str(gone.client_id))
    assert made.export_id not in {each.export_id for each in erased.exports}
    erased = erase_client(services, SYSTEM, str(stays.client_id))
    assert made.export_id in {each.export_id for each in erased.exports}


@SQLITE
@pytest.mark.parametrize("step", ["_copy_originals", "finish"])
def test_a_client_who_is_erased_meanwhile_is_in_no_package(
    services: Services, gone: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    name = f"coachops.jobs.packaging.{step}"
    work = pkgutil.resolve_name(name)

    def erased(*arguments: Any) -> Any:
        erase_client(services, SYSTEM, str(gone.client_id))
        return work(*arguments)

    monkeypatch.setattr(name, erased)
    with pytest.raises(CoachError) as caught:
        make_package(services, SYSTEM, str(gone.client_id), tmp_path / "package")
    assert caught.value.code == "COACH-EXP-044"
    assert list(tmp_path.glob("*package*")) == []


@SQLITE
def test_what_cannot_be_made_leaves_nothing(
    services: Services, gone: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").write_text("of somebody")
    for ref, out, actor, code in (
        (str(gone.client_id), full, SYSTEM, "COACH-EXP-003"),
        ("nobody", tmp_path / "new", SYSTEM, "COACH-CCH-001"),
        (str(gone.client_id), tmp_path / "new", gone.pair.actor, "COACH-IDN-003"),
    ):
        with pytest.raises(CoachError) as caught:
            make_package(services, actor, ref, out)
        assert caught.value.code == code

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("coachops.jobs.packaging._write_sums", full_disk)
    with pytest.raises(CoachError, match="COACH-EXP-006"):
        make_package(services, SYSTEM, str(gone.client_id), tmp_path / "new")
    assert sorted(path.name for path in tmp_path.glob("*new*")) == []

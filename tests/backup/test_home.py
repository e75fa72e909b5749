"""The archive of secrets and letters: what it takes in, and what it refuses to unpack."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from coachops.backup import home
from coachops.core.errors import CoachError


def test_secrets_and_letters_come_back_private_and_the_backup_key_does_not(tmp_path: Path) -> None:
    source = tmp_path / "home"
    for name in ("secrets/cookie", "secrets/backup.key", "outbox/1.eml", "exports/a.csv"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    assert home.pack(source, tmp_path / home.ARCHIVE) == 2
    assert home.unpack(tmp_path / home.ARCHIVE, tmp_path / "out") == 2
    assert (tmp_path / "out/secrets/cookie").read_text() == "secrets/cookie"
    assert (tmp_path / "out/secrets/cookie").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "out/secrets/backup.key").exists()


@pytest.mark.parametrize(
    "name", ["{victim}", "secrets/../../{leaf}/file", "../{leaf}/file", "coachops.db", "secrets"]
)
def test_a_forged_archive_touches_no_other_file_of_the_machine(name: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim" / "file"
    victim.parent.mkdir(mode=0o755)
    victim.write_text("mine")
    victim.chmod(0o644)
    modes = victim.stat().st_mode, victim.parent.stat().st_mode
    with tarfile.open(tmp_path / home.ARCHIVE, "w") as tar:
        member = tarfile.TarInfo(name.format(victim=victim, leaf="victim"))
        member.size = 5
        tar.addfile(member, io.BytesIO(b"theirs"[:5]))
    with pytest.raises(CoachError, match="COACH-BKP-012"):
        home.unpack(tmp_path / home.ARCHIVE, tmp_path / "out")
    assert (victim.stat().st_mode, victim.parent.stat().st_mode) == modes
    assert victim.read_text() == "mine"
    assert not (tmp_path / "out").exists()

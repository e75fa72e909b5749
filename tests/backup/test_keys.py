"""The key of the backups and its copy elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from coachops.backup import Backups
from coachops.backup.keys import KeyRing
from coachops.backup.sealing import new_identity, public_keys
from coachops.backup.shelf import look
from coachops.core.errors import CoachError
from coachops.core.settings import Settings


@pytest.fixture
def ring(installation: Settings) -> KeyRing:
    return KeyRing(installation, installation.home / "secrets")


def test_a_pair_is_made_once_and_is_private(ring: KeyRing, installation: Settings) -> None:
    first = ring.recipients()
    assert ring.recipients() == first == ring.stated()
    key = installation.home / "secrets" / "backup.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert public_keys(ring.at_hand()) == first


def test_where_the_files_are_gone_backups_go_on_for_the_key_they_had(
    backups: Backups, installation: Settings
) -> None:
    backups.run()
    before = look(backups.place).good()[0].recipients
    for path in (installation.home / "secrets").glob("backup.*"):
        path.unlink()
    backups.run()
    assert look(backups.place).good()[0].recipients == before
    assert "COACH-BKP-008" in backups.drill().reasons[0]


def test_the_copy_is_written_once_and_never_beside_the_data(
    backups: Backups, installation: Settings, place: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "usb" / "key.txt"
    copy.parent.mkdir()
    backups.export_key(copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    for bad in (copy, installation.home / "key.txt", place / "key.txt", tmp_path / "no" / "key"):
        with pytest.raises(CoachError) as caught:
            backups.export_key(bad)
        assert caught.value.code == "COACH-BKP-019"
    assert not (installation.home / "key.txt").exists()


def test_showing_the_copy_ends_the_warning(backups: Backups, tmp_path: Path) -> None:
    def warned() -> bool:
        return "COACH-BKP-016" in {problem.code for problem in backups.status().problems}

    made = backups.run()
    copy, other = tmp_path / "key.txt", tmp_path / "other.txt"
    backups.export_key(copy)
    other.write_text(new_identity())
    assert warned()
    with pytest.raises(CoachError, match="COACH-BKP-019"):
        backups.confirm_key(other)
    with pytest.raises(CoachError, match="COACH-BKP-008"):
        backups.confirm_key(tmp_path / "nowhere")
    assert warned()
    name, opened = backups.confirm_key(copy)
    assert opened == made.id
    assert len(name) == 16
    assert not warned()
    assert backups.status().escrow_confirmed_at is not None


def test_the_copy_comes_back_and_another_key_does_not(
    backups: Backups, installation: Settings, tmp_path: Path
) -> None:
    backups.run()
    copy, other = tmp_path / "key.txt", tmp_path / "other.txt"
    backups.export_key(copy)
    other.write_text(new_identity())
    for path in (installation.home / "secrets").glob("backup.*"):
        path.unlink()
    with pytest.raises(CoachError, match="COACH-BKP-019"):
        backups.import_key(other)
    backups.import_key(copy)
    assert backups.drill().passed
    backups.import_key(copy)  # again changes nothing
    assert len(list((installation.home / "secrets").glob("backup*.key"))) == 1


def test_a_new_key_still_opens_backups_of_the_old_one(backups: Backups, tmp_path: Path) -> None:
    old = backups.run()
    backups.renew_key()
    new = backups.run()
    assert backups.restore(tmp_path / "a", backup_id=old.id).backup_id == old.id
    assert backups.restore(tmp_path / "b", backup_id=new.id).backup_id == new.id


@pytest.mark.parametrize("text", ["", "# only a remark\n", "AGE-SECRET-KEY-1SHORT", "\udce4"])
def test_a_file_that_holds_no_key_is_refused(text: str, backups: Backups, tmp_path: Path) -> None:
    backups.run()
    file = tmp_path / "key.txt"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(CoachError) as caught:
        backups.import_key(file)
    assert caught.value.code == "COACH-BKP-008"

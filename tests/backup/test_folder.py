"""A folder as the second place: whole files only, and names for what is wrong with it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.backup import Backups, open_place
from coachops.backup.folder import FolderPlace, place_error
from coachops.core.errors import CoachError
from coachops.core.settings import load_settings


@pytest.fixture
def place(tmp_path: Path) -> FolderPlace:
    return FolderPlace(tmp_path / "place", make=True)


def test_what_was_put_is_listed_read_and_deleted(place: FolderPlace, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 70_000)
    place.put("a/b/file", tmp_path / "file")
    place.write("a/c", b"small")
    assert [(e.name, e.bytes) for e in place.entries()] == [("a/b/file", 70_000), ("a/c", 5)]
    assert [e.name for e in place.entries("a/c")] == ["a/c"]
    place.get("a/b/file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"x" * 70_000
    assert place.read("a/c") == b"small"
    place.delete("a/b/file")
    place.delete("a/b/file")
    assert not (place.root / "a" / "b").exists()
    with pytest.raises(FileNotFoundError):
        place.read("a/b/file")
    assert (place.root / "a" / "c").stat().st_mode & 0o077 == 0


def test_a_file_that_is_being_written_is_no_entry(place: FolderPlace, tmp_path: Path) -> None:
    place.write("whole", b"x")
    half = place.root / ".part-0"
    half.write_bytes(b"half")
    assert [entry.name for entry in place.entries()] == ["whole"]
    os.utime(half, (1, 1))
    list(place.entries())
    assert not half.exists()


def test_a_write_that_fails_leaves_the_old_file(place: FolderPlace, tmp_path: Path) -> None:
    place.write("name", b"old")
    with pytest.raises((CoachError, FileNotFoundError)):
        place.put("name", tmp_path / "not there")
    assert place.read("name") == b"old"
    assert [entry.name for entry in place.entries()] == ["name"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "COACH-BKP-004"),
        (errno.EDQUOT, "COACH-BKP-004"),
        (errno.EACCES, "COACH-BKP-002"),
        (errno.EROFS, "COACH-BKP-002"),
        (errno.EIO, "COACH-BKP-001"),
        (errno.ESTALE, "COACH-BKP-001"),
        (errno.ENOTDIR, "COACH-BKP-003"),
    ],
)
def test_failures_of_the_system_have_a_code_each(number: int, code: str) -> None:
    error = place_error(OSError(number, os.strerror(number)), "/mnt/backups")
    assert error.code == code
    assert "/mnt/backups" in error.message + error.next_step


def test_a_disk_that_is_full_half_way_leaves_no_backup(
    at: Callable[..., Backups], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    backups = at(storage_url=str(tmp_path / "small"))
    fsync, calls = os.fsync, 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += "small" in str(Path(f"/proc/self/fd/{handle}").readlink())
        if calls > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CoachError) as caught:
        backups.run()
    monkeypatch.setattr(os, "fsync", fsync)
    assert caught.value.code == "COACH-BKP-004"
    assert backups.list() == []
    assert not [path for path in (tmp_path / "small").rglob("*") if path.is_file()]
    assert backups.run().state == "good"


def test_a_home_that_is_full_is_named_and_left_as_it_was(
    at: Callable[..., Backups], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second").mkdir()
    backups = at(storage_url=str(tmp_path / "second"))
    backups.run()
    fsync = os.fsync

    def full(handle: int) -> None:
        if "backup-work" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CoachError) as caught:
        backups.run()
    assert caught.value.code == "COACH-BKP-004"
    assert str(tmp_path / "home") in caught.value.message
    assert backups.drill().reasons[0].startswith("COACH-BKP-004")
    monkeypatch.setattr(os, "fsync", fsync)
    assert len(backups.list()) == 1
    assert not (tmp_path / "home" / "backup-work").exists()
    assert backups.drill().passed


def test_a_folder_that_is_named_must_be_there(at: Callable[..., Backups], tmp_path: Path) -> None:
    """It may be a disk that is not mounted: making it would fill the wrong one."""
    backups = at(storage_url=str(tmp_path / "not mounted"))
    for act in (backups.run, backups.list):
        with pytest.raises(CoachError) as caught:
            act()
        assert caught.value.code == "COACH-BKP-003"
    assert not (tmp_path / "not mounted").exists()


def test_without_a_setting_backups_lie_in_the_home_and_status_says_so(
    at: Callable[..., Backups], tmp_path: Path
) -> None:
    backups = at(storage_url="")
    assert backups.list() == []
    assert not (tmp_path / "home" / "backups").exists()  # looking makes nothing
    backups.run()
    assert (tmp_path / "home" / "backups" / "backups").is_dir()
    [problem] = [p for p in backups.status().problems if p.code == "COACH-BKP-017"]
    assert problem.severity == "warn"
    assert open_place(load_settings(home=tmp_path, storage_url=f"file://{tmp_path}")).url == str(
        tmp_path
    )

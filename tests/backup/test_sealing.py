"""Sealed files: they open with age of others, and not when a single bit was changed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from coachops.backup.sealing import Keys, identities_in, new_identity, public_keys
from coachops.core.errors import CoachError
from tests.conftest import missing_tool

IDENTITY = new_identity()
KEYS = Keys(public_keys((IDENTITY,)), (IDENTITY,))


@given(data=st.binary(max_size=300_000))
def test_what_was_sealed_opens_as_it_was(data: bytes, tmp_path: Path) -> None:
    plain, sealed, back = (tmp_path / name for name in ("plain", "sealed", "back"))
    plain.write_bytes(data)
    there, here = KEYS.seal(plain, sealed), KEYS.open(sealed, back)
    assert back.read_bytes() == data
    assert there == here
    assert sealed.stat().st_mode & 0o777 == 0o600


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7), data=st.binary(max_size=2_000))
def test_a_changed_bit_does_not_open(position: int, bit: int, data: bytes, tmp_path: Path) -> None:
    plain, sealed, back = (tmp_path / name for name in ("plain", "sealed", "back"))
    plain.write_bytes(data)
    KEYS.seal(plain, sealed)
    changed = bytearray(sealed.read_bytes())
    changed[position % len(changed)] ^= 1 << bit
    sealed.write_bytes(changed)
    with pytest.raises(CoachError) as caught:
        KEYS.open(sealed, back)
    assert caught.value.code == "COACH-BKP-009"


@pytest.mark.parametrize("cut", [1, 17, 200, 70_000])
def test_a_cut_file_does_not_open(cut: int, tmp_path: Path) -> None:
    plain, sealed, back = (tmp_path / name for name in ("plain", "sealed", "back"))
    plain.write_bytes(bytes(range(256)) * 400 + b"".join(bytes([n % 251]) for n in range(10**5)))
    KEYS.seal(plain, sealed)
    sealed.write_bytes(sealed.read_bytes()[: -min(cut, sealed.stat().st_size - 10)])
    with pytest.raises(CoachError, match="COACH-BKP-009"):
        KEYS.open(sealed, back)


def test_another_key_does_not_open(tmp_path: Path) -> None:
    plain, sealed, back = (tmp_path / name for name in ("plain", "sealed", "back"))
    plain.write_bytes(b"words")
    KEYS.seal(plain, sealed)
    with pytest.raises(CoachError) as caught:
        Keys((), (new_identity(),)).open(sealed, back)
    assert caught.value.code == "COACH-BKP-009"
    assert "no key at hand" in caught.value.message


def test_age_of_others_and_zstd_open_it(tmp_path: Path) -> None:
    if shutil.which("age") is None:
        missing_tool("age")
    plain, sealed, key = (tmp_path / name for name in ("plain", "sealed", "key"))
    plain.write_bytes(b"words of a client" * 9_000)
    KEYS.seal(plain, sealed)
    key.write_text(f"# a remark\n{IDENTITY}\n")
    opened = subprocess.run(
        ["age", "-d", "-i", key, sealed], capture_output=True, check=True
    ).stdout
    assert zstandard.ZstdDecompressor().decompressobj().decompress(opened) == plain.read_bytes()


def test_a_full_disk_is_told_as_it_is(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is missing")
    plain, sealed = tmp_path / "plain", tmp_path / "sealed"
    plain.write_bytes(b"words" * 100_000)
    sealed.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        KEYS.seal(plain, sealed)


@pytest.mark.parametrize("recipients", [(), ("age1nonsense",)])
def test_nothing_is_sealed_for_nobody(recipients: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"words")
    with pytest.raises(CoachError) as caught:
        Keys(recipients).seal(tmp_path / "plain", tmp_path / "sealed")
    assert caught.value.code == "COACH-BKP-008"


def test_a_key_that_is_not_whole_is_refused() -> None:
    with pytest.raises(CoachError) as caught:
        identities_in(IDENTITY[:-3])
    assert caught.value.code == "COACH-BKP-008"

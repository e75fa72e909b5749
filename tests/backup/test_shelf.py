"""What lies at the place was perhaps written by others: odd files stop no listing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from coachops.backup import Backups
from coachops.backup.folder import FolderPlace
from coachops.backup.shelf import look

ODD = "20200101T000000Z-000000000000"


@pytest.mark.parametrize("proof", [b"[1]", b"[" * 100_000, b"\xff", b'{"proven_at": 5}'])
def test_a_proof_that_cannot_be_read_is_none_and_stops_no_listing(
    backups: Backups, place: Path, proof: bytes
) -> None:
    made = backups.run()
    (place / "proofs").mkdir()
    (place / "proofs" / f"{made.id}.json").write_bytes(proof)
    (found,) = look(FolderPlace(place)).backups
    assert (found.good, found.proven_at) == (True, None)


def test_a_manifest_without_a_time_zone_is_damaged_and_stops_no_listing(
    backups: Backups, place: Path, tmp_path: Path
) -> None:
    made = backups.run()
    (sound,) = (place / "backups" / made.id).glob("manifest-*.json")
    document = json.loads(sound.read_bytes()) | {"id": ODD, "made_at": "2020-01-01T00:00:00"}
    data = json.dumps(document).encode()
    name = f"backups/{ODD}/manifest-{hashlib.sha256(data).hexdigest()}.json"
    FolderPlace(place).write(name, data)
    assert {row.id: row.state for row in backups.list()} == {made.id: "good", ODD: "damaged"}
    assert backups.restore(tmp_path / "new").backup_id == made.id

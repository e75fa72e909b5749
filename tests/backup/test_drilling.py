"""The drill: what it measures, and everything that must turn it red."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coachops.backup import Backups
from coachops.backup.fetching import fetch
from coachops.backup.keys import KeyRing
from coachops.backup.model import Manifest, manifest_name
from coachops.backup.sealing import Keys
from coachops.backup.shelf import look
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.core.settings import Settings


def test_a_drill_measures_what_would_be_lost_and_how_long_it_takes(backups: Backups) -> None:
    start = clock.now()
    with clock.frozen(start):
        made = backups.run()
    with clock.frozen(start + dt.timedelta(minutes=7)):
        result = backups.drill()
    assert result.passed
    assert result.backup_id == made.id
    assert result.rpo_seconds == pytest.approx(7 * 60)
    assert result.rto_seconds is not None
    assert result.tables > 30
    assert result.rows == made.rows
    assert backups.list()[0].proven_at == result.at
    assert backups.status().last_passed == result


def test_a_drill_without_a_backup_fails_with_the_reason(backups: Backups) -> None:
    result = backups.drill()
    assert not result.passed
    assert result.reasons[0].startswith("COACH-BKP-006")


def test_a_drill_leaves_no_opened_data_behind(backups: Backups, installation: Settings) -> None:
    backups.run()
    backups.drill()
    assert not (installation.home / "backup-work").exists()


def test_a_drill_compares_every_table_with_the_manifest(
    backups: Backups, installation: Settings, place: Path
) -> None:
    """A manifest that claims other rows, right in all its digests, does not pass."""
    backups.run()
    [manifest] = look(backups.place).good()
    document = json.loads(manifest.model_dump_json())
    document["snapshot"]["tables"]["clients"]["rows"] += 1
    document["snapshot"]["tables"]["goals"]["digest"] = "0" * 64
    del document["snapshot"]["tables"]["users"]
    document["snapshot"]["tables"]["ghosts"] = {"rows": 0, "digest": "0" * 64}
    document["id"] = "20991231T000000Z-000000000000"
    forged = Manifest.model_validate(document)
    data = forged.encoded()
    backups.place.write(manifest_name(forged.id, data), data)
    result = backups.drill()
    assert not result.passed
    text = " ".join(result.reasons)
    for wanted in ("clients has", "goals has other content", "users is new", "ghosts is missing"):
        assert wanted in text
    assert "COACH-BKP-012" in text


def test_a_manifest_replaced_as_a_whole_is_found_by_the_catalogue(backups: Backups) -> None:
    made = backups.run()
    [manifest] = look(backups.place).good()
    changed = manifest.model_copy(update={"tools": {}}).encoded()
    backups.place.delete(f"backups/{made.id}/manifest-{made.manifest_sha256}.json")
    backups.place.write(manifest_name(made.id, changed), changed)
    assert hashlib.sha256(changed).hexdigest() == backups.list()[0].manifest_sha256
    result = backups.drill()
    assert not result.passed
    assert "was replaced" in result.reasons[0]
    assert backups.verify()[1] == ["its manifest was replaced"]


def test_the_drill_opens_with_the_copy_in_escrow(
    at: Callable[..., Backups], backups: Backups, tmp_path: Path, installation: Settings
) -> None:
    copy = tmp_path / "elsewhere" / "key.txt"
    copy.parent.mkdir()
    backups.run()
    backups.export_key(copy)
    (installation.home / "secrets" / "backup.key").unlink()
    result = at(backup_escrow=str(copy)).drill()
    assert result.passed
    assert result.escrow


def test_recipients_of_ones_own_need_a_copy_to_drill_with(
    at: Callable[..., Backups], backups: Backups, tmp_path: Path, installation: Settings
) -> None:
    backups.run()
    copy = tmp_path / "key.txt"
    backups.export_key(copy)
    public = (installation.home / "secrets" / "backup.pub").read_text().strip()
    secret = installation.home / "secrets" / "backup.key"
    secret.unlink()
    theirs = at(backup_recipients=public)
    theirs.run()
    result = theirs.drill()
    assert not result.passed
    assert "COACH-BKP-008" in result.reasons[0]
    assert at(backup_recipients=public, backup_escrow=str(copy)).drill().passed
    with pytest.raises(CoachError, match="COACH-BKP-019"):
        theirs.export_key(tmp_path / "other.txt")
    with pytest.raises(CoachError, match="COACH-BKP-019"):
        theirs.renew_key()


def test_a_part_that_holds_something_else_is_refused(
    backups: Backups, installation: Settings, place: Path, tmp_path: Path
) -> None:
    """Sealed for the right key by somebody else: sizes and digests outside are right."""
    backups.run()
    [manifest] = look(backups.place).good()
    ring = KeyRing(installation, installation.home / "secrets")
    (tmp_path / "forged").write_bytes(b"other content")
    sealed = Keys(ring.stated()).seal(tmp_path / "forged", tmp_path / "sealed")
    first = manifest.files[0]
    backups.place.put(first.name, tmp_path / "sealed")
    file = first.model_copy(update={"bytes": sealed.bytes, "sha256": sealed.sha256})
    forged = manifest.model_copy(update={"files": (file,)})
    with pytest.raises(CoachError) as caught:
        fetch(backups.place, forged, ring.for_restore(None), tmp_path)
    assert caught.value.code == "COACH-BKP-007"

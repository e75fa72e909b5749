"""Verification finds every damage, and says where it is."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from coachops.core.actor import SYSTEM
from coachops.core.errors import CoachError
from coachops.db import Database, migrate
from coachops.export import Check, SigningKey, require_intact, run_export, verify_export
from coachops.export.publishing import SUMS
from tests.export.conftest import make_organisation

KEY = SigningKey(b"a secret of the installation that signs" * 2)
SMALL = ["coaches", "clients", "engagements", "sessions", "transcripts", "utterances"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An intact export, made once."""
    folder = tmp_path_factory.mktemp("export")
    database = Database(f"sqlite:///{folder / 'coachops.db'}")
    migrate.upgrade(database)
    make_organisation(database, sessions=12)
    run_export(
        database, SYSTEM, folder / "out", ["csv", "json", "jsonl", "parquet"], SMALL, key=KEY
    )
    database.close()
    return folder / "out"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def bad(folder: Path) -> list[Check]:
    return [check for check in verify_export(folder) if not check.ok]


def reseal(folder: Path, **changes: Any) -> None:
    """Make every hash fit again, as a careful forger without the key would."""
    manifest = json.loads((folder / "manifest.json").read_bytes()) | changes | {"signed_by": None}
    files = manifest["files"]
    manifest["files"] = [entry for entry in files if entry["path"] != "public-key.pem"]
    for entry in manifest["files"]:
        path = folder / entry["path"]
        if path.is_file():
            data = path.read_bytes()
            entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    reseal_as(folder, json.dumps(manifest).encode())


def reseal_as(folder: Path, text: bytes) -> None:
    for name in ("public-key.pem", "SHA256SUMS.sig"):
        (folder / name).unlink(missing_ok=True)
    (folder / "manifest.json").write_bytes(text)
    listed = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    (folder / SUMS).write_text(
        "".join(
            f"{hashlib.sha256((folder / path).read_bytes()).hexdigest()}  {path}\n"
            for path in listed
            if path != SUMS
        )
    )


def test_an_intact_export_passes_every_check(made: Path) -> None:
    checks = verify_export(made)
    assert [check for check in checks if not check.ok] == []
    kinds = {"manifest", "signature", "files", "sha256", "rows", "digest", "counts", "foreign_keys"}
    assert {check.check for check in checks} == kinds
    require_intact(made, checks)


def test_a_change_of_any_single_byte_is_found(copy: Path) -> None:
    rng = random.Random(3)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    assert {"manifest.json", SUMS, "SHA256SUMS.sig", "public-key.pem", "csvw-metadata.json"} <= {
        p.name for p in files
    }
    for path in [path for path in files if path.parent == copy] + rng.sample(files, 8):
        data = path.read_bytes()
        for place in {len(data) - 1, rng.randrange(len(data))}:
            changed = bytearray(data)
            changed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            assert bad(copy), (path.name, place)
        path.write_bytes(data)
    assert bad(copy) == []


def test_cut_missing_and_extra_files_are_named(copy: Path) -> None:
    path = copy / "data" / "utterances-0001.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    assert "data/utterances-0001.jsonl" in {check.subject for check in bad(copy)}
    path.unlink()
    assert [(c.check, c.subject) for c in bad(copy)] == [("files", "data/utterances-0001.jsonl")]
    path.write_bytes(data)
    (copy / "data" / "utterances-0002.jsonl").touch()
    assert [(c.check, c.subject) for c in bad(copy)] == [("files", "data/utterances-0002.jsonl")]
    (copy / "data" / "utterances-0002.jsonl").unlink()
    (copy / SUMS).unlink()
    assert SUMS in {c.subject for c in bad(copy)}


@pytest.mark.parametrize("name", ["csv", "json", "jsonl"])
def test_the_row_that_differs_is_named(copy: Path, name: str) -> None:
    path = copy / "data" / f"transcripts-0001.{name}"
    lines = path.read_bytes().split(b"\n")
    place = 5  # the header of CSV and JSON is one line, so their fifth row; the sixth of jsonl
    lines[place] = lines[place].replace(b"session-2", b"session-9", 1)
    path.write_bytes(b"\n".join(lines))
    found = [check for check in bad(copy) if check.row is not None]
    assert [(c.subject, c.row) for c in found] == [
        (f"data/transcripts-0001.{name}", 6 if name == "jsonl" else 5)
    ]
    assert "source_name" in found[0].detail
    with pytest.raises(CoachError, match=r"transcripts-0001\.\w+, row") as caught:
        require_intact(copy, bad(copy))
    assert caught.value.code == "COACH-EXP-004"


def test_a_forged_file_with_a_fitting_hash_is_found_by_the_content_digest(copy: Path) -> None:
    path = copy / "data" / "clients-0001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"client-0001", b"client-0009", 1))
    reseal(copy)
    found = bad(copy)
    assert [(c.check, c.subject, c.row) for c in found] == [
        ("rows", "data/clients-0001.jsonl", found[0].row), ("digest", "clients (jsonl)", None),
    ]  # fmt: skip
    assert "external_id" in found[0].detail
    assert found[0].block == 1


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"speaker":"coach"', b'"speaker":"robot"', "speaker is not of the kind code"),
        (b'"position":3,', b'"position":"3",', "a value of a wrong type"),
        (b'"position":3,', b'"position":99999999999,', "position is not of the kind integer"),
        (b'"position":3,', b'"position":2,', "out of order or there twice"),
        (b'"position":3,', b"", "not the columns"),
        (b'"position":3,', b'"position":null,', "position is NULL"),
    ],
)
def test_rows_against_the_schema_are_named_even_with_a_fitting_hash(
    copy: Path, old: bytes, new: bytes, what: str
) -> None:
    path = copy / "data" / "utterances-0001.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    reseal(copy)
    found = bad(copy)
    assert found[0].row in {1, 2, 3}
    assert what in found[0].detail


def test_a_row_without_its_parent_is_named(copy: Path) -> None:
    path = copy / "data" / "transcripts-0001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    reseal(copy)
    manifest = json.loads((copy / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        if entry["path"] == "data/transcripts-0001.jsonl":
            entry |= {"rows": entry["rows"] - 1, "digest": None}
    reseal(copy, files=manifest["files"])
    dangling = [check for check in bad(copy) if check.check == "foreign_keys"]
    assert [check.subject for check in dangling] == ["data/utterances-0001.jsonl"]
    assert dangling[0].row is not None


def test_a_key_that_is_there_twice_is_named_where_rows_have_another_order(copy: Path) -> None:
    path = copy / "data" / "utterances-0001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    first = json.loads(lines[0])["utterance_id"]
    lines[5] = lines[5].replace(json.loads(lines[5])["utterance_id"].encode(), first.encode())
    path.write_bytes(b"".join(lines))
    manifest = json.loads((copy / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        if entry["path"] == "data/utterances-0001.jsonl":
            entry["digest"] = None
    reseal(copy, files=manifest["files"])
    twice = [check for check in bad(copy) if check.check == "order"]
    assert [(check.subject, first in check.detail) for check in twice] == [
        ("utterances (jsonl)", True)
    ]


def test_paths_out_of_the_folder_and_links_are_refused(copy: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_bytes())
    (copy / manifest["files"][0]["path"]).unlink()
    manifest["files"][0]["path"] = "../outside"
    reseal(copy, files=manifest["files"])
    sums = (copy / SUMS).read_text()
    first = manifest["files"][0]["sha256"]
    (copy / SUMS).write_text(f"{first}  ../outside\n" + sums)
    assert "out of the folder" in bad(copy)[0].detail


def test_a_link_in_place_of_a_file_is_refused(copy: Path, tmp_path: Path) -> None:
    path = copy / "datapackage.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in bad(copy)[0].detail


def test_a_folder_without_an_export_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(CoachError) as caught:
        verify_export(tmp_path)
    assert caught.value.code == "COACH-EXP-005"


def test_a_manifest_of_another_format_is_refused(copy: Path) -> None:
    for text in (b"[]", b"{}", b'{"format": "x", "format_version": "2.0.0"}', b"not json"):
        reseal_as(copy, text)
        assert "is not the manifest of an export" in bad(copy)[0].detail


@pytest.mark.parametrize("version", ["1.0.0", "3.1.0"])
def test_an_export_of_another_major_version_has_its_own_code(copy: Path, version: str) -> None:
    reseal(copy, format_version=version)
    with pytest.raises(CoachError) as caught:
        verify_export(copy)
    assert caught.value.code == "COACH-EXP-010"


def test_a_schema_of_another_major_version_has_its_own_code(copy: Path) -> None:
    path = copy / "schemas" / "coaches-1.0.0.json"
    path.write_text(path.read_text().replace('"x-version": "1.0.0"', '"x-version": "2.0.0"'))
    reseal(copy)
    with pytest.raises(CoachError) as caught:
        verify_export(copy)
    assert caught.value.code == "COACH-EXP-017"


def test_who_signed_is_checked(copy: Path, tmp_path: Path) -> None:
    other = SigningKey(b"another installation" * 4)
    file = tmp_path / "key.pem"
    for key in (KEY.fingerprint, f"sha256:{KEY.fingerprint}"):
        assert all(check.ok for check in verify_export(copy, key=key))
    file.write_bytes(KEY.public_pem)
    assert all(check.ok for check in verify_export(copy, key=str(file)))
    for wrong, code in [
        (other.fingerprint, "COACH-EXP-011"), ("nonsense", "COACH-EXP-015"),
        (str(copy / "manifest.json"), "COACH-EXP-015"),
    ]:  # fmt: skip
        with pytest.raises(CoachError) as caught:
            verify_export(copy, key=wrong)
        assert caught.value.code == code
    sums, signature = copy / SUMS, copy / "SHA256SUMS.sig"
    signature.write_bytes(other.sign(sums.read_bytes()))
    assert [c.check for c in bad(copy)] == ["signature"]
    signature.unlink()
    assert [c.check for c in bad(copy)] == ["signature"]
    reseal(copy)  # nobody vouches for it now, and whoever names a key sees that
    assert bad(copy) == []
    with pytest.raises(CoachError) as caught:
        verify_export(copy, key=KEY.fingerprint)
    assert caught.value.code == "COACH-EXP-011"


def members(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every member of a document, of lists the first item only."""
    if isinstance(value, dict):
        below = [members(each, (*path, name)) for name, each in value.items()]
    else:
        below = [members(each, (*path, 0)) for each in value[:1]] if isinstance(value, list) else []
    return [*([path] if path else []), *(each for group in below for each in group)]


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


@pytest.mark.parametrize("change", [None, [], {}, -1, "x", "gone"], ids=repr)
def test_a_manifest_that_a_stranger_wrote_is_judged_and_never_trips_verify(
    copy: Path, change: Any
) -> None:
    """Every member in turn is removed or of another sort, and all hashes fit again."""
    manifest = json.loads((copy / "manifest.json").read_bytes())
    needed = json.loads((copy / f"schemas/manifest-{manifest['format_version']}.json").read_bytes())
    tried = [path for path in members(manifest) if path[0] not in {"coachops_version", "database"}]
    assert len(tried) > 40
    for path in tried:
        forged = json.loads(json.dumps(manifest)) | {"signed_by": None}
        if change == "gone" and isinstance(path[-1], str):
            del at(forged, path[:-1])[path[-1]]
        else:
            at(forged, path[:-1])[path[-1]] = change
        reseal_as(copy, json.dumps(forged).encode())
        try:
            found = bad(copy)
        except CoachError as error:
            assert error.code in {"COACH-EXP-010", "COACH-EXP-017"}, path  # noqa: PT017
            continue
        if path[0] in needed["required"] and len(path) == 1 and change == "gone":
            assert found, path
    assert any(path[:1] == ("formats",) for path in tried)

"""The outside of a bundle: manifest, signature, names, sizes and SHA-256 of its files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from coachops.core.errors import CoachError
from coachops.export.manifest import FORMAT, MANIFEST
from coachops.export.publishing import PUBLIC_KEY, SIGNATURE, SUMS
from coachops.export.schemas import FORMAT_VERSION, manifest_schema
from coachops.export.signing import fingerprint_of, signed_by
from coachops.export.verifying.checks import Check

_OF_DATA = frozenset({"format", "shard", "rows", "digest", "blocks"})
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\\]+)\n")


def read_manifest(folder: Path, checks: list[Check]) -> dict[str, Any] | None:
    """The manifest, if it is exactly as it was written.

    Raises:
        CoachError: COACH-EXP-010 where another version made it.
    """
    data = (folder / MANIFEST).read_bytes()
    manifest: dict[str, Any] = {}
    ours, version = False, ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        manifest = json.loads(data)
        ours, version = manifest["format"] == FORMAT, str(manifest["format_version"])
    if not ours:
        checks.append(Check("manifest", MANIFEST, False, "is not the manifest of an export"))
        return None
    known = FORMAT_VERSION.split(".")[0]
    if version.split(".", maxsplit=1)[0] != known:
        raise CoachError("COACH-EXP-010", path=folder, found=version, known=known)
    sums = _sums(folder, checks)
    if sums is None:
        return None
    if sums.get(MANIFEST) != hashlib.sha256(data).hexdigest():
        detail = f"is not the one that {SUMS} lists: one of the two was changed"
        checks.append(Check("manifest", MANIFEST, False, detail))
        return None
    wrong = _contradiction(manifest)
    if wrong:
        checks.append(Check("manifest", MANIFEST, False, wrong))
        return None
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    if listed | {MANIFEST: sums[MANIFEST]} != sums:
        checks.append(Check("manifest", SUMS, False, f"lists other files than {MANIFEST}"))
        return None
    detail = f"export {manifest['export_id']} of {manifest['snapshot_at']}"
    checks.append(Check("manifest", MANIFEST, True, detail))
    return manifest


def _contradiction(manifest: dict[str, Any]) -> str:
    """What the manifest fails to tell, or tells in two ways; "" where it makes sense."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 only here

    # a later minor version may tell more
    error = next(Draft202012Validator(_opened(manifest_schema())).iter_errors(manifest), None)
    if error is not None:
        return f"is not as its schema says: {error.json_path}"
    named = {
        (dataset["name"], name) for dataset in manifest["datasets"] for name in manifest["formats"]
    }
    data = [entry for entry in manifest["files"] if "dataset" in entry]
    if not all(entry.keys() >= _OF_DATA for entry in data):
        return "does not tell everything about a data file"
    found = {(entry["dataset"], entry["format"]) for entry in data}
    if not named or named != found:
        return "names other datasets and formats than it has files of"
    return ""


def _opened(schema: Any) -> Any:
    """The schema, with more members allowed everywhere."""
    if isinstance(schema, dict):
        return {
            name: _opened(value)
            for name, value in schema.items()
            if not (name == "additionalProperties" and value is False)
        }
    return [_opened(each) for each in schema] if isinstance(schema, list) else schema


def verify_signature(
    folder: Path, manifest: dict[str, Any] | None, wanted: str | None
) -> list[Check]:
    """Whether the sums are signed, by the key in the bundle and by the one that was named.

    Raises:
        CoachError: COACH-EXP-011 where another key was named.
    """
    signature, public = folder / SIGNATURE, folder / PUBLIC_KEY
    if not signature.is_file() or not public.is_file():
        if wanted is not None:
            raise CoachError("COACH-EXP-011", path=folder, reason="it has no signature")
        if manifest is None or manifest["signed_by"] is None:
            return [Check("signature", SUMS, True, "is not signed")]
        return [Check("signature", SIGNATURE, False, "is missing, and so nobody vouches for it")]
    pem = public.read_bytes()
    try:
        found = fingerprint_of(pem)
    except ValueError:
        return [Check("signature", PUBLIC_KEY, False, "is no public key of Ed25519")]
    if wanted is not None and found != wanted:
        raise CoachError("COACH-EXP-011", path=folder, reason=f"its key is {found}")
    sums = (folder / SUMS).read_bytes() if (folder / SUMS).is_file() else b""
    if not signed_by(pem, sums, signature.read_bytes()):
        if wanted is not None:
            raise CoachError("COACH-EXP-011", path=folder, reason="the signature is not of its key")
        return [Check("signature", SIGNATURE, False, f"is not of {SUMS}: one of the two changed")]
    if manifest is not None and manifest["signed_by"] != found:
        return [Check("signature", PUBLIC_KEY, False, f"is not the key that {MANIFEST} names")]
    return [Check("signature", SIGNATURE, True, f"by the key {found}")]


def verify_listing(folder: Path, manifest: dict[str, Any]) -> Check:
    """The folder holds exactly the files of the manifest."""
    listed = {entry["path"] for entry in manifest["files"]}
    own = {MANIFEST, SUMS, SIGNATURE}
    for path in sorted(listed):
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            return Check("files", path, False, "points out of the folder")
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    for path in sorted(found):
        if (folder / path).is_symlink():
            return Check("files", path, False, "is a link, not a file")
    if missing := sorted(listed - found):
        return Check("files", missing[0], False, f"is missing ({len(missing)} in all)")
    if extra := sorted(found - listed - own):
        return Check("files", extra[0], False, f"is not in the manifest ({len(extra)} in all)")
    return Check("files", str(folder), True, f"{len(listed)} files, none missing, none extra")


def verify_bytes(folder: Path, entry: dict[str, Any]) -> Check:
    """Size and SHA-256 of a file."""
    path = folder / entry["path"]
    size = path.stat().st_size
    if size != entry["bytes"]:
        detail = f"has {size} bytes instead of {entry['bytes']}"
        return Check("sha256", entry["path"], False, detail)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry["sha256"]:
        return Check("sha256", entry["path"], False, "its content was changed (SHA-256 differs)")
    return Check("sha256", entry["path"], True, f"{size} bytes, SHA-256 as written")


def _sums(folder: Path, checks: list[Check]) -> dict[str, str] | None:
    path = folder / SUMS
    if not path.is_file():
        checks.append(Check("manifest", SUMS, False, "is missing"))
        return None
    text = path.read_bytes().decode("utf-8", "replace")
    lines = _LINE.findall(text)
    if "".join(f"{sha}  {name}\n" for sha, name in lines) != text:
        checks.append(Check("manifest", SUMS, False, "is not a list as sha256sum reads it"))
        return None
    return {name: sha for sha, name in lines}

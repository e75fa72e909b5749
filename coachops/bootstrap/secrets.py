"""Secrets that the installation makes for itself: one file each, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def secret_file(home: Path, name: str) -> bytes:
    """The secret `name` of 32 random bytes (as URL-safe text), made at its first use.

    The file lies in `home/secrets` (folder 0700, file 0600). Processes and threads that start
    together get the same secret: it is written under a name of its own and linked into place.
    """
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    if not path.exists():
        draft = folder / f".{name}.{secrets.token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()

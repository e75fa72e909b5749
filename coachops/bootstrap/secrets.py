"""Secrets that the installation makes for itself: one file each, readable by its owner only."""

from __future__ import annotations

import secrets
from pathlib import Path

from coachops import files


def secret_file(home: Path, name: str) -> bytes:
    """The secret `name` of 32 random bytes (as URL-safe text), made at its first use.

    The file lies in `home/secrets` (folder 0700, file 0600). Processes and threads that start
    together get the same secret.
    """
    return files.write_once(home / "secrets" / name, secrets.token_urlsafe(32)).encode()

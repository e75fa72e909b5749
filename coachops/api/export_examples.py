"""Examples of `/v1/exports` for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_ID = "01938b5e-7c1a-7d42-9f6e-3f1c5a2b8d90"
_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

WANTED: dict[str, Any] = {
    "datasets": ["sessions", "utterances"],
    "formats": ["csv", "jsonl"],
    "since": "2026-01-01",
    "until": "2026-07-01",
    "coaches": ["ada.reyes@example.org"],
    "compression": "gzip",
}

RUNNING: dict[str, Any] = {
    "export_id": _ID,
    "state": "running",
    "requested_by": "Robot",
    "made_at": "2026-11-30T09:15:00.000000Z",
    "snapshot_at": "2026-11-30T09:15:01.120000Z",
    "finished_at": None,
    "expires_at": "2026-12-07T09:15:00.000000Z",
    "datasets": ["sessions", "utterances"],
    "formats": ["csv"],
    "privacy": "full",
    "request": {"datasets": ["sessions", "utterances"], "formats": ["csv"]},
    "progress": {
        "rows": 1_200_000,
        "rows_expected": 3_000_000,
        "bytes": 310_000_000,
        "parts": 9,
        "parts_done": 3,
        "eta_seconds": 24.5,
    },
    "error_code": None,
    "url": f"/v1/exports/{_ID}",
}

READY: dict[str, Any] = RUNNING | {
    "state": "ready",
    "finished_at": "2026-11-30T09:15:40.000000Z",
    "progress": {
        "rows": 3_000_000,
        "rows_expected": 3_000_000,
        "bytes": 780_000_000,
        "parts": 9,
        "parts_done": 9,
        "eta_seconds": None,
    },
    "files": [
        {
            "path": "data/sessions-0001.csv",
            "url": f"/v1/exports/{_ID}/files/data/sessions-0001.csv",
            "bytes": 1_204_551,
            "sha256": _SHA,
            "rows": 9_000,
            "dataset": "sessions",
            "format": "csv",
        }
    ],
    "manifest": {"format": "coachops-export", "export_id": _ID},
}

LISTED: dict[str, Any] = {"exports": [RUNNING], "next": f"/v1/exports?limit=1&before={_ID}"}


def file_responses() -> dict[int | str, dict[str, Any]]:
    """The answers that carry a file, or say that the caller has it."""
    headers = {
        "ETag": {"schema": {"type": "string"}, "description": "The file's SHA-256, quoted."},
        "Accept-Ranges": {"schema": {"type": "string"}},
        "Repr-Digest": {
            "schema": {"type": "string"},
            "description": "RFC 9530, of the whole file.",
        },
    }
    binary = {
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "example": "rows",
        }
    }
    return {
        200: {"description": "The whole file.", "headers": headers, "content": binary},
        206: {
            "description": "The range that was asked for.",
            "headers": headers | {"Content-Range": {"schema": {"type": "string"}}},
            "content": binary,
        },
        304: {"description": "The caller has this very file (If-None-Match)."},
    }

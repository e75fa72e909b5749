"""What verification finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One claim of an export, and whether it holds.

    Attributes:
        check: what was checked: manifest, signature, files, sha256, rows, schema, order, digest,
            counts, foreign_keys, outside, source.
        subject: the file or dataset.
        ok: whether it holds.
        detail: what was found.
        row: the first row that differs, from 1 within the file; None where no row can be named.
        block: the first block of rows that differs, from 1 within the file.
    """

    check: str
    subject: str
    ok: bool
    detail: str
    row: int | None = None
    block: int | None = None

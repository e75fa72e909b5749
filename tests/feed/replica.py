"""A follower as a stranger would write it, and the truth to compare it with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from coachops.db import Database, change_feed
from coachops.export.feed import Seen, digest, page, resume

SECRET = b"a secret of the tests"


@dataclass
class Replica:
    """Applies a change whose version is higher than the one it has; keeps versions of removed rows."""

    database: Database
    seen: Seen
    cursor: str | None = None
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def read(self, limit: int = 500) -> bool:
        """Apply one page; returns whether there is more."""
        change_feed.sequence(self.database)
        with self.database.connect() as connection:
            at = resume(connection, self.seen, self.cursor, SECRET)
            found = page(connection, self.seen, at, SECRET, limit)
        assert found.from_pos == at.pos
        for line in found.changes:
            self.apply(json.loads(line))
        self.cursor = found.cursor
        return found.has_more

    def catch_up(self, limit: int = 500) -> None:
        while self.read(limit):
            pass

    def apply(self, change: dict[str, Any]) -> None:
        version, deleted = change.pop("_version"), change.pop("_deleted")
        key = change[self.seen.dataset.key]
        if version <= self.versions.get(key, -1):
            return
        self.versions[key] = version
        if deleted:
            self.reasons.append(change["_reason"])
            self.rows.pop(key, None)
        else:
            self.rows[key] = change

    def wrong(self) -> int:
        """How many buckets differ from the database's digest."""
        with self.database.connect() as connection:
            at = resume(connection, self.seen, self.cursor, SECRET)
            truth = digest(connection, self.seen, at, SECRET)
        assert not any(each.changed for each in truth.buckets), "changes are left to read"
        mine = digests(self.rows)
        return sum(mine[b.bucket] != (b.count, b.sum) for b in truth.buckets)


def digests(rows: dict[str, dict[str, Any]]) -> list[tuple[int, str]]:
    """The digest of each bucket, from the description in the guide alone."""
    counts, sums = [0] * 256, [0] * 256
    for key, row in rows.items():
        bucket = hashlib.sha256(key.encode()).digest()[0]
        text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        counts[bucket] += 1
        sums[bucket] += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return [(count, f"{total % 2**256:064x}") for count, total in zip(counts, sums, strict=True)]

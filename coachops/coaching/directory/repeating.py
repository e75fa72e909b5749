"""Requests that carry a key: done once, and answered alike when they come again.

The answer is kept in the transaction of the work, for as long as its operation is known (two days).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import KeptReply

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key of one source and one kind of request.

    Attributes:
        id: of the operation; the same source, request and key make the same.
        fingerprint: of what is asked for; another one under the same key is refused.
    """

    id: uuid.UUID
    fingerprint: str

    @classmethod
    def of(cls, source: str, request: str, key: str, *content: bytes) -> Key:
        """The key `key` of a source for a kind of request, and what it asks for."""
        name = hashlib.sha256("\n".join((source, request, key)).encode()).digest()
        asked = hashlib.sha256()
        for part in content:
            asked.update(hashlib.sha256(part).digest())
        return cls(uuid.UUID(bytes=name[:16]), asked.hexdigest())

    def part(self, number: int) -> Key:
        """The key of one part of the request."""
        name = hashlib.sha256(self.id.bytes + number.to_bytes(8, "big")).digest()
        return Key(uuid.UUID(bytes=name[:16]), self.fingerprint)


def once(
    database: Database,
    key: Key | None,
    work: Callable[[Session], T],
    *,
    keep: Callable[[T], Any],
    back: Callable[[Session, Any], T],
) -> T:
    """The result of `work`, done now or when the same key came first.

    Parameters:
        keep: the JSON value to remember of a result: ids, counts and codes.
        back: the result again, from what was remembered.

    Raises:
        CoachError: COACH-INB-007 where the key was used for another request; what `work` raises,
            and then the key is as if it was never used.
    """
    if key is None:
        return database.run(work)

    def first(session: Session) -> T:
        result = work(session)
        session.add(
            KeptReply(
                id=key.id, fingerprint=key.fingerprint, at=clock.now(), reply=keep(result)
            )
        )  # fmt: skip
        return result

    def again(session: Session) -> T:
        kept = session.get(KeptReply, key.id)
        if kept is None or kept.fingerprint != key.fingerprint:
            raise CoachError("COACH-INB-007")
        return back(session, kept.reply)

    return database.run(first, operation_id=key.id, repeated=again)

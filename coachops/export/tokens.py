"""What a process needs to join a moment of PostgreSQL that another one holds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

from coachops.core.errors import CoachError


@dataclass(frozen=True, slots=True)
class PostgresToken:
    """A moment of a PostgreSQL server.

    Attributes:
        host: where the server was reached; other machines may know it by another name.
        system: identifier of the cluster. started: of that server, so a standby is another one.
        timeline: of its history.
        snapshot: as PostgreSQL names it.
    """

    host: str
    system: str
    started: float
    timeline: int
    snapshot: str

    def to_text(self) -> str:
        """The token."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, token: str) -> Self:
        """The token as it was made.

        Raises:
            CoachError: COACH-EXP-020 where it is none.
        """
        try:
            return cls(**json.loads(token))
        except (ValueError, TypeError):
            raise CoachError("COACH-EXP-020", reason="it is of another database") from None

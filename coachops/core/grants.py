"""What a token may see of the data: datasets, coaches, clients, and under which privacy profile.

A grant narrows what the owner of the token may do; it never widens it. It is checked where data is
selected (exports, feed, digests), not only at the door.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

Privacy = Literal["full", "pseudonymous"]
PRIVACY_PROFILES: tuple[Privacy, ...] = ("full", "pseudonymous")


@dataclass(frozen=True, slots=True)
class Grant:
    """Limits of a token.

    Attributes:
        datasets: names; None is every dataset.
        coaches, clients: ids whose rows may be seen; None is no limit. Both given: rows of these
            coaches that also belong to these clients.
        privacy: `pseudonymous` never shows names, addresses or free text.
    """

    datasets: frozenset[str] | None = None
    coaches: frozenset[uuid.UUID] | None = None
    clients: frozenset[uuid.UUID] | None = None
    privacy: Privacy = "full"

    def allows_dataset(self, name: str) -> bool:
        """Whether rows of that dataset may be seen at all."""
        return self.datasets is None or name in self.datasets

    def covers(self, coach_id: uuid.UUID | None, client_id: uuid.UUID | None) -> bool:
        """Whether a row of that coach and client (as they are now) may be seen.

        None where a row has no such owner: a limit then leaves it out.
        """
        return (self.coaches is None or coach_id in self.coaches) and (
            self.clients is None or client_id in self.clients
        )

    @property
    def limits_people(self) -> bool:
        """Whether rows of some coaches or clients are left out."""
        return self.coaches is not None or self.clients is not None


EVERYTHING = Grant()
"""No limit beyond the role: a person, or a token without limits."""

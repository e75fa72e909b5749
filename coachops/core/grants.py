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


EVERYTHING = Grant()
"""No limit beyond the role: a person, or a token without limits."""

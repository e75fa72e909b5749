"""Who acts: handed to every capability, which checks what this person may see and do.

Roles: `admin` sees and changes everything; `coach` sees and changes what belongs to their own
clients; `analyst` reads everything and changes nothing; `service` acts for other systems within
the scopes of its token. Further permissions (such as `rollout`) are granted by name.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from coachops.core.errors import CoachError


@dataclass(frozen=True, slots=True)
class Actor:
    """A signed-in person, a service, or the suite itself.

    Attributes:
        user_id: None for the suite itself (command line, worker).
        role: admin, coach, analyst, service.
        name: to show.
        coach_id: the coach this user is, if any.
        permissions: granted by name, beyond the role.
    """

    user_id: uuid.UUID | None
    role: str
    name: str
    coach_id: uuid.UUID | None = None
    permissions: frozenset[str] = field(default_factory=frozenset)

    @property
    def sees_all(self) -> bool:
        """Whether the data of every coach may be read."""
        return self.role in {"admin", "analyst", "service"}

    def may_read(self, coach_id: uuid.UUID) -> bool:
        """Whether data of this coach's clients may be read."""
        return self.sees_all or (self.coach_id is not None and self.coach_id == coach_id)

    def may_change(self, coach_id: uuid.UUID) -> bool:
        """Whether data of this coach's clients may be changed."""
        return self.role in {"admin", "service"} or (
            self.coach_id is not None and self.coach_id == coach_id
        )

    def require_role(self, *roles: str, what: str) -> None:
        """Refuse other roles.

        Raises:
            CoachError: COACH-IDN-003.
        """
        if self.role not in roles:
            raise CoachError("COACH-IDN-003", what=what)


SYSTEM = Actor(None, "admin", "coachops")
"""The suite itself: the command line of an operator, and the worker."""

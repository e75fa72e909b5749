"""Whom a caller may name as a filter. Whoever may not see all gets one answer for a coach or client
who does not exist and for one of others, with the words that were sent: no address leads to an id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.db.models import Client, Coach, Engagement

What = Literal["coach", "client"]


@dataclass(frozen=True, slots=True)
class Naming:
    """The people whom a caller may name.

    Attributes:
        actor: a coach names themselves, and clients whom they coach or did.
        grant: of the token: its coaches and clients, and without a list of one of them, those who
            work or worked with the other.
        code: of the refusal of whoever is left out.
    """

    actor: Actor = SYSTEM
    grant: Grant = EVERYTHING
    code: str = "COACH-CCH-001"

    def among(self, what: What) -> list[sa.ColumnElement[bool]]:
        """Conditions on rows of coaches or clients."""
        return self._coaches() if what == "coach" else self._clients()

    def unknown(self, what: What, ref: str) -> CoachError:
        """The answer for somebody who is not among them."""
        limited = self.grant.limits_people or not self.actor.sees_all
        # the role of a coach hides clients as all of the suite does: they are not there
        if not limited or (what == "client" and not self.grant.limits_people):
            return CoachError("COACH-CCH-001", what=what, ref=ref)
        return CoachError(self.code, what=f"data of the {what} '{ref}'")

    def _coaches(self) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if not self.actor.sees_all:
            found.append(Coach.id == self.actor.coach_id)
        if self.grant.coaches is not None:
            found.append(Coach.id.in_(self.grant.coaches))
        elif self.grant.clients is not None:
            theirs = Engagement.client_id.in_(self.grant.clients)
            found.append(Coach.id.in_(sa.select(Engagement.coach_id).where(theirs)))
        return found

    def _clients(self) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if not self.actor.sees_all:
            own = Engagement.coach_id == self.actor.coach_id
            found.append(Client.id.in_(sa.select(Engagement.client_id).where(own)))
        if self.grant.clients is not None:
            found.append(Client.id.in_(self.grant.clients))
        elif self.grant.coaches is not None:
            theirs = Engagement.coach_id.in_(self.grant.coaches)
            found.append(Client.id.in_(sa.select(Engagement.client_id).where(theirs)))
        return found


ANYBODY = Naming()
"""Of whoever sees all."""

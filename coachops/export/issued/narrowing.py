"""How far an export may reach: what was asked for, within the caller's grant and role.

What is asked for beyond the limits is refused; where nothing is asked, the limits themselves apply.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import Grant, Privacy
from coachops.export.datasets import DATASETS


@dataclass(frozen=True, slots=True)
class Reach:
    """Datasets, coaches and clients (empty: all of them) and the privacy profile of an export."""

    datasets: tuple[str, ...]
    coaches: tuple[uuid.UUID, ...]
    clients: tuple[uuid.UUID, ...]
    privacy: Privacy


def narrowed(
    actor: Actor,
    grant: Grant,
    *,
    datasets: Sequence[str] = (),
    coaches: Sequence[uuid.UUID] = (),
    clients: Sequence[uuid.UUID] = (),
    privacy: str | None = None,
) -> Reach:
    """The reach of what was asked for.

    Parameters:
        actor: a coach reaches the data of their own clients only.
        datasets, coaches, clients: asked for; empty is as much as is allowed.
        privacy: None: full, unless the grant insists on pseudonyms.

    Raises:
        CoachError: COACH-EXP-043 names what lies outside.
    """
    if actor.role not in {"admin", "analyst", "service", "coach"}:
        raise CoachError("COACH-EXP-043", what="data")
    for name in datasets:
        if not grant.allows_dataset(name):
            raise CoachError("COACH-EXP-043", what=f"the dataset '{name}'")
    chosen = tuple(datasets)
    if not chosen and grant.datasets is not None:
        chosen = tuple(name for name in DATASETS if name in grant.datasets)
        if not chosen:
            raise CoachError("COACH-EXP-043", what="any dataset")
    seen = grant.coaches
    if actor.role == "coach":
        own = frozenset({actor.coach_id} if actor.coach_id else ())
        seen = own if seen is None else seen & own
    if privacy == "full" and grant.privacy == "pseudonymous":
        raise CoachError("COACH-EXP-043", what="names and texts, only pseudonyms")
    profile: Privacy = "pseudonymous" if "pseudonymous" in {privacy, grant.privacy} else "full"
    return Reach(
        chosen,
        _within(coaches, seen, "coach"),
        _within(clients, grant.clients, "client"),
        profile,
    )


def _within(
    asked: Sequence[uuid.UUID], limit: Collection[uuid.UUID] | None, what: str
) -> tuple[uuid.UUID, ...]:
    if limit is None:
        return tuple(asked)
    for each in asked:
        if each not in limit:
            raise CoachError("COACH-EXP-043", what=f"data of that {what}")
    if not limit:
        raise CoachError("COACH-EXP-043", what=f"data of any {what}")
    return tuple(asked) or tuple(sorted(limit))

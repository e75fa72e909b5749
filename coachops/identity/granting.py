"""The grant of a token: how it is kept with the token, and whether anybody is left in it.

Coaches and clients are kept as ids. A row is judged by the coach and client it has now: a client who
gets another coach leaves the grants of the old one and comes into those of the new one.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core.errors import CoachError
from coachops.core.grants import PRIVACY_PROFILES, Grant, Privacy
from coachops.db.models import ApiToken, Client, Coach

_DATASET = re.compile(r"[a-z][a-z_]{0,49}")


def check_grant(session: Session, grant: Grant) -> None:
    """Refuse a grant that names nothing, or something that is not there.

    Raises:
        CoachError: COACH-IDN-009.
    """
    for field, names in (
        ("Dataset", grant.datasets),
        ("Coach", grant.coaches),
        ("Client", grant.clients),
    ):
        if names is not None and not names:
            raise CoachError("COACH-IDN-009", field=field, reason="a limit names one at least")
    if grant.privacy not in PRIVACY_PROFILES:
        raise CoachError(
            "COACH-IDN-009", field="Privacy", reason=f"one of {', '.join(PRIVACY_PROFILES)}"
        )
    if any(_DATASET.fullmatch(name) is None for name in grant.datasets or ()):
        raise CoachError("COACH-IDN-009", field="Dataset", reason="lower-case words only")
    for field, table, wanted in (
        ("Coach", Coach, grant.coaches),
        ("Client", Client, grant.clients),
    ):
        if wanted is not None and len(names_of(session, table, wanted)) != len(wanted):
            raise CoachError("COACH-IDN-009", field=field, reason="there is none of this id")


def keep_grant(token: ApiToken, grant: Grant) -> None:
    """Write the limits into the token's row."""
    token.datasets = _listed(grant.datasets)
    token.coaches = _listed(grant.coaches)
    token.clients = _listed(grant.clients)
    token.privacy = grant.privacy


def grant_of(token: ApiToken) -> Grant:
    """The limits that the token's row holds."""
    privacy: Privacy = "full" if token.privacy == "full" else "pseudonymous"
    return Grant(
        datasets=None if token.datasets is None else frozenset(token.datasets),
        coaches=_ids(token.coaches),
        clients=_ids(token.clients),
        privacy=privacy,
    )


def names_of(
    session: Session, table: type[Coach] | type[Client], wanted: Iterable[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """The external ids by which people know these coaches or clients."""
    query = sa.select(table.id, table.external_id).where(table.id.in_(list(wanted)))
    return dict(iter(session.execute(query)))


def all_left(session: Session, grant: Grant, today: dt.date) -> bool:
    """Whether every coach or every client of the limits has left: nothing comes to it any more."""
    for table, wanted in ((Coach, grant.coaches), (Client, grant.clients)):
        if wanted is None:
            continue
        there = sa.select(table.id).where(
            table.id.in_(list(wanted)), sa.or_(table.left_on.is_(None), table.left_on > today)
        )
        if session.scalar(there.limit(1)) is None:
            return True
    return False


def _listed(names: Iterable[object] | None) -> list[str] | None:
    return None if names is None else sorted(map(str, names))


def _ids(kept: list[str] | None) -> frozenset[uuid.UUID] | None:
    return None if kept is None else frozenset(map(uuid.UUID, kept))

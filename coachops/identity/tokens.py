"""API tokens: bearer secrets of other systems, with scopes, an end, and a way to take them back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant, Privacy
from coachops.core.text import clean_line, is_blank
from coachops.db.models import ApiToken, Client, Coach, User
from coachops.identity.granting import all_left, check_grant, grant_of, keep_grant, names_of
from coachops.identity.part import Part, actor_for, find_user, require_admin, told_lately
from coachops.identity.secrets import digest, new_secret

SCOPES: dict[str, str] = {
    "transcripts:read": "Read transcripts and the state of their analysis.",
    "transcripts:write": "Upload transcripts.",
    "changes:read": "Follow the change feed and compare digests.",
    "mail-events:write": "Report what became of letters: delivered, bounced, complained.",
    "roster:write": "Create and update coaches, clients and engagements; say that a coach leaves.",
    "sessions:write": "Create, update and cancel sessions.",
    "exports:run": "Start and cancel exports.",
    "exports:read": "Read the state and the files of exports that this token started.",
    "webhooks:manage": "Ask to be told of events, and see what became of it.",
}
"""What a token may be allowed to do; `/v1` routes name the scope they need."""

NAMED = frozenset(
    {"transcripts:read", "transcripts:write", "changes:read", "roster:write", "sessions:write"}
)
"""Scopes of whoever sees names and words; `pseudonymous` leaves nothing of them."""

PREFIX = "coa_"
"""Starts every token, so that secret scanners find leaked ones."""

_USED_EVERY = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as surfaces show it, without the secret.

    Attributes:
        datasets, coaches, clients: the limits, by names and external ids; None: no limit.
        all_left: whether every coach (or every client) of the limits has left: it shows nothing new.
    """

    id: uuid.UUID
    name: str
    user_email: str
    scopes: tuple[str, ...]
    status: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    datasets: tuple[str, ...] | None
    coaches: tuple[str, ...] | None
    clients: tuple[str, ...] | None
    privacy: Privacy
    all_left: bool


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a good token stands for, and what it may do and see."""

    token_id: uuid.UUID
    actor: Actor
    scopes: frozenset[str]
    grant: Grant


class Tokens(Part):
    """The part of `Identity` for API tokens."""

    def create_token(
        self,
        actor: Actor,
        user: uuid.UUID | str,
        name: str,
        scopes: Iterable[str],
        days: int | None = 90,
        grant: Grant = EVERYTHING,
    ) -> tuple[str, TokenRow]:
        """A new token that acts as `user` within `scopes`; the secret is shown this once.

        Parameters:
            days: life in days; None never ends.
            grant: limits of what it may see; it never sees more than `user` may.

        Raises:
            CoachError: COACH-IDN-003, COACH-IDN-008, COACH-IDN-009 for a bad name, scope, life or
                limit, and for scopes of which the privacy leaves nothing.
        """
        require_admin(actor)
        wanted = tuple(sorted(set(scopes)))
        unknown = [scope for scope in wanted if scope not in SCOPES]
        if unknown or not wanted:
            raise CoachError("COACH-IDN-009", field="Scope", reason=f"one of {', '.join(SCOPES)}")
        if grant.privacy != "full" and NAMED.issuperset(wanted):
            left = ", ".join(scope for scope in SCOPES if scope not in NAMED)
            reason = f"pseudonymous leaves nothing of {', '.join(wanted)}, only of {left}"
            raise CoachError("COACH-IDN-009", field="Privacy", reason=reason)
        name = clean_line(name)
        if is_blank(name) or len(name) > 200:
            raise CoachError("COACH-IDN-009", field="Name", reason="1 to 200 characters are needed")
        if days is not None and not 1 <= days <= 3650:
            raise CoachError("COACH-IDN-009", field="Days", reason="1 to 3650")
        secret, token_hash = new_secret(PREFIX)

        def work(session: Session) -> TokenRow:
            owner = find_user(session, user)
            if owner.disabled_at is not None:
                raise CoachError("COACH-IDN-010", reason="this user is disabled")
            token = ApiToken(
                id=ids.new_id(),
                name=name,
                token_hash=token_hash,
                user_id=owner.id,
                scopes=list(wanted),
                expires_at=None if days is None else clock.now() + dt.timedelta(days=days),
            )
            check_grant(session, grant)
            keep_grant(token, grant)
            session.add(token)
            session.flush()
            record(
                session, actor, "token.created", "api_token", token.id, user_id=str(owner.id),
                limited=grant != EVERYTHING,
            )  # fmt: skip
            return self._row(session, token, owner)

        return secret, self.database.run(work)

    def list_tokens(self, actor: Actor) -> list[TokenRow]:
        """All tokens, newest first. Raises COACH-IDN-003."""
        require_admin(actor)
        with self.database.read() as session:
            query = sa.select(ApiToken, User).join(User, User.id == ApiToken.user_id)
            rows = session.execute(query.order_by(ApiToken.id.desc()))
            return [self._row(session, token, owner) for token, owner in rows]

    def revoke_token(self, actor: Actor, token_id: uuid.UUID) -> TokenRow:
        """Take a token back; safe to repeat. Raises COACH-IDN-003, COACH-IDN-011."""
        require_admin(actor)

        def work(session: Session) -> TokenRow:
            token = session.get(ApiToken, token_id)
            if token is None:
                raise CoachError("COACH-IDN-011", ref=str(token_id))
            if token.revoked_at is None:
                token.revoked_at = clock.now()
                record(session, actor, "token.revoked", "api_token", token.id)
            return self._row(session, token, session.get_one(User, token.user_id))

        return self.database.run(work)

    def actor_of_token(self, secret: str) -> Bearer:
        """Who a bearer token acts for, its scopes and its limits.

        Raises:
            CoachError: COACH-IDN-012 unknown, expired or revoked, or its user is disabled.
        """
        now = clock.now()
        with self.database.read() as session:
            row = session.execute(
                sa.select(ApiToken, User)
                .join(User, User.id == ApiToken.user_id)
                .where(ApiToken.token_hash == digest(secret))
            ).one_or_none()
            if row is None:
                raise CoachError("COACH-IDN-012")
            token, user = row
            actor = actor_for(session, user)
        if user.disabled_at is not None or _status(token, now) != "active":
            self.database.aside(lambda session: _record_refusal(session, token.id))
            raise CoachError("COACH-IDN-012")
        if token.last_used_at is None or now - token.last_used_at > _USED_EVERY:
            self.database.aside(
                lambda session: session.execute(
                    sa.update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now)
                )
            )
        return Bearer(token.id, actor, frozenset(token.scopes), grant_of(token))

    def _row(self, session: Session, token: ApiToken, owner: User) -> TokenRow:
        grant = grant_of(token)
        return TokenRow(
            id=token.id,
            name=token.name,
            user_email=owner.email,
            scopes=tuple(token.scopes),
            status=_status(token, clock.now()),
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            datasets=None if grant.datasets is None else tuple(sorted(grant.datasets)),
            coaches=_known(session, Coach, grant.coaches),
            clients=_known(session, Client, grant.clients),
            privacy=grant.privacy,
            all_left=all_left(session, grant, self.database.today()),
        )


def _record_refusal(session: Session, token_id: uuid.UUID) -> None:
    """Audit the use of a token that ended, at most once a minute; unknown ones leave no trace."""
    if not told_lately(session, "token.refused", str(token_id)):
        record(session, SYSTEM, "token.refused", "api_token", token_id)


def _status(token: ApiToken, now: dt.datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "expired"
    return "active"


def _known(
    session: Session, table: type[Coach] | type[Client], wanted: frozenset[uuid.UUID] | None
) -> tuple[str, ...] | None:
    return None if wanted is None else tuple(sorted(names_of(session, table, wanted).values()))

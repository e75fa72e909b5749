"""One-time links: invitation, password reset, sign-in without a password.

Opening a link shows what it does and changes nothing (mail scanners open links too); only the form
behind it uses it up, by compare-and-set, so that of two clicks one wins.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.models import SignInLink, User
from coachops.identity import passwords
from coachops.identity.part import Part, actor_for, end_sessions, find_user, require_admin
from coachops.identity.secrets import digest, new_secret
from coachops.identity.signing_in import start_session
from coachops.identity.users import use_up_links

LIVES: dict[str, dt.timedelta] = {
    "invite": dt.timedelta(days=7),
    "reset": dt.timedelta(hours=24),
    "sign_in": dt.timedelta(minutes=15),
}
"""How long a link of each purpose works."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """What a link is for, shown before it is used.

    Attributes:
        purpose: `invite`, `reset` or `sign_in`; the first two ask for a new password.
    """

    purpose: str
    email: str
    name: str
    expires_at: dt.datetime

    @property
    def needs_password(self) -> bool:
        """Whether using the link sets a new password."""
        return self.purpose != "sign_in"


class Links(Part):
    """The part of `Identity` that makes and redeems links."""

    def invite_link(self, actor: Actor, ref: uuid.UUID | str) -> str:
        """The token of a link by which a new user sets the first password (7 days).

        Raises:
            CoachError: COACH-IDN-003, COACH-IDN-008, COACH-IDN-010 for a disabled user.
        """
        return self._make(actor, ref, "invite")

    def reset_link(self, actor: Actor, ref: uuid.UUID | str) -> str:
        """The token of a link by which a user sets a new password (24 hours); errors as above."""
        return self._make(actor, ref, "reset")

    def sign_in_link(self, actor: Actor, ref: uuid.UUID | str) -> str:
        """The token of a link that signs a user in without a password (15 minutes)."""
        return self._make(actor, ref, "sign_in")

    def look_at_link(self, token: str) -> LinkView:
        """What a link is for, without using it. Raises COACH-IDN-004."""
        with self.database.read() as session:
            link = session.get(SignInLink, digest(token))
            if link is None or link.used_at is not None or link.expires_at <= clock.now():
                raise CoachError("COACH-IDN-004")
            user = session.get_one(User, link.user_id)
            if user.disabled_at is not None:
                raise CoachError("COACH-IDN-004")
            return LinkView(link.purpose, user.email, user.name, link.expires_at)

    def redeem_link(self, token: str, new_password: str | None = None) -> uuid.UUID:
        """Use a link: set the password where it is for one, and sign in; returns the session's id.

        A new password ends every other sign-in and link of the user.

        Raises:
            CoachError: COACH-IDN-004 used, expired or unknown; COACH-IDN-006 weak password (the
                link still works).
        """
        view = self.look_at_link(token)
        stored = None
        if view.needs_password:
            stored = passwords.hash_password(passwords.check_policy(new_password or "", view.email))

        def work(session: Session) -> uuid.UUID:
            now = clock.now()
            user_id = session.scalar(
                sa.update(SignInLink)
                .where(
                    SignInLink.token_hash == digest(token),
                    SignInLink.used_at.is_(None),
                    SignInLink.expires_at > now,
                )
                .values(used_at=now)
                .returning(SignInLink.user_id)
            )
            if user_id is None:
                raise CoachError("COACH-IDN-004")
            user = find_user(session, user_id, lock=True)
            if user.disabled_at is not None:
                raise CoachError("COACH-IDN-004")
            if stored is not None:
                user.password_hash = stored
                end_sessions(session, user.id)
                use_up_links(session, user.id)
            user.failed_sign_ins = 0
            user.locked_until = None
            record(
                session, actor_for(session, user), "link.used", "user", user.id,
                purpose=view.purpose,
            )  # fmt: skip
            return start_session(session, user, self._session_life)

        return self.database.run(work)

    def _make(self, actor: Actor, ref: uuid.UUID | str, purpose: str) -> str:
        require_admin(actor)
        token, token_hash = new_secret()

        def work(session: Session) -> str:
            user = find_user(session, ref, lock=True)
            if user.disabled_at is not None:
                raise CoachError("COACH-IDN-010", reason="this user is disabled")
            use_up_links(session, user.id, purpose)
            session.add(
                SignInLink(
                    token_hash=token_hash,
                    user_id=user.id,
                    purpose=purpose,
                    expires_at=clock.now() + LIVES[purpose],
                )
            )
            record(session, actor, "link.made", "user", user.id, purpose=purpose)
            return token

        return self.database.run(work)

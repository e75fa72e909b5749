"""Signing in and out: passwords with a lock, web sessions in the database, one signed cookie.

The cookie holds only the session's id and a signature: what a session may do is read from the
database at each request, so ending it takes effect at once, everywhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid

import sqlalchemy as sa
from itsdangerous import BadSignature, Signer
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line
from coachops.db.models import User, WebSession
from coachops.identity import passwords
from coachops.identity.part import (
    Part,
    actor_for,
    end_sessions,
    open_sessions,
    told_lately,
)

MAX_FAILURES = 5
LOCK = dt.timedelta(minutes=15)
"""After MAX_FAILURES wrong passwords in a row nobody signs in by password for LOCK."""

_SEEN_EVERY = dt.timedelta(minutes=1)
"""`last_seen_at` is written at most this often: reading a page must not mean a write."""


class SigningIn(Part):
    """The part of `Identity` for sign-ins and cookies."""

    def sign_in(self, email: str, password: str) -> uuid.UUID:
        """Sign in by password; returns the id of the new web session.

        A try is counted before the password is compared, so that parallel guesses cannot outrun
        the lock. Unknown, disabled and locked accounts answer alike and take as long.

        Raises:
            CoachError: COACH-IDN-001.
        """
        email = clean_line(email).lower()[:200]
        stored = self.database.run(lambda session: _count_try(session, email))
        matches = passwords.verify(stored, password)
        if not matches:
            counted = stored is not None
            self.database.run(lambda session: _record_failure(session, email, counted=counted))
            raise CoachError("COACH-IDN-001")
        renewed = (
            passwords.hash_password(password) if stored and passwords.is_outdated(stored) else None
        )

        def work(session: Session) -> uuid.UUID | None:
            user = session.scalars(
                sa.select(User).where(User.email == email).with_for_update()
            ).one_or_none()
            if user is None or user.disabled_at is not None or user.password_hash != stored:
                return None
            user.failed_sign_ins = 0
            user.locked_until = None
            user.password_hash = renewed or stored
            record(session, actor_for(session, user), "user.signed_in", "user", user.id)
            return start_session(session, user, self._session_life)

        session_id = self.database.run(work)
        if session_id is None:
            raise CoachError("COACH-IDN-001")
        return session_id

    def change_password(self, session_id: uuid.UUID, old: str, new: str) -> None:
        """Set a new password from inside; every other sign-in of the user ends.

        Raises:
            CoachError: COACH-IDN-001 the old one is wrong, COACH-IDN-002, COACH-IDN-006.
        """
        actor = self.actor_of(session_id)
        with self.database.read() as session:
            email = session.get_one(User, actor.user_id).email
        new = passwords.check_policy(new, email)
        # counted as a sign-in is: else an unattended browser would be a way to guess without end
        stored = self.database.run(lambda session: _count_try(session, email))
        if not passwords.verify(stored, old):
            counted = stored is not None
            self.database.run(lambda session: _record_failure(session, email, counted=counted))
            raise CoachError("COACH-IDN-001")
        renewed = passwords.hash_password(new)

        def work(session: Session) -> None:
            user = session.get_one(User, actor.user_id, with_for_update=True)
            if user.password_hash != stored:  # a reset came between: that one stands
                raise CoachError("COACH-IDN-001")
            user.password_hash = renewed
            user.failed_sign_ins = 0
            user.locked_until = None
            end_sessions(session, user.id, keep=session_id)
            record(session, actor, "password.changed", "user", user.id)

        self.database.run(work)

    def sign_out(self, session_id: uuid.UUID) -> None:
        """End a web session; safe to repeat."""

        def work(session: Session) -> None:
            found = session.get(WebSession, session_id)
            if found is not None and found.ended_at is None:
                found.ended_at = clock.now()
                user = session.get_one(User, found.user_id)
                record(session, actor_for(session, user), "user.signed_out", "user", user.id)

        self.database.run(work)

    def actor_of(self, session_id: uuid.UUID) -> Actor:
        """Who sits behind a web session now.

        Raises:
            CoachError: COACH-IDN-002 where it ended or expired, or its user is disabled.
        """
        now = clock.now()
        with self.database.read() as session:
            row = session.execute(
                sa.select(User, WebSession.last_seen_at)
                .join(WebSession, WebSession.user_id == User.id)
                .where(WebSession.id == session_id, open_sessions(now), User.disabled_at.is_(None))
            ).one_or_none()
            if row is None:
                raise CoachError("COACH-IDN-002")
            actor = actor_for(session, row[0])
        if now - row[1] > _SEEN_EVERY:
            self.database.aside(
                lambda session: session.execute(
                    sa.update(WebSession)
                    .where(WebSession.id == session_id)
                    .values(last_seen_at=now)
                )
            )
        return actor

    def signed_in_count(self) -> int:
        """How many users have a sign-in in force."""
        with self.database.read() as session:
            query = sa.select(sa.func.count(sa.distinct(WebSession.user_id)))
            return session.scalar(query.where(open_sessions(clock.now()))) or 0

    def cookie_for(self, session_id: uuid.UUID) -> str:
        """The cookie's value for a web session."""
        return self._signer().sign(session_id.hex).decode()

    def session_from_cookie(self, value: str | None) -> uuid.UUID | None:
        """The session id in a cookie, or None where it is missing or not signed by us."""
        if not value or len(value) > 200:
            return None
        try:
            return ids.parse_id(self._signer().unsign(value).decode())
        except (BadSignature, UnicodeError):
            return None

    def _signer(self) -> Signer:
        return Signer(self._secret, salt="coachops web session", digest_method=hashlib.sha256)


def start_session(session: Session, user: User, life: dt.timedelta) -> uuid.UUID:
    """A new web session of `user`, in the caller's transaction; returns its id."""
    now = clock.now()
    started = WebSession(id=ids.new_id(), user_id=user.id, expires_at=now + life, last_seen_at=now)
    session.add(started)
    return started.id


def _count_try(session: Session, email: str) -> str | None:
    """Count a try against the account; its password hash, or None where nobody may sign in."""
    now = clock.now()
    user = session.scalars(
        sa.select(User).where(User.email == email).with_for_update()
    ).one_or_none()
    if user is None or user.disabled_at is not None or user.role == "service":
        return None
    if user.locked_until is not None:
        # a longer lock was written before the clock was set back; others write while we wait for
        # the row, so a little longer is right
        if now < user.locked_until <= now + LOCK + clock.AHEAD:
            return None
        user.locked_until = None
        user.failed_sign_ins = 0
    user.failed_sign_ins += 1
    if user.failed_sign_ins >= MAX_FAILURES:
        user.locked_until = now + LOCK
    return user.password_hash


def _record_failure(session: Session, email: str, *, counted: bool) -> None:
    """Audit a failed try: of the account where there is one, else without naming the e-mail.

    Guesses must not be able to fill the record: tries at accounts that nobody can sign in to now
    (locked, disabled, not existing) are written once a minute at most.
    """
    user_id = session.scalar(sa.select(User.id).where(User.email == email))
    subject = str(user_id or "unknown")
    if counted or not told_lately(session, "sign_in.failed", subject):
        record(session, SYSTEM, "sign_in.failed", "user", subject)

"""Users: adding, listing, disabling, and what each may do beyond the role."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import clock, ids
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean_line, is_blank
from coachops.db.models import Coach, SignInLink, User, UserPermission, WebSession
from coachops.db.models.identity import ROLES
from coachops.identity import passwords
from coachops.identity.part import Part, clean_email, end_sessions, find_user, require_admin

_PERMISSION = re.compile(r"[a-z][a-z0-9_.:-]{0,49}")


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as surfaces show it.

    Attributes:
        status: `active`, `invited` (no password yet), `locked` (too many failures) or `disabled`.
        last_seen_at: the last use in a browser, if any.
    """

    id: uuid.UUID
    email: str
    name: str
    role: str
    coach_id: uuid.UUID | None
    permissions: tuple[str, ...]
    status: str
    created_at: dt.datetime
    last_seen_at: dt.datetime | None


class Users(Part):
    """The part of `Identity` that keeps users."""

    def add_user(
        self,
        actor: Actor,
        email: str,
        name: str,
        role: str,
        coach_id: uuid.UUID | None = None,
        password: str | None = None,
    ) -> UserRow:
        """Add a user; without a password they come in through an invitation.

        Parameters:
            coach_id: the coach this user is; a coach user without it is the coach of that e-mail.

        Raises:
            CoachError: COACH-IDN-003 not an admin, COACH-IDN-005 the e-mail is taken,
                COACH-IDN-006 weak password, COACH-IDN-009 a field is not valid.
        """
        require_admin(actor)
        email = clean_email(email)
        name = clean_line(name)
        if is_blank(name) or len(name) > 200:
            raise CoachError("COACH-IDN-009", field="Name", reason="1 to 200 characters are needed")
        if role not in ROLES:
            raise CoachError("COACH-IDN-009", field="Role", reason=f"one of {', '.join(ROLES)}")
        stored = None
        if password is not None:
            stored = passwords.hash_password(passwords.check_policy(password, email))

        def work(session: Session) -> UserRow:
            if session.scalar(sa.select(User.id).where(User.email == email)) is not None:
                raise CoachError("COACH-IDN-005", email=email)
            user = User(
                id=ids.new_id(),
                email=email,
                name=name,
                role=role,
                coach_id=_coach_for(session, role, email, coach_id),
                password_hash=stored,
            )
            session.add(user)
            session.flush()
            record(session, actor, "user.added", "user", user.id, role=role)
            return _rows(session, [user])[0]

        return self.database.run(work)

    def list_users(self, actor: Actor) -> list[UserRow]:
        """All users by name. Raises COACH-IDN-003 for others than admins."""
        require_admin(actor)
        with self.database.read() as session:
            users = session.scalars(sa.select(User).order_by(User.name, User.email)).all()
            return _rows(session, list(users))

    def get_user(self, actor: Actor, ref: uuid.UUID | str) -> UserRow:
        """The user of an id or e-mail. Raises COACH-IDN-003, COACH-IDN-008."""
        require_admin(actor)
        with self.database.read() as session:
            return _rows(session, [find_user(session, ref)])[0]

    def disable(self, actor: Actor, ref: uuid.UUID | str) -> UserRow:
        """Shut a user out: sign-ins, links and tokens stop working with this transaction.

        Raises:
            CoachError: COACH-IDN-003, COACH-IDN-008, COACH-IDN-010 for oneself or the last admin.
        """
        require_admin(actor)

        def work(session: Session) -> UserRow:
            user = find_user(session, ref, lock=True)
            if user.id == actor.user_id:
                raise CoachError("COACH-IDN-010", reason="you cannot disable yourself")
            if user.role == "admin" and not _other_admins(session, user):
                raise CoachError("COACH-IDN-010", reason="this is the last admin")
            shut_out(session, actor, user)
            session.flush()
            return _rows(session, [user])[0]

        return self.database.run(work)

    def enable(self, actor: Actor, ref: uuid.UUID | str) -> UserRow:
        """Let a disabled or locked user in again. Raises COACH-IDN-003, COACH-IDN-008."""
        require_admin(actor)

        def work(session: Session) -> UserRow:
            user = find_user(session, ref, lock=True)
            user.disabled_at = user.locked_until = None
            user.failed_sign_ins = 0
            record(session, actor, "user.enabled", "user", user.id)
            session.flush()
            return _rows(session, [user])[0]

        return self.database.run(work)

    def grant(self, actor: Actor, ref: uuid.UUID | str, permission: str) -> None:
        """Grant a permission by name; pages opened from now on have it.

        Raises:
            CoachError: COACH-IDN-003, COACH-IDN-008, COACH-IDN-009 for a malformed name.
        """
        require_admin(actor)
        if not _PERMISSION.fullmatch(permission):
            raise CoachError("COACH-IDN-009", field="Permission", reason="lower-case words only")

        def work(session: Session) -> None:
            user = find_user(session, ref, lock=True)
            if session.get(UserPermission, (user.id, permission)) is None:
                session.add(
                    UserPermission(user_id=user.id, permission=permission, granted_by=actor.user_id)
                )
                record(session, actor, "permission.granted", "user", user.id, permission=permission)

        self.database.run(work)

    def revoke(self, actor: Actor, ref: uuid.UUID | str, permission: str) -> None:
        """Take a permission back; the user's sign-ins end, so that no open page keeps it.

        Raises:
            CoachError: COACH-IDN-003, COACH-IDN-008.
        """
        require_admin(actor)

        def work(session: Session) -> None:
            user = find_user(session, ref, lock=True)
            held = session.get(UserPermission, (user.id, permission))
            if held is not None:
                session.delete(held)
                end_sessions(session, user.id)
                record(session, actor, "permission.revoked", "user", user.id, permission=permission)

        self.database.run(work)

    def has_working_admin(self) -> bool:
        """Whether some admin can sign in with a password (otherwise `serve` shows a link)."""
        with self.database.read() as session:
            found = session.scalar(
                sa.select(User.id)
                .where(
                    User.role == "admin",
                    User.disabled_at.is_(None),
                    User.password_hash.is_not(None),
                )
                .limit(1)
            )
            return found is not None


def shut_out(session: Session, actor: Actor, user: User) -> bool:
    """Disable the user as part of a transaction; False where they were already."""
    if user.disabled_at is not None:
        return False
    user.disabled_at = clock.now()
    end_sessions(session, user.id)
    use_up_links(session, user.id)
    record(session, actor, "user.disabled", "user", user.id)
    return True


def shut_out_coaches(
    session: Session, actor: Actor, coach_ids: Iterable[uuid.UUID]
) -> list[uuid.UUID]:
    """Disable the users who are these coaches; ids of the coaches who could still sign in."""
    users = session.scalars(
        sa.select(User)
        .where(User.coach_id.in_(list(coach_ids)), User.disabled_at.is_(None))
        .with_for_update()
    ).all()
    return [user.coach_id for user in users if user.coach_id and shut_out(session, actor, user)]


def use_up_links(session: Session, user_id: uuid.UUID, purpose: str | None = None) -> None:
    """Make the open links of a user (of one purpose, or all) useless."""
    query = sa.update(SignInLink).where(SignInLink.user_id == user_id, SignInLink.used_at.is_(None))
    if purpose is not None:
        query = query.where(SignInLink.purpose == purpose)
    session.execute(query.values(used_at=clock.now()))


def _coach_for(
    session: Session, role: str, email: str, coach_id: uuid.UUID | None
) -> uuid.UUID | None:
    if role != "coach":
        if coach_id is not None:
            raise CoachError("COACH-IDN-009", field="Coach", reason="only coaches are one")
        return None
    query = sa.select(Coach).where(
        Coach.id == coach_id if coach_id is not None else Coach.email == email
    )
    coach = session.scalars(query).one_or_none()
    if coach is None:
        raise CoachError(
            "COACH-IDN-009", field="Coach", reason="import the coach first ('coachops roster')"
        )
    if session.scalar(sa.select(User.id).where(User.coach_id == coach.id)) is not None:
        raise CoachError("COACH-IDN-009", field="Coach", reason="this coach already has a user")
    return coach.id


def _other_admins(session: Session, user: User) -> bool:
    query = sa.select(User.id).where(
        User.role == "admin", User.disabled_at.is_(None), User.id != user.id
    )
    return session.scalar(query.limit(1)) is not None


def _rows(session: Session, users: list[User]) -> list[UserRow]:
    """Rows with permissions and last use, in two queries however many users there are."""
    keys = [user.id for user in users]
    permissions: dict[uuid.UUID, list[str]] = {key: [] for key in keys}
    one = len(keys) == 1
    granted = sa.select(UserPermission.user_id, UserPermission.permission)
    seen = sa.select(WebSession.user_id, sa.func.max(WebSession.last_seen_at))
    if one:
        granted = granted.where(UserPermission.user_id == keys[0])
        seen = seen.where(WebSession.user_id == keys[0])
    for user_id, permission in session.execute(granted.order_by(UserPermission.permission)):
        permissions.setdefault(user_id, []).append(permission)
    last_seen = dict(iter(session.execute(seen.group_by(WebSession.user_id))))
    now = clock.now()
    return [
        UserRow(
            id=user.id,
            email=user.email,
            name=user.name,
            role=user.role,
            coach_id=user.coach_id,
            permissions=tuple(permissions[user.id]),
            status=_status(user, now),
            created_at=user.created_at,
            last_seen_at=last_seen.get(user.id),
        )
        for user in users
    ]


def _status(user: User, now: dt.datetime) -> str:
    if user.disabled_at is not None:
        return "disabled"
    if user.locked_until is not None and user.locked_until > now:
        return "locked"
    if user.role == "service":  # signs in by token, never by password
        return "active"
    return "active" if user.password_hash else "invited"

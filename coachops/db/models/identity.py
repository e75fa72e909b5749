"""Who may sign in, with which role and permissions; sign-ins, links, dashboard kernels, tokens.

Tokens are kept as SHA-256 only: whoever reads the database cannot sign in with what stands there.
"""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from coachops.core.grants import PRIVACY_PROFILES
from coachops.db.models.base import (
    Base,
    Changing,
    CreatedAt,
    Identified,
    Instant,
    JsonDocument,
    ShortText,
    at_most,
    not_blank,
    one_of,
)

ROLES = ("admin", "coach", "analyst", "service")
LINK_PURPOSES = ("invite", "reset", "sign_in")
TokenHash = sa.String(64)


class User(Changing, Base):
    """A person or service that acts. A coach's user points at the coach's row."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", *ROLES),
        not_blank("name"),
        at_most("name", 200),
        at_most("email", 200),
        sa.CheckConstraint("email = lower(email)", name="email_lower"),
        sa.CheckConstraint("role <> 'coach' OR coach_id IS NOT NULL", name="coach_has_coach_id"),
    )

    email: Mapped[ShortText] = mapped_column(unique=True)
    name: Mapped[ShortText]
    role: Mapped[str] = mapped_column(sa.String(20))
    coach_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("coaches.id"), unique=True)
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[dt.datetime | None]
    disabled_at: Mapped[dt.datetime | None]


class UserPermission(Base):
    """A permission granted by name beyond the role, such as `rollout`."""

    __tablename__ = "user_permissions"

    user_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    permission: Mapped[str] = mapped_column(sa.String(50), primary_key=True)
    granted_by: Mapped[uuid.UUID | None]
    created_at: Mapped[CreatedAt]


class SignInLink(Base):
    """A link that works once: invitation, password reset, or sign-in without a password."""

    __tablename__ = "sign_in_links"
    __table_args__ = (one_of("purpose", *LINK_PURPOSES),)

    token_hash: Mapped[str] = mapped_column(TokenHash, primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    used_at: Mapped[dt.datetime | None]


class WebSession(Identified, Base):
    """A sign-in; its id stands in the signed cookie."""

    __tablename__ = "web_sessions"

    user_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    expires_at: Mapped[Instant]
    last_seen_at: Mapped[Instant]
    ended_at: Mapped[dt.datetime | None]


class KernelTicket(Base):
    """A one-use ticket with which a dashboard kernel learns whose page it is."""

    __tablename__ = "kernel_tickets"

    token_hash: Mapped[str] = mapped_column(TokenHash, primary_key=True)
    web_session_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("web_sessions.id", ondelete="CASCADE")
    )
    page: Mapped[str] = mapped_column(sa.String(50))
    expires_at: Mapped[Instant]
    used_at: Mapped[dt.datetime | None]


class KernelBinding(Base):
    """A running dashboard kernel belongs to one sign-in, from its claim until it is ended.

    `gate` is the home that runs it: several gates on one database end their own kernels only.
    """

    __tablename__ = "kernel_bindings"

    kernel_id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    web_session_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("web_sessions.id", ondelete="CASCADE"), index=True
    )
    page: Mapped[str] = mapped_column(sa.String(50))
    gate: Mapped[str | None] = mapped_column(sa.String(64))
    created_at: Mapped[CreatedAt]
    connected: Mapped[bool] = mapped_column(default=False)
    last_seen_at: Mapped[Instant]
    ended_at: Mapped[dt.datetime | None]


class ApiToken(Identified, Base):
    """A bearer token of another system, and the limits of what it may see (NULL: none).

    The limits name ids (of datasets: names), so they follow whoever leaves, moves or is renamed.
    """

    __tablename__ = "api_tokens"
    __table_args__ = (
        not_blank("name"),
        at_most("name", 200),
        one_of("privacy", *PRIVACY_PROFILES),
    )

    name: Mapped[ShortText]
    token_hash: Mapped[str] = mapped_column(TokenHash, unique=True)
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    scopes: Mapped[JsonDocument]
    datasets: Mapped[JsonDocument | None]
    coaches: Mapped[JsonDocument | None]
    clients: Mapped[JsonDocument | None]
    privacy: Mapped[str] = mapped_column(sa.String(20), default="full", server_default="full")
    expires_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]

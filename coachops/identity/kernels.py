"""Dashboard kernels: one-use tickets, which sign-in a kernel belongs to, and which must end.

The state is in the database, so a restarted gate, or a second one, knows the same kernels. Life of a
row: ticket issued -> claimed by a kernel (binding) -> sockets come and go -> ended. While a socket
is open its gate writes `last_seen_at` every few seconds; who stops writing is reaped, by its own gate:
several gates may share a database. A clock that jumps ends no page that is open, and keeps no room
taken: times in the future are set to now.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.audit import record
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM, Actor
from coachops.core.errors import CoachError
from coachops.db.models import KernelBinding, KernelTicket, User, WebSession
from coachops.identity.part import Part, actor_for, open_sessions
from coachops.identity.secrets import digest, new_secret

TICKET_LIFE = dt.timedelta(seconds=60)
NEVER_CONNECTED = dt.timedelta(seconds=30)
"""A page that was asked for but never opened its socket: the tab was closed while it loaded."""

TOUCH_EVERY = dt.timedelta(seconds=2)
"""How often a gate writes that a kernel's socket is open."""

_ABANDONED = dt.timedelta(hours=2)
"""No gate lets a kernel be unseen for as long: its gate is gone for good."""


@dataclass(frozen=True, slots=True)
class KernelCounts:
    """Kernels in use: `bound` to a sign-in, `connected` of them with a page that is open."""

    bound: int
    connected: int


class Kernels(Part):
    """The part of `Identity` that binds kernels to sign-ins."""

    def issue_ticket(self, session_id: uuid.UUID, page: str, limit: int) -> str:
        """A ticket for one page view; the kernel that redeems it belongs to this sign-in.

        Parameters:
            limit: pages that one sign-in may have open. Kernels whose page is gone make room
                first (they are marked, and the next sweep ends them).

        Raises:
            CoachError: COACH-IDN-002 the session ended, COACH-IDN-007 too many open pages.
        """
        ticket, token_hash = new_secret()

        def work(session: Session) -> str:
            now = clock.now()
            alive = session.scalar(
                sa.select(WebSession.id)
                .where(WebSession.id == session_id, open_sessions(now))
                .with_for_update()
            )
            if alive is None:
                raise CoachError("COACH-IDN-002")
            session.execute(
                sa.delete(KernelTicket).where(
                    sa.or_(
                        KernelTicket.expires_at <= now,
                        KernelTicket.expires_at > now + TICKET_LIFE + clock.AHEAD,
                    )
                )
            )
            _make_room(session, session_id, limit, now)
            session.add(
                KernelTicket(
                    token_hash=token_hash,
                    web_session_id=session_id,
                    page=page,
                    expires_at=now + TICKET_LIFE,
                )
            )
            return ticket

        return self.database.run(work)

    def discard_ticket(self, ticket: str) -> None:
        """Forget a ticket whose page could not be asked for, so that it does not count as open."""
        self.database.run(
            lambda session: session.execute(
                sa.delete(KernelTicket).where(
                    KernelTicket.token_hash == digest(ticket), KernelTicket.used_at.is_(None)
                )
            )
        )

    def claim_kernel(self, ticket: str, kernel_id: str, gate: str = "") -> Actor:
        """Bind a kernel to the sign-in of its ticket, which is used up; returns who sits there.

        Parameters:
            gate: name of the gate that looks after the kernel.

        Raises:
            CoachError: COACH-IDN-013 for a ticket that is unknown, used or expired, whose sign-in
                ended, or for a kernel that belongs to somebody already.
        """
        if ids.parse_id(kernel_id) is None:
            raise CoachError("COACH-IDN-013")

        def work(session: Session) -> Actor | None:
            now = clock.now()
            row = session.execute(
                sa.update(KernelTicket)
                .where(
                    KernelTicket.token_hash == digest(ticket),
                    KernelTicket.used_at.is_(None),
                    KernelTicket.expires_at > now,
                )
                .values(used_at=now)
                .returning(KernelTicket.web_session_id, KernelTicket.page)
            ).one_or_none()
            if row is None:
                return None
            session_id, page = row
            user = session.scalars(
                sa.select(User)
                .join(WebSession, WebSession.user_id == User.id)
                .where(WebSession.id == session_id, open_sessions(now), User.disabled_at.is_(None))
            ).one_or_none()
            if user is None or session.get(KernelBinding, kernel_id) is not None:
                return None  # the ticket stays used up
            session.add(
                KernelBinding(
                    kernel_id=kernel_id,
                    web_session_id=session_id,
                    page=page,
                    gate=gate,
                    last_seen_at=now,
                )
            )
            actor = actor_for(session, user)
            record(session, actor, "page.opened", "kernel", kernel_id, page=page)
            return actor

        actor = self.database.run(work)
        if actor is None:
            raise CoachError("COACH-IDN-013")
        return actor

    def owns_kernel(self, session_id: uuid.UUID, kernel_id: str) -> bool:
        """Whether a running kernel belongs to this sign-in, which is in force."""
        with self.database.read() as session:
            found = session.scalar(
                sa.select(KernelBinding.kernel_id)
                .join(WebSession, WebSession.id == KernelBinding.web_session_id)
                .join(User, User.id == WebSession.user_id)
                .where(
                    KernelBinding.kernel_id == kernel_id,
                    KernelBinding.web_session_id == session_id,
                    KernelBinding.ended_at.is_(None),
                    open_sessions(clock.now()),
                    User.disabled_at.is_(None),
                )
            )
            return found is not None

    def touch_kernels(self, kernel_ids: Collection[str]) -> None:
        """Write that the pages of these kernels are open now."""
        if not kernel_ids:
            return
        self.database.aside(
            lambda session: session.execute(
                sa.update(KernelBinding)
                .where(KernelBinding.kernel_id.in_(kernel_ids), KernelBinding.ended_at.is_(None))
                .values(last_seen_at=clock.now(), connected=True)
            )
        )

    def adopt_kernels(self, kernel_ids: Collection[str]) -> None:
        """A gate starts: pages of these kernels get time to connect again.

        Browsers wait longer after each failed try, so it is the time of a page that loads, not the
        grace of one that was closed.
        """
        if not kernel_ids:
            return
        self.database.run(
            lambda session: session.execute(
                sa.update(KernelBinding)
                .where(KernelBinding.kernel_id.in_(kernel_ids), KernelBinding.ended_at.is_(None))
                .values(last_seen_at=clock.now(), connected=False)
            )
        )

    def page_left(self, kernel_id: str, grace: float, remaining: float = 2.0) -> None:
        """The browser says that it left the page: only `remaining` seconds of grace are left.

        Parameters:
            grace: seconds that a closed page's kernel may live on.
        """
        seen = clock.now() - dt.timedelta(seconds=max(0.0, grace - remaining))
        self.database.aside(
            lambda session: session.execute(
                sa.update(KernelBinding)
                .where(KernelBinding.kernel_id == kernel_id, KernelBinding.last_seen_at > seen)
                .values(last_seen_at=seen, connected=True)
            )
        )

    def kernels_to_reap(
        self, grace: float, gate: str | None = None, connected: Collection[str] = ()
    ) -> list[str]:
        """Ids of the running kernels that must end, of one gate or (None) of all.

        Their sign-in ended, or no socket was open for `grace` seconds, or their page never opened
        one. None is ended by this: call `kernel_ended` once the process is gone.

        Parameters:
            connected: kernels with a socket that is open now, whatever the clock says.
        """
        now = clock.now()
        gone = now - dt.timedelta(seconds=grace)
        never = now - max(NEVER_CONNECTED, dt.timedelta(seconds=grace))
        with self.database.read() as session:
            ahead = session.scalar(
                sa.select(
                    sa.exists().where(
                        *_running(gate), KernelBinding.last_seen_at > now + clock.AHEAD
                    )
                )
            )
            query = (
                sa.select(KernelBinding.kernel_id)
                .join(WebSession, WebSession.id == KernelBinding.web_session_id)
                .join(User, User.id == WebSession.user_id)
                .where(
                    *_running(gate),
                    sa.or_(
                        sa.not_(open_sessions(now)),
                        User.disabled_at.is_not(None),
                        sa.and_(
                            KernelBinding.kernel_id.not_in(connected),
                            sa.or_(
                                sa.and_(KernelBinding.connected, KernelBinding.last_seen_at < gone),
                                KernelBinding.last_seen_at < never,
                            ),
                        ),
                    ),
                )
            )
            doomed = list(session.scalars(query))
        if ahead:
            self.database.run(
                lambda session: session.execute(
                    sa.update(KernelBinding)
                    .where(*_running(gate), KernelBinding.last_seen_at > now + clock.AHEAD)
                    .values(last_seen_at=now)
                )
            )
        return doomed

    def running_kernels(self, gate: str | None = None) -> list[str]:
        """Ids of the bindings that have not ended: of a gate, what it looks after when it starts."""
        with self.database.read() as session:
            return list(session.scalars(sa.select(KernelBinding.kernel_id).where(*_running(gate))))

    def end_abandoned(self) -> int:
        """End bindings that no gate has looked after for hours: its machine is gone. How many."""
        now = clock.now()

        def work(session: Session) -> int:
            ended = session.scalars(
                sa.update(KernelBinding)
                .where(
                    KernelBinding.ended_at.is_(None), KernelBinding.last_seen_at < now - _ABANDONED
                )
                .values(ended_at=now)
                .returning(KernelBinding.kernel_id)
            ).all()
            for kernel_id in ended:
                record(session, SYSTEM, "page.closed", "kernel", kernel_id)
            return len(ended)

        return self.database.run(work)

    def kernel_counts(self) -> KernelCounts:
        """How many kernels are in use."""
        fresh = clock.now() - 3 * TOUCH_EVERY
        with self.database.read() as session:
            bound, connected = session.execute(
                sa.select(
                    sa.func.count(),
                    sa.func.count(sa.case((KernelBinding.last_seen_at >= fresh, 1))),
                ).where(KernelBinding.ended_at.is_(None))
            ).one()
            return KernelCounts(bound, connected)

    def kernel_ended(self, kernel_id: str) -> None:
        """Write that a kernel's process is gone; safe to repeat."""

        def work(session: Session) -> None:
            ended = session.scalar(
                sa.update(KernelBinding)
                .where(KernelBinding.kernel_id == kernel_id, KernelBinding.ended_at.is_(None))
                .values(ended_at=clock.now())
                .returning(KernelBinding.kernel_id)
            )
            if ended is not None:
                record(session, SYSTEM, "page.closed", "kernel", kernel_id)

        self.database.run(work)


def _running(gate: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    """The bindings that `gate` looks after (None: all); those without a gate are everybody's."""
    if gate is None:
        return (KernelBinding.ended_at.is_(None),)
    mine = sa.or_(KernelBinding.gate.is_(None), KernelBinding.gate.in_(("", gate)))
    return (KernelBinding.ended_at.is_(None), mine)


def _make_room(session: Session, session_id: uuid.UUID, limit: int, now: dt.datetime) -> None:
    """Refuse a page beyond `limit`, after letting go of kernels whose page is no longer open."""
    bound = list(
        session.scalars(
            sa.select(KernelBinding)
            .where(KernelBinding.web_session_id == session_id, KernelBinding.ended_at.is_(None))
            .order_by(KernelBinding.last_seen_at)
        )
    )
    waiting = session.scalar(
        sa.select(sa.func.count())
        .select_from(KernelTicket)
        .where(KernelTicket.web_session_id == session_id, KernelTicket.used_at.is_(None))
    )
    excess = len(bound) + (waiting or 0) + 1 - limit
    epoch = now - dt.timedelta(days=1)
    stale = [
        kernel
        for kernel in bound
        if kernel.connected and kernel.last_seen_at < now - 2 * TOUCH_EVERY
    ]
    for kernel in stale:
        if excess <= 0:
            break
        kernel.last_seen_at = epoch
        excess -= 1
    if excess > 0:
        raise CoachError("COACH-IDN-007", limit=limit)

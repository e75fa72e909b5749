"""The life of a message in one table, and the one statement that moves it.

A move is an UPDATE that names the states (and, where it matters, the version) it starts from. Two
processes that try the same move cannot both succeed, whatever they read before.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db.models import Message


@dataclass(frozen=True, slots=True)
class Transition:
    """One kind of move.

    Attributes:
        sources: states it may start from.
        target: the state it ends in.
        done: how the refusal names it ("cannot be approved while it is sent").
    """

    sources: frozenset[str]
    target: str
    done: str


def _row(sources: str, target: str, done: str) -> Transition:
    return Transition(frozenset(sources.split()), target, done)


TRANSITIONS: dict[str, Transition] = {
    # people
    "edit": _row("draft approved failed", "draft", "edited"),
    "approve": _row("draft", "approved", "approved"),
    "withdraw": _row("approved", "draft", "taken back"),
    "unsay": _row("approved failed", "draft", "taken back"),
    "retry": _row("failed", "approved", "sent again"),
    # `sent` is left by one door only: for a letter that a mail server returned (see `events`)
    "reopen": _row("draft failed sent", "draft", "written again"),
    "resolve_sent": _row("uncertain", "sent", "marked as sent"),
    "resolve_failed": _row("uncertain", "failed", "marked as failed"),
    # the engine
    "refresh": _row("draft", "draft", "drafted again"),
    # the worker
    "claim": _row("approved", "sending", "sent"),
    "defer": _row("sending", "approved", "put off"),
    "postpone": _row("approved", "approved", "put off"),
    "lose": _row("sending", "uncertain", "given up"),
    # the process that holds the claim knows what happened, even where another one has given it up
    "deliver": _row("sending uncertain", "sent", "marked as sent"),
    "refuse": _row("sending uncertain", "failed", "marked as failed"),
}
"""Name of a move -> where it starts and ends. What arrived has no way out: nothing is sent twice."""


def move(
    session: Session,
    message_id: uuid.UUID,
    action: str,
    *,
    version: int | None = None,
    claimed_at: dt.datetime | None = None,
    new_version: int | None = None,
    from_states: Collection[str] | None = None,
    **values: Any,
) -> bool:
    """Make a move of the table if the message still is where the move starts.

    Parameters:
        version: the version the move holds for; None for any.
        claimed_at: the claim (`sending_at`) it must still carry; None for any.
        new_version: the version it gets; None keeps it.
        from_states: fewer states than the table allows; None for all of them.
        values: further columns to set.

    Returns:
        whether it was made; False where another process was first.
    """
    transition = TRANSITIONS[action]
    sources = transition.sources if from_states is None else transition.sources & set(from_states)
    statement = sa.update(Message).where(Message.id == message_id, Message.state.in_(sources))
    if version is not None:
        statement = statement.where(Message.version == version)
    if claimed_at is not None:
        statement = statement.where(Message.sending_at == claimed_at)
    if new_version is not None:
        values["version"] = new_version
    result = session.execute(
        statement.values(state=transition.target, updated_at=clock.now(), **values)
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return result.first() is not None


def require_move(
    session: Session, message_id: uuid.UUID, action: str, *, version: int | None, **values: Any
) -> None:
    """Make a move, or say why it cannot be made.

    Raises:
        CoachError: COACH-MSG-001 not from this state, COACH-CCH-004 another version by now.
    """
    if move(session, message_id, action, version=version, **values):
        return
    state = session.scalar(sa.select(Message.state).where(Message.id == message_id))
    if state not in TRANSITIONS[action].sources:
        raise CoachError("COACH-MSG-001", action=TRANSITIONS[action].done, state=state)
    raise CoachError("COACH-CCH-004", what="message")

"""Writes that happen exactly once, although the answer to their COMMIT may be lost.

The transaction writes a row with the id of the operation. When an attempt ends without an answer, the
next one finds that row or does not: so it knows whether the work is done. Finding it is no proof
that a synchronous standby has it too, so the row is written again: the server confirms that commit
only when the standby holds everything before it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from coachops.core import clock, ids
from coachops.core.errors import CoachError, Kind
from coachops.db.failures import is_transient
from coachops.db.models.base import UtcDateTime
from coachops.db.models.inbound import KeptReply
from coachops.db.models.operations import Operation

if TYPE_CHECKING:
    from coachops.db.transaction import Database

T = TypeVar("T")

KEPT_FOR = dt.timedelta(days=2)
"""How long rows are of use: longer than anybody repeats a write with the same id."""

_PARAMETERS = (sa.bindparam("id", type_=sa.Uuid()), sa.bindparam("at", type_=UtcDateTime()))
_CLAIM = sa.text(
    "INSERT INTO operations (id, at) VALUES (:id, :at) "
    "ON CONFLICT (id) DO UPDATE SET at = operations.at RETURNING xmax = 0"
).bindparams(*_PARAMETERS)
"""One statement on PostgreSQL: true for a new row, else the row that is there is written again."""

_CLAIM_EMBEDDED = sa.text(
    "INSERT INTO operations (id, at) VALUES (:id, :at) ON CONFLICT (id) DO NOTHING RETURNING 1"
).bindparams(*_PARAMETERS)


class Once(Generic[T]):
    """One operation over all its attempts; calling it makes the next attempt.

    Parameters:
        work: does the writes; repeated only when an earlier attempt left nothing.
        operation_id: the caller's own; None draws a new one.
        repeated: the result where an earlier call of this id did the work; without it that call
            is refused.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Session], T],
        operation_id: uuid.UUID | None,
        repeated: Callable[[Session], T] | None,
    ) -> None:
        self._database = database
        self._work = work
        self._repeated = repeated
        self._by_caller = operation_id is not None
        self._id = operation_id or ids.new_id()
        self._kept: list[T] = []
        self._uncertain = False

    def __call__(self) -> T:
        """The result of the operation, of this attempt or of the earlier one that was committed."""
        try:
            with self._database.write() as session:
                result = self._result(session)
                session.flush()
                self._kept = [result]
        except CoachError as error:
            if error.code == "COACH-DB-004":
                self._uncertain = True
            raise
        return result

    def final(self, error: BaseException) -> BaseException:
        """What to raise when `error` ended the last attempt: never "nothing was changed" in doubt."""
        away = isinstance(error, CoachError) and error.kind is Kind.UNAVAILABLE
        if self._uncertain and (away or is_transient(error)):
            return CoachError("COACH-DB-004", operation=str(self._id))
        return error

    def _result(self, session: Session) -> T:
        if self._database.is_sqlite and not self._by_caller:
            return self._work(session)  # a COMMIT of the embedded database always answers
        if claim(session, self._id):
            self._kept, self._uncertain = [], False  # nothing of an earlier attempt is there
            return self._work(session)
        if self._kept and self._uncertain:
            return self._kept[0]
        if self._repeated is None:
            raise CoachError("COACH-DB-010")
        return self._repeated(session)


def claim(session: Session, operation_id: uuid.UUID) -> bool:
    """Write the operation's row in this transaction; False where it was there before."""
    embedded = session.get_bind().dialect.name == "sqlite"
    statement = _CLAIM_EMBEDDED if embedded else _CLAIM
    return bool(session.scalar(statement, {"id": operation_id, "at": clock.now()}))


def forget(database: Database, before: dt.datetime | None = None) -> int:
    """Remove rows older than `before` (default: KEPT_FOR ago) with the answers kept for them.

    Returns how many operations.
    """
    before = before or clock.now() - KEPT_FOR
    with database.connect(write=True) as connection:
        connection.execute(
            sa.delete(KeptReply).where(
                KeptReply.id.in_(sa.select(Operation.id).where(Operation.at < before))
            )
        )
        return connection.execute(sa.delete(Operation).where(Operation.at < before)).rowcount

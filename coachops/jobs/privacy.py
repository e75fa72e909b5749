"""Privacy across capabilities: erasing a client, what is held of one, retention.

`coachops.privacy` knows rows and files; here come the jobs that still wait, the list of addresses that
are never written to, the backups' copy of the list of erased clients, and pseudonyms.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from coachops import privacy
from coachops.coaching import people
from coachops.coaching.messages import addresses
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db.models import Message, Transcript
from coachops.db.models.privacy import ERASURE_REASONS
from coachops.jobs.ids import parse_job_id
from coachops.jobs.queue import JobQueue
from coachops.privacy import Erased, Held, IssuedExports, Ran, RegisteredExports

if TYPE_CHECKING:
    from coachops.bootstrap import Services

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """A client as the holder of rights: whose data it is, and what is held.

    Attributes:
        pseudonym: their id in pseudonymous exports.
    """

    name: str
    external_id: str
    pseudonym: uuid.UUID
    held: Held


@dataclass(frozen=True, slots=True)
class Retained:
    """What a run of the retention did; `remaining`: what erasures still could not clean."""

    ran: tuple[Ran, ...]
    remaining: tuple[str, ...]


def register_of(services: Services) -> IssuedExports:
    """The register of exports that were handed out."""
    return RegisteredExports(services.database, services.settings.home)


def look_at(services: Services, actor: Actor, ref: str) -> Subject:
    """What is held of a client, by place.

    Parameters:
        ref: e-mail, external id or id.

    Raises:
        CoachError: COACH-IDN-003 for anybody but an admin, COACH-CCH-001.
    """
    from coachops.export.pseudonyms import pseudonym  # noqa: PLC0415 only here

    actor.require_role("admin", what="what is held of a client")
    with services.database.read() as session:
        client = people.find_client(session, actor, ref)
        client_id, name, external_id = client.id, client.name, client.external_id
    held = privacy.look(services.database, services.settings.home, client_id, register_of(services))
    key = services.secret("pseudonyms")
    return Subject(name, external_id, pseudonym(key, client_id), held)


def erase_client(services: Services, actor: Actor, ref: str, reason: str = "request") -> Erased:
    """Erase a client from everything this installation holds; see `privacy.erasing`.

    Raises:
        CoachError: COACH-SYS-002 for an unknown reason, else as `privacy.erase`.
    """
    actor.require_role("admin", what="erasing a client")
    if reason not in ERASURE_REASONS:
        known = ", ".join(ERASURE_REASONS)
        raise CoachError("COACH-SYS-002", reason=f"The reason must be one of {known}.")
    with services.database.read() as session:
        client = people.find_client(session, actor, ref)
        client_id, email = client.id, client.email
        transcripts = session.scalars(
            sa.select(Transcript.id).where(Transcript.client_id == client_id)
        ).all()
        letters = session.scalars(sa.select(Message.id).where(Message.client_id == client_id)).all()
    secret = services.secret("feedback")
    done = privacy.erase(
        services.database,
        actor,
        services.settings.home,
        client_id,
        reason,
        register_of(services),
        addresses.address_hash(secret, email) if email else None,
    )
    _cancel(services, transcripts, letters)
    _remove_exports(services, (each.export_id for each in done.exports))
    try:
        services.backups.carry_erasures()
    except CoachError as error:  # the next backup brings it there
        _log.warning("the list of erased clients waits", extra={"code": error.code})
    return done


def run_retention(services: Services, *, dry_run: bool = False) -> Retained:
    """Apply the periods, and finish what erasures could not do at once.

    Raises:
        CoachError: COACH-PRV-009, COACH-DB-….
    """
    home = services.settings.home
    ran = privacy.run_periods(services.database, home, dry_run=dry_run)
    remaining = [] if dry_run else privacy.finish(services.database, home)
    return Retained(tuple(ran), tuple(remaining))


def erased_id(services: Services, ref: str) -> uuid.UUID:
    """The id of an erased client, by that id or by the external id or address of then.

    Raises:
        CoachError: COACH-PRV-006.
    """
    from coachops.core.ids import parse_id  # noqa: PLC0415 only here

    found = parse_id(ref) or privacy.by_external_id(services.database, ref)
    if found is None:
        raise CoachError("COACH-PRV-006", what="erased client", ref=ref)
    return found


def _remove_exports(services: Services, export_ids: Iterable[str]) -> None:
    """End exports that read the client and are still being made; delete the files of the others.

    What a bucket that is away keeps for now is deleted by the daily run.
    """
    from coachops.jobs.exports import SUITE, Exports  # noqa: PLC0415 only here

    queue = JobQueue(services.settings)
    exports = Exports(services, queue)
    try:
        for ref in export_ids:
            try:
                exports.remove(SUITE, ref)
            except CoachError as error:  # older than the register, or gone already
                if error.code not in {"COACH-EXP-040", "COACH-EXP-044"}:
                    _log.warning("files of an export stay", extra={"code": error.code})
    finally:
        queue.close()


def _cancel(
    services: Services, transcripts: Iterable[uuid.UUID], letters: Iterable[uuid.UUID]
) -> None:
    """Cancel work that waits for what is gone; what is not reached ends by itself, finding nothing."""
    subjects = {str(each) for each in (*transcripts, *letters)}
    queue = JobQueue(services.settings)
    try:
        with contextlib.suppress(CoachError):
            for row in (*queue.list_active("pipeline"), *queue.list_active("send")):
                if parse_job_id(row.id).subject in subjects:
                    queue.cancel(row.id)
    finally:
        queue.close()

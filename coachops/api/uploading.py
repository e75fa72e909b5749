"""Taking a transcript from a program: one file of a form, or one line of many."""

from __future__ import annotations

import datetime as dt
import logging
import uuid

from coachops.api.access import Calling, Context
from coachops.coaching.directory.repeating import Key
from coachops.coaching.importing import ImportResult, import_transcript
from coachops.coaching.people import find_client, find_coach
from coachops.coaching.review import load_review
from coachops.core.actor import Actor
from coachops.core.errors import CoachError

log = logging.getLogger("coachops.api")


def uploader(caller: Calling) -> Actor:
    """Who uploads.

    Raises:
        CoachError: COACH-IDN-015; COACH-IDN-016 for a token that may see pseudonyms only.
    """
    actor = caller.require("transcripts:write")
    caller.require_full("uploading transcripts")
    return actor


def take(
    context: Context,
    caller: Calling,
    data: bytes,
    name: str,
    *,
    coach: str,
    client: str,
    held_on: dt.date | None,
    session: str,
    key: Key | None,
) -> tuple[ImportResult, bool]:
    """Import a file for who `uploader` is; with whether its analysis was queued.

    Parameters:
        name: of the file.
        coach, client: REFs; no coach is the caller.
        session: the other system's id of the session; empty: by the day.

    Raises:
        CoachError: COACH-API-006, COACH-CCH-001, -005, COACH-TRN-…, COACH-INB-007.
    """
    actor, database = caller.actor, context.services.database
    if not coach:
        if actor.coach_id is None:
            raise CoachError("COACH-API-006", field="coach", reason="it is needed, you are none")
        coach = str(actor.coach_id)
    _require_covered(context, caller, coach, client)
    result = import_transcript(
        database,
        actor,
        data,
        name,
        coach=coach,
        client=client,
        held_on=held_on,
        meeting=session or None,
        source="api",
        key=key,
    )
    known = load_review(database, actor, result.transcript_id)
    if not caller.grant.covers(known.coach_id, known.client_id):
        raise CoachError(
            "COACH-CCH-005",
            field="file",
            reason="another coach of this client has imported it already; ask an administrator",
        )
    return result, known.state == "imported" and _queue(context, result.transcript_id)


def _require_covered(context: Context, caller: Calling, coach: str, client: str) -> None:
    """Refuse a coach or client whom the token's limits leave out, as if they were not there.

    Raises:
        CoachError: COACH-CCH-001.
    """
    if not caller.grant.limits_people:
        return
    with context.services.database.read() as session:
        found = find_coach(session, caller.actor, coach)
        if caller.grant.coaches is not None and found.id not in caller.grant.coaches:
            raise CoachError("COACH-CCH-001", what="coach", ref=coach)
        if not caller.grant.covers(found.id, find_client(session, caller.actor, client).id):
            raise CoachError("COACH-CCH-001", what="client", ref=client)


def _queue(context: Context, transcript_id: uuid.UUID) -> bool:
    try:
        context.work.enqueue_pipeline(transcript_id)
    except CoachError as error:  # the file is safe, and the worker looks for such files
        log.warning("a transcript could not be queued: %s", error.code)
        return False
    return True

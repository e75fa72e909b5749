"""The roster: coaches, clients, engagements and consents from a CSV file, by external ids.

Importing the same file again changes nothing; a changed row updates what it names. A row that
cannot be taken is rejected with its line and reason, and the others are imported.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from coachops import audit
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Coach, Consent, Engagement
from coachops.db.models.people import CONSENT_KINDS

MAX_BYTES = 20 * 1024 * 1024
_EMAIL = r"^[^@\s<>,;:\"']+@[^@\s<>,;:\"']+$"
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _yes_no(value: object) -> object:
    if isinstance(value, str):
        text = value.strip().lower()
        if not text:
            return None
        if text not in _YES_NO:
            raise ValueError("write yes or no")
        return _YES_NO[text]
    return value


YesNo = Annotated[bool | None, BeforeValidator(_yes_no)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Email = Annotated[str, Field(max_length=200, pattern=_EMAIL)]


class RosterRow(BaseModel):
    """One line of the roster: an engagement with its coach and client."""

    model_config = ConfigDict(str_strip_whitespace=True, extra="ignore")

    coach_external_id: Name
    coach_name: Name
    coach_email: Email
    client_external_id: Name
    client_name: Name
    client_email: Annotated[
        Email | None, BeforeValidator(lambda text: (text or "").strip() or None)
    ] = None
    engagement_external_id: Name
    engagement_title: str = Field("", max_length=200)
    started_on: dt.date
    consent_processing: YesNo = None
    consent_external_ai: YesNo = None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A line of the file that was not imported."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class RosterResult:
    """What an import did, in numbers of rows, and what it refused."""

    rows: int
    coaches_created: int
    clients_created: int
    engagements_created: int
    updated: int
    unchanged: int
    consents_recorded: int
    rejected: tuple[RejectedRow, ...]


def import_roster(database: Database, actor: Actor, data: bytes) -> RosterResult:
    """Import the CSV file `data`.

    Raises:
        CoachError: COACH-ROS-001 where the file as a whole cannot be read; single rows never
            raise, they are in `rejected`.
    """
    actor.require_role("admin", "service", what="importing the roster")
    rows = _parse(data)

    def work(session: Session) -> RosterResult:
        done: Counter[str] = Counter()
        rejected: list[RejectedRow] = []
        for line, values in rows:
            try:
                row = RosterRow.model_validate(values)
                with session.begin_nested():
                    changes = _apply(session, actor, row)
            except ValidationError as error:
                rejected.append(RejectedRow(line, _reason(error)))
            except _ConflictError as conflict:
                rejected.append(RejectedRow(line, str(conflict)))
            else:
                done += changes
        audit.record(
            session, actor, "roster.imported", "roster", clock.today(),
            rows=len(rows), rejected=len(rejected),
        )  # fmt: skip
        return RosterResult(
            rows=len(rows),
            coaches_created=done["coaches"],
            clients_created=done["clients"],
            engagements_created=done["engagements"],
            updated=done["updated"],
            unchanged=done["unchanged"],
            consents_recorded=done["consents"],
            rejected=tuple(rejected),
        )

    return database.run(work)


class _ConflictError(Exception):
    """The row contradicts what is there."""


def _parse(data: bytes) -> list[tuple[int, dict[str, str]]]:
    if len(data) > MAX_BYTES:
        raise CoachError("COACH-ROS-001", reason="it is larger than 20 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise CoachError("COACH-ROS-001", reason="it holds NUL bytes, so it is not a CSV file")
    lines = text.splitlines()
    if not lines:
        raise CoachError("COACH-ROS-001", reason="it is empty")
    delimiter = max(",;\t", key=lines[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    needed = {name for name, info in RosterRow.model_fields.items() if info.is_required()}
    missing = sorted(needed - {(name or "").strip() for name in reader.fieldnames or ()})
    if missing:
        raise CoachError("COACH-ROS-001", reason=f"these columns are missing: {', '.join(missing)}")
    rows = []
    try:
        for values in reader:
            named = {(key or "").strip(): value or "" for key, value in values.items() if key}
            if any(value.strip() for value in named.values()):
                rows.append((reader.line_num, named))
    except csv.Error as error:
        raise CoachError("COACH-ROS-001", reason=f"line {reader.line_num}: {error}") from None
    return rows


def _reason(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        column = ".".join(str(part) for part in problem["loc"][:1])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "string_pattern_mismatch":
            message = "not an e-mail address"
        parts.append(f"{column}: {message}")
    return "; ".join(parts)


def _apply(session: Session, actor: Actor, row: RosterRow) -> Counter[str]:
    """Bring the database in step with one row; returns what was made."""
    made: Counter[str] = Counter()
    coach = session.scalars(
        sa.select(Coach).where(Coach.external_id == row.coach_external_id)
    ).first()
    email = row.coach_email.lower()
    holder = session.scalars(sa.select(Coach.external_id).where(Coach.email == email)).first()
    if holder is not None and holder != row.coach_external_id:
        raise _ConflictError(f"coach_email: {email} belongs to coach '{holder}'")
    changed = False
    if coach is None:
        coach = Coach(external_id=row.coach_external_id, name=row.coach_name, email=email)
        session.add(coach)
        made["coaches"] += 1
    else:
        changed |= _set(coach, name=row.coach_name, email=email)
    client = session.scalars(
        sa.select(Client).where(Client.external_id == row.client_external_id)
    ).first()
    if client is None:
        client = Client(
            external_id=row.client_external_id, name=row.client_name, email=row.client_email
        )
        session.add(client)
        made["clients"] += 1
    else:
        changed |= _set(client, name=row.client_name, email=row.client_email)
    session.flush()
    changed |= _engagement(session, coach, client, row, made)
    for kind in CONSENT_KINDS:
        changed |= _consent(session, actor, client, kind, row, made)
    if not made.keys() & {"coaches", "clients", "engagements"}:
        made["updated" if changed else "unchanged"] += 1
    return made


def _engagement(
    session: Session, coach: Coach, client: Client, row: RosterRow, made: Counter[str]
) -> bool:
    engagement = session.scalars(
        sa.select(Engagement).where(Engagement.external_id == row.engagement_external_id)
    ).first()
    if engagement is None:
        session.add(
            Engagement(
                external_id=row.engagement_external_id,
                coach_id=coach.id,
                client_id=client.id,
                title=row.engagement_title,
                started_on=row.started_on,
            )
        )
        session.flush()
        made["engagements"] += 1
        return False
    if (engagement.coach_id, engagement.client_id) != (coach.id, client.id):
        raise _ConflictError(
            f"engagement_external_id: '{row.engagement_external_id}' joins another coach and client"
        )
    return _set(engagement, title=row.engagement_title, started_on=row.started_on)


def _set(entity: Coach | Client | Engagement, **values: object) -> bool:
    changed = False
    for name, value in values.items():
        if getattr(entity, name) != value:
            setattr(entity, name, value)
            changed = True
    return changed


def _consent(
    session: Session, actor: Actor, client: Client, kind: str, row: RosterRow, made: Counter[str]
) -> bool:
    granted: bool | None = getattr(row, f"consent_{kind}")
    if granted is None:
        return False
    in_force = session.scalars(
        sa.select(Consent.granted)
        .where(Consent.client_id == client.id, Consent.kind == kind)
        .order_by(Consent.recorded_at.desc(), Consent.id.desc())
    ).first()
    if in_force == granted:
        return False
    session.add(
        Consent(
            client_id=client.id,
            kind=kind,
            granted=granted,
            recorded_at=clock.now(),
            recorded_by=actor.user_id,
            note="roster import",
        )
    )
    session.flush()
    made["consents"] += 1
    return in_force is not None

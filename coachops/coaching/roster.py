"""The roster: coaches, clients, engagements and consents from a CSV file, by external ids.

Importing the same file again changes nothing; a changed row updates what it names. A row that
cannot be taken is rejected with its line and reason, and the others are imported. Rejected rows and
files wait in the quarantine.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from sqlalchemy.orm import Session, undefer

from coachops import audit
from coachops.coaching import quarantine
from coachops.coaching.directory.model import Email, Name, OptionalEmail, Title
from coachops.coaching.directory.writing import find, holder_of_email, set_values
from coachops.coaching.quarantine import Refused, Source
from coachops.coaching.transcripts.decoding import decode
from coachops.core import clock
from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.text import clean, clean_line
from coachops.db import Database, erasures
from coachops.db.models import Client, Coach, Consent, Engagement, QuarantineItem
from coachops.db.models.people import CONSENT_KINDS

MAX_BYTES = 20 * 1024 * 1024
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


class RosterRow(BaseModel):
    """One line of the roster: an engagement with its coach and client."""

    model_config = ConfigDict(extra="ignore")

    coach_external_id: Name
    coach_name: Name
    coach_email: Email
    client_external_id: Name
    client_name: Name
    client_email: OptionalEmail = None
    engagement_external_id: Name
    engagement_title: Title = ""
    started_on: dt.date
    consent_processing: YesNo = None
    consent_external_ai: YesNo = None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A line of the file that was not imported; `item` is its id in the quarantine."""

    line: int
    reason: str
    item: str | None = None


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


def import_roster(
    database: Database,
    actor: Actor,
    data: bytes,
    name: str = "roster.csv",
    *,
    source: Source = "program",
    resolves: uuid.UUID | None = None,
) -> RosterResult:
    """Import the CSV file `data`; what cannot be taken of it waits in the quarantine.

    Parameters:
        resolves: the item of the quarantine that this is the correction of: it ends with the import;
            a row that is rejected still takes everything back.

    Raises:
        CoachError: COACH-ROS-001 where the file as a whole cannot be read (its detail
            `quarantine_id` names the item); single rows never raise, they are in `rejected`.
            COACH-QRN-001, COACH-QRN-002 of a correction.
    """
    actor.require_role("admin", "service", what="importing the roster")
    name = quarantine.file_name(name)
    try:
        rows = _parse(data)
    except CoachError as error:
        if resolves is None:
            kept = data if len(data) <= MAX_BYTES else None
            refused = Refused("roster", name, kept, error, source, size_bytes=len(data))
            error.details["quarantine_id"] = str(quarantine.keep(database, actor, refused))
        raise

    key = erasures.key_of(database)

    def work(session: Session) -> RosterResult:
        item = None if resolves is None else quarantine.open_item(session, actor, resolves)
        done: Counter[str] = Counter()
        rejected: list[tuple[_Line, str]] = []
        taken: set[str] = set()
        for line in rows:
            reason = _take(session, actor, line, done, key)
            if reason is None:
                taken.add(_engagement_of(line))
            else:
                rejected.append((line, reason))
        if item is not None:
            if rejected and item.kind == "roster_row":
                raise CoachError("COACH-QRN-002", reason=rejected[0][1])
            quarantine.resolve(session, actor, item, "replayed")
        kept = quarantine.keep_in(
            session, actor, [_refused(line, reason, name, source) for line, reason in rejected]
        )
        # another row of the same engagement that was rejected just now goes on waiting
        taken -= {_engagement_of(line) for line, _ in rejected}
        _resolve_rows(session, actor, taken)
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
            rejected=tuple(
                RejectedRow(line.number, reason, str(item_id))
                for (line, reason), item_id in zip(rejected, kept, strict=True)
            ),
        )

    return database.run(work)


def _take(
    session: Session, actor: Actor, line: _Line, done: Counter[str], key: bytes
) -> str | None:
    """Import a row; why not, where it cannot be taken."""
    if line.more:
        return f"it has more cells than the head of the table ({len(line.more)} more)"
    try:
        row = RosterRow.model_validate(line.values)
        with session.begin_nested():
            changes = _apply(session, actor, row, key)
    except ValidationError as error:
        return _reason(error)
    except _ConflictError as conflict:
        return str(conflict)
    except CoachError as refused:  # who was erased does not come back by a file
        return str(refused)
    except sa.exc.IntegrityError:  # a limit that only the database knows
        return "it contradicts what is there"
    done.update(changes)
    return None


def _refused(line: _Line, reason: str, name: str, source: Source) -> Refused:
    """A rejected row with the head of its table, so that it can be imported alone."""
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerows([list(line.values), [*line.values.values(), *line.more]])
    error = CoachError("COACH-ROS-003", line=line.number, name=name, reason=reason)
    if reason.startswith(erasures.ERASED):  # what a row says of them is not kept either
        return Refused("roster_row", name, None, error, source, line=line.number)
    return Refused("roster_row", name, written.getvalue().encode(), error, source, line=line.number)


def _resolve_rows(session: Session, actor: Actor, taken: set[str]) -> None:
    """Rows of these engagements that were rejected before are in now."""
    query = sa.select(QuarantineItem).where(
        QuarantineItem.kind == "roster_row", QuarantineItem.state == "waiting"
    )
    for item in session.scalars(query.options(undefer(QuarantineItem.content))).all():
        for line in _lines(item.content.decode()) if item.content else ():
            if _engagement_of(line) in taken:
                quarantine.resolve(session, actor, item, "replayed")


def _engagement_of(line: _Line) -> str:
    return clean_line(line.values.get("engagement_external_id", ""))


class _ConflictError(Exception):
    """The row contradicts what is there."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A row: the number of its (last) line, its cells by column, cells beyond the head."""

    number: int
    values: dict[str, str]
    more: tuple[str, ...] = ()


def _parse(data: bytes) -> list[_Line]:
    if len(data) > MAX_BYTES:
        raise CoachError("COACH-ROS-001", reason="it is larger than 20 MB")
    try:
        text, _ = decode(data, "roster", Counter())
    except CoachError:
        raise CoachError("COACH-ROS-001", reason="it holds binary data, not text") from None
    text = clean(text).text
    if not text.strip():
        raise CoachError("COACH-ROS-001", reason="it is empty")
    needed = {name for name, info in RosterRow.model_fields.items() if info.is_required()}
    try:
        missing = sorted(needed - set(next(_table(text), [])))
        if missing:
            reason = f"these columns are missing: {', '.join(missing)}"
            raise CoachError("COACH-ROS-001", reason=reason)
        return list(_lines(text))
    except csv.Error as error:
        raise CoachError("COACH-ROS-001", reason=str(error)) from None


def _table(text: str) -> Iterator[list[str]]:
    """The names of the columns, then the cells of each line with anything in it, its number last.

    Raises `csv.Error` with the line.
    """
    delimiter = max(",;\t", key=text.splitlines()[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield [name.strip() for name in next(reader, [])]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield [*cells, str(reader.line_num)]
    except csv.Error as error:
        raise csv.Error(f"line {reader.line_num}: {error}") from None


def _lines(text: str) -> Iterator[_Line]:
    """The rows below the head. Raises `csv.Error` as `_table`."""
    table = _table(text)
    head = next(table, [])
    for *cells, number in table:
        padded = [*cells, *[""] * (len(head) - len(cells))]
        values = {name: cell for name, cell in zip(head, padded, strict=False) if name}
        more = tuple(cell for cell in cells[len(head) :] if cell.strip())
        yield _Line(int(number), values, more)


def _reason(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_input=False):
        column = ".".join(str(part) for part in problem["loc"][:1])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "string_pattern_mismatch":
            message = "not an e-mail address"
        parts.append(f"{column}: {message}")
    return "; ".join(parts)


def _apply(session: Session, actor: Actor, row: RosterRow, key: bytes) -> Counter[str]:
    """Bring the database in step with one row; returns what was made."""
    made: Counter[str] = Counter()
    email = row.coach_email.lower()
    holder = holder_of_email(session, email, row.coach_external_id)
    if holder is not None:
        raise _ConflictError(f"coach_email: {email} belongs to coach '{holder}'")
    changed = False
    coach = find(session, Coach, row.coach_external_id)
    if coach is None:
        coach = Coach(external_id=row.coach_external_id, name=row.coach_name, email=email)
        session.add(coach)
        made["coaches"] += 1
    else:
        changed |= bool(set_values(coach, name=row.coach_name, email=email))
    client = find(session, Client, row.client_external_id)
    if client is None:
        erasures.require_new(session, key, row.client_external_id, row.client_email)
        client = Client(
            external_id=row.client_external_id, name=row.client_name, email=row.client_email
        )
        session.add(client)
        made["clients"] += 1
    else:
        changed |= bool(set_values(client, name=row.client_name, email=row.client_email))
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
    engagement = find(session, Engagement, row.engagement_external_id)
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
    return bool(set_values(engagement, title=row.engagement_title, started_on=row.started_on))


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

"""A client whose every text holds a marker, in every place that can hold one; and a search for it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import sqlalchemy as sa

from coachops.bootstrap import Services
from coachops.coaching.messages import addresses
from coachops.core import clock, ids
from coachops.core.actor import SYSTEM
from coachops.db.models import (
    ActionItem,
    Activity,
    AiReply,
    Analysis,
    Base,
    Client,
    CoachingSession,
    Consent,
    Feedback,
    Goal,
    GoalRating,
    InboundRow,
    Insight,
    InsightEdit,
    LegalHold,
    MailEvent,
    Message,
    OutboundRecord,
    QuarantineItem,
    Suppression,
    Transcript,
    TranscriptEdit,
)
from coachops.export import run_export
from coachops.telemetry import record_activity
from tests.coaching.builders import Pair, make_pair, make_transcript


@dataclass(frozen=True)
class Subject:
    """A client and the word that stands in everything about them."""

    pair: Pair
    marker: str
    transcript_id: uuid.UUID
    message_id: uuid.UUID

    @property
    def client_id(self) -> uuid.UUID:
        return self.pair.client_id


def plant(services: Services, marker: str, *, coach_of: Pair | None = None) -> Subject:
    """A client of that marker with something in every table and every folder."""
    database = services.database
    pair = make_pair(database, client_name=f"Maya {marker}", coach_of=coach_of)
    lines = (("coach", f"What about {marker}?"), ("client", f"I will write to {marker} on Friday."))
    transcript_id = make_transcript(database, pair, lines)
    now = clock.now()

    def digest(of: str) -> str:
        return hashlib.sha256(f"{of}{marker}".encode()).hexdigest()

    quote = [{"position": 1, "speaker": "coach", "quote": marker}]
    with database.write() as session:
        client = session.get_one(Client, pair.client_id)
        client.external_id, client.email = f"ext-{marker}", f"{marker}@example.org"
        transcript = session.get_one(Transcript, transcript_id)
        transcript.source_name = f"{marker}.vtt"
        meeting = session.get_one(CoachingSession, transcript.session_id)
        meeting.title = f"About {marker}"
        common = {"client_id": pair.client_id, "coach_id": pair.coach_id}
        analysis = Analysis(
            id=ids.new_id(),
            transcript_id=transcript_id,
            status="complete",
            engine="local",
            model="rules",
            input_sha256="0" * 64,
            result={"said": marker},
            counts={},
            dropped={},
        )
        message = Message(
            id=ids.new_id(),
            session_id=meeting.id,
            transcript_id=transcript_id,
            **common,
            recipient_name=client.name,
            recipient_email=client.email,
            subject=marker,
            body=marker,
            engine_body=marker,
            state="sent",
            approved_at=now,
            sent_at=now,
        )
        goal = Goal(
            id=ids.new_id(),
            **common,
            engagement_id=pair.engagement_id,
            title=marker,
            levels={"0": marker},
        )
        session.add_all([analysis, message, goal])
        session.flush()
        secret = services.secret("feedback")
        hashed = addresses.address_hash(secret, client.email)
        refused = {
            "source": "page",
            "code": "COACH-TRN-002",
            "size_bytes": 1,
            "sha256": "0" * 64,
            "name": f"{marker}.txt",
            "details": {"name": marker},
            "content": marker.encode(),
        }
        unread = refused | {
            "name": "roster.csv",
            "details": {"line": 2},
            "content": f"ext-{marker},Maya {marker},{marker}@example.org".encode(),
        }
        session.add_all(
            [
                InboundRow(
                    row_id=pair.client_id, source=f"crm of {marker}"[:50], kind="client",
                    digests={"name": digest("name")}, version=digest("row"), written_at=now,
                ),
                Feedback(
                    message_id=message.id, session_id=meeting.id, client_id=pair.client_id,
                    helpfulness=4, next_focus=marker, received_at=now,
                ),
                GoalRating(
                    goal_id=goal.id, session_id=meeting.id, level=0, rated_by="coach",
                    rated_on=meeting.held_on, note=marker,
                ),
                Consent(
                    client_id=pair.client_id, kind="external_ai", granted=True, recorded_at=now,
                    note=marker,
                ),
                ActionItem(
                    **common, session_id=meeting.id, transcript_id=transcript_id, anchor="a",
                    text=marker, engine_text=marker, owner="client", modality="commitment",
                    due_phrase=marker, citations=quote, last_session_id=meeting.id,
                ),
                Insight(
                    analysis_id=analysis.id, transcript_id=transcript_id, kind="theme", ordinal=0,
                    anchor="a", text=marker, citations=quote,
                ),
                InsightEdit(transcript_id=transcript_id, kind="theme", anchor="a", text=marker),
                OutboundRecord(
                    analysis_id=analysis.id, host="ai.example", model="m", utterances=1,
                    request_bytes=1, request_sha256="0" * 64,
                ),
                AiReply(
                    transcript_id=transcript_id, key_sha256="0" * 64, content=marker, host="h",
                    model="m", utterances=1, request_bytes=1, request_sha256="0" * 64,
                    created_at=now, expires_at=now + dt.timedelta(days=7),
                ),
                TranscriptEdit(transcript_id=transcript_id, kind="cut", from_position=1),
                MailEvent(
                    event_key=digest("4"), kind="delivered",
                    source="api", message_id=message.id, address_hash=hashed, occurred_at=now,
                ),
                Suppression(
                    address_hash=hashed, key_id=addresses.key_id(secret), reason="opt_out",
                    source="link", message_id=None, since=now, note=marker,
                ),
                LegalHold(client_id=pair.client_id, reason=marker, released_at=now),
                QuarantineItem(
                    **refused, kind="transcript", client_id=pair.client_id, dedupe=digest("1")
                ),
                # of nobody yet: only the bytes tell
                QuarantineItem(**unread, kind="roster_row", dedupe=digest("2")),
                QuarantineItem(**unread, kind="roster", dedupe=digest("3")),
            ]
        )  # fmt: skip
        record_activity(session, SYSTEM, "message.sent", subject_id=message.id)
    _plant_files(services, pair, marker, message.id)
    return Subject(pair, marker, transcript_id, message.id)


def _plant_files(services: Services, pair: Pair, marker: str, message_id: uuid.UUID) -> None:
    home = services.settings.home
    letter = EmailMessage()
    letter["To"], letter["Subject"] = f"Maya <{marker}@example.org>", marker
    letter.set_content(marker)
    for folder, name in (("outbox", f"{message_id}.1.eml"), ("outbox", "forwarded.eml")):
        (home / folder).mkdir(parents=True, exist_ok=True)
        (home / folder / name).write_bytes(letter.as_bytes())
    returned = EmailMessage()
    returned["To"] = "bounces@example.org"
    returned.set_content(f"<{marker}@example.org> does not exist", cte="base64")
    (home / "mail-reports").mkdir(exist_ok=True)
    (home / "mail-reports" / f"{ids.new_id()}.eml").write_bytes(returned.as_bytes())
    run = home / "reports" / "weekly" / ids.new_id().hex
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"name": "weekly"}))
    (run / "weekly.html").write_text(f"<p>Maya {marker}</p>")
    out = home / "exports" / f"of-{pair.client_id}"
    run_export(
        services.database, SYSTEM, out, ["csv"], ["clients", "messages"],
        clients=[str(pair.client_id)],
    )  # fmt: skip


def tables_with(services: Services, marker: str) -> list[str]:
    """Tables with a row that holds the marker in any column."""
    found = []
    needle = marker.encode()
    with services.database.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                raw = b"\n".join(
                    bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                    for value in row
                )
                if needle in raw:
                    found.append(table.name)
                    break
    return found


def files_with(folder: Path, marker: str) -> list[str]:
    """Files below a folder that hold the marker, database files and their logs included."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and marker.encode() in path.read_bytes()
    ]


def rows_of(services: Services, model: type[Base]) -> list[tuple[object, ...]]:
    """All rows of a table, in the order of their keys."""
    table = model.__table__
    with services.database.connect() as connection:
        query = sa.select(table).order_by(*table.primary_key.columns)
        return [tuple(row) for row in connection.execute(query)]


def activity_of(services: Services) -> list[uuid.UUID | None]:
    """What the entries of the activity name."""
    with services.database.connect() as connection:
        return list(connection.scalars(sa.select(Activity.subject_id)))

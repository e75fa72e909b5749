"""The history of a made-up organisation: what each session left behind in every table."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from random import Random

from coachops.ai.counts import Counts
from coachops.coaching.seed.rows import Rows, as_json
from coachops.coaching.seed.talk import COMMITMENTS, DAYS, Line, Pool
from coachops.core import clock
from coachops.db.bulk import instant
from coachops.db.models import (
    ActionItem,
    Activity,
    Analysis,
    CoachingSession,
    Feedback,
    Insight,
    Message,
    Transcript,
    Utterance,
)

SEED_MODEL = "made-up"
"""Model name of seeded analyses: nobody shall take them for the work of an engine."""

_UTTERANCE_COLUMNS = (
    "id", "transcript_id", "position", "line", "speaker_label", "speaker", "original_speaker",
    "start_ms", "end_ms", "text", "is_cut", "behaviour",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """Who meets: ids in wire form, names to speak with."""

    coach_id: str
    coach_name: str
    coach_user_id: str
    client_id: str
    client_name: str
    client_email: str
    engagement_id: str
    external_ai: bool


@dataclass(frozen=True, slots=True)
class Meeting:
    """A session that was analysed: ids in wire form, its day, and when the analysis ended."""

    session_id: str
    transcript_id: str
    analysis_id: str
    day: dt.date
    analysed: dt.datetime
    until: dt.date

    @property
    def age_days(self) -> int:
        """Days from the session to the end of the history."""
        return (self.until - self.day).days


@dataclass(frozen=True, slots=True)
class Spoken:
    """A made-up conversation: its lines, counts, and where commitments stand."""

    lines: list[tuple[str, Line]]
    counts: Counts
    commitments: list[tuple[int, str, str]]


def add_session(
    rows: Rows, rng: Random, pair: Pair, pool: Pool, day: dt.date, size: int, until: dt.date
) -> None:
    """Add a session of `size` utterances on `day` with all that followed it."""
    started = dt.datetime.combine(
        day, dt.time(rng.randint(8, 17), rng.choice((0, 15, 30))), clock.UTC
    )
    spoken = _speak(rng, pool, size)
    session_id, transcript_id = rows.new_id(started), rows.new_id(started)
    original, utterances, duration_ms = _write_down(rows, rng, pair, spoken, transcript_id, started)
    uploaded = started + dt.timedelta(minutes=60 + min(4000, rng.lognormvariate(3.5, 1.2)))
    age_days = (until - day).days
    fate = rng.random()
    state = "analysed"
    if fate < 0.01:
        state = "failed"
    elif age_days < 10 and fate < 0.06:
        state = "imported"
    rows.add(
        CoachingSession,
        id=session_id, external_id=None, engagement_id=pair.engagement_id, coach_id=pair.coach_id,
        client_id=pair.client_id, held_on=day.isoformat(), title=pool.topic.capitalize(),
        duration_ms=duration_ms, created_at=instant(uploaded), updated_at=instant(uploaded),
    )  # fmt: skip
    rows.add(
        Transcript,
        id=transcript_id, session_id=session_id, client_id=pair.client_id, kind="recording",
        source_name=f"session-{day.isoformat()}.vtt", format="vtt", encoding="utf-8",
        sha256=hashlib.sha256(original).hexdigest(), size_bytes=len(original), original=original,
        cue_count=size, unparsed="[]", role_state="certain", state=state,
        error_code="COACH-AI-003" if state == "failed" else None, imported_by=pair.coach_user_id,
        created_at=instant(uploaded), updated_at=instant(uploaded),
    )  # fmt: skip
    if state != "analysed":
        utterances = [(*row[:-1], None) for row in utterances]
    rows.add_many(Utterance, _UTTERANCE_COLUMNS, utterances)
    _activity(rows, pair, "transcript.imported", uploaded, transcript_id)
    if state == "imported":
        return
    analysed = uploaded + dt.timedelta(seconds=min(900, rng.lognormvariate(2.6, 0.8)))
    engine = "openai" if pair.external_ai and rng.random() < 0.7 else "local"
    analysis_id = rows.new_id(analysed)
    words = spoken.counts.coach_words + spoken.counts.client_words
    rows.add(
        Analysis,
        id=analysis_id, transcript_id=transcript_id,
        status="failed" if state == "failed" else "degraded" if fate > 0.985 else "complete",
        engine=engine, model=SEED_MODEL, input_sha256=hashlib.sha256(original).hexdigest(),
        counts=None if state == "failed" else as_json(spoken.counts.model_dump(mode="json")),
        dropped="{}", dropped_count=0, cost_microusd=words * 2 if engine == "openai" else 0,
        duration_ms=int((analysed - uploaded).total_seconds() * 1000),
        error_code="COACH-AI-003" if state == "failed" else None, created_by=pair.coach_user_id,
        created_at=instant(analysed),
    )  # fmt: skip
    if state == "failed":
        return
    meeting = Meeting(session_id, transcript_id, analysis_id, day, analysed, until)
    _insights(rows, pool, spoken, meeting)
    _actions(rows, rng, pair, spoken, meeting)
    _message(rows, rng, pair, pool, meeting)


def _speak(rng: Random, pool: Pool, size: int) -> Spoken:
    lines: list[tuple[str, Line]] = []
    commitments: list[tuple[int, str, str]] = []
    planned = {}
    if size >= 8:
        for place in rng.sample(range(size // 2, size), k=min(rng.choice((1, 1, 2, 3)), size // 8)):
            planned[place] = rng.choice(COMMITMENTS)
    counts = dict.fromkeys(("question", "reflection", "input", "other"), 0)
    words = {"coach": 0, "client": 0}
    opened = turns = client_turns = 0
    before = ""
    coach_lines, client_lines = pool.coach, pool.client
    random = rng.random
    for place in range(size):
        speaker = "coach" if (place % 2 == 0) != (random() < 0.08) else "client"
        if place in planned:
            speaker, template, done = planned[place]
            text = template.format(t=pool.topic, day=rng.choice(DAYS))
            behaviour = "other" if speaker == "coach" else None
            line = Line(text, behaviour, False, len(text.split()))
            commitments.append((place + 1, speaker, done.format(t=pool.topic)))
        else:
            options = coach_lines if speaker == "coach" else client_lines
            line = options[int(random() * len(options))]
        lines.append((speaker, line))
        words[speaker] += line.words
        turns += speaker == "coach" and before != "coach"
        client_turns += speaker == "client" and before != "client"
        before = speaker
        if line.behaviour is not None:
            counts[line.behaviour] += 1
            opened += line.open_question
    both = words["coach"] + words["client"]
    return Spoken(
        lines,
        Counts(
            coach_words=words["coach"], client_words=words["client"], other_words=0,
            coach_talk_share=words["coach"] / both if both else None,
            coach_ms=None, client_ms=None, coach_time_share=None,
            coach_turns=turns, client_turns=client_turns, utterances=size,
            coach_utterances=sum(counts.values()), questions=counts["question"],
            reflections=counts["reflection"], inputs=counts["input"], others=counts["other"],
            open_questions=opened,
            open_question_share=opened / counts["question"] if counts["question"] else None,
        ),
        commitments,
    )  # fmt: skip


def _write_down(
    rows: Rows, rng: Random, pair: Pair, spoken: Spoken, transcript_id: str, started: dt.datetime
) -> tuple[bytes, list[tuple[object, ...]], int]:
    """The file as a meeting tool writes it, the utterances in wire form, the length in ms."""
    unix_ms = int(started.timestamp() * 1000)
    prefix = f"{unix_ms & 0xFFFF_FFFF_FFFF:012x}7"
    names = {"coach": pair.coach_name, "client": pair.client_name}
    parts = ["WEBVTT\n"]
    utterances: list[tuple[object, ...]] = []
    at = 0
    for position, (speaker, line) in enumerate(spoken.lines, start=1):
        end = at + 600 + line.words * 380
        text = rows.retell(line.text)
        parts.append(
            f"\n{position}\n{_clock(at)} --> {_clock(end)}\n<v {names[speaker]}>{text}</v>\n"
        )
        # the layout of core.ids.uuid7_from, written as text because this runs a million times
        bits = rng.getrandbits(74)
        identifier = f"{prefix}{bits >> 62 & 0xFFF:03x}{(bits & 0x3FFFFFFFFFFFFFFF) | 1 << 63:016x}"
        utterances.append(
            (identifier, transcript_id, position, position * 4 + 1, names[speaker], speaker, speaker,
             at, end, text, False, line.behaviour)
        )  # fmt: skip
        at = end + int(rng.random() * 1500)
    return "".join(parts).encode(), utterances, at


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"


def _insights(rows: Rows, pool: Pool, spoken: Spoken, meeting: Meeting) -> None:
    """Cited findings: the longest client line, the topic, the first commitment."""
    longest = max(
        (
            (position, line)
            for position, (speaker, line) in enumerate(spoken.lines, start=1)
            if speaker == "client"
        ),
        key=lambda found: (found[1].words, -found[0]),
        default=None,
    )
    if longest is None:
        return
    position, line = longest
    citation = [{"position": position, "speaker": "client", "quote": line.text}]
    found = [("summary", f"The client said: “{line.text}”"), ("theme", pool.topic.capitalize())]
    if spoken.commitments:
        found.append(("follow_up", f"You said you would work on {pool.topic}."))
    for ordinal, (kind, text) in enumerate(found):
        anchor = hashlib.sha256(f"{kind}:{position}:{line.text}".encode()).hexdigest()
        rows.add(
            Insight,
            id=rows.new_id(meeting.analysed), analysis_id=meeting.analysis_id, transcript_id=meeting.transcript_id, kind=kind,
            ordinal=ordinal, anchor=anchor, text=text, citations=as_json(citation),
            created_at=instant(meeting.analysed),
        )  # fmt: skip


def _actions(rows: Rows, rng: Random, pair: Pair, spoken: Spoken, meeting: Meeting) -> None:
    day, at = meeting.day, meeting.analysed
    for position, owner, text in spoken.commitments:
        said = spoken.lines[position - 1][1].text
        done = meeting.age_days > 14 and rng.random() < 0.62
        due = _due(said, day)
        rows.add(
            ActionItem,
            id=rows.new_id(at), client_id=pair.client_id, coach_id=pair.coach_id,
            session_id=meeting.session_id, transcript_id=meeting.transcript_id, analysis_id=meeting.analysis_id,
            anchor=hashlib.sha256(f"{position}:{said}".encode()).hexdigest(), text=text,
            engine_text=text, owner=owner, modality="commitment",
            due_date=due[0] if due else None, due_phrase=due[1] if due else None,
            status="done" if done else "open", edited=False,
            citations=as_json([{"position": position, "speaker": owner, "quote": said}]),
            last_session_id=meeting.session_id,
            done_on=(day + dt.timedelta(days=rng.randint(3, 14))).isoformat() if done else None,
            created_at=instant(at), updated_at=instant(at),
        )  # fmt: skip


def _due(said: str, day: dt.date) -> tuple[str, str] | None:
    for number, name in enumerate(DAYS):
        if f"by {name}" in said:
            return (
                (day + dt.timedelta(days=(number - day.weekday() - 1) % 7 + 1)).isoformat(),
                f"by {name}",
            )
    return None


def _message(rows: Rows, rng: Random, pair: Pair, pool: Pool, meeting: Meeting) -> None:
    """The follow-up: mostly sent after a while, some drafts left, a few failed; half are answered."""
    drafted = meeting.analysed + dt.timedelta(seconds=2)
    approved = drafted + dt.timedelta(minutes=min(6000, rng.lognormvariate(4.6, 1.2)))
    fate = rng.random()
    end = dt.datetime.combine(meeting.until, dt.time(0), clock.UTC)
    state = "sent"
    if approved >= end or fate < (0.25 if meeting.age_days < 7 else 0.04):
        state = "draft"
    elif fate > 0.985:
        state = "failed"
    message_id = rows.new_id(drafted)
    body = (
        f"Hello {pair.client_name.split()[0]},\n\nthank you for our session on {pool.topic}.\n\n"
        f"Best wishes\n{pair.coach_name.split()[0]}\n"
    )
    changed = drafted if state == "draft" else approved
    sent = approved + dt.timedelta(seconds=3)
    rows.add(
        Message,
        id=message_id, session_id=meeting.session_id, transcript_id=meeting.transcript_id,
        client_id=pair.client_id, coach_id=pair.coach_id, recipient_name=pair.client_name,
        recipient_email=pair.client_email, subject=f"After our session: {pool.topic}", body=body,
        engine_body=body, state=state, version=1,
        approved_by=None if state == "draft" else pair.coach_user_id,
        approved_at=None if state == "draft" else instant(approved),
        approved_version=None if state == "draft" else 1,
        sending_at=None if state == "draft" else instant(approved),
        sent_at=instant(sent) if state == "sent" else None,
        mail_id=f"<{message_id}@example.org>" if state == "sent" else None,
        error_code="COACH-MSG-003" if state == "failed" else None,
        created_at=instant(drafted), updated_at=instant(changed),
    )  # fmt: skip
    if state != "sent":
        return
    _activity(rows, pair, "message.sent", sent, message_id)
    answered = sent + dt.timedelta(hours=min(200, rng.lognormvariate(2.5, 1.0)))
    if rng.random() < 0.45 and answered < end:
        rows.add(
            Feedback,
            id=rows.new_id(answered), message_id=message_id, session_id=meeting.session_id,
            client_id=pair.client_id, helpfulness=rng.choice((3, 4, 4, 4, 5, 5, 5, 2)),
            next_focus=f"More on {pool.topic}." if rng.random() < 0.5 else "",
            received_at=instant(answered), created_at=instant(answered),
        )  # fmt: skip


def _activity(rows: Rows, pair: Pair, kind: str, at: dt.datetime, subject_id: str) -> None:
    rows.add(
        Activity,
        id=rows.new_id(at), at=instant(at), kind=kind, user_id=pair.coach_user_id,
        coach_id=pair.coach_id, subject_id=subject_id, duration_ms=None,
    )  # fmt: skip

"""What was said and what was found in it: sessions, transcripts, utterances, analyses, insights."""

from __future__ import annotations

import sqlalchemy as sa

from coachops.db.models import (
    Analysis,
    CoachingSession,
    Insight,
    InsightEdit,
    Transcript,
    Utterance,
)
from coachops.db.models.analysis import ANALYSIS_STATUS, INSIGHT_KINDS
from coachops.db.models.sessions import (
    BEHAVIOURS,
    ROLE_STATES,
    SPEAKERS,
    TRANSCRIPT_KINDS,
    TRANSCRIPT_STATES,
)
from coachops.export.definitions import Column, Dataset, ForeignKey, Scope, Shown

C, F = Column, ForeignKey

SESSIONS = Dataset(
    "sessions", "1.0.0", "Meetings of a coach and a client.", CoachingSession,
    (
        C("session_id", "uuid", CoachingSession.id, "Id of the session."),
        C("external_id", "text", CoachingSession.external_id, "Id in another system.", True, privacy="external"),
        C("engagement_id", "uuid", CoachingSession.engagement_id, "The engagement it belongs to."),
        C("coach_id", "uuid", CoachingSession.coach_id, "The coach."),
        C("client_id", "uuid", CoachingSession.client_id, "The client."),
        C("held_on", "date", CoachingSession.held_on, "Day in the organisation's calendar."),
        C("title", "text", CoachingSession.title, "Title; may be empty.", privacy="free_text"),
        C("duration_ms", "int64", CoachingSession.duration_ms, "Length in milliseconds.", True),
        C("created_at", "instant", CoachingSession.created_at, "When the row was made."),
        C("updated_at", "instant", CoachingSession.updated_at, "When the row last changed."),
    ),
    (F("engagement_id", "engagements"), F("coach_id", "coaches"), F("client_id", "clients")),
    scope=Scope(
        CoachingSession.created_at,
        held_on=CoachingSession.held_on,
        coach=CoachingSession.coach_id.in_,
        client=CoachingSession.client_id.in_,
    ),
)  # fmt: skip

TRANSCRIPTS = Dataset(
    "transcripts", "1.0.0", "Records of sessions: uploaded files and typed notes.", Transcript,
    (
        C("transcript_id", "uuid", Transcript.id, "Id of the transcript."),
        C("session_id", "uuid", Transcript.session_id, "The session."),
        C("client_id", "uuid", Transcript.client_id, "The client."),
        C("kind", "code", Transcript.kind, "Uploaded file or typed notes.", False,
          TRANSCRIPT_KINDS),
        C("source_name", "text", Transcript.source_name, "Name of the file as uploaded.", privacy="free_text"),
        C("format", "code", Transcript.format, "Format of the file.", privacy="plain"),
        C("encoding", "code", Transcript.encoding, "Character encoding of the file.", privacy="plain"),
        C("sha256", "code", Transcript.sha256, "SHA-256 of the file as uploaded.", privacy="digest"),
        C("size_bytes", "integer", Transcript.size_bytes, "Size of the file in bytes.", privacy="digest"),
        C("cue_count", "integer", Transcript.cue_count, "Cues imported, cut ones included."),
        C("unparsed", "json", Transcript.unparsed, "Lines not imported: line number and reason.", privacy="free_text"),
        C("role_state", "code", Transcript.role_state, "How sure it is who speaks.", False,
          ROLE_STATES),
        C("state", "code", Transcript.state, "Where it stands.", False, TRANSCRIPT_STATES),
        C("error_code", "code", Transcript.error_code, "Why it failed.", True, privacy="plain"),
        C("imported_by", "uuid", Transcript.imported_by, "Id of the user.", True),
        C("created_at", "instant", Transcript.created_at, "When it was uploaded."),
        C("updated_at", "instant", Transcript.updated_at, "When the row last changed."),
    ),
    (F("session_id", "sessions"), F("client_id", "clients")),
    selected_with="session_id",
)  # fmt: skip

UTTERANCES = Dataset(
    "utterances", "1.0.0", "What was said, cue by cue; cut cues are left out.", Utterance,
    (
        C("utterance_id", "uuid", Utterance.id, "Id of the utterance."),
        C("transcript_id", "uuid", Utterance.transcript_id, "The transcript."),
        C("source_name", "text", Transcript.source_name, "Name of the file as uploaded.", privacy="free_text"),
        C("position", "integer", Utterance.position, "From 1, in file order."),
        C("speaker", "code", Utterance.speaker, "Who speaks, as corrected.", False, SPEAKERS),
        C("start_ms", "integer", Utterance.start_ms, "Start in milliseconds.", True),
        C("end_ms", "integer", Utterance.end_ms, "End in milliseconds.", True),
        C("text", "text", Utterance.text, "The words, redacted spans replaced.", privacy="free_text"),
        C("behaviour", "code",
          sa.case((Utterance.speaker == "coach", Utterance.behaviour), else_=sa.null()),
          "What the coach does; NULL for others and before the analysis.", True, BEHAVIOURS),
    ),
    (F("transcript_id", "transcripts"),),
    source=sa.join(Utterance, Transcript, Utterance.transcript_id == Transcript.id),
    shown=Shown("source_name", "transcript_id", Transcript.id),
    order=("transcript_id", "position"),
    where=Utterance.is_cut.is_(False),
    selected_with="transcript_id",
    shard_blocks=8,
)  # fmt: skip

ANALYSES = Dataset(
    "analyses", "1.0.0", "Runs of an engine over a transcript.", Analysis,
    (
        C("analysis_id", "uuid", Analysis.id, "Id of the analysis."),
        C("transcript_id", "uuid", Analysis.transcript_id, "The transcript."),
        C("status", "code", Analysis.status, "How it ended.", False, ANALYSIS_STATUS),
        C("engine", "code", Analysis.engine, "Which engine: local or openai.", privacy="plain"),
        C("model", "text", Analysis.model, "Model or rule version.", privacy="plain"),
        C("input_sha256", "code", Analysis.input_sha256, "SHA-256 of what the engine read.", privacy="digest"),
        C("counts", "json", Analysis.counts, "Counts with numerator and denominator.", True, privacy="figures"),
        C("dropped", "json", Analysis.dropped, "Findings dropped, by reason.", privacy="figures"),
        C("dropped_count", "integer", Analysis.dropped_count, "Findings dropped in all."),
        C("cost_microusd", "int64", Analysis.cost_microusd, "Cost in millionths of a US dollar."),
        C("duration_ms", "integer", Analysis.duration_ms, "How long it took, in milliseconds."),
        C("error_code", "code", Analysis.error_code, "Why it failed.", True, privacy="plain"),
        C("created_by", "uuid", Analysis.created_by, "Id of the user who started it.", True),
        C("created_at", "instant", Analysis.created_at, "When it ended."),
    ),
    (F("transcript_id", "transcripts"),),
    selected_with="transcript_id",
)  # fmt: skip

INSIGHTS = Dataset(
    "insights", "1.0.0", "Cited sentences of an analysis, with the coach's edits.", Insight,
    (
        C("insight_id", "uuid", Insight.id, "Id of the insight."),
        C("analysis_id", "uuid", Insight.analysis_id, "The analysis."),
        C("transcript_id", "uuid", Insight.transcript_id, "The transcript."),
        C("kind", "code", Insight.kind, "Summary, theme or follow-up.", False, INSIGHT_KINDS),
        C("ordinal", "integer", Insight.ordinal, "Place in the analysis, from 0."),
        C("anchor", "code", Insight.anchor, "Finds it again in a later analysis.", privacy="digest"),
        C("text", "text",
          sa.case((InsightEdit.id.is_(None), Insight.text), else_=InsightEdit.text),
          "What holds: the coach's words, else the engine's; NULL: removed by the coach.", True,
          privacy="free_text"),
        C("engine_text", "text", Insight.text, "What the engine wrote.", privacy="free_text"),
        C("edited", "boolean", InsightEdit.id.is_not(None), "Whether the coach changed it."),
        C("citations", "json", Insight.citations, "Positions, speakers and quotes behind it.", privacy="cited"),
        C("created_at", "instant", Insight.created_at, "When the row was made."),
    ),
    (F("analysis_id", "analyses"), F("transcript_id", "transcripts")),
    source=sa.outerjoin(
        Insight, InsightEdit,
        sa.and_(
            InsightEdit.transcript_id == Insight.transcript_id,
            InsightEdit.kind == Insight.kind,
            InsightEdit.anchor == Insight.anchor,
        ),
    ),
    where=Insight.held_back.is_(False),
    selected_with="analysis_id",
)  # fmt: skip

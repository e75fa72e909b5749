"""The registry: one row per dataset. Schemas, CSV headers, frames and the reference derive from it.

To add a dataset: a `Dataset` below and its name in `DATASETS`; to add a column: a line, and raise
the minor part of the version. Texts are what readers may read: cut utterances are left out,
redacted spans stay redacted, edited insights hold the coach's words beside the engine's. Originals,
passwords and tokens are in no dataset, nor are findings in words that were cut or redacted since;
`activity` and `audit_events` hold ids only.
"""

from __future__ import annotations

import sqlalchemy as sa

from coachops.db.models import (
    ActionItem,
    Activity,
    Analysis,
    AuditEvent,
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Feedback,
    Goal,
    GoalRating,
    Insight,
    InsightEdit,
    Message,
    Transcript,
    Utterance,
)
from coachops.db.models.analysis import (
    ACTION_OWNERS,
    ACTION_STATES,
    ANALYSIS_STATUS,
    INSIGHT_KINDS,
    MODALITIES,
)
from coachops.db.models.outcomes import GOAL_STATES, MESSAGE_STATES
from coachops.db.models.people import CONSENT_KINDS
from coachops.db.models.sessions import (
    BEHAVIOURS,
    ROLE_STATES,
    SPEAKERS,
    TRANSCRIPT_KINDS,
    TRANSCRIPT_STATES,
)
from coachops.export.definitions import Column, Dataset, ForeignKey, Scope

C, F = Column, ForeignKey


COACHES = Dataset(
    "coaches", "1.0.0", "Coaches of the organisation.", Coach,
    (
        C("coach_id", "uuid", Coach.id, "Id of the coach."),
        C("external_id", "text", Coach.external_id, "Id in the roster."),
        C("name", "text", Coach.name, "Full name."),
        C("email", "text", Coach.email, "E-mail address."),
        C("left_on", "date", Coach.left_on, "First day without them.", True),
        C("created_at", "instant", Coach.created_at, "When the row was made."),
        C("updated_at", "instant", Coach.updated_at, "When the row last changed."),
    ),
    scope=Scope(
        Coach.created_at,
        coach=Coach.id.in_,
        client=lambda ids: Coach.id.in_(
            sa.select(Engagement.coach_id).where(Engagement.client_id.in_(ids))
        ),
    ),
)  # fmt: skip

CLIENTS = Dataset(
    "clients", "1.0.0", "Clients of the organisation.", Client,
    (
        C("client_id", "uuid", Client.id, "Id of the client."),
        C("external_id", "text", Client.external_id, "Id in the roster."),
        C("name", "text", Client.name, "Full name."),
        C("email", "text", Client.email, "E-mail address; without it no follow-up is sent.", True),
        C("left_on", "date", Client.left_on, "First day without them.", True),
        C("created_at", "instant", Client.created_at, "When the row was made."),
        C("updated_at", "instant", Client.updated_at, "When the row last changed."),
    ),
    scope=Scope(
        Client.created_at,
        coach=lambda ids: Client.id.in_(
            sa.select(Engagement.client_id).where(Engagement.coach_id.in_(ids))
        ),
        client=Client.id.in_,
    ),
)  # fmt: skip

ENGAGEMENTS = Dataset(
    "engagements", "1.0.0", "A coach works with a client over a span of days.", Engagement,
    (
        C("engagement_id", "uuid", Engagement.id, "Id of the engagement."),
        C("external_id", "text", Engagement.external_id, "Id in the roster."),
        C("coach_id", "uuid", Engagement.coach_id, "The coach."),
        C("client_id", "uuid", Engagement.client_id, "The client."),
        C("title", "text", Engagement.title, "What the engagement is about; may be empty."),
        C("started_on", "date", Engagement.started_on, "First day."),
        C("ended_on", "date", Engagement.ended_on, "First day after the end.", True),
        C("created_at", "instant", Engagement.created_at, "When the row was made."),
        C("updated_at", "instant", Engagement.updated_at, "When the row last changed."),
    ),
    (F("coach_id", "coaches"), F("client_id", "clients")),
    scope=Scope(
        Engagement.created_at, coach=Engagement.coach_id.in_, client=Engagement.client_id.in_
    ),
)  # fmt: skip

SESSIONS = Dataset(
    "sessions", "1.0.0", "Meetings of a coach and a client.", CoachingSession,
    (
        C("session_id", "uuid", CoachingSession.id, "Id of the session."),
        C("external_id", "text", CoachingSession.external_id, "Id in another system.", True),
        C("engagement_id", "uuid", CoachingSession.engagement_id, "The engagement it belongs to."),
        C("coach_id", "uuid", CoachingSession.coach_id, "The coach."),
        C("client_id", "uuid", CoachingSession.client_id, "The client."),
        C("held_on", "date", CoachingSession.held_on, "Day in the organisation's calendar."),
        C("title", "text", CoachingSession.title, "Title; may be empty."),
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
        C("source_name", "text", Transcript.source_name, "Name of the file as uploaded."),
        C("format", "code", Transcript.format, "Format of the file."),
        C("encoding", "code", Transcript.encoding, "Character encoding of the file."),
        C("sha256", "code", Transcript.sha256, "SHA-256 of the file as uploaded."),
        C("size_bytes", "integer", Transcript.size_bytes, "Size of the file in bytes."),
        C("cue_count", "integer", Transcript.cue_count, "Cues imported, cut ones included."),
        C("unparsed", "json", Transcript.unparsed, "Lines not imported: line number and reason."),
        C("role_state", "code", Transcript.role_state, "How sure it is who speaks.", False,
          ROLE_STATES),
        C("state", "code", Transcript.state, "Where it stands.", False, TRANSCRIPT_STATES),
        C("error_code", "code", Transcript.error_code, "Why it failed.", True),
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
        C("source_name", "text", Transcript.source_name, "Name of the file as uploaded."),
        C("position", "integer", Utterance.position, "From 1, in file order."),
        C("speaker", "code", Utterance.speaker, "Who speaks, as corrected.", False, SPEAKERS),
        C("start_ms", "integer", Utterance.start_ms, "Start in milliseconds.", True),
        C("end_ms", "integer", Utterance.end_ms, "End in milliseconds.", True),
        C("text", "text", Utterance.text, "The words, redacted spans replaced."),
        C("behaviour", "code",
          sa.case((Utterance.speaker == "coach", Utterance.behaviour), else_=sa.null()),
          "What the coach does; NULL for others and before the analysis.", True, BEHAVIOURS),
    ),
    (F("transcript_id", "transcripts"),),
    source=sa.join(Utterance, Transcript, Utterance.transcript_id == Transcript.id),
    order=("transcript_id", "position"),
    where=Utterance.is_cut.is_(False),
    selected_with="transcript_id",
)  # fmt: skip

ANALYSES = Dataset(
    "analyses", "1.0.0", "Runs of an engine over a transcript.", Analysis,
    (
        C("analysis_id", "uuid", Analysis.id, "Id of the analysis."),
        C("transcript_id", "uuid", Analysis.transcript_id, "The transcript."),
        C("status", "code", Analysis.status, "How it ended.", False, ANALYSIS_STATUS),
        C("engine", "code", Analysis.engine, "Which engine: local or openai."),
        C("model", "text", Analysis.model, "Model or rule version."),
        C("input_sha256", "code", Analysis.input_sha256, "SHA-256 of what the engine read."),
        C("counts", "json", Analysis.counts, "Counts with numerator and denominator.", True),
        C("dropped", "json", Analysis.dropped, "Findings dropped, by reason."),
        C("dropped_count", "integer", Analysis.dropped_count, "Findings dropped in all."),
        C("cost_microusd", "int64", Analysis.cost_microusd, "Cost in millionths of a US dollar."),
        C("duration_ms", "integer", Analysis.duration_ms, "How long it took, in milliseconds."),
        C("error_code", "code", Analysis.error_code, "Why it failed.", True),
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
        C("anchor", "code", Insight.anchor, "Finds it again in a later analysis."),
        C("text", "text",
          sa.case((InsightEdit.id.is_(None), Insight.text), else_=InsightEdit.text),
          "What holds: the coach's words, else the engine's; NULL: removed by the coach.", True),
        C("engine_text", "text", Insight.text, "What the engine wrote."),
        C("edited", "boolean", InsightEdit.id.is_not(None), "Whether the coach changed it."),
        C("citations", "json", Insight.citations, "Positions, speakers and quotes behind it."),
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

GOALS = Dataset(
    "goals", "1.0.0", "Goals on a Goal Attainment Scale from -2 to +2.", Goal,
    (
        C("goal_id", "uuid", Goal.id, "Id of the goal."),
        C("client_id", "uuid", Goal.client_id, "The client."),
        C("coach_id", "uuid", Goal.coach_id, "The coach."),
        C("engagement_id", "uuid", Goal.engagement_id, "The engagement."),
        C("title", "text", Goal.title, "The goal."),
        C("levels", "json", Goal.levels, "Descriptions of the five levels."),
        C("weight", "integer", Goal.weight, "Weight from 1 to 5."),
        C("status", "code", Goal.status, "Where it stands.", False, GOAL_STATES),
        C("created_at", "instant", Goal.created_at, "When the row was made."),
        C("updated_at", "instant", Goal.updated_at, "When the row last changed."),
    ),
    (F("client_id", "clients"), F("coach_id", "coaches"), F("engagement_id", "engagements")),
    scope=Scope(Goal.created_at, coach=Goal.coach_id.in_, client=Goal.client_id.in_),
)  # fmt: skip

GOAL_RATINGS = Dataset(
    "goal_ratings", "1.0.0", "Where a goal stands on a day.", GoalRating,
    (
        C("goal_rating_id", "uuid", GoalRating.id, "Id of the rating."),
        C("goal_id", "uuid", GoalRating.goal_id, "The goal."),
        C("session_id", "uuid", GoalRating.session_id, "The session it was made in.", True),
        C("level", "integer", GoalRating.level, "From -2 to +2."),
        C("rated_by", "code", GoalRating.rated_by, "Who rated.", False, ("coach", "client")),
        C("rated_on", "date", GoalRating.rated_on, "Day of the rating."),
        C("note", "text", GoalRating.note, "A note; may be empty."),
        C("created_at", "instant", GoalRating.created_at, "When the row was made."),
    ),
    (F("goal_id", "goals"), F("session_id", "sessions")),
    scope=Scope(
        GoalRating.created_at,
        held_on=CoachingSession.held_on,
        coach=Goal.coach_id.in_,
        client=Goal.client_id.in_,
        joined=sa.join(GoalRating, Goal, GoalRating.goal_id == Goal.id).outerjoin(
            CoachingSession, GoalRating.session_id == CoachingSession.id
        ),
    ),
)  # fmt: skip

ACTION_ITEMS = Dataset(
    "action_items", "1.0.0", "Next steps, each from a spoken commitment or a proposal.", ActionItem,
    (
        C("action_item_id", "uuid", ActionItem.id, "Id of the action item."),
        C("client_id", "uuid", ActionItem.client_id, "The client."),
        C("coach_id", "uuid", ActionItem.coach_id, "The coach."),
        C("session_id", "uuid", ActionItem.session_id, "The session it came up in."),
        C("transcript_id", "uuid", ActionItem.transcript_id, "The transcript.", True),
        C("analysis_id", "uuid", ActionItem.analysis_id, "The analysis that found it.", True),
        C("anchor", "code", ActionItem.anchor, "Finds it again in a later analysis."),
        C("text", "text", ActionItem.text, "What holds, perhaps in the coach's words."),
        C("engine_text", "text", ActionItem.engine_text, "What the engine wrote.", True),
        C("owner", "code", ActionItem.owner, "Who will do it.", False, ACTION_OWNERS),
        C("modality", "code", ActionItem.modality, "Committed or proposed.", False, MODALITIES),
        C("due_date", "date", ActionItem.due_date, "Due day, only if one was said.", True),
        C("due_phrase", "text", ActionItem.due_phrase, "The words that said it.", True),
        C("status", "code", ActionItem.status, "Where it stands.", False, ACTION_STATES),
        C("edited", "boolean", ActionItem.edited, "Whether the coach changed it."),
        C("citations", "json", ActionItem.citations, "Positions, speakers and quotes behind it."),
        C("last_session_id", "uuid", ActionItem.last_session_id, "Last session to mention it."),
        C("done_on", "date", ActionItem.done_on, "Day it was done.", True),
        C("created_at", "instant", ActionItem.created_at, "When the row was made."),
        C("updated_at", "instant", ActionItem.updated_at, "When the row last changed."),
    ),
    (
        F("client_id", "clients"), F("coach_id", "coaches"), F("session_id", "sessions"),
        F("transcript_id", "transcripts"), F("analysis_id", "analyses"),
        F("last_session_id", "sessions"),
    ),
    where=ActionItem.held_back.is_(False),
    selected_with="session_id",
)  # fmt: skip

MESSAGES = Dataset(
    "messages", "1.0.0", "Follow-up e-mails and where they stand.", Message,
    (
        C("message_id", "uuid", Message.id, "Id of the message."),
        C("session_id", "uuid", Message.session_id, "The session."),
        C("transcript_id", "uuid", Message.transcript_id, "The transcript.", True),
        C("client_id", "uuid", Message.client_id, "The client."),
        C("coach_id", "uuid", Message.coach_id, "The coach."),
        C("recipient_name", "text", Message.recipient_name, "To whom."),
        C("recipient_email", "text", Message.recipient_email, "To which address."),
        C("subject", "text", Message.subject, "Subject."),
        C("body", "text", Message.body, "Text as the coach left it."),
        C("engine_body", "text", Message.engine_body, "Text as it was drafted."),
        C("state", "code", Message.state, "Where it stands.", False, MESSAGE_STATES),
        C("version", "integer", Message.version, "Counts the coach's edits."),
        C("edited", "boolean", Message.edited, "Whether the coach changed the engine's words."),
        C("stale", "boolean", Message.stale, "Whether a later analysis would say otherwise."),
        C("approved_by", "uuid", Message.approved_by, "Id of the user who approved.", True),
        C("approved_at", "instant", Message.approved_at, "When it was approved.", True),
        C("approved_version", "integer", Message.approved_version, "The version approved.", True),
        C("sent_at", "instant", Message.sent_at, "When it was sent.", True),
        C("mail_id", "text", Message.mail_id, "Message-ID of the e-mail.", True),
        C("error_code", "code", Message.error_code, "Why it failed.", True),
        C("created_at", "instant", Message.created_at, "When it was drafted."),
        C("updated_at", "instant", Message.updated_at, "When the row last changed."),
    ),
    (
        F("session_id", "sessions"), F("transcript_id", "transcripts"),
        F("client_id", "clients"), F("coach_id", "coaches"),
    ),
    selected_with="session_id",
)  # fmt: skip

FEEDBACK = Dataset(
    "feedback", "1.0.0", "Clients' two answers to a follow-up.", Feedback,
    (
        C("feedback_id", "uuid", Feedback.id, "Id of the answer."),
        C("message_id", "uuid", Feedback.message_id, "The follow-up."),
        C("session_id", "uuid", Feedback.session_id, "The session."),
        C("client_id", "uuid", Feedback.client_id, "The client."),
        C("helpfulness", "integer", Feedback.helpfulness, "From 1 (not at all) to 5 (very)."),
        C("next_focus", "text", Feedback.next_focus, "What to do next; may be empty."),
        C("received_at", "instant", Feedback.received_at, "When the client answered."),
        C("created_at", "instant", Feedback.created_at, "When the row was made."),
    ),
    (F("message_id", "messages"), F("session_id", "sessions"), F("client_id", "clients")),
    selected_with="session_id",
)  # fmt: skip

CONSENTS = Dataset(
    "consents", "1.0.0", "Consents given and withdrawn; the newest per kind holds.", Consent,
    (
        C("consent_id", "uuid", Consent.id, "Id of the entry."),
        C("client_id", "uuid", Consent.client_id, "The client."),
        C("kind", "code", Consent.kind, "To what.", False, CONSENT_KINDS),
        C("granted", "boolean", Consent.granted, "Given (true) or withdrawn (false)."),
        C("recorded_at", "instant", Consent.recorded_at, "When it was given or withdrawn."),
        C("recorded_by", "uuid", Consent.recorded_by, "Id of the user who recorded it.", True),
        C("note", "text", Consent.note, "A note; may be empty."),
        C("created_at", "instant", Consent.created_at, "When the row was made."),
    ),
    (F("client_id", "clients"),),
    scope=Scope(
        Consent.created_at,
        coach=lambda ids: Consent.client_id.in_(
            sa.select(Engagement.client_id).where(Engagement.coach_id.in_(ids))
        ),
        client=Consent.client_id.in_,
    ),
)  # fmt: skip

ACTIVITY = Dataset(
    "activity", "1.0.0",
    "Uses of the suite: ids and durations only. A filter by client leaves none.", Activity,
    (
        C("activity_id", "uuid", Activity.id, "Id of the use."),
        C("at", "instant", Activity.at, "When."),
        C("kind", "code", Activity.kind, "What was done."),
        C("user_id", "uuid", Activity.user_id, "Id of the user.", True),
        C("coach_id", "uuid", Activity.coach_id, "The coach it belongs to.", True),
        C("subject_id", "uuid", Activity.subject_id, "Id of the row it was done to.", True),
        C("duration_ms", "integer", Activity.duration_ms, "How long, in milliseconds.", True),
    ),
    (F("coach_id", "coaches"),),
    scope=Scope(Activity.at, coach=Activity.coach_id.in_),
)  # fmt: skip

AUDIT_EVENTS = Dataset(
    "audit_events", "1.0.0",
    "Acts to answer for: ids only. Filters by coach or client leave none.", AuditEvent,
    (
        C("audit_event_id", "uuid", AuditEvent.id, "Id of the entry."),
        C("at", "instant", AuditEvent.at, "When."),
        C("actor_id", "uuid", AuditEvent.actor_id, "Id of the user; NULL: the suite.", True),
        C("action", "code", AuditEvent.action, "What was done."),
        C("subject_type", "code", AuditEvent.subject_type, "To what sort of row."),
        C("subject_id", "code", AuditEvent.subject_id, "Id of the row."),
    ),
    scope=Scope(AuditEvent.at),
)  # fmt: skip

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        COACHES, CLIENTS, ENGAGEMENTS, SESSIONS, TRANSCRIPTS, UTTERANCES, ANALYSES, INSIGHTS,
        GOALS, GOAL_RATINGS, ACTION_ITEMS, MESSAGES, FEEDBACK, CONSENTS, ACTIVITY, AUDIT_EVENTS,
    )
}  # fmt: skip
"""Name -> dataset, parents before children."""

"""What comes of sessions: goals, next steps, follow-ups, answers."""

from __future__ import annotations

import sqlalchemy as sa

from coachops.db.models import ActionItem, CoachingSession, Feedback, Goal, GoalRating, Message
from coachops.db.models.analysis import ACTION_OWNERS, ACTION_STATES, MODALITIES
from coachops.db.models.outcomes import GOAL_STATES, MESSAGE_STATES
from coachops.export.definitions import Column, Dataset, ForeignKey, Scope

C, F = Column, ForeignKey

GOALS = Dataset(
    "goals", "1.0.0", "Goals on a Goal Attainment Scale from -2 to +2.", Goal,
    (
        C("goal_id", "uuid", Goal.id, "Id of the goal."),
        C("client_id", "uuid", Goal.client_id, "The client."),
        C("coach_id", "uuid", Goal.coach_id, "The coach."),
        C("engagement_id", "uuid", Goal.engagement_id, "The engagement."),
        C("title", "text", Goal.title, "The goal.", privacy="free_text"),
        C("levels", "json", Goal.levels, "Descriptions of the five levels.", privacy="free_text"),
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
        C("note", "text", GoalRating.note, "A note; may be empty.", privacy="free_text"),
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
        C("anchor", "code", ActionItem.anchor, "Finds it again in a later analysis.", privacy="digest"),
        C("text", "text", ActionItem.text, "What holds, perhaps in the coach's words.", privacy="free_text"),
        C("engine_text", "text", ActionItem.engine_text, "What the engine wrote.", True, privacy="free_text"),
        C("owner", "code", ActionItem.owner, "Who will do it.", False, ACTION_OWNERS),
        C("modality", "code", ActionItem.modality, "Committed or proposed.", False, MODALITIES),
        C("due_date", "date", ActionItem.due_date, "Due day, only if one was said.", True),
        C("due_phrase", "text", ActionItem.due_phrase, "The words that said it.", True, privacy="free_text"),
        C("status", "code", ActionItem.status, "Where it stands.", False, ACTION_STATES),
        C("edited", "boolean", ActionItem.edited, "Whether the coach changed it."),
        C("citations", "json", ActionItem.citations, "Positions, speakers and quotes behind it.", privacy="cited"),
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
        C("recipient_name", "text", Message.recipient_name, "To whom.", privacy="name"),
        C("recipient_email", "text", Message.recipient_email, "To which address.", privacy="name"),
        C("subject", "text", Message.subject, "Subject.", privacy="free_text"),
        C("body", "text", Message.body, "Text as the coach left it.", privacy="free_text"),
        C("engine_body", "text", Message.engine_body, "Text as it was drafted.", privacy="free_text"),
        C("state", "code", Message.state, "Where it stands.", False, MESSAGE_STATES),
        C("version", "integer", Message.version, "Counts the coach's edits."),
        C("edited", "boolean", Message.edited, "Whether the coach changed the engine's words."),
        C("stale", "boolean", Message.stale, "Whether a later analysis would say otherwise."),
        C("approved_by", "uuid", Message.approved_by, "Id of the user who approved.", True),
        C("approved_at", "instant", Message.approved_at, "When it was approved.", True),
        C("approved_version", "integer", Message.approved_version, "The version approved.", True),
        C("sent_at", "instant", Message.sent_at, "When it was sent.", True),
        C("mail_id", "text", Message.mail_id, "Message-ID of the e-mail.", True, privacy="external"),
        C("error_code", "code", Message.error_code, "Why it failed.", True, privacy="plain"),
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
        C("next_focus", "text", Feedback.next_focus, "What to do next; may be empty.", privacy="free_text"),
        C("received_at", "instant", Feedback.received_at, "When the client answered."),
        C("created_at", "instant", Feedback.created_at, "When the row was made."),
    ),
    (F("message_id", "messages"), F("session_id", "sessions"), F("client_id", "clients")),
    selected_with="session_id",
)  # fmt: skip

"""Follow-up messages: drafted from an analysis, edited and approved by the coach, sent once.

Invariants: nothing is sent that a person did not approve in exactly that version; no letter is
handed to a mail server twice, an unknown outcome waits for a person; an address on the list of
`suppression` is never written to; the coach's words are never overwritten; scores of people never
appear. Every change of state is a row of `states.TRANSITIONS`. The commonest addition is a sentence
in `templates/` or a mailer in `mailers.py`.
"""

from coachops.coaching.messages.drafting import draft, use_engine_draft
from coachops.coaching.messages.editing import (
    approve,
    edit,
    resolve_uncertain,
    retry,
    withdraw,
    write_again,
)
from coachops.coaching.messages.events import Reported, record_reports, unknown_reports
from coachops.coaching.messages.letter import Letterhead, Preview, letterhead_for, preview
from coachops.coaching.messages.mailers import Mailer, OutboxMailer, SmtpMailer, mailer_for
from coachops.coaching.messages.opt_out import Choice, open_choice, resume_letters, stop_letters
from coachops.coaching.messages.reports import TakenMail, take_mail
from coachops.coaching.messages.rows import MessageRow, get, list_messages
from coachops.coaching.messages.sending import (
    SEND_LIMIT,
    claim_and_send,
    give_up_lost_sendings,
    try_again_later,
    unsent_approved,
)
from coachops.coaching.messages.suppression import (
    NOTE_LIMIT,
    Listed,
    Reason,
    Standing,
    is_suppressed,
    lift,
    list_standing,
    of_address,
    of_client,
)

__all__ = [
    "NOTE_LIMIT",
    "SEND_LIMIT",
    "Choice",
    "Letterhead",
    "Listed",
    "Mailer",
    "MessageRow",
    "OutboxMailer",
    "Preview",
    "Reason",
    "Reported",
    "SmtpMailer",
    "Standing",
    "TakenMail",
    "approve",
    "claim_and_send",
    "draft",
    "edit",
    "get",
    "give_up_lost_sendings",
    "is_suppressed",
    "letterhead_for",
    "lift",
    "list_messages",
    "list_standing",
    "mailer_for",
    "of_address",
    "of_client",
    "open_choice",
    "preview",
    "record_reports",
    "resolve_uncertain",
    "resume_letters",
    "retry",
    "stop_letters",
    "take_mail",
    "try_again_later",
    "unknown_reports",
    "unsent_approved",
    "use_engine_draft",
    "withdraw",
    "write_again",
]

"""The e-mail with a one-time link. It goes out only where a mail server is set.

Without one the link is only shown: a link in a file of the outbox could be used by whoever reads it.
"""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from coachops.core import clock, ids

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.identity import UserRow

_TEXTS = {
    "invite": (
        "Your invitation to {organisation}",
        "{inviter} invites you to {organisation}. Open this link, choose a password, and you are "
        "in. It works once, for seven days.",
    ),
    "reset": (
        "A new password for {organisation}",
        "{inviter} made this link for you. With it you choose a new password; it works once, for "
        "a day. Your present password works until then.",
    ),
}


def can_mail(services: Services) -> bool:
    """Whether a mail server is set."""
    return bool(services.settings.smtp_url.get_secret_value())


def send_link(services: Services, user: UserRow, purpose: str, link: str, inviter: str) -> None:
    """Mail a link to the user it is for.

    Parameters:
        purpose: `invite` or `reset`.
        inviter: name of the admin.

    Raises:
        CoachError: COACH-MSG-003, -009 surely not taken; COACH-MSG-004 unknown; COACH-SYS-001.
    """
    settings = services.settings
    subject, text = _TEXTS[purpose]
    words = {"organisation": settings.organisation, "inviter": inviter}
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address(settings.organisation, addr_spec=settings.mail_from)
    letter["To"] = Address(user.name, addr_spec=user.email)
    letter["Subject"] = subject.format(**words)
    letter["Date"] = format_datetime(clock.now())
    domain = settings.mail_from.rpartition("@")[2] or "localhost"
    letter["Message-ID"] = f"<{ids.new_id()}@{domain}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(f"Hello {user.name},\n\n{text.format(**words)}\n\n{link}\n")
    services.mailer.deliver(letter, sender=settings.mail_from, recipient=user.email)

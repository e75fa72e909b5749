"""Why a client gets no e-mails, and recording that they may be written to again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from coachops.coaching import messages
from coachops.core.errors import CoachError
from coachops.dashboards.components import (
    Element,
    area,
    card,
    confirm,
    details,
    dispose,
    error_card,
    notice,
    row,
    stack,
    text_input,
)
from coachops.dashboards.workspace import wording

if TYPE_CHECKING:
    from coachops.coaching.messages import Standing
    from coachops.dashboards.workspace.client import ClientView

# reason -> title, what it means, what to do
_WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "bounce": (
        "The address takes no mail",
        "A mail server refused it for good, or several letters in a row came back. Nothing is sent "
        "to it any more.",
        "Ask for the right address and have it corrected. Does the old one work again? Record it below.",
    ),
    "opt_out": (
        "The client wants no e-mails",
        "They used the link below one of your letters. Nothing is sent to them any more.",
        "Speak with each other instead. Did they ask for e-mails again? They can use the same link, or "
        "you record it below.",
    ),
    "complaint": (
        "A letter was reported as unwanted",
        "The client's mail program reported it, mostly by a button such as Spam. Nothing is sent to "
        "them any more.",
        "Ask the client. If it was a slip, they can use the link in an earlier letter, or your admin "
        "records it.",
    ),
}
_LIFT: Final = {
    "bounce": ("The address works again", "Does the address of {} work again?"),
    "opt_out": ("They want e-mails again", "Has {} asked for e-mails again?"),
    "complaint": ("It was a slip", "Has {} asked for e-mails again?"),
}


class MailCard:
    """One card while a client is not written to; nothing otherwise."""

    def __init__(self, view: ClientView) -> None:
        self._view = view
        self.element = stack([])
        self._fill()

    @property
    def _secret(self) -> bytes:
        return self._view.workspace.services.secret("feedback")

    def _fill(self) -> None:
        workspace = self._view.workspace
        shown: list[Any] = []
        try:
            found = messages.of_client(
                workspace.database, workspace.actor, self._view.client_id, self._secret
            )
            if found is not None:
                shown = [card("E-mails", self._parts(found), tone="warn")]
        except CoachError as error:
            shown = [error_card(error)]
        old, self.element.children = self.element.children, shown
        dispose(old)

    def _parts(self, found: Standing) -> list[Element]:
        title, text, next_step = _WORDS[found.reason]
        zone = self._view.workspace.services.settings.zone
        since = wording.day(found.since.astimezone(zone).date())
        status = f" The server's answer was {found.status}." if found.status else ""
        parts = [notice("warn", title, f"Since {since}. {text}{status}", next_step)]
        may_lift = found.reason != "complaint" or self._view.workspace.actor.role == "admin"
        if self._view.may_change and may_lift:
            parts.append(self._lifting(found))
        return parts

    def _lifting(self, found: Standing) -> Element:
        errors = area()
        label, question = _LIFT[found.reason]
        note = text_input(
            "How do you know?",
            placeholder="Said so by phone on Monday",
            max_length=messages.NOTE_LIMIT,
            required=True,
        )

        def lift() -> None:
            workspace = self._view.workspace
            messages.lift(
                workspace.database, workspace.actor, self._view.client_id,
                found.reason, note.data, self._secret,
            )  # fmt: skip
            self._fill()

        change = confirm(
            question.format(self._view.row.name),
            lift,
            label=label,
            text="Letters that you approve are sent again.",
            yes="Write to them again",
            kind="secondary",
            area=errors,
        )
        return details("Write to them again", [note, errors, row([change])])

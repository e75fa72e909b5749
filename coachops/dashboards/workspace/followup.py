"""The follow-up: read it as the client will, change it, approve it for one named person, see it go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from markupsafe import Markup

from coachops.coaching import messages
from coachops.coaching.messages import MessageRow, Preview
from coachops.core.errors import CATALOGUE, CoachError
from coachops.dashboards.components import (
    Element,
    Tone,
    area,
    button,
    card,
    confirm,
    dispose,
    empty_state,
    error_card,
    html,
    join,
    notice,
    row,
    stack,
    text_area,
    text_input,
)
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.panels import Panel

_FEEDBACK_URL: Final = re.compile(r"https?://\S+/feedback/\S+")

# tone, title, what it means and what to do
_STATES: Final[dict[str, tuple[Tone, str, str]]] = {
    "draft": (
        "warn",
        "Draft: nothing has been sent",
        "Read it as {name} will. It goes out only after you approve it.",
    ),
    "approved": ("info", "Approved: it is on its way", "It leaves within moments."),
    "sending": ("info", "Sending\u2026", "It is being handed to the mail server."),
    "sent": ("ok", "Sent", "It went to {name} ({address}) on {sent}."),
    "uncertain": (
        "bad",
        "It is not certain whether it arrived",
        "The connection broke off while the mail server was answering. It will not be sent again by "
        "itself. Ask {name} whether it arrived, then say so here.",
    ),
    "failed": (
        "bad",
        "It was not sent",
        "It could not be handed over. {name} has not received anything.",
    ),
}


class FollowUpPanel(Panel):
    """One letter with its state and what can be done in that state."""

    title = "Follow-up"

    def data(self) -> object:
        """As the base says."""
        return self.message, self.review.analysis is None, self.review.consents["processing"]

    def build(self) -> Iterable[Any]:
        """As the base says."""
        message = self.message
        if message is None:
            yield self._none()
            return
        yield self._state(message)
        if message.stale and message.state in {"draft", "approved", "failed"}:
            yield self._stale(message)
        try:
            letter = self._preview(message)
        except CoachError as error:
            yield error_card(error)
            yield card("The letter", [Element(_paper(message.subject, message.body))])
        else:
            yield self._letter(message, letter)

    def _none(self) -> Element:
        if self.review.analysis is None:
            return empty_state(
                "No follow-up yet", "A draft is written after the analysis. You approve it here."
            )
        draft = button("Write a draft", self._draft, "primary") if self.view.may_change else None
        return empty_state(
            "No follow-up yet", "A draft can be made from the analysis of this session.", draft
        )

    def _draft(self) -> None:
        self.view.do(lambda: messages.draft(*self._who(), self.view.transcript_id))

    def _who(self) -> tuple[Any, Any]:
        return self.view.workspace.database, self.view.workspace.actor

    def _preview(self, message: MessageRow) -> Preview:
        services = self.view.workspace.services
        head = messages.letterhead_for(services.settings, services.secret("feedback"))
        return messages.preview(*self._who(), message.id, head)

    def _state(self, message: MessageRow) -> Element:
        tone, title, text = _STATES[message.state]
        zone = self.view.workspace.services.settings.zone
        sent = message.sent_at.astimezone(zone) if message.sent_at else None
        text = text.format(
            name=message.recipient_name,
            address=message.recipient_email,
            sent=f"{wording.day(sent.date())} at {sent:%H:%M}" if sent else "",
        )
        spec = CATALOGUE.get(message.error_code or "")
        shows_code = spec is not None and message.state in {"failed", "uncertain", "draft"}
        if shows_code and spec is not None and message.state == "draft":
            title, text = "The approval was taken back", spec.happened.format_map(_Words())
        return notice(
            tone,
            title,
            text,
            spec.next_step.format_map(_Words()) if spec is not None and shows_code else "",
            message.error_code or "" if shows_code else "",
            actions=self._decisions(message) if self.view.may_change else (),
        )

    def _decisions(self, message: MessageRow) -> Iterator[Any]:
        name, address = message.recipient_name, message.recipient_email
        if message.state == "failed":
            yield confirm(
                f"Send it again to {name}?",
                lambda: self._retry(message),
                label="Try again",
                text=f"The e-mail goes to {address}.",
                yes=f"Send to {name}",
                kind="primary",
            )
        elif message.state == "uncertain":
            yield confirm(
                f"Has {name} received it?",
                lambda: self._resolve(message, "sent"),
                label="It arrived",
                text="The follow-up is then marked as sent.",
                yes="Yes, it arrived",
                kind="primary",
            )
            yield confirm(
                f"Is it certain that {name} has not received it?",
                lambda: self._resolve(message, "failed"),
                label="It did not arrive",
                text="You can then send it again. If it did arrive after all, the client gets it twice.",
                yes="It did not arrive",
                kind="secondary",
            )
        elif message.state == "approved":
            yield button("Take it back", lambda: self._withdraw(message))
            yield button("Send now", lambda: self.view.send(message.id), "quiet")

    def _stale(self, message: MessageRow) -> Element:
        actions = []
        if self.view.may_change:
            actions = [
                confirm(
                    "Replace your text by the new draft?",
                    lambda: self._take_engine(message),
                    label="Use the new draft",
                    text="Your own wording of this follow-up is lost.",
                    yes="Replace my text",
                    kind="secondary",
                )
            ]
        return notice(
            "warn",
            "The analysis has changed since this was written",
            "Check that the text still says what you mean.",
            actions=actions,
        )

    def _letter(self, message: MessageRow, letter: Preview) -> Element:
        place = stack([])
        shown = stack(
            [
                Element(
                    html(
                        '<dl class="ws-envelope"><div><dt>To</dt><dd>{}</dd></div><div><dt>From</dt>'
                        "<dd>{}</dd></div><div><dt>Answers to</dt><dd>{}</dd></div></dl>",
                        join((html("<strong>{}</strong>", to) for to in letter.recipients), ", "),
                        letter.sender,
                        letter.reply_to,
                    )
                ),
                Element(_paper(letter.subject, letter.text)),
            ]
        )
        place.children = [shown]
        if message.state not in {"draft", "failed", "approved"} or not self.view.may_change:
            return card("The letter", [place])
        return card(
            "The letter",
            [place, self._approval(message)] if message.state == "draft" else [place],
            actions=[button("Edit", lambda: self._edit(message, place, shown))],
            subtitle=f"As {message.recipient_name} will read it",
        )

    def _approval(self, message: MessageRow) -> Element:
        name, address = message.recipient_name, message.recipient_email
        return stack(
            [
                Element(
                    html(
                        '<p class="ws-recipient">This e-mail goes to <strong>{}</strong>, {}, and to '
                        "nobody else.</p>",
                        name,
                        address,
                    )
                ),
                row(
                    [
                        confirm(
                            f"Send this to {name}?",
                            lambda: self._approve(message),
                            label="Approve and send",
                            text=f"It goes to {address} and to nobody else. It cannot be called back.",
                            yes=f"Send to {name}",
                            no="Not yet",
                            kind="primary",
                        )
                    ]
                ),
            ]
        )

    def _edit(self, message: MessageRow, place: Element, shown: Element) -> None:
        errors = area()
        subject = text_input("Subject", value=message.subject, max_length=200, required=True)
        body = text_area("Text", value=message.body, rows=18, max_length=20_000, required=True)

        def save() -> None:
            messages.edit(*self._who(), message.id, message.version, subject.data, body.data)
            self.view.reload()

        place.children = [
            subject,
            body,
            errors,
            row(
                [
                    button("Save", save, "primary", area=errors),
                    button("Cancel", self.redraw, "quiet"),
                ]
            ),
        ]
        dispose([shown])

    def _approve(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.approve(*self._who(), message.id, message.version))
        self.view.send(message.id)

    def _withdraw(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.withdraw(*self._who(), message.id, message.version))

    def _retry(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.retry(*self._who(), message.id))
        self.view.send(message.id)

    def _resolve(self, message: MessageRow, outcome: Any) -> None:
        self.view.do(lambda: messages.resolve_uncertain(*self._who(), message.id, outcome))

    def _take_engine(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.use_engine_draft(*self._who(), message.id, message.version))


class _Words(dict[str, object]):
    """Words for the gaps of an error text whose details were not kept."""

    def __missing__(self, key: str) -> str:
        return {"kind": "the analysis", "reason": "see the log"}.get(key, key)


def _paper(subject: str, text: str) -> Markup:
    """The letter on paper; the long address of the two questions as mail programs show it."""
    parts = _FEEDBACK_URL.split(text.strip())
    shown = html('<span class="ws-paper-link">Answer two questions</span>')
    return html(
        '<div class="ws-paper"><p class="ws-paper-subject">{}</p><div class="ws-paper-text">{}</div>'
        "</div>",
        subject,
        join(parts, shown),
    )

"""The follow-up: read it as the client will, change it, approve it for one named person, see it go."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from markupsafe import Markup

from coachops.coaching import messages
from coachops.coaching.messages import MessageRow, Preview, Standing
from coachops.core.errors import CATALOGUE, CoachError
from coachops.dashboards.components import (
    Element,
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
from coachops.dashboards.workspace.followup_words import STATES, Words, shown_as
from coachops.dashboards.workspace.panels import Panel

_LINKS: Final = re.compile(r"https?://\S+/(feedback|letters)/\S+")
_LINK_WORDS: Final = {"feedback": "Answer two questions", "letters": "No more such e-mails"}


class FollowUpPanel(Panel):
    """One letter with its state and what can be done in that state."""

    title = "Follow-up"

    def data(self) -> object:
        """As the base says."""
        return (
            self.message,
            self.review.analysis is None,
            self.review.consents["processing"],
            self._refused_address(),
        )

    def build(self) -> Iterable[Any]:
        """As the base says."""
        message = self.message
        if message is None:
            yield self._none()
            return
        yield self._state(message)
        yield from self._address(message)
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
        draft = None
        if self.view.may_change:
            draft = button("Write a draft", self._draft, "primary", changes=True)
        return empty_state(
            "No follow-up yet", "A draft can be made from the analysis of this session.", draft
        )

    def _draft(self) -> None:
        self.view.do(lambda: messages.draft(*self._who(), self.view.transcript_id))

    def _who(self) -> tuple[Any, Any]:
        return self.view.workspace.database, self.view.workspace.actor

    def _preview(self, message: MessageRow) -> Preview:
        services = self.view.workspace.services
        head = messages.letterhead_for(services.settings, self._secret)
        return messages.preview(*self._who(), message.id, head)

    def _state(self, message: MessageRow) -> Element:
        key, code = shown_as(message)
        tone, title, text = STATES[key]
        text = text.format(
            name=message.recipient_name,
            address=message.recipient_email,
            sent=self._moment(message.sent_at),
            delivery=self._moment(message.delivery_at),
            retry=self._moment(message.retry_at),
        )
        spec = CATALOGUE.get(code)
        refused = self._refused_address()
        words = Words(reason=refused.words) if refused is not None else Words()
        if spec is not None and key == "draft":
            title, text = "The approval was taken back", spec.happened.format_map(words)
        return notice(
            tone,
            title,
            text,
            spec.next_step.format_map(words) if spec is not None else "",
            code,
            actions=self._decisions(message) if self.view.may_change else (),
        )

    def _moment(self, at: dt.datetime | None) -> str:
        if at is None:
            return ""
        local = at.astimezone(self.view.workspace.services.settings.zone)
        return f"{wording.day(local.date())} at {local:%H:%M}"

    @property
    def _secret(self) -> bytes:
        return self.view.workspace.services.secret("feedback")

    def _refused_address(self) -> Standing | None:
        """Why the recipient is not written to; None also where nobody can tell (approving says so)."""
        if self.message is None:
            return None
        database = self.view.workspace.database
        try:
            return messages.of_address(database, self.message.recipient_email, self._secret)
        except CoachError:
            return None

    def _address(self, message: MessageRow) -> Iterator[Any]:
        """What is to be known about the address, and a newer one of the client."""
        refused = self._refused_address()
        name = message.recipient_name
        if refused is not None and message.state in {"draft", "failed"}:
            yield notice(
                "warn",
                f"{name} gets no e-mails from here",
                f"Since {self._moment(refused.since)}: {refused.words}. This letter cannot be approved.",
                "What can be done stands on the client's page.",
                actions=[
                    button(
                        f"Open {name}",
                        lambda: self.view.workspace.client(message.client_id),
                        description="client page",
                    )
                ],
            )
        if message.has_moved and message.state in {"draft", "failed"} and self.view.may_change:
            yield notice(
                "info",
                f"{name} has another address by now",
                f"This letter was written to {message.recipient_email}. The client's address is now "
                f"{message.client_email}.",
                actions=[
                    button("Use the new address", lambda: self._write_again(message), changes=True)
                ],
            )

    def _decisions(self, message: MessageRow) -> Iterator[Any]:
        name, address = message.recipient_name, message.recipient_email
        if message.standing == "returned":
            yield button("Write it again", lambda: self._write_again(message), changes=True)
        elif message.state == "failed" and self._refused_address() is None:
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
            yield button("Take it back", lambda: self._withdraw(message), changes=True)
            yield button("Send now", lambda: self.view.send(message.id), "quiet", changes=True)

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
        may_go = message.state == "draft" and self._refused_address() is None
        return card(
            "The letter",
            [place, self._approval(message)] if may_go else [place],
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
        self.view.do(
            lambda: messages.approve(*self._who(), message.id, message.version, secret=self._secret)
        )
        self.view.send(message.id)

    def _withdraw(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.withdraw(*self._who(), message.id, message.version))

    def _retry(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.retry(*self._who(), message.id, secret=self._secret))
        self.view.send(message.id)

    def _write_again(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.write_again(*self._who(), message.id, message.version))

    def _resolve(self, message: MessageRow, outcome: Any) -> None:
        self.view.do(lambda: messages.resolve_uncertain(*self._who(), message.id, outcome))

    def _take_engine(self, message: MessageRow) -> None:
        self.view.do(lambda: messages.use_engine_draft(*self._who(), message.id, message.version))


def _paper(subject: str, text: str) -> Markup:
    """The letter on paper; the long addresses below it as mail programs show them."""
    parts = _LINKS.split(text.strip())  # words and kinds of link in turn
    shown = [
        html('<span class="ws-paper-link">{}</span>', _LINK_WORDS[part]) if number % 2 else part
        for number, part in enumerate(parts)
    ]
    return html(
        '<div class="ws-paper"><p class="ws-paper-subject">{}</p><div class="ws-paper-text">{}</div>'
        "</div>",
        subject,
        join(shown),
    )

"""What stands between a transcript and its analysis: roles, consent, waiting, failure, staleness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from coachops.coaching import consent, corrections
from coachops.coaching.review import ReviewUtterance
from coachops.dashboards.components import (
    Element,
    area,
    button,
    card,
    html,
    join,
    loading,
    notice,
    paragraph,
    pill,
    row,
    select,
    text_input,
)
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.panels import Panel

_SAMPLE: Final = 6
"""Utterances shown to tell who is who."""


_VOICES: Final = 6
"""Voices of a file that are asked for one by one; a coaching session has two."""


def _ask(one_click: bool, named: bool) -> str:
    """What the coach is asked: to confirm, to tell the voices apart, or to say who speaks."""
    if one_click and named:
        return (
            "The file does not say for certain which voice is yours. Read the first lines: is the "
            "coach the coach? Nothing is analysed before you say so."
        )
    if one_click:
        return "You said who speaks. Is it complete? Nothing is analysed before you say so."
    if named:
        return (
            "The file names more voices than one coach and one client, or does not say which is "
            "yours. Say who is who; nothing is analysed before you do."
        )
    return (
        "The file names nobody. Tick utterances in the transcript and say under "
        "\u201cCorrections\u201d who speaks. Nothing is analysed before both of you have a voice. "
        "Notes of your own belong under \u201cWrite notes\u201d instead."
    )


class StatePanel(Panel):
    """One card for what the coach has to decide or to wait for; nothing when all is well."""

    title = "State of this session"

    def __init__(self, view: Any) -> None:
        super().__init__(view)
        self._late = False

    def data(self) -> object:
        """As the base says."""
        found = self.review
        return (
            found.state, found.role_state, found.consents["processing"], found.error,
            found.stale, found.revision, self.view.pending, self._late, found.utterances[:_SAMPLE],
        )  # fmt: skip

    def give_up(self) -> None:
        """Say that it takes long, instead of promising that it comes soon."""
        self._late = True
        self.refresh()

    def build(self) -> Iterable[Any]:
        """As the base says."""
        found = self.review
        if found.role_state == "unclear":
            yield self._roles()
        if not found.consents["processing"] and found.state != "analysed":
            yield self._consent()
        elif found.state in wording.PENDING or (self.view.pending and found.stale):
            yield self._waiting()
        elif found.state == "failed":
            yield self._failed()
        elif found.stale:
            yield notice(
                "warn",
                "The analysis is older than your corrections",
                "What you read below was made before you changed the transcript.",
                actions=self._buttons(("Analyse again", self.view.analyse, "primary")),
            )

    def _buttons(self, *rows: tuple[str, Callable[[], object], Any]) -> list[Any]:
        if not self.view.may_change:
            return []
        return [
            button(label, run, kind, busy_label="One moment\u2026", changes=True)
            for label, run, kind in rows
        ]

    def _roles(self) -> Element:
        found = self.review
        lines = [u for u in found.utterances if u.text.strip()][:_SAMPLE]
        sample = html(
            '<ul class="ws-sample">{}</ul>',
            join(
                html(
                    '<li class="co-utterance-{}"><span class="co-utterance-role">{}</span>'
                    "<span>{}</span></li>",
                    u.speaker,
                    {"coach": "Coach", "client": "Client"}.get(u.speaker, u.label or "Unknown"),
                    u.text[:220],
                )
                for u in lines
            ),
        )
        voices: dict[str, ReviewUtterance] = {}
        for utterance in found.utterances:
            if utterance.label:
                voices.setdefault(utterance.label, utterance)
        both = {"coach", "client"} <= {u.speaker for u in found.utterances}
        one_click = both and len(voices) <= 2
        parts: list[Any] = [paragraph(_ask(one_click, bool(voices))), Element(sample)]
        if not self.view.may_change:
            return card("Who is who?", parts, tone="warn")
        if one_click:
            parts.append(
                row(
                    self._buttons(
                        ("Yes, that is right", self._confirm, "primary"),
                        ("Swap coach and client", self._swap, "secondary"),
                    )
                )
            )
        elif voices:
            parts += self._voices(list(voices.values())[:_VOICES])
        else:
            parts.append(
                row([button("Say who speaks", lambda: self.view.open("corrections"), "primary")])
            )
        return card("Who is who?", parts, tone="warn")

    def _voices(self, first: Sequence[ReviewUtterance]) -> list[Any]:
        """A choice for each voice of the file, and one button for all."""
        errors = area()
        names = [("The coach", "coach"), ("The client", "client"), ("Somebody else", "other")]
        fields = [
            (u, select(f"Who is \u201c{u.label}\u201d?", names, value=u.speaker)) for u in first
        ]

        def save() -> None:
            view = self.view
            for utterance, field in fields:
                if field.data != utterance.speaker:
                    corrections.set_speaker(
                        view.workspace.database,
                        view.workspace.actor,
                        view.transcript_id,
                        utterance.position,
                        field.data or utterance.speaker,
                        whole_label=True,
                    )
            view.reload()
            self._confirm()

        return [
            row([field for _, field in fields]),
            errors,
            row([button("Save and analyse", save, "primary", area=errors)]),
        ]

    def _confirm(self) -> None:
        self._settle(corrections.confirm_roles)

    def _swap(self) -> None:
        self._settle(corrections.swap_roles)

    def _settle(self, correct: Callable[..., object]) -> None:
        view = self.view
        try:
            correct(
                view.workspace.database,
                view.workspace.actor,
                view.transcript_id,
                revision=self.review.revision,
            )
        except Exception:
            view.reload()
            raise
        view.analyse()

    def _consent(self) -> Element:
        name = self.review.client_name
        title, text = wording.CONSENTS["processing"]
        parts: list[Any] = [
            paragraph(
                f"{name} has not agreed to \u201c{title}\u201d. {text} Ask {name}, then "
                "record the answer here; the analysis starts by itself."
            )
        ]
        if self.view.may_change:
            errors = area()
            note = text_input(
                "How was it given?",
                placeholder="For example: by e-mail on 3 May",
                max_length=200,
                mark_optional=True,
            )
            parts += [
                note,
                errors,
                row(
                    [
                        button(
                            f"{name} has agreed",
                            lambda: self._agree(note.data),
                            "primary",
                            area=errors,
                        )
                    ]
                ),
            ]
        return card("Consent is missing", parts, tone="warn")

    def _agree(self, note: str) -> None:
        view = self.view
        consent.record(
            view.workspace.database,
            view.workspace.actor,
            self.review.client_id,
            "processing",
            granted=True,
            note=note,
        )
        if self.review.role_state == "unclear":
            view.reload()
        else:
            view.analyse()

    def _waiting(self) -> Element:
        if self._late:
            return notice(
                "warn",
                "This takes longer than usual",
                "The analysis has not come back yet. Your transcript is safe, and you may leave "
                "this page: the work goes on without it.",
                "Look again in a few minutes. If it stays so, tell your admin that background work "
                "has stopped.",
                actions=self._buttons(("Look again", self._look_again, "secondary")),
            )
        return card(
            "The analysis is on its way",
            [
                loading(
                    "Reading the session. This takes some seconds; you may leave this page.",
                    lines=2,
                )
            ],
            tone="info",
        )

    def _look_again(self) -> None:
        self._late = False
        if self.review.state in wording.PENDING:
            self.view.analyse()
        else:
            self.view.reload()

    def _locally(self) -> None:
        self.view.analyse("local")

    def _failed(self) -> Element:
        error = self.review.error
        return notice(
            "bad",
            "The analysis failed",
            (error.message if error else "Something went wrong.") + " Your transcript is safe.",
            error.next_step if error else "Start it again.",
            error.code if error else "",
            actions=[
                *self._buttons(("Analyse again", self.view.analyse, "primary")),
                *(
                    self._buttons(("Analyse on this computer", self._locally, "secondary"))
                    if error is not None and error.code.startswith("COACH-AI-")
                    else ()
                ),
                self.view.workspace.help_button(),
            ],
        )


class NowPanel(Panel):
    """Beside the heading: where the session stands, and the one button that goes on from there."""

    title = "Where it stands"

    def data(self) -> object:
        """As the base says."""
        return self.review.state, self.message.standing if self.message else None

    def build(self) -> Iterable[Any]:
        """As the base says."""
        state = self.message.standing if self.message else None
        yield pill(*wording.session_state(self.review.state, state))
        if self.review.state == "analysed" and state == "draft" and self.view.may_change:
            yield button("Read and approve", lambda: self.view.open("follow-up"), "primary")

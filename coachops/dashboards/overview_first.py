"""What the overview shows on a fresh installation: what to do first, and what is done already."""

from __future__ import annotations

from markupsafe import Markup

from coachops.dashboards.components import Element, card, html, join, link
from coachops.dashboards.overview_figures import Standing
from coachops.dashboards.overview_parts import counted


class FirstSteps:
    """The card that stands in for the figures until there is a transcript."""

    def __init__(self) -> None:
        self._steps = Element()
        self.widget = card(
            "Welcome. Four steps to the first figures",
            [self._steps],
            subtitle="This page fills itself as soon as the first transcript is there",
        )

    def show(self, standing: Standing) -> None:
        """Mark what is done."""
        people = standing.coaches and standing.clients
        steps = [
            _step(
                "Bring in your coaches and clients",
                f"{counted(standing.coaches, 'coach', 'coaches')} and "
                f"{counted(standing.clients, 'client')} are here."
                if people
                else "A table with a line for each coach and client; each line that does not fit "
                "is named with its reason.",
                "coachops roster import roster.csv",
                done=bool(people),
            ),
            _step(
                "Invite who signs in",
                html(
                    "Coaches, analysts and further admins get a link that works once: {}.",
                    link("invite people", "/app/users"),
                ),
                done=standing.users > 1,
            ),
            _step(
                "Import the first transcript",
                "Coaches upload theirs in the workspace; you can also import whole folders.",
                "coachops transcript import FOLDER --coach REF --client REF",
            ),
            _step(
                "Read the first analysis",
                "It starts by itself when a worker runs, and its figures appear here. To look "
                "around first, fill another folder with an invented organisation:",
                "COACHOPS_HOME=./example coachops demo",
            ),
        ]
        self._steps.set_content(html('<ol class="ov-steps">{}</ol>', join(steps)))


def _step(title: str, text: object, command: str = "", *, done: bool = False) -> Markup:
    return html(
        '<li class="{}"><div><p class="ov-step-title">{}{}</p><p class="co-muted">{}</p>{}</div></li>',
        "ov-done" if done else "",
        title,
        Markup('<span class="co-hidden"> (done)</span>') if done else "",
        text,
        html('<code class="ov-command">{}</code>', command) if command else "",
    )

"""When something failed: what it means and what to do, in plain steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coachops.dashboards.components import Element, card, html, join, link, paragraph
from coachops.dashboards.workspace.shell import View

if TYPE_CHECKING:
    from coachops.dashboards.workspace.page import Workspace

GUIDE: Final = "/guide/how-to/when-something-fails/"

_CASES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "A file was not taken",
        (
            "Read the reason beside the file: it says what is wrong and with which line.",
            "Export the transcript again from your meeting tool. WebVTT (.vtt), SRT, plain text, "
            "Word (.docx) and JSON work; recordings (sound or video) do not.",
            "Upload it again. Nothing half-read is kept, so you cannot make it worse.",
        ),
    ),
    (
        "It asks who is who",
        (
            "Open the session and read the first lines.",
            "Confirm, or swap coach and client. The analysis starts by itself.",
        ),
    ),
    (
        "Consent is missing",
        (
            "Ask your client whether the session may be analysed.",
            "Record the answer on the session or on the client's page.",
        ),
    ),
    (
        "The analysis failed, or does not come",
        (
            "Your transcript is safe. Open the session and press \u201cAnalyse again\u201d.",
            "If it fails again, note the code (COACH-\u2026) and tell your admin.",
        ),
    ),
    (
        "The analysis says something wrong",
        (
            "Follow the citation (\u00b6) to see where it comes from.",
            "Edit or remove the sentence: your wording stays, also after a new analysis.",
            "If the transcript itself is wrong, correct it under \u201cCorrections\u201d and analyse "
            "again.",
        ),
    ),
    (
        "A follow-up was not sent",
        (
            "Nothing has gone out. Open the session, tab \u201cFollow-up\u201d, and try again later.",
            "If it stays so, give your admin the code that stands there.",
        ),
    ),
    (
        "It is not certain whether a follow-up arrived",
        (
            "It is never sent twice by itself. Ask your client whether it came.",
            "Then say on the session whether it arrived.",
        ),
    ),
    (
        "You see somebody else's change",
        ("Reload the page, look at it, and make your change again.",),
    ),
)


def view(workspace: Workspace) -> View:
    """The help."""
    cases = [
        card(title, [Element(html('<ol class="ws-how">{}</ol>', join(map(_step, steps))))])
        for title, steps in _CASES
    ]
    return View(
        title="When something failed",
        subtitle="Nothing is lost. Find what you see, and follow the steps.",
        trail=(workspace.home_crumb(),),
        body=[
            Element(children=cases, classes="co-grid co-grid-360"),
            card(
                "More help",
                [
                    Element(
                        html(
                            '<p class="co-text">The guide says more about each case: {}.</p>',
                            link("When something fails", GUIDE),
                        )
                    ),
                    paragraph(
                        "Every error has a code such as COACH-TRN-001. Give it to your admin; it "
                        "says what happened without saying anything about your client.",
                        muted=True,
                    ),
                ],
            ),
        ],
    )


def _step(text: str) -> object:
    return html("<li>{}</li>", text)

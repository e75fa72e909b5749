"""Home: what needs the coach, the clients, the newest sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from coachops.coaching import attention, people
from coachops.coaching.attention import Need, NeedKind
from coachops.dashboards.components import (
    Element,
    Tone,
    button,
    card,
    empty_state,
    html,
    join,
    stack,
    text_input,
)
from coachops.dashboards.workspace import wording
from coachops.dashboards.workspace.parts import Choices, Row, fill_rows, row_list, small_button
from coachops.dashboards.workspace.shell import View

if TYPE_CHECKING:
    from coachops.coaching.people import ClientRow, SessionRow
    from coachops.dashboards.workspace.page import Workspace

# title, what it means, the button, tone
_NEEDS: Final[dict[NeedKind, tuple[str, str, str, Tone]]] = {
    "roles": (
        "Who is who?",
        "It is not certain which voice is yours. Nothing is analysed until you say so.",
        "Confirm speakers",
        "warn",
    ),
    "consent": (
        "Consent is missing",
        "The client has not agreed to the analysis yet, so it waits.",
        "Record consent",
        "warn",
    ),
    "analysis_failed": (
        "The analysis failed",
        "The transcript is safe. It can be analysed again.",
        "See why",
        "bad",
    ),
    "stuck": (
        "Taking longer than it should",
        "The work in the background has not moved for a while.",
        "Have a look",
        "warn",
    ),
    "draft": (
        "Follow-up to approve",
        "A draft is ready. It goes out only when you approve it.",
        "Read and approve",
        "info",
    ),
    "uncertain": (
        "Did the follow-up arrive?",
        "Nobody knows whether it did. It will not be sent twice.",
        "Settle it",
        "bad",
    ),
    "send_failed": (
        "The follow-up was not sent",
        "It could not be handed over. Nothing has gone out.",
        "Try again",
        "bad",
    ),
    "returned": (
        "The follow-up came back",
        "The client's mail server returned it, so the client has not read it.",
        "See why",
        "bad",
    ),
}
_SHOWN_NEEDS: Final = 6
_SHOWN_CLIENTS: Final = 8
_SHOWN_SESSIONS: Final = 8


def view(workspace: Workspace) -> View:
    """The home view."""
    actor, database = workspace.actor, workspace.database
    needs = attention.needs(database, actor)
    clients = workspace.clients()
    sessions = people.list_sessions(database, actor, limit=_SHOWN_SESSIONS * 5)
    if clients:
        body = _columns(
            [_needs_card(workspace, needs), _sessions_card(workspace, sessions)],
            [_clients_card(workspace, clients)],
        )
    else:
        body = empty_state(
            "You have no clients yet",
            "Your admin adds clients to you. As soon as one is there, you can upload a session.",
        )
    return View(
        title=wording.greeting(workspace.now, actor.name),
        subtitle=_subtitle(workspace, needs, clients),
        body=[body],
        actions=[
            button("Upload sessions", workspace.upload, "primary"),
            button("Write notes", lambda: workspace.upload(notes=True)),
            workspace.help_button(),
        ]
        if clients
        else [workspace.help_button()],
    )


def _columns(wide: Sequence[Element], narrow: Sequence[Element]) -> Element:
    return Element(
        Markup(
            '<div class="co-stack" data-slot="wide"></div>'
            '<div class="co-stack" data-slot="narrow"></div>'
        ),
        classes="ws-columns",
        slots={"wide": [stack(wide)], "narrow": [stack(narrow)]},
    )


def _subtitle(workspace: Workspace, needs: Sequence[Need], clients: Sequence[ClientRow]) -> str:
    days = [row.last_held_on for row in clients if row.last_held_on]
    return wording.listed(
        [
            f"{wording.count(len(needs), 'thing')} {'needs' if len(needs) == 1 else 'need'} you"
            if needs
            else "Nothing needs you right now",
            wording.count(sum(row.active for row in clients), "active client"),
            f"last session {wording.ago(max(days), workspace.today)}" if days else "",
        ]
    )


def _needs_card(workspace: Workspace, needs: Sequence[Need]) -> Element:
    if not needs:
        calm = html(
            '<p class="ws-calm"><span class="ws-tick" aria-hidden="true"></span>All is done. What '
            "needs a decision of yours appears here.</p>"
        )
        return card("Needs you", [Element(calm)])
    listed, more = Choices(classes="ws-needs"), stack([])

    def fill(limit: int) -> None:
        listed.offer(
            html('<ul class="ws-need-list">{}</ul>', join(map(_need, needs[:limit]))),
            {_key(need): _opener(workspace, need) for need in needs[:limit]},
        )
        more.children = (
            [button(f"Show all {len(needs)}", lambda: fill(len(needs)), "quiet")]
            if len(needs) > limit
            else []
        )

    fill(_SHOWN_NEEDS)
    return card("Needs you", [listed, more], subtitle="The most pressing first")


def _key(need: Need) -> tuple[str, str]:
    return need.kind, str(need.message_id or need.transcript_id)


def _opener(workspace: Workspace, need: Need) -> Callable[[], None]:
    part = "follow-up" if need.message_id else ""
    transcript_id = need.transcript_id
    if transcript_id is None:  # the transcript was erased, the letter stays on record
        return lambda: workspace.client(need.client_id)
    return lambda: workspace.session(transcript_id, part)


def _need(need: Need) -> Markup:
    title, text, label, tone = _NEEDS[need.kind]
    name, value = _key(need)
    about = f"{need.client_name}, {wording.day(need.held_on)}"
    return html(
        '<li class="ws-need ws-need-{}">'
        '<div class="ws-need-text"><p class="ws-need-title">{}'
        '<span class="ws-need-about">{}</span></p><p class="co-muted">{}</p></div>{}</li>',
        tone,
        title,
        about,
        text,
        small_button(label, name, value, about=about),
    )


def _clients_card(workspace: Workspace, clients: Sequence[ClientRow]) -> Element:
    open_items = attention.open_commitments(workspace.database, workspace.actor)
    listed = row_list([], label="My clients")
    more = stack([])
    search = text_input(
        "Search my clients", kind="search", placeholder="Search by name", label_hidden=True
    )

    def row(each: ClientRow) -> Row:
        waiting = open_items.get(each.id, 0)
        return Row(
            value=f"{each.id}-{each.coach_id}",
            title=each.name,
            detail=wording.listed(
                [
                    f"Last session {wording.ago(each.last_held_on, workspace.today)}"
                    if each.last_held_on
                    else "No session yet",
                    f"{waiting} open" if waiting else "",
                    each.coach_name if workspace.actor.sees_all else "",
                ]
            ),
            mark=wording.initials(each.name),
            state=None if each.active else ("Ended", "neutral"),
            open=lambda: workspace.client(each.id),
        )

    def show(limit: int = _SHOWN_CLIENTS) -> None:
        words = search.data.casefold().split()
        found = [c for c in clients if all(w in c.name.casefold() for w in words)]
        fill_rows(
            listed, map(row, found[:limit]), empty="No client has that name.", label="My clients"
        )
        rest = len(found) - limit
        more.children = (
            [button(f"Show all {len(found)}", lambda: show(len(found)), "quiet")]
            if rest > 0
            else []
        )

    search.on_change(lambda _: show())
    show()
    parts = [search, listed, more] if len(clients) > 5 else [listed, more]
    return card("My clients", parts)


def session_rows(
    workspace: Workspace, sessions: Sequence[SessionRow], *, with_client: bool
) -> list[Row]:
    """Sessions as rows that open them."""
    return [
        Row(
            value=str(each.id),
            title=each.client_name if with_client else wording.day(each.held_on),
            detail=wording.listed(
                [
                    wording.day(each.held_on) if with_client else "",
                    each.title,
                    wording.length(each.duration_ms),
                    "Your notes" if each.kind == "notes" else "",
                ]
            ),
            state=wording.session_state(each.transcript_state, each.message_state),
            open=_session_opener(workspace, each),
        )
        for each in sessions
    ]


def _session_opener(workspace: Workspace, row: SessionRow) -> Callable[[], None]:
    transcript_id = row.transcript_id
    if transcript_id is None:  # nothing to read yet: bring it in
        return lambda: workspace.upload(row.client_id)
    return lambda: workspace.session(transcript_id)


def _sessions_card(workspace: Workspace, sessions: Sequence[SessionRow]) -> Element:
    rows = session_rows(workspace, sessions[:_SHOWN_SESSIONS], with_client=True)
    if not rows:
        return card(
            "Recent sessions",
            [
                empty_state(
                    "No session yet",
                    "Upload the transcript that your meeting tool saved, or write notes.",
                    button("Upload the first one", workspace.upload),
                )
            ],
        )
    return card("Recent sessions", [row_list(rows, label="Recent sessions")])

"""The page for users: invite, hand over one-time links, disable, permissions; for admins only.

`page()` shows the list and, beside it, either the form of an invitation or the user chosen.
Invariants: every act goes through `Identity`, which checks the role and audits it; a link is shown
once and never written down; what the browser sends is a user out of the list shown.
To add an act: a method of `UserCard` in `users_card`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from coachops.core import clock
from coachops.core.actor import Actor
from coachops.dashboards import identity
from coachops.dashboards.components import (
    Column,
    Element,
    Page,
    Table,
    Tone,
    button,
    card,
    empty_state,
    html,
    page_frame,
    table,
    text_input,
)
from coachops.dashboards.overview_parts import ago, counted, moment, navigation, style
from coachops.dashboards.users_card import InviteCard, UserCard

if TYPE_CHECKING:
    from coachops.bootstrap import Services
    from coachops.identity import UserRow

STATUS: Final[dict[str, tuple[str, Tone]]] = {
    "active": ("Active", "ok"),
    "invited": ("Invited", "info"),
    "locked": ("Locked", "warn"),
    "disabled": ("Disabled", "neutral"),
}
ROLES: Final = {"admin": "Admin", "coach": "Coach", "analyst": "Analyst", "service": "Service"}
SHOWN: Final = 50


class UsersPage:
    """The page of one signed-in admin.

    Raises:
        CoachError: COACH-IDN-003 for others.
    """

    def __init__(self, actor: Actor, services: Services) -> None:
        actor.require_role("admin", what="the administration of users")
        self.actor, self.services = actor, services
        self.identity = services.identity
        self.users: list[UserRow] = []
        self.limit = SHOWN
        self.search = text_input(
            "Search users",
            kind="search",
            placeholder="Name, e-mail, role or state",
            label_hidden=True,
        )
        self.search.on_change(lambda _: self._searched())
        self.table: Table = table(
            [
                Column("name", "Name", kind="html"),
                Column("role", "Role"),
                Column("status", "State", kind="pill", width="fit"),
                Column("seen", "Last seen"),
                Column("open", "", kind="button", width="fit"),
            ],
            [],
            caption="Users",
            empty="Nobody matches.",
            on_action=lambda _, value: self.open(uuid.UUID(value)),
        )
        self._more = Element(classes="ov-maybe")
        self._alone = Element(classes="ov-maybe")
        self._side = Element(classes="us-side")
        self.page: Page = page_frame(
            "Users",
            "Who may sign in, and what each may do",
            user=actor.name,
            nav=navigation(actor, "users"),
            body=[
                style(),
                Element(
                    children=[
                        card("Everybody", [self.search, self.table, self._more, self._alone]),
                        self._side,
                    ],
                    classes="ov-columns us-ready",
                ),
            ],
        )
        self.refresh()
        self.invite()

    def refresh(self) -> None:
        """Read the list again."""
        self.users = self.identity.list_users(self.actor)
        self._show()

    def invite(self) -> None:
        """Show the form of an invitation."""
        made = InviteCard(self)
        self._put(made.widget)

    def open(self, user_id: uuid.UUID) -> None:
        """Show a user."""
        made = UserCard(self, user_id)
        # on a phone the card stands below the list: the focus takes the reader there
        self._side.set_content(
            html('<span class="co-hidden" tabindex="-1" data-focus>{}</span>', made.name)
        )
        self._put(made.widget)
        self._side.focus()

    def link(self, token: str) -> str:
        """The address that hands a one-time link over."""
        return f"{self.services.settings.public_url}/link/{token}"

    def _put(self, widget: Element) -> None:
        self._side.children = (widget,)

    def _searched(self) -> None:
        self.limit = SHOWN
        self._show()

    def _show(self) -> None:
        words = self.search.data.casefold().split()
        found = [user for user in self.users if all(w in _haystack(user) for w in words)]
        self.table.set_rows([self._row(user) for user in found[: self.limit]])
        rest = len(found) - self.limit
        self._more.children = (
            [button(f"Show all {len(found)}", lambda: self._show_all(len(found)), "quiet")]
            if rest > 0
            else []
        )
        self._alone.children = (
            [
                empty_state(
                    "Nobody but you yet",
                    "Invite the coaches and whoever looks after the figures. Coaches must be in "
                    "the roster first: coachops roster import roster.csv.",
                )
            ]
            if len(self.users) < 2 and not words
            else []
        )
        self.page.set_title(
            "Users",
            f"Who may sign in, and what each may do. {counted(len(self.users), 'user')} in all.",
        )

    def _show_all(self, number: int) -> None:
        self.limit = number
        self._show()

    def _row(self, user: UserRow) -> dict[str, object]:
        return {
            "name": html(
                '{}{}<br><span class="ov-bar-note">{}</span>',
                user.name,
                " (you)" if user.id == self.actor.user_id else "",
                user.email,
            ),
            "role": ROLES.get(user.role, user.role),
            "status": STATUS[user.status],
            "seen": self.seen(user),
            "open": ("Manage", str(user.id)),
        }

    def seen(self, user: UserRow) -> str:
        """When the user last used a page."""
        if user.last_seen_at is None:
            return "never"
        now = clock.now()
        if (now - user.last_seen_at).days < 7:
            return ago(user.last_seen_at, now)
        return moment(user.last_seen_at, self.services.settings.zone)


def _haystack(user: UserRow) -> str:
    words = (user.name, user.email, user.role, user.status, *user.permissions)
    return " ".join(words).casefold()


def page(actor: Actor | None = None, services: Services | None = None) -> Any:
    """The page for users as a widget; an error card where the viewer is no admin.

    Parameters:
        actor: who looks; None asks who sits in this Voila kernel.
        services: None builds those of this process.
    """
    return identity.shown(lambda who, wired: UsersPage(who, wired).page, actor, services)

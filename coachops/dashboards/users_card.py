"""What stands beside the list of users: the form of an invitation, or the user chosen."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from coachops.core.errors import CoachError
from coachops.dashboards.components import (
    Area,
    Element,
    area,
    button,
    card,
    confirm,
    definition_list,
    error_card,
    html,
    notice,
    row,
    section,
    select,
    stack,
    status_pill,
    text_input,
)
from coachops.dashboards.overview_parts import moment
from coachops.dashboards.users_letter import can_mail, send_link
from coachops.dashboards.users_link import LinkField
from coachops.db.models import Coach, User

if TYPE_CHECKING:
    from coachops.dashboards.users import UsersPage
    from coachops.identity import UserRow

ROLES: Final = (
    ("Coach: own clients and sessions", "coach"),
    ("Analyst: reads all figures, changes nothing", "analyst"),
    ("Admin: sees and changes everything", "admin"),
    ("Service: another system, by token", "service"),
)
PERMISSIONS: Final = (("rollout", "Decide who gets new features first"),)
"""Permissions that the product knows, with what they allow; others can be granted by name."""

_BY_EMAIL: Final = "By e-mail, out of the roster"


class InviteCard:
    """The form of an invitation."""

    def __init__(self, page: UsersPage) -> None:
        self.page = page
        self.news = area()
        self.email = text_input("E-mail", kind="email", required=True, max_length=200)
        self.name = text_input("Name", required=True, max_length=200)
        self.role = select("Role", ROLES)
        self.coach = select(
            "Which coach is it?",
            [(_BY_EMAIL, None), *_free_coaches(page)],
            help="Needed only where the e-mail differs from that in the roster.",
        )
        self.role.on_change(lambda _: self._fit())
        self.email.on_submit(self._submit)
        self.name.on_submit(self._submit)
        self.button = button(
            "Invite", self._submit, "primary", busy_label="Inviting…", changes=True
        )
        # one row for good: a button that is drawn anew while somebody presses it hears no click
        self._actions = row([self.button])
        self._form = stack([self.email, self.name, self.role, self.coach, self._actions])
        self.widget = card(
            "Invite somebody",
            [self.news, self._form],
            subtitle="They choose their own password with a link that works once",
        )

    def _fit(self) -> None:
        parts = [self.email, self.name, self.role, self._actions]
        if self.role.data == "coach":
            parts.insert(3, self.coach)
        self._form.children = parts

    def _submit(self) -> None:
        self.email.error = "" if self.email.data.strip() else "Enter the e-mail address."
        self.name.error = "" if self.name.data.strip() else "Enter the name."
        for field in (self.email, self.name):
            if field.error:
                field.focus()
                return
        page, role = self.page, self.role.data or "coach"
        try:
            user = page.identity.add_user(
                page.actor,
                self.email.data,
                self.name.data,
                role,
                coach_id=self.coach.data if role == "coach" else None,
            )
        except CoachError as error:
            self.news.show(error_card(error))
            return
        page.refresh()
        if role == "service":  # it never signs in: its tokens are made on the command line
            self.news.show(
                notice(
                    "ok",
                    f"{user.name} was added.",
                    next_step=f"Make its token with: coachops token create --user {user.email}",
                )
            )
        else:
            hand_over(page, user, "invite", self.news)
        self.email.data = self.name.data = ""
        self.coach.set_choices([(_BY_EMAIL, None), *_free_coaches(page)])


class UserCard:
    """A user: what is known, and what an admin may do."""

    def __init__(self, page: UsersPage, user_id: uuid.UUID) -> None:
        self.page, self.user_id = page, user_id
        self.news = area()
        self.name = ""
        self.widget = Element(classes="us-card")
        self.show()

    def show(self) -> None:
        """Read the user again."""
        from coachops.dashboards.users import ROLES as NAMES  # noqa: PLC0415 they show each other
        from coachops.dashboards.users import STATUS  # noqa: PLC0415 as above

        user = self.page.identity.get_user(self.page.actor, self.user_id)
        self.name = user.name
        facts = definition_list(
            [
                ("E-mail", user.email),
                ("Role", NAMES.get(user.role, user.role)),
                ("State", status_pill(*STATUS[user.status])),
                ("Last seen", self.page.seen(user)),
                ("Added", moment(user.created_at, self.page.services.settings.zone)),
            ]
        )
        made = card(
            user.name,
            [
                self.news,
                facts,
                section("Signing in", [row(self._acts(user))], level=3),
                section("Permissions", self._permissions(user), level=3),
                row([button("Done", self.page.invite)]),
            ],
        )
        self.widget.children = (made,)

    def _acts(self, user: UserRow) -> list[Any]:
        is_self = user.id == self.page.actor.user_id
        acts: list[Any] = []
        if user.status == "disabled":
            return [
                confirm(
                    f"Let {user.name} in again?",
                    self._do(self.page.identity.enable, "was enabled."),
                    text="The password works again as before.",
                    label="Enable",
                    kind="primary",
                )
            ]
        if user.status == "locked":
            acts.append(
                button("Unlock", self._do(self.page.identity.enable, "was unlocked."), changes=True)
            )
        if user.role != "service":
            purpose = "invite" if user.status == "invited" else "reset"
            acts.append(
                confirm(
                    f"Make a one-time link for {user.name}?",
                    lambda: hand_over(self.page, user, purpose, self.news),
                    text="With it they choose a new password. An earlier link stops working. "
                    + (
                        "It is mailed to them."
                        if can_mail(self.page.services)
                        else "You hand it over yourself: no mail server is set."
                    ),
                    label="New invitation" if purpose == "invite" else "Reset password",
                    yes="Make the link",
                    kind="secondary",
                )
            )
        acts.append(
            confirm(
                f"Disable {user.name}?",
                self._do(self.page.identity.disable, "was disabled."),
                text="They are signed out at once; their links and tokens stop working. Nothing "
                "they made is lost, and you can enable them again.",
                label="Disable",
                description=user.name,
                disabled=is_self,
            )
        )
        return acts

    def _permissions(self, user: UserRow) -> list[Any]:
        if user.role == "admin":
            return [Element(html('<p class="co-muted">An admin has every permission.</p>'))]
        held = [
            row(
                [
                    Element(
                        html(
                            '<p>{}<br><span class="ov-bar-note">{}</span></p>',
                            name,
                            dict(PERMISSIONS).get(name, "Granted by name"),
                        )
                    ),
                    confirm(
                        f"Take '{name}' from {user.name}?",
                        self._do(
                            lambda actor, ref, name=name: self.page.identity.revoke(
                                actor, ref, name
                            ),
                            f"no longer has '{name}'.",
                        ),
                        text="They are signed out, so that no open page keeps it.",
                        label="Take back",
                        description=name,
                    ),
                ],
                align="center",
            )
            for name in user.permissions
        ]
        name = text_input(
            "Permission",
            placeholder="rollout",
            max_length=50,
            help="; ".join(f"{known}: {words.lower()}" for known, words in PERMISSIONS),
        )

        def grant() -> None:
            wanted = name.data.strip()
            self._do(
                lambda actor, ref: self.page.identity.grant(actor, ref, wanted),
                f"now has '{wanted}'.",
            )()

        name.on_submit(grant)
        return [*held, row([name, button("Grant", grant, changes=True)])]

    def _do(self, act: Callable[..., object], words: str) -> Callable[[], None]:
        def run() -> None:
            try:
                act(self.page.actor, self.user_id)
            except CoachError as error:
                self.news.show(error_card(error))
                return
            self.page.refresh()
            self.show()
            user = self.page.identity.get_user(self.page.actor, self.user_id)
            self.news.show(notice("ok", f"{user.name} {words}"))

        return run


def hand_over(page: UsersPage, user: UserRow, purpose: str, news: Area) -> None:
    """Make a one-time link, mail it where a mail server is set, and show it once."""
    maker = page.identity.invite_link if purpose == "invite" else page.identity.reset_link
    link = page.link(maker(page.actor, user.id))
    life = "seven days" if purpose == "invite" else "a day"
    parts: list[Any] = []
    if can_mail(page.services):
        try:
            send_link(page.services, user, purpose, link, page.actor.name)
            said = f"It was mailed to {user.email}. You can also hand it over yourself."
        except CoachError as error:
            parts.append(error_card(error))
            said = "The mail did not go out: hand the link over yourself."
    else:
        said = f"Give it to {user.name} over a channel you trust; no mail server is set."
    field = LinkField(f"Link for {user.name}", link)
    news.show(
        *parts,
        notice(
            "ok",
            f"A link for {user.name} is ready.",
            f"{said} It works once, for {life}, and is shown only now.",
            actions=[field],
        ),
        row([button("I have it, hide the link", news.clear)]),
    )


def _free_coaches(page: UsersPage) -> list[tuple[str, uuid.UUID | None]]:
    """Coaches who have not left and are no user yet."""
    with page.services.database.read() as session:
        rows = session.execute(
            sa.select(Coach.name, Coach.email, Coach.id)
            .outerjoin(User, User.coach_id == Coach.id)
            .where(User.id.is_(None), Coach.left_on.is_(None))
            .order_by(Coach.name, Coach.email)
        )
        return [(f"{name} ({email})", coach_id) for name, email, coach_id in rows]


__all__ = ["InviteCard", "UserCard", "hand_over"]

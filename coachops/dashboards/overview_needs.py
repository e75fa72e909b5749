"""What waits for a person, all over the organisation: how many, since when, and what to do.

Rows name the session by its day, the coach who can act, and the client by external id only: an
admin needs to know whom to ask, not who the client is.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from markupsafe import Markup

from coachops.core.errors import CATALOGUE
from coachops.dashboards.components import (
    Column,
    Element,
    Table,
    card,
    details,
    html,
    join,
    stack,
    table,
)
from coachops.dashboards.overview_jobs import code_link, plain
from coachops.dashboards.overview_kinds import KINDS
from coachops.dashboards.overview_parts import counted
from coachops.db.models import (
    Client,
    Coach,
    CoachingSession,
    Consent,
    Engagement,
    Message,
    Transcript,
    WebhookEndpoint,
)
from coachops.webhooks.rows import FAILING_AFTER

if TYPE_CHECKING:
    from coachops.db import Database

SHOWN: Final = 10
"""Rows listed of each kind, the oldest first."""
STUCK_AFTER: Final = dt.timedelta(minutes=10)
OLD_DRAFT: Final = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits.

    Attributes:
        held_on: the day of the session, None where it is about no session.
        coach: who can act.
        client: external id.
        transcript_id: where an analysis can be started again.
    """

    held_on: dt.date | None
    coach: str
    client: str
    code: str | None
    since: dt.datetime | None
    transcript_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Group:
    """All things of a kind: how many, how many of each code, and the oldest few."""

    kind: str
    count: int
    codes: dict[str, int]
    items: list[Item]


def load(database: Database, now: dt.datetime, today: dt.date) -> list[Group]:
    """What waits for a person, the most pressing kind first; kinds with nothing are left out."""
    late = now - STUCK_AFTER
    transcripts = {
        "analysis_failed": [Transcript.state == "failed"],
        "roles": [Transcript.state == "waiting_roles"],
        "consent": [Transcript.state == "waiting_consent"],
        "stuck": [
            Transcript.state.in_(("imported", "analysing")),
            Transcript.updated_at < late,
        ],
    }
    messages = {
        "uncertain": [Message.state == "uncertain"],
        "send_failed": [Message.state == "failed"],
        "old_draft": [Message.state == "draft", Message.created_at < now - OLD_DRAFT],
        "stuck": [Message.state.in_(("approved", "sending")), Message.updated_at < late],
    }
    found: dict[str, list[Group]] = {}
    with database.read() as session:
        for kind, conditions in transcripts.items():
            query = (
                sa.select(
                    CoachingSession.held_on, Coach.name, Client.external_id,
                    Transcript.error_code, Transcript.updated_at, Transcript.id,
                )
                .join(CoachingSession, CoachingSession.id == Transcript.session_id)
                .join(Coach, Coach.id == CoachingSession.coach_id)
                .join(Client, Client.id == CoachingSession.client_id)
                .where(*conditions)
                .order_by(Transcript.updated_at, Transcript.id)
                .limit(SHOWN)
            )  # fmt: skip
            codes = _codes(session, Transcript.error_code, conditions)
            found.setdefault(kind, []).append(_group(kind, codes, session.execute(query).all()))
        for kind, conditions in messages.items():
            query = (
                sa.select(
                    CoachingSession.held_on, Coach.name, Client.external_id,
                    Message.error_code, Message.updated_at, sa.cast(sa.null(), sa.Uuid()),
                )
                .join(CoachingSession, CoachingSession.id == Message.session_id)
                .join(Coach, Coach.id == Message.coach_id)
                .join(Client, Client.id == Message.client_id)
                .where(*conditions)
                .order_by(Message.updated_at, Message.id)
                .limit(SHOWN)
            )  # fmt: skip
            codes = _codes(session, Message.error_code, conditions)
            found.setdefault(kind, []).append(_group(kind, codes, session.execute(query).all()))
        found |= {group.kind: [group] for group in _webhooks(session, now)}
        found["no_consent"] = [_without_consent(session, today)]
    groups = [_merged(found[kind]) for kind in KINDS]
    return [group for group in groups if group.count]


def _codes(
    session: sa.orm.Session,
    column: sa.orm.InstrumentedAttribute[str | None],
    conditions: Sequence[sa.ColumnElement[bool]],
) -> Counter[str]:
    rows = session.execute(sa.select(column, sa.func.count()).where(*conditions).group_by(column))
    return Counter({code or "": number for code, number in rows})


def _group(kind: str, codes: Counter[str], rows: Sequence[Any]) -> Group:
    """The group of rows with the columns of an `Item`."""
    items = [Item(*row) for row in rows]
    return Group(kind, codes.total(), {c: n for c, n in codes.most_common() if c}, items)


def _merged(groups: Sequence[Group]) -> Group:
    if len(groups) == 1:
        return groups[0]
    items = sorted((i for g in groups for i in g.items), key=lambda item: str(item.since))
    codes: Counter[str] = Counter()
    for group in groups:
        codes.update(group.codes)
    return Group(groups[0].kind, sum(g.count for g in groups), dict(codes), items[:SHOWN])


def _webhooks(session: sa.orm.Session, now: dt.datetime) -> list[Group]:
    """Receivers of webhooks that are off or fail, by their description, else by their id."""
    off = WebhookEndpoint.disabled_at.is_not(None)
    failing = sa.and_(~off, WebhookEndpoint.failing_since < now - FAILING_AFTER)
    groups = []
    for kind, condition, since in (
        ("webhook_off", off, WebhookEndpoint.disabled_at),
        ("webhook_failing", failing, WebhookEndpoint.failing_since),
    ):
        query = sa.select(WebhookEndpoint.description, WebhookEndpoint.id, since).where(condition)
        rows = session.execute(query.order_by(since, WebhookEndpoint.id)).all()
        items = [
            Item(None, str(webhook_id), text or "a webhook", None, at, None)
            for text, webhook_id, at in rows[:SHOWN]
        ]
        groups.append(Group(kind, len(rows), {}, items))
    return groups


def _without_consent(session: sa.orm.Session, today: dt.date) -> Group:
    newest = (
        sa.select(Consent.granted)
        .where(Consent.client_id == Client.id, Consent.kind == "processing")
        .order_by(Consent.recorded_at.desc(), Consent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    running = (
        sa.select(Engagement.client_id, sa.func.min(Coach.name).label("coach"))
        .join(Coach, Coach.id == Engagement.coach_id)
        .where(
            Engagement.started_on <= today,
            sa.or_(Engagement.ended_on.is_(None), Engagement.ended_on > today),
        )
        .group_by(Engagement.client_id)
        .subquery()
    )
    missing = (
        sa.select(running.c.coach, Client.external_id)
        .join(Client, Client.id == running.c.client_id)
        .where(
            sa.or_(Client.left_on.is_(None), Client.left_on > today),
            sa.func.coalesce(newest, sa.false()).is_(sa.false()),
        )
    )
    count = session.scalar(sa.select(sa.func.count()).select_from(missing.subquery())) or 0
    rows = session.execute(missing.order_by(Client.external_id).limit(SHOWN)).all()
    items = [Item(None, coach, client, None, None, None) for coach, client in rows]
    return Group("no_consent", count, {}, items)


class NeedsCard:
    """The card: a block per kind, kept over refreshes so that what is open stays open.

    Parameters:
        zone: of the organisation.
        analyse_again: starts the analysis of a transcript; None where the viewer may not.
    """

    def __init__(
        self, zone: dt.tzinfo, analyse_again: Callable[[uuid.UUID], object] | None
    ) -> None:
        self._zone, self._again = zone, analyse_again
        self._blocks: dict[str, _Block] = {}
        self._calm = Element(
            html(
                '<p class="ov-calm"><span class="ov-tick" aria-hidden="true"></span>'
                "Nothing waits for a person. New things appear here by themselves.</p>"
            )
        )
        self._list = stack([self._calm])
        self.widget = card(
            "Needs a person", [self._list], subtitle="The most pressing first, the oldest in each"
        )

    def show(self, groups: Sequence[Group]) -> None:
        """Replace what is shown."""
        for group in groups:
            if group.kind not in self._blocks:
                self._blocks[group.kind] = _Block(group.kind, self._zone, self._again)
            self._blocks[group.kind].show(group)
        shown = [self._blocks[group.kind].widget for group in groups] or [self._calm]
        if list(self._list.children) != shown:
            self._list.children = shown


class _Block:
    def __init__(
        self, kind: str, zone: dt.tzinfo, analyse_again: Callable[[uuid.UUID], object] | None
    ) -> None:
        self._kind, self._zone = KINDS[kind], zone
        self._again = analyse_again if self._kind.again else None
        self._head = Element()
        columns = [Column("what", "The oldest", kind="html")]
        if self._again:
            columns += [Column("again", "", kind="button", width="fit")]
        self._table: Table = table(
            columns, [], caption=self._kind.title, on_action=self._act if self._again else None
        )
        self._note = Element(classes="ov-maybe")
        self._details = details("Show them", [self._table, self._note])
        self.widget = Element(
            children=[self._head, self._details], classes=f"ov-need ov-need-{self._kind.tone}"
        )

    def _act(self, _name: str, value: str) -> None:
        if self._again:
            self._again(uuid.UUID(value))

    def show(self, group: Group) -> None:
        codes = dict(group.codes) or ({self._kind.code: group.count} if self._kind.code else {})
        self._head.set_content(
            html(
                '<div class="ov-need-head"><h3 class="ov-need-title">{}</h3>'
                '<span class="ov-need-count">{}</span></div><p class="ov-need-text">{}</p>{}'
                '<p class="ov-need-next"><strong>What to do:</strong> {}</p>',
                self._kind.title,
                f"{group.count:,}",
                self._kind.meaning,
                join(_code(code, number) for code, number in codes.items()),
                " ".join([*(_mending(code) for code in codes), self._kind.next_step]).strip()
                if len(codes) == 1
                else self._kind.next_step,
            )
        )
        rows = [self._row(item, several=len(group.codes) > 1) for item in group.items]
        if rows != self._table.rows:
            self._table.set_rows(rows)
        rest = group.count - len(group.items)
        self._note.set_content(
            html('<p class="ov-foot">{} more, not listed here.</p>', f"{rest:,}") if rest else ""
        )

    def _row(self, item: Item, *, several: bool) -> dict[str, object]:
        """A row: the session and its client, below it who can act and since when."""
        day = f"{item.held_on:%-d %b %Y}" if item.held_on else ""
        below = [
            item.coach,
            f"since {item.since.astimezone(self._zone):%-d %b %Y, %H:%M}" if item.since else "",
            (item.code or "") if several else "",
        ]
        return {
            "what": html(
                '{}<br><span class="ov-bar-note">{}</span>',
                ", ".join(part for part in (day, item.client) if part),
                " \u00b7 ".join(part for part in below if part),
            ),
            "again": ("Analyse again", str(item.transcript_id)) if item.transcript_id else "",
        }


def _code(code: str, number: int) -> Markup:
    """A code with what it means."""
    spec = CATALOGUE.get(code)
    return html(
        '<p class="ov-need-text">{}{} {}</p>',
        code_link(code),
        f" ({counted(number, 'time')})" if number > 1 else "",
        plain(spec.happened) if spec else "",
    )


def _mending(code: str) -> str:
    spec = CATALOGUE.get(code)
    # the next step of these kinds says it already, and names who does it
    return plain(spec.next_step) if spec and spec.who == "admin" else ""

"""Pieces of SQL that the triggers of both databases are made of.

All names come from `tracked.TRACKED`, none from outside.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coachops.db.capture.tracked import CONSENTS, EDITS_KEY, PAIRS, PAIRS_SPAN, TRACKED, path

COLUMNS = "entity, entity_id, op, coach_old, coach_new, client_old, client_new, at"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a row is: what to join to it, and the expressions of coach, client and root row."""

    tables: tuple[str, ...]
    where: tuple[str, ...]
    coach: str
    client: str
    root: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs: the table written to, a NULL that is an id, the time, `same as` with NULLs."""

    target: str
    null: str
    now: str
    same: str

    def entry(
        self,
        entity: str,
        row: str,
        op: str,
        *,
        old: tuple[str, str] | None = None,
        new: tuple[str, str] | None = None,
        tables: Iterable[str] = (),
        where: Iterable[str] = (),
    ) -> str:
        """An INSERT of one change per row found.

        Parameters:
            row: expression of the id. op: expression of U or D. old, new: coach and client.
        """
        nothing = (self.null, self.null)
        (coach_old, client_old), (coach_new, client_new) = old or nothing, new or nothing
        joined = ", ".join(tables)
        conditions = " AND ".join(where)
        return (
            f"INSERT INTO {self.target} ({COLUMNS}) SELECT '{entity}', {row}, {op}, "  # noqa: S608 names of our own schema
            f"{coach_old}, {coach_new}, {client_old}, {client_new}, {self.now}"
            + (f" FROM {joined}" if joined else "")
            + (f" WHERE {conditions}" if conditions else "")
        )

    def owner(self, entity: str, row: str, prefix: str) -> Owner:
        """Whose the row `row` of the entity is; joined tables are named `prefix` and a number."""
        chain = path(entity)
        tables, where, at = [], [], row
        for number, (child, parent) in enumerate(itertools.pairwise(chain), 1):
            alias = f"{prefix}{number}"
            tables.append(f"{parent.table} {alias}")
            where.append(f"{alias}.id = {at}.{_link(child.parent)}")
            at = alias
        root = chain[-1]
        return Owner(
            tuple(tables),
            tuple(where),
            f"{at}.{root.coach}" if root.coach else self.null,
            f"{at}.{root.client}" if root.client else self.null,
            f"{at}.{root.client if entity == CONSENTS else 'id'}",
        )

    def whose(self, owner: Owner) -> tuple[str, str]:
        """Coach and client of an owner."""
        return owner.coach, owner.client

    def below(self, entity: str, above: str, row: str) -> tuple[list[str], list[str]]:
        """Tables and conditions of the rows `r` of `entity` that belong to the row of `above`."""
        chain = path(entity)
        height = chain.index(TRACKED[above])
        tables, where, at = [f"{chain[0].table} r"], [], "r"
        for number in range(1, height):
            alias = f"r{number}"
            tables.append(f"{chain[number].table} {alias}")
            where.append(f"{alias}.id = {at}.{_link(chain[number - 1].parent)}")
            at = alias
        where.append(f"{at}.{_link(chain[height - 1].parent)} = {row}.id")
        return tables, where

    def all_rows(self, entity: str, op: str = "'U'") -> str:
        """An INSERT of every row of the entity."""
        whose = self.owner(entity, "r", "n")
        old, new = (None, self.whose(whose)) if op == "'U'" else (self.whose(whose), None)
        tables = [f"{TRACKED[entity].table} r", *whose.tables]
        return self.entry(entity, "r.id", op, old=old, new=new, tables=tables, where=whose.where)

    def pair(
        self, row: str, *, left: bool, tables: Sequence[str] = (), where: Sequence[str] = ()
    ) -> list[str]:
        """Entries for those who begin or cease to see each other by the engagement `row`."""
        coach, client = f"{row}.coach_id", f"{row}.client_id"
        seen = (coach, client)
        by_coach = (
            {"old": (coach, self.null), "new": (self.null, client)} if left else {"new": seen}
        )
        by_client = (
            {"old": (self.null, client), "new": (coach, self.null)} if left else {"new": seen}
        )
        consents = [*tables, "consents r"]
        return [
            self.entry("clients", client, "'U'", tables=tables, where=where, **by_coach),
            self.entry("coaches", coach, "'U'", tables=tables, where=where, **by_client),
            self.entry(
                "consents", "r.id", "'U'", tables=consents,
                where=[*where, f"r.client_id = {client}"], **by_coach,
            ),
        ]  # fmt: skip

    def around(
        self,
        row: str,
        tables: Sequence[str] = (),
        where: Sequence[str] = (),
        *,
        others: bool = False,
    ) -> list[str]:
        """Entries for the coaches who may begin or cease to see the client of the engagement `row`.

        A client is of the coaches of engagements that run, and where none runs, of all: so each
        engagement decides about the other coaches, too.

        Parameters:
            others: not for the coach of `row`.
        """
        linked = [*where, f"e.client_id = {row}.client_id"]
        if others:
            linked.append(f"e.coach_id <> {row}.coach_id")
        pairs = [*tables, f"{PAIRS} e"]
        client = f"{row}.client_id"
        change = {"old": ("e.coach_id", self.null), "new": (self.null, client)}
        return [
            self.entry("clients", client, "'U'", tables=pairs, where=linked, **change),
            self.entry(
                CONSENTS, "r.id", "'U'", tables=[*pairs, "consents r"],
                where=[*linked, f"r.client_id = {client}"], **change,
            ),
        ]  # fmt: skip

    def unseen(self, row: str, tables: Sequence[str] = (), where: Sequence[str] = ()) -> str:
        """Entries of a consent that goes, one for each coach who saw it by an engagement."""
        return self.entry(
            "consents",
            f"{row}.id",
            "'D'",
            old=("e.coach_id", f"{row}.client_id"),
            tables=[*tables, "engagements e"],
            where=[*where, f"e.client_id = {row}.client_id"],
        )

    def edited(self, row: str, tables: Sequence[str] = ()) -> str:
        """Entries for the insights that the edit `row` shows in."""
        whose = self.owner("insights", "i", "n")
        same = [f"i.{name} = {row}.{name}" for name in EDITS_KEY]
        return self.entry(
            "insights", "i.id", "'U'", new=self.whose(whose),
            tables=[*tables, "insights i", *whose.tables], where=[*same, *whose.where],
        )  # fmt: skip

    def span_changed(self, new: str, old: str) -> str:
        """Whether an engagement runs over other days than before."""
        stayed = (f"{new}.{name} {self.same} {old}.{name}" for name in PAIRS_SPAN)
        return f"NOT ({' AND '.join(stayed)})"

    def unchanged(self, entity: str) -> list[str]:
        """Columns that say who and whose the row is, each with whether it stayed."""
        row = TRACKED[entity]
        names = {"id", row.coach, row.client, row.parent[0] if row.parent else None}
        return [f"NEW.{name} {self.same} OLD.{name}" for name in sorted(filter(None, names))]


def _link(parent: tuple[str, str] | None) -> str:
    if parent is None:
        raise ValueError("a row without a parent has no link")
    return parent[0]


SQLITE = Dialect("change_log", "NULL", "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", "IS")
POSTGRES = Dialect("change_inbox", "NULL::uuid", "statement_timestamp()", "IS NOT DISTINCT FROM")

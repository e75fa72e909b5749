"""Which rows an export holds: filters by day, coach and client, and closure over foreign keys.

Rules (INTERFACES.md, "Meanings"): `since` is inclusive, `until` exclusive, both days of the
organisation's calendar; they are compared with the session's day, else with the time of creation;
the parents of every selected row are selected too. The selection is made over all datasets, so a
file holds the same rows whichever other datasets are written beside it.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.core import clock, ids
from coachops.core.errors import CoachError
from coachops.db.models import Client, Coach
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset, Scope
from coachops.export.naming import ANYBODY, Naming, What


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters as given, with references resolved to ids.

    Attributes:
        since, until: days of the organisation's calendar; None is open.
        coaches, clients: ids; empty is all.
        zone: the organisation's time zone.
    """

    since: dt.date | None = None
    until: dt.date | None = None
    coaches: tuple[uuid.UUID, ...] = ()
    clients: tuple[uuid.UUID, ...] = ()
    zone: dt.tzinfo = clock.UTC

    @property
    def any(self) -> bool:
        """Whether anything is filtered at all."""
        return bool(self.since or self.until or self.coaches or self.clients)


def make_filters(
    connection: Connection,
    *,
    since: dt.date | None,
    until: dt.date | None,
    coaches: Sequence[str],
    clients: Sequence[str],
    zone: dt.tzinfo,
    naming: Naming = ANYBODY,
) -> Filters:
    """Filters with every REF (e-mail, external id or id) resolved.

    Parameters:
        naming: whom the caller may name; others neither answer to a REF nor make it ambiguous.

    Raises:
        CoachError: COACH-CCH-001 or the refusal of `naming` for a REF that names none or several,
            COACH-EXP-007 for an interval that ends before it begins.
    """
    if since is not None and until is not None and until <= since:
        raise CoachError("COACH-EXP-007", since=since, until=until)
    return Filters(
        since,
        until,
        tuple(dict.fromkeys(_resolve(connection, Coach, "coach", ref, naming) for ref in coaches)),
        tuple(
            dict.fromkeys(_resolve(connection, Client, "client", ref, naming) for ref in clients)
        ),
        zone,
    )


def _resolve(
    connection: Connection,
    table: type[Coach] | type[Client],
    what: What,
    ref: str,
    naming: Naming,
) -> uuid.UUID:
    ref = ref.strip()
    identifier = ids.parse_id(ref)
    if "@" in ref:
        matches: sa.ColumnElement[bool] = sa.func.lower(table.email) == ref.lower()
    elif identifier is not None:
        matches = sa.or_(table.id == identifier, table.external_id == ref)
    else:
        matches = table.external_id == ref
    query = sa.select(table.id).where(matches, *naming.among(what)).limit(2)
    found = connection.scalars(query).all()
    if len(found) != 1:
        raise naming.unknown(what, ref)
    return found[0]


class Selection:
    """The rows chosen by filters, as conditions for the query of each dataset."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._closed: dict[str, sa.CTE] = {}

    def condition(self, dataset: Dataset) -> sa.ColumnElement[bool] | None:
        """The WHERE condition for `dataset`; None selects every row."""
        if not self._filters.any:
            return None
        if dataset.name in self._referenced:
            key = dataset.columns[0].source
            chosen: sa.ColumnElement[bool] = key.in_(sa.select(self._closure(dataset).c.id))
            return chosen
        return self._base(dataset)

    def shown(self, dataset: Dataset) -> Dataset:
        """The dataset as an export by these filters shows it.

        A client whom another coach coaches now comes along with the past sessions of a chosen coach,
        so that no reference dangles. Who the client is by now, that coach is not told (ADR 8).
        """
        rule, chosen = dataset.withheld, self._filters.coaches
        if rule is None or not chosen:
            return dataset
        # joined, not asked for each row: PostgreSQL would look through all of them for each
        told = rule.told(chosen).distinct().subquery("told")
        (told_id,) = told.c
        columns = tuple(
            replace(each, source=sa.case((told_id.is_not(None), each.source), else_=instead))
            if (instead := rule.instead.get(each.name)) is not None
            else each
            for each in dataset.columns
        )
        joined = sa.outerjoin(dataset.table, told, told_id == dataset.columns[0].source)
        return replace(dataset, columns=columns, source=joined, _by_name={})

    @cached_property
    def _referenced(self) -> frozenset[str]:
        return frozenset(key.dataset for row in DATASETS.values() for key in row.foreign_keys)

    def _closure(self, dataset: Dataset) -> sa.CTE:
        """Ids of the rows that the filters select and of those that selected rows refer to."""
        if dataset.name in self._closed:
            return self._closed[dataset.name]
        parts = [sa.select(dataset.columns[0].source.label("id")).where(self._base(dataset))]
        for child in DATASETS.values():
            condition = None
            for key in child.foreign_keys:
                implied = child.selected_with == key.column and child.name not in self._referenced
                if key.dataset != dataset.name or implied:
                    continue
                condition = self.condition(child) if condition is None else condition
                column = child.column(key.column).source
                parts.append(sa.select(column).where(column.is_not(None), condition))  # type: ignore[arg-type]
        made = sa.union(*parts).cte(f"chosen_{dataset.name}")
        self._closed[dataset.name] = made
        return made

    def _base(self, dataset: Dataset) -> sa.ColumnElement[bool]:
        """Rows that the filters select themselves, without closure."""
        if dataset.selected_with is not None:
            key = dataset.parent_key(dataset.selected_with)
            parent = DATASETS[key.dataset]
            chosen: sa.ColumnElement[bool] = dataset.column(key.column).source.in_(
                sa.select(parent.columns[0].source).where(self._base(parent))
            )
            return chosen
        if dataset.scope is None:
            raise TypeError(f"{dataset.name} has neither a parent nor a scope to select it by")
        inside = self._inside(dataset.scope)
        if dataset.scope.joined is None:
            return inside
        key_column = dataset.columns[0].source
        return key_column.in_(  # type: ignore[no-any-return]
            sa.select(key_column).select_from(dataset.scope.joined).where(inside)
        )

    def _inside(self, scope: Scope) -> sa.ColumnElement[bool]:
        given = self._filters
        conditions = [self._in_time(scope)]
        for chosen, condition in ((given.coaches, scope.coach), (given.clients, scope.client)):
            if chosen:
                conditions.append(sa.false() if condition is None else condition(chosen))
        return sa.and_(*conditions)

    def _in_time(self, scope: Scope) -> sa.ColumnElement[bool]:
        since, until = self._filters.since, self._filters.until
        days, instants = [], []
        if since is not None:
            days.append(scope.held_on >= since if scope.held_on is not None else sa.true())
            instants.append(scope.created >= self._midnight(since))
        if until is not None:
            days.append(scope.held_on < until if scope.held_on is not None else sa.true())
            instants.append(scope.created < self._midnight(until))
        if not instants:
            return sa.true()
        if scope.held_on is None:
            return sa.and_(*instants)
        return sa.or_(
            sa.and_(scope.held_on.is_not(None), *days),
            sa.and_(scope.held_on.is_(None), *instants),
        )

    def _midnight(self, day: dt.date) -> dt.datetime:
        """The first instant of `day` where the organisation is."""
        return dt.datetime.combine(day, dt.time(0), self._filters.zone)

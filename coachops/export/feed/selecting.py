"""What a follower may and wants to see of a dataset, as conditions on its rows and on the feed."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from coachops.core.actor import Actor
from coachops.core.errors import CoachError
from coachops.core.grants import EVERYTHING, Grant
from coachops.db.coached import clients_of
from coachops.db.models import ChangeInbox, ChangeLog, Engagement
from coachops.export.datasets import DATASETS
from coachops.export.definitions import Dataset

Log = type[ChangeLog] | type[ChangeInbox]


@dataclass(frozen=True, slots=True)
class Seen:
    """A dataset as far as one follower sees it.

    Attributes:
        dataset: which.
        coaches, clients: only rows that belong to these; None is no limit. Both: to one of each.
    """

    dataset: Dataset
    coaches: frozenset[uuid.UUID] | None = None
    clients: frozenset[uuid.UUID] | None = None

    @property
    def major(self) -> int:
        """Major version of the schema."""
        return int(self.dataset.version.partition(".")[0])

    @property
    def digest(self) -> str:
        """Names dataset and filter in cursors."""
        parts = [
            self.dataset.name,
            None if self.coaches is None else sorted(map(str, self.coaches)),
            None if self.clients is None else sorted(map(str, self.clients)),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def everything(self) -> bool:
        """Whether nothing is filtered."""
        return self.coaches is None and self.clients is None

    def rows(self) -> sa.ColumnElement[bool] | None:
        """The condition on rows of the dataset; None: all of them."""
        return None if self.everything else _rows(self.dataset, self.coaches, self.clients)

    def changes(self, log: Log = ChangeLog) -> sa.ColumnElement[bool]:
        """The condition on entries of the feed that may concern what is seen, now or before."""
        conditions: list[sa.ColumnElement[bool]] = [log.entity == self.dataset.name]
        name, ids = self.dataset.name, self.coaches
        if ids is not None:
            concerns: list[sa.ColumnElement[bool]] = [
                log.coach_old.in_(ids),
                log.coach_new.in_(ids),
            ]
            if name == "clients":
                concerns.append(log.entity_id.in_(clients_of(ids)))
            if name == "consents":
                theirs = clients_of(ids)
                concerns += [log.client_old.in_(theirs), log.client_new.in_(theirs)]
            conditions.append(sa.or_(*concerns))
        ids = self.clients
        if ids is not None:
            concerns = [log.client_old.in_(ids), log.client_new.in_(ids)]
            if name == "coaches":
                own = sa.select(Engagement.coach_id).where(Engagement.client_id.in_(ids))
                concerns.append(log.entity_id.in_(own))
            conditions.append(sa.or_(*concerns))
        return sa.and_(*conditions)


def seen_by(
    actor: Actor,
    grant: Grant = EVERYTHING,
    dataset: str = "",
    coaches: Collection[uuid.UUID] = (),
    clients: Collection[uuid.UUID] = (),
) -> Seen:
    """What `actor` sees of a dataset, narrowed to `coaches` and `clients` where some are given.

    Raises:
        CoachError: COACH-EXP-001 no such dataset, COACH-FED-006 not within role or grant.
    """
    if dataset not in DATASETS:
        raise CoachError("COACH-EXP-001", name=dataset)
    if not grant.allows_dataset(dataset):
        raise CoachError("COACH-FED-006", what=f"the dataset {dataset}")
    if grant.privacy != "full":  # whoever may see pseudonyms only gets them from exports
        raise CoachError("COACH-FED-006", what="rows with names and words")
    own = None
    if not actor.sees_all:
        if actor.coach_id is None:
            raise CoachError("COACH-FED-006", what="data of clients")
        own = frozenset({actor.coach_id})
    return Seen(
        DATASETS[dataset],
        _narrowed("coach", coaches, _both(own, grant.coaches)),
        _narrowed("client", clients, grant.clients),
    )


def _both(
    one: frozenset[uuid.UUID] | None, other: frozenset[uuid.UUID] | None
) -> frozenset[uuid.UUID] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _narrowed(
    what: str, wanted: Collection[uuid.UUID], allowed: frozenset[uuid.UUID] | None
) -> frozenset[uuid.UUID] | None:
    if not wanted:
        return allowed
    for each in wanted:
        if allowed is not None and each not in allowed:
            raise CoachError("COACH-FED-006", what=f"data of that {what}")
    return frozenset(wanted)


def _rows(
    dataset: Dataset,
    coaches: frozenset[uuid.UUID] | None,
    clients: frozenset[uuid.UUID] | None,
) -> sa.ColumnElement[bool]:
    """Rows that belong to the coaches and clients themselves, without parents of other people."""
    key = dataset.columns[0].source
    if dataset.selected_with is not None:
        link = dataset.parent_key(dataset.selected_with)
        parent = DATASETS[link.dataset]
        chosen = sa.select(parent.columns[0].source).where(_rows(parent, coaches, clients))
        belongs: sa.ColumnElement[bool] = dataset.column(link.column).source.in_(chosen)
        return belongs
    if dataset.scope is None:
        raise TypeError(f"{dataset.name} has neither a parent nor a scope")
    conditions: list[sa.ColumnElement[bool]] = []
    for ids, condition in ((coaches, dataset.scope.coach), (clients, dataset.scope.client)):
        if ids is not None:
            conditions.append(sa.false() if condition is None else condition(sorted(ids)))
    if dataset.scope.joined is None:
        return sa.and_(*conditions)
    inside: sa.ColumnElement[bool] = key.in_(
        sa.select(key).select_from(dataset.scope.joined).where(*conditions)
    )
    return inside

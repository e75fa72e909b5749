"""Which tables the feed watches, and how a row finds the coach and client it belongs to.

An *entity* is a dataset of the export by its name; a test compares this table with the registry.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tracked:
    """A watched table.

    Attributes:
        entity: name of the dataset.
        table: whose rows are its rows.
        coach, client: columns that say whose the row is; None where it belongs to none, or to its
            parent's.
        parent: column and entity of the row it belongs with.
        ignored: columns whose changes do not show in the dataset.
        passed_on: column -> entity of the rows that show its value, too.
    """

    entity: str
    table: str
    coach: str | None = None
    client: str | None = None
    parent: tuple[str, str] | None = None
    ignored: tuple[str, ...] = ()
    passed_on: dict[str, str] = field(default_factory=dict)


TRACKED: dict[str, Tracked] = {
    each.entity: each
    for each in (
        Tracked("coaches", "coaches", coach="id"),
        Tracked("clients", "clients", client="id"),
        Tracked("engagements", "engagements", "coach_id", "client_id"),
        Tracked("sessions", "sessions", "coach_id", "client_id"),
        Tracked(
            "transcripts", "transcripts", parent=("session_id", "sessions"),
            passed_on={"source_name": "utterances"},
        ),
        Tracked("utterances", "utterances", parent=("transcript_id", "transcripts")),
        Tracked("analyses", "analyses", parent=("transcript_id", "transcripts")),
        Tracked("insights", "insights", parent=("analysis_id", "analyses")),
        Tracked("goals", "goals", "coach_id", "client_id"),
        Tracked("goal_ratings", "goal_ratings", parent=("goal_id", "goals")),
        Tracked("action_items", "action_items", parent=("session_id", "sessions")),
        Tracked("messages", "messages", parent=("session_id", "sessions")),
        Tracked("feedback", "feedback", parent=("session_id", "sessions")),
        Tracked("consents", "consents", client="client_id"),
        Tracked("activity", "activity", coach="coach_id"),
        Tracked("audit_events", "audit_events", ignored=("seq", "prev", "hash")),
    )
}  # fmt: skip
"""Entity -> its table."""

EDITS = "insight_edits"
"""Its rows show in `insights` of the same transcript, kind and anchor."""

EDITS_KEY = ("transcript_id", "kind", "anchor")

PAIRS = "engagements"
"""Who works with whom: it decides which coaches see a client and the client's consents."""

PAIRS_SPAN = ("started_on", "ended_on")
"""Columns that say over which days."""

CONSENTS = "consents"


def path(entity: str) -> list[Tracked]:
    """The entity and its parents, up to the one whose columns say whose the row is."""
    found = [TRACKED[entity]]
    while (parent := found[-1].parent) is not None:
        found.append(TRACKED[parent[1]])
    return found


def descendants(entity: str) -> list[str]:
    """Entities whose rows belong to whom this one's do."""
    return [each for each in TRACKED if each != entity and TRACKED[entity] in path(each)[1:]]


def source_tables(entity: str) -> set[str]:
    """Tables whose changes show in the rows of the entity."""
    tables = {TRACKED[entity].table}
    tables |= {each.table for each in TRACKED.values() if entity in each.passed_on.values()}
    return tables | {EDITS} if entity == "insights" else tables

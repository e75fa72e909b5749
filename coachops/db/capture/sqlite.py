"""The triggers of SQLite: row by row, straight into `change_log`."""

from __future__ import annotations

import sqlalchemy as sa

from coachops.db.capture.sql import SQLITE
from coachops.db.capture.tracked import CONSENTS, EDITS, PAIRS, TRACKED, Tracked, descendants


def triggers(metadata: sa.MetaData) -> dict[str, tuple[str, str]]:
    """Name -> table and statement of every trigger."""
    found: dict[str, tuple[str, str]] = {}

    def add(name: str, table: str, event: str, statements: list[str], when: str = "") -> None:
        body = " ".join(f"{statement};" for statement in statements)
        condition = f" WHEN {when}" if when else ""
        full = f"feed_{table}_{name}"
        found[full] = (
            table,
            f"CREATE TRIGGER {full} {event} ON {table} FOR EACH ROW{condition} BEGIN {body} END",
        )

    for row in TRACKED.values():
        _writes(row, add, metadata)
        _deletes(row, add)
        for column, entity in row.passed_on.items():
            add(
                f"{column}_shown", row.table, f"AFTER UPDATE OF {column}",
                [_shown(row.entity, entity)], f"NEW.{column} IS NOT OLD.{column}",
            )  # fmt: skip
    for event, rows in (("insert", ["NEW"]), ("update", ["OLD", "NEW"]), ("delete", ["OLD"])):
        add(event, EDITS, f"AFTER {event.upper()}", [SQLITE.edited(each) for each in rows])
    return found


def _writes(row: Tracked, add, metadata: sa.MetaData) -> None:  # type: ignore[no-untyped-def]  # a closure
    whose = SQLITE.owner(row.entity, "NEW", "n")
    new = SQLITE.whose(whose)
    entry = SQLITE.entry(
        row.entity, "NEW.id", "'U'", new=new, tables=whose.tables, where=whose.where
    )
    seen: list[str] = []
    ended: list[str] = []
    if row.entity == PAIRS:
        seen = [*SQLITE.pair("NEW", left=False), *SQLITE.around("NEW", others=True)]
        ended = SQLITE.around("NEW", where=[SQLITE.span_changed("NEW", "OLD")])
    add("insert", row.table, "AFTER INSERT", [entry, *seen])
    columns = [each.name for each in metadata.tables[row.table].columns]
    shown = ", ".join(name for name in columns if name not in row.ignored)
    stayed = " AND ".join(SQLITE.unchanged(row.entity))
    event = f"AFTER UPDATE OF {shown}" if row.ignored else "AFTER UPDATE"
    add("update", row.table, event, [entry, *ended], stayed)

    before = SQLITE.owner(row.entity, "OLD", "o")
    old = SQLITE.whose(before)
    both = [*before.tables, *whose.tables], [*before.where, *whose.where]
    moved = [
        SQLITE.entry(
            row.entity, "OLD.id", "CASE WHEN NEW.id = OLD.id THEN 'U' ELSE 'D' END",
            old=old, new=new, tables=both[0], where=both[1],
        ),
        SQLITE.entry(
            row.entity, "NEW.id", "'U'", new=new, tables=whose.tables,
            where=[*whose.where, "NEW.id <> OLD.id"],
        ),
    ]  # fmt: skip
    for entity in descendants(row.entity):
        tables, where = SQLITE.below(entity, row.entity, "NEW")
        moved.append(
            SQLITE.entry(
                entity, "r.id", "'U'", old=old, new=new,
                tables=[*tables, *both[0]], where=[*where, *both[1]],
            )
        )  # fmt: skip
    if row.entity == PAIRS:
        moved += [*SQLITE.pair("OLD", left=True), *SQLITE.pair("NEW", left=False)]
        moved += [*SQLITE.around("OLD", others=True), *SQLITE.around("NEW", others=True)]
    if row.entity == CONSENTS:
        moved.insert(0, SQLITE.unseen("OLD"))
    add("move", row.table, "AFTER UPDATE", moved, f"NOT ({stayed})")


def _deletes(row: Tracked, add) -> None:  # type: ignore[no-untyped-def]  # a closure
    """What hangs on the row is told while the row, which says whose it is, is still there."""
    whose = SQLITE.owner(row.entity, "OLD", "o")
    old = SQLITE.whose(whose)
    below = []
    for entity in descendants(row.entity):
        tables, where = SQLITE.below(entity, row.entity, "OLD")
        below.append(
            SQLITE.entry(
                entity, "r.id", "'D'", old=old,
                tables=[*tables, *whose.tables], where=[*where, *whose.where],
            )
        )  # fmt: skip
    if below:
        add("closure", row.table, "BEFORE DELETE", below)
    entry = SQLITE.entry(
        row.entity, "OLD.id", "'D'", old=old, tables=whose.tables, where=whose.where
    )
    ceased: list[str] = []
    if row.entity == PAIRS:
        ceased = [*SQLITE.pair("OLD", left=True), *SQLITE.around("OLD", others=True)]
    if row.entity == CONSENTS:
        ceased = [SQLITE.unseen("OLD")]
    add("delete", row.table, "AFTER DELETE", [entry, *ceased])


def _shown(above: str, entity: str) -> str:
    whose = SQLITE.owner(above, "NEW", "n")
    tables, where = SQLITE.below(entity, above, "NEW")
    return SQLITE.entry(
        entity, "r.id", "'U'", new=SQLITE.whose(whose),
        tables=[*tables, *whose.tables], where=[*where, *whose.where],
    )  # fmt: skip

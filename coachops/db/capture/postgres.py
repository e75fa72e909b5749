"""The triggers of PostgreSQL: once per statement, over all its rows, into `change_inbox`.

A child is told with the coach and client of its parent. If somebody moves the parent meanwhile,
neither transaction sees the other's rows: the child would be told, or be told to be gone, to the old
coach only. So writes and deletions of children take a shared lock, moves an exclusive one, on one of
`BUCKETS` by the parent's id, and look again after they have it (which READ COMMITTED lets them). A
transaction on a fixed snapshot (REPEATABLE READ and above) sees nothing new after the lock, so its
writes are refused (`_GUARD`).
"""

from __future__ import annotations

import sqlalchemy as sa

from coachops.db.capture.sql import POSTGRES as PG
from coachops.db.capture.tracked import (
    CONSENTS,
    EDITS,
    PAIRS,
    TRACKED,
    Tracked,
    descendants,
)

LOCK = 7_301_012
BUCKETS = 256
"""Few enough that a transaction that writes everything does not fill the server's table of locks."""

_GUARD = (
    "IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN "
    "RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', "
    "MESSAGE = 'coachops: ' || TG_TABLE_NAME || ' is not written at isolation level ' || "
    "upper(current_setting('transaction_isolation')), "
    "DETAIL = 'The change feed would not see who else moves the same rows at this moment, and "
    "followers would lose changes.', "
    "HINT = 'Write with BEGIN ISOLATION LEVEL READ COMMITTED, which is what PostgreSQL does unless "
    "told otherwise; reading may go on at any level.'; END IF"
)

_EVENTS = {
    "insert": "REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT",
    "delete": "REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT",
}


def triggers(metadata: sa.MetaData) -> dict[str, tuple[str, str, str]]:
    """Name -> table, statement of the trigger, statement of its function."""
    found: dict[str, tuple[str, str, str]] = {}

    def add(name: str, table: str, event: str, statements: list[str], result: str = "NULL") -> None:
        full = f"feed_{table}_{name}"
        body = "\n".join(f"  {each};" for each in (_GUARD, *statements, f"RETURN {result}"))
        found[full] = (
            table,
            f"CREATE TRIGGER {full} {event} EXECUTE FUNCTION {full}()",
            f"CREATE OR REPLACE FUNCTION {full}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$feed$\nBEGIN\n{body}\nEND\n$feed$",
        )

    for row in TRACKED.values():
        after = {name: f"AFTER {name.upper()} ON {row.table} {e}" for name, e in _EVENTS.items()}
        add("insert", row.table, after["insert"], _inserted(row))
        add("update", row.table, after["update"], _updated(row, metadata))
        add("delete", row.table, after["delete"], _deleted(row))
        add(
            "truncate", row.table, f"BEFORE TRUNCATE ON {row.table} FOR EACH STATEMENT",
            [PG.all_rows(row.entity, "'D'")],
        )  # fmt: skip
        if below := _below(row):
            add("closure", row.table, f"BEFORE DELETE ON {row.table} FOR EACH ROW", below, "OLD")
    for name, event in _EVENTS.items():
        sides = {"insert": ["new_rows"], "update": ["old_rows", "new_rows"]}.get(name, ["old_rows"])
        statements = [_nothing(sides[-1])]
        for side in sides:
            roots = (f"{side} e", "transcripts t"), ("t.id = e.transcript_id",), "t.session_id"
            statements += [_lock(*roots, alone=True), PG.edited("e", [f"{side} e"])]
        add(name, EDITS, f"AFTER {name.upper()} ON {EDITS} {event}", statements)
    for event in ("TRUNCATE",):
        add(
            "truncate", EDITS, f"BEFORE {event} ON {EDITS} FOR EACH STATEMENT",
            [PG.edited("e", [f"{EDITS} e"])],
        )  # fmt: skip
    return found


def _nothing(side: str) -> str:
    """Leave at once where the statement touched no row."""
    return f"IF NOT EXISTS (SELECT FROM {side}) THEN RETURN NULL; END IF"


def _lock(tables: tuple[str, ...], where: tuple[str, ...], root: str, *, alone: bool) -> str:
    """Take the locks of the buckets of all `root`s, in order."""
    kind = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return (
        f"PERFORM {kind}({LOCK}, b.bucket) FROM (SELECT DISTINCT "  # noqa: S608 names of our own schema
        f"hashtext(({root})::text) & {BUCKETS - 1} AS bucket FROM {', '.join(tables)}{condition} "
        "ORDER BY 1) b"
    )


def _shared(row: Tracked, side: str, alias: str) -> list[str]:
    if row.parent is None and row.entity != CONSENTS:
        return []
    whose = PG.owner(row.entity, alias, "s")
    return [_lock((f"{side} {alias}", *whose.tables), whose.where, whose.root, alone=False)]


def _inserted(row: Tracked) -> list[str]:
    whose = PG.owner(row.entity, "n", "n")
    statements = [_nothing("new_rows"), *_shared(row, "new_rows", "n")]
    statements.append(
        PG.entry(
            row.entity, "n.id", "'U'", new=PG.whose(whose),
            tables=["new_rows n", *whose.tables], where=whose.where,
        )
    )  # fmt: skip
    if row.entity == PAIRS:
        statements.append(_lock(("new_rows n",), (), "n.client_id", alone=True))
        statements += PG.pair("n", left=False, tables=["new_rows n"])
        statements += PG.around("n", ["new_rows n"], others=True)
    return statements


def _updated(row: Tracked, metadata: sa.MetaData) -> list[str]:
    was, now = PG.owner(row.entity, "o", "o"), PG.owner(row.entity, "n", "n")
    old, new = PG.whose(was), PG.whose(now)
    stayed = " AND ".join(
        each.replace("NEW.", "n.").replace("OLD.", "o.") for each in PG.unchanged(row.entity)
    )
    differs = f"NOT ({stayed})"
    pairs = ["old_rows o", "new_rows n"]
    shown: list[str] = []
    if row.ignored:
        names = [c.name for c in metadata.tables[row.table].columns if c.name not in row.ignored]
        both = [", ".join(f"{side}.{name}" for name in names) for side in ("n", "o")]
        shown = [f"({both[0]}) IS DISTINCT FROM ({both[1]})"]
    statements = [_nothing("new_rows"), *_shared(row, "new_rows", "n")]
    statements.append(  # rows that stayed where they were: most
        PG.entry(
            row.entity, "n.id", "'U'", new=new, tables=[*pairs, *now.tables],
            where=["o.id = n.id", stayed, *now.where, *shown],
        )
    )  # fmt: skip
    moved = _moved(row, old, new, [*was.tables, *now.tables], [*was.where, *now.where], differs)
    moved += [  # the key itself was changed: another row, to a follower
        PG.entry(
            row.entity, "o.id", "'D'", old=old, tables=["old_rows o", *was.tables],
            where=["NOT EXISTS (SELECT FROM new_rows n WHERE n.id = o.id)", *was.where],
        ),
        PG.entry(
            row.entity, "n.id", "'U'", new=new, tables=["new_rows n", *now.tables],
            where=["NOT EXISTS (SELECT FROM old_rows o WHERE o.id = n.id)", *now.where],
        ),
    ]  # fmt: skip
    inner = ";\n    ".join(moved)
    statements.append(
        "IF EXISTS (SELECT FROM new_rows n LEFT JOIN old_rows o ON o.id = n.id "
        f"WHERE {differs}) THEN\n    {inner};\n  END IF"
    )
    if row.entity == PAIRS:
        ended = ["o.id = n.id", stayed, PG.span_changed("n", "o")]
        told_now = [
            _lock(tuple(pairs), tuple(ended), "n.client_id", alone=True),
            *PG.around("n", pairs, ended),
        ]
        statements.append(
            f"IF EXISTS (SELECT FROM old_rows o, new_rows n WHERE {' AND '.join(ended)}) THEN\n    "
            + ";\n    ".join(told_now)
            + ";\n  END IF"
        )
    for column, entity in row.passed_on.items():
        changed = f"n.{column} <> o.{column}"
        tables, where = PG.below(entity, row.entity, "n")
        lock = _lock(
            (*pairs, *now.tables), ("o.id = n.id", changed, *now.where), now.root, alone=True
        )
        told = PG.entry(
            entity, "r.id", "'U'", new=new, tables=[*pairs, *now.tables, *tables],
            where=["o.id = n.id", changed, *now.where, *where],
        )  # fmt: skip
        statements.append(
            f"IF EXISTS (SELECT FROM old_rows o, new_rows n WHERE o.id = n.id AND {changed}) THEN\n"
            f"    {lock};\n    {told};\n  END IF"
        )
    return statements


def _moved(
    row: Tracked,
    old: tuple[str, str],
    new: tuple[str, str],
    tables: list[str],
    where: list[str],
    differs: str,
) -> list[str]:
    """The row left one owner for another, and everything below it with it."""
    pairs, joined = ["old_rows o", "new_rows n"], ["o.id = n.id", differs]
    statements: list[str] = []
    if descendants(row.entity):
        for side in ("o", "n"):
            whose = PG.owner(row.entity, side, side)
            statements.append(
                _lock((*pairs, *whose.tables), (*joined, *whose.where), whose.root, alone=True)
            )
    statements.append(
        PG.entry(
            row.entity, "n.id", "'U'", old=old, new=new,
            tables=[*pairs, *tables], where=[*joined, *where],
        )
    )  # fmt: skip
    for entity in descendants(row.entity):
        below, linked = PG.below(entity, row.entity, "n")
        statements.append(
            PG.entry(
                entity, "r.id", "'U'", old=old, new=new,
                tables=[*pairs, *tables, *below], where=[*joined, *where, *linked],
            )
        )  # fmt: skip
    if row.entity == CONSENTS:
        statements.insert(0, PG.unseen("o", pairs, joined))
    if row.entity == PAIRS:
        statements += [
            _lock(tuple(pairs), tuple(joined), f"{side}.client_id", alone=True) for side in "on"
        ]
        statements += PG.pair("o", left=True, tables=pairs, where=joined)
        statements += PG.pair("n", left=False, tables=pairs, where=joined)
        for side in "on":
            statements += PG.around(side, pairs, joined, others=True)
    return statements


def _deleted(row: Tracked) -> list[str]:
    whose = PG.owner(row.entity, "o", "o")
    statements = [_nothing("old_rows"), *_shared(row, "old_rows", "o")]
    statements.append(
        PG.entry(
            row.entity, "o.id", "'D'", old=PG.whose(whose),
            tables=["old_rows o", *whose.tables], where=whose.where,
        )
    )  # fmt: skip
    if row.entity == CONSENTS:
        statements.append(PG.unseen("o", ["old_rows o"]))
    if row.entity == PAIRS:
        statements.append(_lock(("old_rows o",), (), "o.client_id", alone=True))
        statements += PG.pair("o", left=True, tables=["old_rows o"])
        statements += PG.around("o", ["old_rows o"], others=True)
    return statements


def _below(row: Tracked) -> list[str]:
    """What hangs on the row is told while the row, which says whose it is, is still there."""
    whose = PG.owner(row.entity, "OLD", "o")
    statements = []
    if whose.tables:  # else the row says whose it is, and nobody changes one that is being deleted
        statements.append(_lock(tuple(whose.tables), tuple(whose.where), whose.root, alone=False))
    for entity in descendants(row.entity):
        tables, where = PG.below(entity, row.entity, "OLD")
        statements.append(
            PG.entry(
                entity, "r.id", "'D'", old=PG.whose(whose),
                tables=[*tables, *whose.tables], where=[*where, *whose.where],
            )
        )  # fmt: skip
    return statements

"""The register of every place that can hold personal text: what, where, and what an erasure does.

The table of `site/explanation/privacy.md` is written from it (`make docs`); a test finds each table of
the database and each folder of the home in exactly one row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Place:
    """A place.

    Attributes:
        key: short name, as `coachops privacy show` prints it.
        what: it holds, in words for a page.
        where: it lies, likewise.
        erased: what becomes of a client's data there when the client is erased; where something
            stays, why and until when.
        tables: of the database that belong to it.
        folders: names in the home that belong to it.
    """

    key: str
    what: str
    where: str
    erased: str
    tables: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


_DATABASE = "the database"
_DELETED = "deleted"

PLACES: tuple[Place, ...] = (
    Place(
        "client", "clients, who coaches them, consents, legal holds", _DATABASE,
        "deleted; the id and keyed hashes of external id and address stay, so that no import brings "
        "them back",
        ("clients", "engagements", "consents", "legal_holds"),
    ),
    Place(
        "sessions", "sessions, transcripts with the uploaded file, what was said, corrections: what "
        "stood before, beside what holds now", _DATABASE, _DELETED,
        ("sessions", "transcripts", "utterances", "transcript_edits"),
    ),
    Place(
        "analyses", "analyses, what they found, next steps, what was sent to a service (counts only)",
        _DATABASE, _DELETED,
        ("analyses", "insights", "insight_edits", "action_items", "outbound_records"),
    ),
    Place(
        "ai_replies", "answers of an AI service whose analysis is not stored yet, names still "
        "replaced: until it is stored or a consent withdrawn, 7 days at most; gone with the "
        "transcript", _DATABASE, _DELETED, ("ai_replies",),
    ),
    Place(
        "goals", "goals and their ratings", _DATABASE, _DELETED, ("goals", "goal_ratings")
    ),
    Place(
        "letters", "letters, clients' answers, what mail servers reported about letters: kind, "
        "status code, letter", _DATABASE, _DELETED, ("messages", "feedback", "mail_events"),
    ),
    Place(
        "quarantine", "what could not be accepted, as it came, at most 30 days "
        "(`COACHOPS_QUARANTINE_DAYS`); the file's name and the reason stay",
        "the database ([quarantine](../guides/quarantine.md))",
        "deleted, with what names them and belongs to nobody yet", ("quarantine",),
    ),
    Place(
        "suppressions", "addresses that are never written to: keyed hashes, the reason, a note of "
        "who lifted it", _DATABASE, "the note goes; the hash stays: a no outlives the client",
        ("suppressions",),
    ),
    Place(
        "activity", "what happened, by whom: ids and counts, no words of clients",
        "the database (audit), the log",
        "counts stay and name no row any more; the audit keeps ids, since its chain cannot be cut",
        ("activity", "audit_events", "audit_head"),
    ),
    Place(
        "inbound", "what other systems last wrote: keyed digests", _DATABASE, _DELETED,
        ("inbound_rows",),
    ),
    Place(
        "replies", "answers to repeated calls of other systems: ids and external ids", _DATABASE,
        "go after two days", ("kept_replies",),
    ),
    Place(
        "feed", "which rows changed, in order: ids only", _DATABASE,
        "the ids stay, so that copies elsewhere learn of the removal "
        "(`COACHOPS_FEED_KEEP_DAYS`)",
        ("change_log", "change_inbox", "feed_meta"),
    ),
    Place(
        "webhooks", "addresses that are told of events, their secrets sealed; the events: ids, counts "
        "and links only, 30 days after their delivery (`COACHOPS_WEBHOOK_DAYS`)", _DATABASE,
        "stays: nothing personal",
        ("webhook_endpoints", "webhook_events", "webhook_deliveries"),
    ),
    Place(
        "issued", "who was given which export: ids, filters, counts", _DATABASE,
        "stays: it tells whom to inform",
        ("issued_exports", "issued_export_parts"),
    ),
    Place(
        "erasures", "who was erased: an id that leads nowhere, and keyed hashes",
        "the database, a file in `privacy`, a copy beside the backups",
        "stays, so that a restore erases them again", ("erasures",), ("privacy",),
    ),
    Place(
        "staff", "coaches, users, their sign-ins and tokens", _DATABASE, "stays: not about clients",
        (
            "coaches", "users", "user_permissions", "sign_in_links", "web_sessions",
            "kernel_tickets", "kernel_bindings", "api_tokens",
        ),
    ),
    Place(
        "operation", "state of the suite itself: no words, names or addresses of clients", _DATABASE,
        "stays: nothing personal",
        (
            "ai_budgets", "ai_circuits", "ai_spend", "backups", "drills", "heartbeats",
            "key_escrows", "operations", "worker_heartbeats", "retention_periods",
        ),
    ),
    Place(
        "jobs", "jobs in the background: ids only",
        "the database; with SQLite the file `jobs.db` beside it (a damaged one is kept as "
        "`jobs.db.corrupt-…`)",
        "waiting ones are cancelled; the ids go with the jobs' records after 90 days",
        (), ("jobs.db", "locks"),
    ),
    Place(
        "outbox", "follow-ups, while no mail server is connected", "files in `outbox`",
        "deleted, those to the client", (), ("outbox",),
    ),
    Place(
        "mail_reports", "returned mails that named no letter of ours, handed in by the mail server "
        "(at most 200)", "files in `mail-reports`", "deleted where they name the client",
        (), ("mail-reports",),
    ),
    Place(
        "exports", "exports that somebody made", "files in `exports`, or where their maker chose",
        "deleted whole where they may hold the client; of those elsewhere you get the list, with "
        "who made them", (), ("exports",),
    ),
    Place(
        "reports", "reports that somebody made", "files in `reports`, or where their maker chose",
        "deleted where they name the client", (), ("reports",),
    ),
    Place(
        "secrets", "secrets that sign cookies, links and exports, seal those of webhooks, and key "
        "hashes and pseudonyms",
        "files in `secrets`, readable by the suite only", "stays: nothing personal",
        (), ("secrets",),
    ),
    Place(
        "database_files", "what rows left behind in the database's own files",
        "SQLite: its file and log; PostgreSQL: its files and log on the server",
        "SQLite: the file is written anew, the log emptied; PostgreSQL: freed, and overwritten as "
        "space is used again; its log goes with the backups", (), ("coachops.db",),
    ),
    Place(
        "backups", "[backups](../how-to/back-up-and-restore.md) of all the above but exports and "
        "reports, with PostgreSQL also the server's archived log, sealed: only who has the backup "
        "key can read them", "where `COACHOPS_STORAGE_URL` says",
        "stays sealed until it expires (`COACHOPS_BACKUP_KEEP`); a restore erases the client again "
        "before anybody can read", (), ("backups", "backup-work"),
    ),
    Place(
        "before_restore", "what a restore replaced",
        "folders `before-restore-…` beside the database, until you delete them",
        "erased there, too; a database of another version is named, for you to delete",
        (), ("before-restore",),
    ),
)  # fmt: skip


@cache
def place_of_table(table: str) -> Place:
    """The place that a table belongs to; `KeyError` for an unknown one."""
    for place in PLACES:
        if table in place.tables:
            return place
    raise KeyError(table)


def places_markdown() -> str:
    """The table of the page."""
    lines = ["| what | where | when a client is erased |", "|---|---|---|"]
    lines += [f"| {place.what} | {place.where} | {place.erased} |" for place in PLACES]
    return "\n".join(lines) + "\n"

"""what could not be accepted; lengths of texts as constraints

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coachops.db.models.base import Json, UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CHECKS: tuple[tuple[str, str, str], ...] = (
    ("coaches", "name_at_most", "length(name) <= 200"),
    ("coaches", "email_at_most", "length(email) <= 200"),
    ("coaches", "external_id_at_most", "length(external_id) <= 200"),
    ("coaches", "email_not_blank", "length(trim(email)) > 0"),
    ("clients", "name_at_most", "length(name) <= 200"),
    ("clients", "email_at_most", "length(email) <= 200"),
    ("clients", "external_id_at_most", "length(external_id) <= 200"),
    ("clients", "email_not_blank", "length(trim(email)) > 0"),
    ("engagements", "external_id_at_most", "length(external_id) <= 200"),
    ("engagements", "external_id_not_blank", "length(trim(external_id)) > 0"),
    ("engagements", "title_at_most", "length(title) <= 200"),
    ("consents", "note_at_most", "length(note) <= 200"),
    ("sessions", "title_at_most", "length(title) <= 200"),
    ("transcripts", "source_name_at_most", "length(source_name) <= 200"),
    ("utterances", "speaker_label_at_most", "length(speaker_label) <= 200"),
    ("utterances", "text_not_blank", "length(trim(text)) > 0"),
    ("goals", "title_at_most", "length(title) <= 200"),
    ("goal_ratings", "note_at_most", "length(note) <= 2000"),
    ("messages", "subject_at_most", "length(subject) <= 200"),
    ("messages", "recipient_name_at_most", "length(recipient_name) <= 200"),
    ("messages", "recipient_email_at_most", "length(recipient_email) <= 200"),
    ("messages", "edited_body_at_most", "NOT edited OR length(body) <= 20001"),
    ("feedback", "next_focus_at_most", "length(next_focus) <= 2000"),
    ("insight_edits", "text_at_most", "length(text) <= 4000"),
    ("insight_edits", "text_not_blank", "length(trim(text)) > 0"),
    ("action_items", "edited_text_at_most", "NOT edited OR length(text) <= 4000"),
    ("users", "name_at_most", "length(name) <= 200"),
    ("users", "email_at_most", "length(email) <= 200"),
    ("api_tokens", "name_at_most", "length(name) <= 200"),
    ("api_tokens", "name_not_blank", "length(trim(name)) > 0"),
)
"""Table, name, condition; NULL passes a check in SQL."""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "quarantine",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("dedupe", sa.String(length=64), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("coach_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("held_on", sa.Date(), nullable=True),
        sa.Column("transcript_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("brought_by", sa.Uuid(), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('transcript', 'cue', 'roster', 'roster_row')",
            name=op.f("ck_quarantine_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'replayed', 'discarded', 'expired')",
            name=op.f("ck_quarantine_state_known"),
        ),
        sa.CheckConstraint(
            "source IN ('page', 'api', 'cli', 'program')", name=op.f("ck_quarantine_source_known")
        ),
        sa.CheckConstraint("length(trim(name)) > 0", name=op.f("ck_quarantine_name_not_blank")),
        sa.CheckConstraint("length(name) <= 200", name=op.f("ck_quarantine_name_at_most")),
        sa.CheckConstraint("line IS NULL OR line >= 1", name=op.f("ck_quarantine_line_from_one")),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_quarantine_size_positive")),
        sa.CheckConstraint(
            "kind <> 'cue' OR transcript_id IS NOT NULL",
            name=op.f("ck_quarantine_cue_has_transcript"),
        ),
        sa.CheckConstraint(
            "state = 'waiting' OR resolved_at IS NOT NULL",
            name=op.f("ck_quarantine_end_has_time"),
        ),
        sa.ForeignKeyConstraint(["coach_id"], ["coaches.id"], name=op.f("fk_quarantine_coach_id")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_quarantine_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["transcript_id"],
            ["transcripts.id"],
            name=op.f("fk_quarantine_transcript_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["brought_by"], ["users.id"], name=op.f("fk_quarantine_brought_by")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["users.id"], name=op.f("fk_quarantine_resolved_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_index("ix_quarantine_coach_id_state", "quarantine", ["coach_id", "state"])
    op.create_index("ix_quarantine_created_at", "quarantine", ["created_at"])
    op.create_index("ix_quarantine_client_id", "quarantine", ["client_id"])
    op.create_index("ix_quarantine_transcript_id", "quarantine", ["transcript_id"])
    op.create_index(
        "uq_quarantine_waiting_dedupe",
        "quarantine",
        ["dedupe"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    _on_each_table(_added, _add)


def downgrade() -> None:
    """Take back."""
    _on_each_table(_taken, _drop)
    op.drop_table("quarantine")


def _on_each_table(rewrite, alter) -> None:  # type: ignore[no-untyped-def]  # two functions of this file
    """Change the constraints: by ALTER TABLE on PostgreSQL, in the schema's text on SQLite.

    SQLite has no ALTER for constraints, and a table that others refer to cannot be built anew while
    foreign keys are enforced (dropping the old one would delete what hangs on it). Its manual names
    this way for changes that touch no content (lang_altertable, section 8).
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        for table, name, condition in _CHECKS:
            alter(f"ck_{table}_{name}", table, condition)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for table in dict.fromkeys(table for table, _, _ in _CHECKS):
        before = connection.execute(
            sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"),
            {"name": table},
        ).scalar_one()
        connection.execute(
            sa.text("UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :name"),
            {"sql": rewrite(before, table), "name": table},
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {int(version) + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    for table in dict.fromkeys(table for table, _, _ in _CHECKS):
        found = connection.exec_driver_sql(f"PRAGMA quick_check('{table}')").scalars().all()
        if found != ["ok"]:
            raise RuntimeError(f"rows of {table} do not keep the new limits")


def _lines(table: str) -> list[str]:
    return [
        f", CONSTRAINT ck_{each}_{name} CHECK ({condition})"
        for each, name, condition in _CHECKS
        if each == table
    ]


def _added(sql: str, table: str) -> str:
    head, bracket, tail = sql.rpartition(")")
    return head.rstrip() + "".join(_lines(table)) + "\n" + bracket + tail


def _taken(sql: str, table: str) -> str:
    for line in _lines(table):
        sql = sql.replace(line, "")
    return sql


def _add(name: str, table: str, condition: str) -> None:
    op.create_check_constraint(op.f(name), table, condition)


def _drop(name: str, table: str, _condition: str) -> None:
    op.drop_constraint(op.f(name), table, type_="check")

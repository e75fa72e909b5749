"""webhooks that a restore switched off

Revision: 0017, after 0016.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLE = "webhook_endpoints"
_NAME = "ck_webhook_endpoints_disabled_reason_known"
_BEFORE = "disabled_reason IN ('gone', 'exhausted')"
_AFTER = "disabled_reason IN ('gone', 'exhausted', 'restored')"


def upgrade() -> None:
    """Apply."""
    _replace(_BEFORE, _AFTER)


def downgrade() -> None:
    """Take back; what a restore switched off stays off."""
    op.execute(
        "UPDATE webhook_endpoints SET disabled_reason = 'gone' WHERE disabled_reason = 'restored'"
    )
    _replace(_AFTER, _BEFORE)


def _replace(old: str, new: str) -> None:
    """By ALTER TABLE on PostgreSQL, in the schema's text on SQLite: see 0008 for why."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint(op.f(_NAME), _TABLE, type_="check")
        op.create_check_constraint(op.f(_NAME), _TABLE, new)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    try:
        found = connection.execute(
            sa.text(
                "UPDATE sqlite_master SET sql = replace(sql, :old, :new) "
                "WHERE type = 'table' AND name = :name AND instr(sql, :old)"
            ),
            {"old": old, "new": new, "name": _TABLE},
        )
        if found.rowcount != 1:
            raise RuntimeError(f"{_TABLE} has another constraint than this migration knows")
        connection.exec_driver_sql(f"PRAGMA schema_version = {int(version) + 1}")
    finally:
        connection.exec_driver_sql("PRAGMA writable_schema = OFF")

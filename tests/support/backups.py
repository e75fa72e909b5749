"""An organisation to back up, and what tests ask of a restored one."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import sqlalchemy as sa

from coachops.bootstrap import prepare
from coachops.coaching.seed import seed_organisation
from coachops.core import clock, ids
from coachops.core.settings import Settings
from coachops.db import Database
from coachops.db.models import Message, User, WebSession
from coachops.jobs.store import ensure_store


def seeded(settings: Settings, sessions: int = 12) -> None:
    """Make the home: a small organisation, an empty queue, two letters and a secret."""
    prepare(settings)
    database = Database(settings.database_url)
    seed_organisation(
        database, coaches=3, clients=6, sessions=sessions, utterances_per_session=8, seed=3,
        until=dt.date(2026, 11, 1), months=3,
    )  # fmt: skip
    with database.write() as session:
        user = session.scalars(sa.select(User)).first()
        assert user is not None
        session.add(
            WebSession(
                id=ids.new_id(), user_id=user.id, last_seen_at=clock.now(),
                expires_at=clock.now() + dt.timedelta(days=1),
            )
        )  # fmt: skip
    database.close()
    ensure_store(settings)
    settings.outbox.mkdir(mode=0o700)
    for number in (1, 2):
        (settings.outbox / f"letter-{number}.eml").write_bytes(b"To: somebody\r\n\r\nDear\r\n")
    (settings.home / "secrets").mkdir(mode=0o700, exist_ok=True)
    secret = settings.home / "secrets" / "cookie"
    secret.write_text("a secret of the installation")
    secret.chmod(0o600)


def content(path: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Table -> digest of its rows, of a database file."""
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
    found = {}
    with engine.connect() as connection:
        for name in sa.inspect(connection).get_table_names():
            if name not in without:
                rows = connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()  # noqa: S608
                text = "\n".join(sorted(map(repr, rows)))
                found[name] = hashlib.sha256(text.encode()).hexdigest()
    engine.dispose()
    return found


def approve_some(database: Database, count: int) -> list[object]:
    """Set that many messages to *approved*; their ids."""
    with database.write() as session:
        chosen = session.scalars(sa.select(Message).order_by(Message.id).limit(count)).all()
        for message in chosen:
            message.state, message.approved_at = "approved", clock.now()
            message.approved_version = message.version
        return [message.id for message in chosen]

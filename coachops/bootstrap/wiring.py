"""Building the services of one process from its settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from coachops.bootstrap.secrets import secret_file
from coachops.core.errors import CoachError
from coachops.core.settings import Settings, load_settings
from coachops.db import Database, change_feed, migrate
from coachops.db.coached import keep_day
from coachops.db.engine import sqlite_file

if TYPE_CHECKING:
    from coachops.ai.gateway import Gateway
    from coachops.backup import Backups
    from coachops.coaching.messages import Letterhead, Mailer
    from coachops.export.parts import Privacy
    from coachops.export.signing import SigningKey
    from coachops.identity import Identity
    from coachops.webhooks.facade import Webhooks


@dataclass(frozen=True)
class Services:
    """What the surfaces and jobs of one process use; parts are built when first asked for."""

    settings: Settings
    database: Database

    @cached_property
    def gateway(self) -> Gateway:
        """The one way to an analysis engine."""
        from coachops.ai.gateway import Gateway  # noqa: PLC0415 622 ms of the openai SDK

        return Gateway(self.settings, self.database)

    @cached_property
    def mailer(self) -> Mailer:
        """SMTP where a server is set, else `.eml` files in the outbox."""
        from coachops.coaching.messages import mailer_for  # noqa: PLC0415 built on demand

        return mailer_for(self.settings)

    @cached_property
    def letterhead(self) -> Letterhead:
        """Sender, organisation and the client's link of every follow-up."""
        from coachops.coaching.messages import letterhead_for  # noqa: PLC0415 built on demand

        return letterhead_for(self.settings, self.secret("feedback"))

    @cached_property
    def identity(self) -> Identity:
        """Users, sign-ins and dashboard kernels."""
        from coachops.identity import Identity  # noqa: PLC0415 built on demand

        return Identity(self.database, self.secret("cookie"), self.settings.session_hours)

    @cached_property
    def backups(self) -> Backups:
        """Backup and recovery."""
        from coachops.backup import Backups, open_place  # noqa: PLC0415 built on demand
        from coachops.privacy.replaying import Erasures  # noqa: PLC0415 as above

        home = self.settings.home
        erasures = Erasures(home, self.database)
        place = open_place(self.settings)
        return Backups(self.settings, self.database, home / "secrets", place, erasures)

    @cached_property
    def signing_key(self) -> SigningKey:
        """The key that signs the exports of this installation."""
        from coachops.export.signing import SECRET, SigningKey  # noqa: PLC0415 built on demand

        return SigningKey(self.secret(SECRET))

    def privacy_profile(self, name: str) -> Privacy | None:
        """What a privacy profile leaves of a dataset; None is everything."""
        from coachops.export.pseudonyms import pseudonymise  # noqa: PLC0415 built on demand

        return None if name == "full" else partial(pseudonymise, key=self.secret("pseudonyms"))

    @cached_property
    def webhooks(self) -> Webhooks:
        """Who is told of events, and what became of it."""
        from coachops.webhooks.facade import Webhooks  # noqa: PLC0415 built on demand

        return Webhooks(self.database, self.settings, self.secret("webhooks"))

    def secret(self, name: str) -> bytes:
        """The installation's own secret of that name, made at its first use."""
        return secret_file(self.settings.home, name)

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()


def services(settings: Settings | None = None) -> Services:
    """The services of this process.

    Raises:
        CoachError: COACH-SYS-001 for a bad setting, COACH-DB-001 unreachable, COACH-DB-005 not
            set up, COACH-DB-006 newer than the code.
    """
    settings = settings or load_settings()
    database = Database.of(settings)
    migrate.require_head(database)
    return Services(settings, database)


def recovery(settings: Settings) -> Backups:
    """Backup and recovery where the database may be lost: nothing is opened, migrated or made."""
    from coachops.backup import Backups, open_place  # noqa: PLC0415 built on demand
    from coachops.privacy.replaying import Erasures  # noqa: PLC0415 as above

    database: Database | None = Database.of(settings)
    file = sqlite_file(database.engine) if database is not None else None
    if file is not None and not file.exists():  # connecting would leave an empty one behind
        database = None
    erasures = Erasures(settings.home, database)
    secrets = settings.home / "secrets"
    return Backups(settings, database, secrets, open_place(settings), erasures)


def prepare(settings: Settings) -> tuple[str | None, str]:
    """Make the home folder and migrate the database; returns its revision before and after.

    Raises:
        CoachError: COACH-SYS-001 for a bad setting, COACH-DB-001 unreachable, COACH-DB-006 newer.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = f"the folder cannot be made ({error.strerror})"
        raise CoachError("COACH-SYS-001", name="COACHOPS_HOME", reason=reason) from error
    from coachops.export import DATASETS  # noqa: PLC0415 of no use to --help

    database = Database.of(settings)
    try:
        revisions = migrate.upgrade(database)
        change_feed.note_versions(database, {each.name: each.version for each in DATASETS.values()})
        keep_day(database, patient=True)
        return revisions
    finally:
        database.close()

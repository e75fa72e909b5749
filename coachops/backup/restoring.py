"""Restoring: choose a backup, bring it back aside, compare it, settle it, then put it in place.

Nothing is touched before the restored database was compared with its manifest. The embedded database
is put in place by one rename, the last step: a restore that is killed leaves the old one whole, or
the new one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from coachops.backup import home, swap
from coachops.backup.carrying import Carried, carry_over
from coachops.backup.drilling import compare
from coachops.backup.engines import NEWEST, Engine
from coachops.backup.fetching import fetch
from coachops.backup.folder import place_error
from coachops.backup.forgetting import known_journals
from coachops.backup.model import Manifest, Restored
from coachops.backup.settling import Settled, drop_open_jobs, drop_open_server_jobs, settle
from coachops.backup.shelf import Shelf, look
from coachops.backup.site import Site
from coachops.backup.sqlite import DATABASE, JOBS
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database, migrate
from coachops.db.models import Heartbeat

_STAGE = ".restore-"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to restore, and where to.

    Attributes:
        into: None for the installation's own home and database.
        at: the moment to go back to; None for the newest.
        backup_id: this backup and no other.
        replace: whether an existing database is replaced (the old one is kept aside).
        key_file: secret key to open with; None for those of this machine.
    """

    into: Path | None = None
    at: dt.datetime | None = None
    backup_id: str | None = None
    replace: bool = False
    key_file: Path | None = None


def restore(site: Site, wish: Wish) -> Restored:
    """Bring a backup back. The caller holds the turn.

    Raises:
        CoachError: COACH-BKP-006 no such backup, -007 damaged, -008 and -009 the key, -010 there is
            a database, -011 it is in use, -012 not equal, -004 no space; COACH-DB-006 the backup
            is of a newer version. In all cases what was there stays as it was.
    """
    begun, now = clock.monotonic(), clock.now()
    into, target = _target(site, wish)
    if target.exists() and not wish.replace:
        raise CoachError("COACH-BKP-010", place=str(target))
    old = target if target.is_file() else None
    if old is not None:
        swap.require_free(old, home=into)  # said at once, not after an hour of fetching
    shelf = look(site.place)
    manifest = choose(site, shelf, wish)
    keys = site.ring.for_restore(wish.key_file)
    known = known_journals(site.erasures, site.place, manifest.installation)
    engine = site.engine(manifest)
    exact = _moment(engine, manifest, wish)
    with _stage(target.parent, into) as stage:
        plain, fresh = stage / "plain", stage / "fresh"
        plain.mkdir(mode=0o700)
        fresh.mkdir(mode=0o700)
        parts = fetch(site.place, manifest, keys, plain)
        archive = parts.pop(home.ARCHIVE, None)
        if archive is not None:
            home.unpack(archive, stage / "home")
        engine.restore(manifest, parts, fresh, exact)
        settled, beat, forgotten = _settled(
            engine,
            manifest,
            fresh,
            lambda fit: site.erasures.replay(fit, stage / "home", into, known),
        )
        carried = carry_over(old, fresh / DATABASE) if old is not None else Carried()
        others = home.merge(stage / "home", into) if archive is not None else ()
        if wish.key_file is not None:
            with contextlib.suppress(CoachError):  # a machine's own key is kept
                site.ring_of(into / "secrets").bring_back(wish.key_file, manifest.recipients)
        if manifest.engine == "sqlite":
            aside = swap.put_in_place(fresh / DATABASE, target, replace=wish.replace, home=into)
        else:
            swap.move_all(fresh, into)
            aside = None
    rows = sum(table.rows for table in manifest.snapshot.tables.values())
    until = (
        manifest.made_at
        if exact is None
        else min(exact, max(beat or manifest.made_at, manifest.made_at))
    )
    if wish.at is not None and exact is not None:
        until = wish.at
    lost = max(0.0, ((wish.at or now) - until).total_seconds())
    return Restored(
        backup_id=manifest.id, made_at=manifest.made_at, into=str(into),
        seconds=clock.monotonic() - begun, lost_seconds=lost, held=settled.held,
        drafts=settled.drafts, signed_out=settled.signed_out, rows=rows,
        notes=(
            *_notes(site, manifest, until, settled, carried, shelf, aside),
            *_forgotten_note(forgotten),
            *(_secret_note(name) for name in others),
            *engine.how_to_start(into),
        ),
        aside=str(aside) if aside else None,
    )  # fmt: skip


def choose(site: Site, shelf: Shelf, wish: Wish) -> Manifest:
    """The backup to restore.

    Raises:
        CoachError: COACH-BKP-006 where there is none, COACH-BKP-007 where the wanted one is damaged.
    """
    if wish.backup_id is not None:
        found = [one for one in shelf.backups if one.id == wish.backup_id]
        if not found:
            raise CoachError("COACH-BKP-006", wanted=wish.backup_id, place=site.place.url)
        if not found[0].good or found[0].manifest is None:
            raise CoachError("COACH-BKP-007", backup=wish.backup_id, reason=found[0].problem)
        return found[0].manifest
    good = shelf.good(site.installation or "")
    if site.installation is None:  # an empty machine; another's data are never taken by themselves
        good = shelf.good()
        if len({one.installation for one in good}) > 1:
            raise CoachError(
                "COACH-SYS-002",
                reason="The place holds backups of several installations; name one with --backup.",
            )
    wanted = "at all"
    if wish.at is not None:
        wanted = f"from {wish.at:%Y-%m-%d %H:%M:%S %Z} or before"
        good = [one for one in good if one.made_at <= wish.at]
    if not good:
        raise CoachError("COACH-BKP-006", wanted=wanted, place=site.place.url)
    return good[0]


def _target(site: Site, wish: Wish) -> tuple[Path, Path]:
    """The home folder to restore into, and where the database goes (or the folder of a server)."""
    own = wish.into is None or wish.into.expanduser().resolve() == site.home
    into = site.home if own or wish.into is None else wish.into.expanduser().resolve()
    if not site.settings.database_url.startswith("sqlite"):
        return into, into / "pgdata"
    if not own:
        return into, into / DATABASE
    name = sa.make_url(site.settings.database_url).database
    if not name or name == ":memory:":
        raise CoachError(
            "COACH-SYS-001", name="COACHOPS_DATABASE_URL", reason="a database in memory is no place"
        )
    return into, Path(name).resolve()


@contextlib.contextmanager
def _stage(beside: Path, into: Path) -> Iterator[Path]:
    """An empty private folder on the same disk as the target; gone afterwards.

    What killed restores left of it is removed: the caller holds the turn.
    """
    try:
        for folder in (into, beside):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in beside.glob(f"{_STAGE}*"):
            shutil.rmtree(old, ignore_errors=True)
        stage = beside / f"{_STAGE}{clock.now():%Y%m%dT%H%M%SZ}"
        stage.mkdir(mode=0o700)
    except OSError as error:
        raise place_error(error, str(beside)) from error
    try:
        yield stage
    except OSError as error:
        raise place_error(error, str(beside)) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _moment(engine: Engine, manifest: Manifest, wish: Wish) -> dt.datetime | None:
    """Where the restore ends: see `Engine.restore`.

    Raises:
        CoachError: COACH-BKP-025 where the engine keeps a log, and it does not reach so far.
    """
    if not engine.covers(manifest, NEWEST):
        return None
    if wish.at is None:
        return NEWEST if wish.backup_id is None else None
    if not engine.covers(manifest, wish.at):
        raise CoachError("COACH-BKP-025", newest=engine.reach([manifest]) or manifest.made_at)
    return wish.at


def _settled(
    engine: Engine, manifest: Manifest, fresh: Path, forget: Callable[[Database], int]
) -> tuple[Settled, dt.datetime | None, int]:
    """Compare what was brought back, bring it to this version's schema, settle it.

    Parameters:
        forget: erases again who was erased since the backup; returns how many had come back.

    Returns:
        with the newest heartbeat that came back, and how many were erased again.
    """
    with engine.standing(fresh) as database:
        problems = engine.check(fresh, database) if database.is_sqlite else []
        problems = problems or compare(manifest.snapshot, engine.snapshot(database))
        if problems:
            raise CoachError("COACH-BKP-012", backup=manifest.id, reason=problems[0])
    with engine.opened(fresh) as database:
        if not database.is_sqlite and (problems := engine.check(fresh, database)):
            raise CoachError("COACH-BKP-012", backup=manifest.id, reason=problems[0])
        with database.read() as session:
            beat = session.scalar(sa.select(sa.func.max(Heartbeat.at)))
        migrate.upgrade(database)
        settled = settle(database, manifest.id)
        forgotten = forget(database)
        if database.is_sqlite:
            if (fresh / JOBS).is_file():
                drop_open_jobs(fresh / JOBS)
        else:
            drop_open_server_jobs(database)
    return settled, beat, forgotten


def _notes(
    site: Site,
    manifest: Manifest,
    until: dt.datetime,
    settled: Settled,
    carried: Carried,
    shelf: Shelf,
    aside: Path | None,
) -> Iterator[str]:
    """What the person must know now."""
    at = until.astimezone(site.settings.zone)
    since = f"{at:%Y-%m-%d %H:%M:%S %Z}"
    yield f"Everything entered, uploaded or changed after {since} is not in it."
    if settled.held:
        yield (
            f"Approved then, so perhaps sent since: {_counted(settled.held, 'follow-up')}. None is "
            "sent again: each is marked 'delivery unknown' until somebody says what happened."
        )
    if settled.drafts:
        yield (
            f"Drafts then: {_counted(settled.drafts, 'follow-up')}. Look into your sent mail before "
            "you approve one."
        )
    yield "All sign-ins, invitations and reset links have ended: everybody signs in again."
    if settled.webhooks:
        yield (
            f"Switched off: {_counted(settled.webhooks, 'webhook')}, since one that you removed after "
            "the backup came back, too. Look at 'coachops webhook list', remove what is not wanted, and "
            "run 'coachops webhook enable' for each of the others."
        )
    if carried.told:
        yield (
            "What was refused since then is carried over from the database that was replaced: "
            f"{_counted(carried.consents, 'consent')} withdrawn, "
            f"{_counted(carried.suppressions, 'address', 'es')} not to be written to, "
            f"{_counted(carried.users, 'user')} disabled, "
            f"{_counted(carried.api_tokens, 'API token')} revoked."
        )
    else:
        yield (
            "Enter again what was refused since then: consents withdrawn, addresses that opted "
            "out, users disabled, API tokens revoked."
        )
    damaged = [one.id for one in shelf.backups if not one.good and one.id > manifest.id]
    if damaged:
        yield f"A newer backup is damaged and was passed over: {damaged[0]}."
    if aside is not None:
        yield f"What was there before is kept in {aside}; delete it when all is well."


def _forgotten_note(count: int) -> Iterator[str]:
    if count:
        yield f"{_counted(count, 'client')} erased since the backup came back and went again."


def _secret_note(name: str) -> str:
    return (
        f"{name} of this machine is another than the backup's, which lies beside it as "
        f"{name}{home.BESIDE}. Unless you changed it on purpose, put that one in its place before "
        "you start: links in earlier letters and the list of who is never written to need it."
    )


def _counted(count: int, name: str, ending: str = "s") -> str:
    """`1 user`, `2 users`."""
    return f"{count} {name}{'' if count == 1 else ending}"

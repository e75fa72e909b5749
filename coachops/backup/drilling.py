"""The drill: restore the newest backup into a scratch folder, compare everything, measure."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from coachops.backup import catalogue, home, snapshot
from coachops.backup.engines import NEWEST, Engine
from coachops.backup.fetching import fetch
from coachops.backup.model import DrillResult, Manifest, Snapshot
from coachops.backup.sealing import Keys, fingerprint
from coachops.backup.shelf import look, prove
from coachops.backup.site import Site
from coachops.core import clock
from coachops.core.errors import CoachError
from coachops.db import Database
from coachops.db.models import Client, Coach, CoachingSession, Heartbeat, Transcript, Utterance

_MOST_REASONS = 8
_log = logging.getLogger(__name__)


def drill(site: Site, database: Database) -> DrillResult:
    """Do it and remember it. The caller holds the turn; a failure is a result, not an error."""
    at = clock.now()
    trial = _Trial(site, database, at)
    try:
        trial.run()
    except CoachError as error:
        trial.reasons.append(f"{error.code}: {error.message}")
    except Exception as error:  # a drill that breaks is a drill that failed
        _log.exception("the drill broke")
        trial.reasons.append(f"COACH-SYS-003: {type(error).__name__}")
    result = trial.result()
    if result.passed and trial.manifest is not None:
        try:
            prove(site.place, trial.manifest.id, trial.sha256, at)
        except CoachError as error:
            _log.warning("the proof was not placed", extra={"code": error.code})
    catalogue.add_drill(database, result)
    return result


class _Trial:
    def __init__(self, site: Site, database: Database, at: dt.datetime) -> None:
        self._site, self._database = site, database
        self.at = at
        self.reasons: list[str] = []
        self.manifest: Manifest | None = None
        self.sha256 = ""
        self._escrow = False
        self._rpo: float | None = None
        self._rto: float | None = None
        self._bytes = 0
        self._found: Snapshot | None = None

    def run(self) -> None:
        site = self._site
        shelf = look(site.place)  # read anew: what was seen before may have been changed since
        own = [one for one in shelf.backups if one.may_be_of(site.installation)]
        newest = own[0] if own else None
        good = shelf.good(site.installation or "")
        if newest is not None and not newest.good:
            raise CoachError("COACH-BKP-007", backup=newest.id, reason=newest.problem)
        if not good:
            raise CoachError("COACH-BKP-006", wanted="to drill with", place=site.place.url)
        self.manifest = good[0]
        self.sha256 = next(one.sha256 for one in shelf.backups if one.id == self.manifest.id)
        self._require_the_manifest_of_the_catalogue()
        keys, self._escrow = site.ring.for_drill()
        self._require_escrow_of_this_key(self.manifest)
        engine = site.engine(self.manifest)
        begun = clock.monotonic()
        with site.work() as work:
            self._restore(engine, self.manifest, keys, work)
        self._rto = clock.monotonic() - begun

    def _restore(self, engine: Engine, manifest: Manifest, keys: Keys, work: Path) -> None:
        plain, target = work / "plain", work / "target"
        for folder in (plain, target):
            folder.mkdir(mode=0o700)
        parts = fetch(self._site.place, manifest, keys, plain)
        self._bytes = sum(path.stat().st_size for path in parts.values())
        if home.ARCHIVE in parts:
            home.unpack(parts.pop(home.ARCHIVE), work / "home")
        engine.restore(manifest, parts, target, NEWEST if engine.covers(manifest, NEWEST) else None)
        with engine.standing(target) as restored:
            if not restored.is_sqlite or not self._fail(engine.check(target, restored)):
                self._found = engine.snapshot(restored)
                self._fail(compare(manifest.snapshot, self._found))
        if self.reasons:
            return
        with engine.opened(target) as restored:
            self._fail([] if restored.is_sqlite else engine.check(target, restored))
            self._fail(smoke(restored))
            with restored.read() as session:
                beat = session.scalar(sa.select(sa.func.max(Heartbeat.at)))
        if beat is not None:
            self._rpo = max(0.0, (self.at - beat).total_seconds())
        files = (path for path in target.rglob("*") if path.is_file())
        self._bytes = max(self._bytes, sum(path.stat().st_size for path in files))

    def _fail(self, problems: Sequence[str]) -> bool:
        self.reasons += [f"COACH-BKP-012: {problem}" for problem in problems]
        return bool(problems)

    def _require_the_manifest_of_the_catalogue(self) -> None:
        """A manifest that was replaced as a whole, name and all, is known by the database."""
        if self.manifest is None:
            return
        with self._database.read() as session:
            known = catalogue.manifest_of(session, self.manifest.id)
        if known is not None and known != self.sha256:
            raise CoachError(
                "COACH-BKP-007", backup=self.manifest.id, reason="its manifest was replaced"
            )

    def _require_escrow_of_this_key(self, manifest: Manifest) -> None:
        with self._database.read() as session:
            confirmed = catalogue.escrow_confirmed(session)
        known = {fingerprint(one) for one in manifest.recipients}
        if confirmed and not known & confirmed.keys():
            self.reasons.append(
                "COACH-BKP-016: the key was changed since the copy in escrow was confirmed"
            )

    def result(self) -> DrillResult:
        tables = self._found.tables if self._found else {}
        return DrillResult(
            at=self.at,
            passed=not self.reasons,
            backup_id=self.manifest.id if self.manifest else None,
            rpo_seconds=self._rpo,
            rto_seconds=self._rto,
            bytes=self._bytes,
            reasons=tuple(self.reasons[:_MOST_REASONS]),
            escrow=self._escrow,
            tables=len(tables),
            rows=sum(table.rows for table in tables.values()),
        )


def compare(expected: Snapshot, found: Snapshot) -> list[str]:
    """What a restored database has otherwise than the saved one; empty where all is equal."""
    problems = snapshot.differences(expected.tables, found.tables)
    if expected.revision != found.revision:
        problems.append(f"the schema is {found.revision} instead of {expected.revision}")
    if expected.heartbeat != found.heartbeat:
        problems.append("the newest heartbeat is another one")
    if expected.audit != found.audit:
        problems.append("the end of the audit chain is another one")
    return problems


def smoke(database: Database) -> list[str]:
    """Ask what a coach's first page asks: the newest sessions with people and words."""
    newest = (
        sa.select(CoachingSession.id, Coach.name, Client.name, Transcript.id)
        .join(Client, Client.id == CoachingSession.client_id)
        .join(Coach, Coach.id == CoachingSession.coach_id)
        .join(Transcript, Transcript.session_id == CoachingSession.id, isouter=True)
        .order_by(CoachingSession.held_on.desc())
        .limit(20)
    )
    try:
        with database.read() as session:
            sessions = session.scalar(sa.select(sa.func.count()).select_from(CoachingSession))
            rows = session.execute(newest).all()
            transcripts = [row[3] for row in rows]
            session.scalars(
                sa.select(Utterance).where(Utterance.transcript_id.in_(transcripts)).limit(1_000)
            ).all()
    except (CoachError, exc.SQLAlchemyError) as error:
        return [f"the first page cannot be read ({type(error).__name__})"]
    return ["sessions without their people"] if sessions and not rows else []

"""Both engines of PostgreSQL on a real cluster: set up as printed, backed up, lost, replaced."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from coachops.backup.engines import NEWEST
from coachops.backup.postgres import (
    PgBackRestEngine,
    digests,
    live,
    passphrase,
    pgbackrest,
    programs,
)
from coachops.backup.postgres.programs import Runner, reason_of
from coachops.backup.postgres.repository import storage
from coachops.backup.postgres.setup import set_up
from coachops.backup.shelf import look
from coachops.core.errors import CoachError
from coachops.db import Database
from tests.support.postgres import free_port
from tests.support.postgres_backup import (
    BackedUpCluster,
    EngineName,
    Installation,
    backed_up_cluster,
    installation,
)
from tests.support.s3_tls import s3_over_tls

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def cluster() -> Iterator[BackedUpCluster]:
    with backed_up_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["basebackup", "pgbackrest"])
def site(cluster: BackedUpCluster, request: pytest.FixtureRequest) -> Iterator[Installation]:
    with installation(cluster, cast(EngineName, request.param)) as site:
        yield site


@pytest.fixture
def server_site(cluster: BackedUpCluster) -> Iterator[Installation]:
    """With pgBackRest only."""
    with installation(cluster, "pgbackrest") as site:
        yield site


def test_a_role_with_no_more_rights_than_the_printed_ones_backs_up_while_others_write(
    site: Installation,
) -> None:
    role = f"app_{site.engine_name}"
    for statement in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT pg_read_all_data, pg_write_all_data TO {role}",
    ):
        site.cluster.node.query(statement)
    url = sa.make_url(site.cluster.url).set(username=role).render_as_string(hide_password=False)
    site.database.close()
    site.database = Database(url)
    site.settings = site.settings.model_copy(update={"database_url": url})
    with pytest.raises(CoachError) as caught:
        site.backups.run()
    assert caught.value.code in {"COACH-BKP-022", "COACH-BKP-028"}
    for line in set_up(site.settings, site.database, site.place, site.config).sql:
        site.cluster.node.query(line, "coachops")  # rights on functions belong to a database
    with writing(site):
        row = site.backups.run()
    assert (row.engine, row.kind) == (site.engine_name, "full")
    drilled = site.backups.drill()
    assert drilled.passed, drilled.reasons
    assert drilled.tables == len(site.newest.snapshot.tables)


class writing:  # noqa: N801 reads as a block
    """Somebody writes all the time."""

    def __init__(self, site: Installation) -> None:
        self._url = site.cluster.url
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        url = sa.make_url(self._url)
        loop = "INSERT INTO heartbeats (id, at) VALUES (gen_random_uuid(), now())"
        command = (
            f'while psql -qXc "{loop}" -h 127.0.0.1 -p {url.port} -U {url.username} {url.database}; '
            "do :; done"
        )
        self._process = subprocess.Popen(["/bin/sh", "-c", command])

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def test_a_lost_server_is_replaced_by_its_newest_moment_and_backed_up_again(
    site: Installation,
) -> None:
    site.backups.run()
    site.execute("UPDATE messages SET state = 'approved', approved_at = now()")
    site.execute("UPDATE utterances SET text = 'said last of all' WHERE position = 1")
    at = site.backups.beat()
    site.archived(at)
    before = site.snapshot().tables["utterances"]
    site.database.close()
    site.cluster.node.kill()
    into = site.folder / "restored"
    try:
        done = site.without_database().restore(into)
    finally:
        site.cluster.node.start()
    assert done.lost_seconds < 60
    start = next(note for note in done.notes if note.startswith("Start it with: "))
    port = free_port()
    with started(start, port, into, site) as database:
        with database.connect(write=True) as connection:
            states = set(connection.scalars(sa.text("SELECT DISTINCT state FROM messages")))
            assert connection.scalar(sa.text("SHOW archive_mode")) == "off"
            assert digests.take(connection).tables["utterances"] == before
        assert not {"approved", "sending"} & states


class started:  # noqa: N801 as above
    """The restored cluster, started by the printed command on another port."""

    def __init__(self, note: str, port: int, into: Path, site: Installation) -> None:
        words = shlex.split(note.removeprefix("Start it with: "))
        if words[0] == "sudo":  # tests are root where the note says sudo
            words = words[3:]
        self._command = [re.sub(r"-p \d+", f"-p {port} -k {into}", word) for word in words]
        self._site, self._into, self._port = site, into, port
        self._database: Database | None = None

    def __enter__(self) -> Database:
        self._run(self._command)
        url = sa.make_url(self._site.cluster.url).set(port=self._port)
        self._database = Database(url.render_as_string(hide_password=False))
        return self._database

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._database.close()
        data = self._command[self._command.index("-D") + 1]
        self._run([self._command[0], "-D", data, "-m", "immediate", "stop"])

    def _run(self, command: list[str]) -> None:
        runner = Runner.ordinary()
        self._into.chmod(0o777)  # for the socket
        done = subprocess.run(
            [*command, "-w"], check=False, capture_output=True, cwd="/", **runner.options()
        )
        assert done.returncode == 0, done.stdout


def test_incremental_backups_stand_on_others_and_all_that_nobody_needs_goes(
    server_site: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = server_site
    full, more = site.backups.run(), site.backups.run()
    assert (full.kind, more.kind) == ("full", "incremental")
    assert site.newest.needs == (full.id,)
    assert more.bytes < full.bytes
    lost = site.backups.run()  # a backup whose manifest was never written
    for entry in list(site.place.entries(f"backups/{lost.id}/manifest-")):
        site.place.delete(entry.name)
    again = site.backups.run()
    assert set(site.newest.needs) == {full.id, more.id}
    monkeypatch.setattr(pgbackrest, "FULL_EVERY", -pgbackrest.FULL_EVERY)
    alone = site.backups.run()
    assert alone.kind == "full"
    manifests = {one.id: one for one in look(site.place).good()}
    dropped = [manifests.pop(name) for name in (full.id, more.id, again.id)]
    site.engine.forget(dropped, list(manifests.values()))
    assert labels(site) == {manifests[alone.id].engine_data["label"]}
    assert site.backups.verify(alone.id)[1] == []
    first = manifests[alone.id].engine_data["first"]
    kept = [entry.name.rpartition("/")[2] for entry in site.place.entries("pgbackrest/archive/")]
    assert min(name for name in kept if re.match(r"[0-9A-F]{24}-", name)) >= first


def labels(site: Installation) -> set[str]:
    names = (
        entry.name.split("/")[3] for entry in site.place.entries("pgbackrest/backup/coachops/2")
    )
    return set(names)


def test_a_passphrase_that_is_lost_with_the_home_is_in_every_backup(
    server_site: Installation,
) -> None:
    site = server_site
    site.backups.run()
    refuse_moments_before(site)
    home = site.settings.home
    (home / "secrets" / passphrase.PART).unlink()
    assert site.backups.drill().passed
    with pytest.raises(CoachError) as caught:
        site.engine.forget([site.newest], [])
    assert caught.value.code == "COACH-BKP-027"
    assert (
        passphrase.at_hand(home, site.config) is not None
    )  # pgBackRest's own configuration has it
    again = set_up(site.settings, site.database, site.place, site.config)
    assert again.config is not None
    assert again.config.read_text() == site.config.read_text()


def refuse_moments_before(site: Installation) -> None:
    engine, newest = PgBackRestEngine(site.settings, None, site.place), site.newest
    early = newest.made_at.replace(year=2020)
    assert engine.covers(newest, NEWEST)
    assert engine.covers(newest, newest.made_at)
    assert not engine.covers(newest, early)
    with pytest.raises(CoachError) as caught:
        site.without_database().restore(site.folder / "early", early)
    assert caught.value.code == "COACH-BKP-006"


def test_what_pgbackrest_cannot_do_from_here_is_said_with_what_can_be_done() -> None:
    server = live.Server(
        version="15.1", data=Path("/nowhere/data"), socket="", port="5432", superuser="postgres",
        system_id="1", segment_bytes=1 << 24,
    )  # fmt: skip
    with pytest.raises(CoachError) as caught:
        live.keeper_of(server)
    assert caught.value.code == "COACH-BKP-022"
    assert "another machine" in caught.value.message
    assert "COACHOPS_BACKUP_ENGINE=basebackup" in caught.value.next_step


def test_a_bucket_holds_repository_and_log(
    cluster: BackedUpCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_over_tls(cluster.folder, "safe") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with installation(cluster, "pgbackrest", "s3://safe/coachops") as site:
            assert site.backups.run().bytes > 0
            drilled = site.backups.drill()
            assert drilled.passed, drilled.reasons


def test_a_bucket_is_named_to_pgbackrest_as_other_programs_name_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert storage("s3://bucket/a/b")["REPO1_PATH"] == "/a/b/pgbackrest"
    assert storage("s3://bucket")["REPO1_S3_KEY_TYPE"] == "auto"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://storage.example:9000")
    found = storage("s3://bucket/a")
    assert found["REPO1_S3_ENDPOINT"] == "storage.example"
    assert found["REPO1_STORAGE_PORT"] == "9000"
    assert found["REPO1_S3_KEY_SECRET"] == "secret"


def test_a_program_that_is_missing_or_fails_is_named_with_its_reason(tmp_path: Path) -> None:
    for command in (["/nowhere/pg_basebackup"], ["/bin/sh", "-c", "echo ERROR: no >&2; exit 3"]):
        with pytest.raises(CoachError) as caught:
            Runner().run(command)
        assert caught.value.code == "COACH-BKP-020"
    with pytest.raises(CoachError) as caught:
        programs.find("pg_basebackup_of_tomorrow", 99)
    assert caught.value.code == "COACH-BKP-020"
    with pytest.raises(CoachError) as caught:
        Runner().require_entry(tmp_path / "not there")
    assert caught.value.code == "COACH-BKP-026"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "no message"),
        ("note\npg_basebackup: error: no  entry\nhint", "pg_basebackup: error: no entry"),
        ("P00   ERROR: [082]: late.", "P00 ERROR: [082]: late"),
        ("x" * 999, "x" * 300),
    ],
)
def test_of_what_a_program_prints_the_telling_line_is_shown(output: str, reason: str) -> None:
    assert reason_of(output) == reason

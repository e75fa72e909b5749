"""Shared fixtures: databases on SQLite and PostgreSQL, settings, an empty home."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from coachops.core.settings import Settings, load_settings
from coachops.db import Database, migrate
from tests.support.compiled import share_compiled_statements
from tests.support.patience import lengthened
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.postgres_pair import PostgresPair
from tests.support.postgres_reuse import Copies
from tests.support.scheduling import Units, longest_first

hypothesis_settings.register_profile(
    "suite",
    deadline=None,
    max_examples=60,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("suite")
share_compiled_statements()

pytest_plugins = ["tests.support.faults"]

ROOT = Path(__file__).resolve().parents[1]
ANNOMI = Path(os.environ.get("COACHOPS_ANNOMI_DIR", ROOT.parent / "shared" / "data" / "annomi"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest units of work first."""
    longest_first(items)


def pytest_collection_finish() -> None:
    """What was collected lives until the end, so the garbage collector need not walk through it."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Files, and folders that stay together, where work is given out by files."""
    return Units(config, log) if config.getvalue("dist") == "loadfile" else None


def missing_tool(name: str) -> NoReturn:
    """Skip the test, saying which tool is missing; a failure on CI, where no tool may be."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing; 'make tools' installs it")
    pytest.skip(f"{name} is missing")


@pytest.fixture(autouse=True)
def _patience(request: pytest.FixtureRequest) -> Iterator[None]:
    """The product waits longer than any machine stands still, unless the test is about its limits."""
    about_limits = request.node.get_closest_marker("limits") is not None
    with contextlib.ExitStack() as stack:
        if not about_limits and "postgres_pair" not in request.fixturenames:
            stack.enter_context(lengthened())
        yield


@pytest.fixture(autouse=True)
def _clean_environment(_patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("COACHOPS_") and name != "COACHOPS_ANNOMI_DIR":
            monkeypatch.delenv(name)


@pytest.fixture
def annomi() -> Path:
    """The folder of annotated dialogues; the test is skipped where it is absent."""
    if not ANNOMI.is_dir():
        pytest.skip(f"annotated dialogues are not at {ANNOMI} (COACHOPS_ANNOMI_DIR)")
    return ANNOMI


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that tests copy."""
    path = tmp_path_factory.mktemp("template") / "coachops.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server on a free port, run as an ordinary user, stopped at the end."""
    binaries = find_postgres()
    if binaries is None:
        missing_tool("PostgreSQL server (apt-get install postgresql)")
    server = PostgresServer(binaries)
    server.start()
    try:
        template = Database(server.create("template_coachops"))
        migrate.upgrade(template)
        template.close()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_copies(postgres_server: PostgresServer) -> Copies:
    """Migrated databases of that server, used again and again."""
    return Copies(postgres_server, "template_coachops")


@pytest.fixture(scope="session")
def _running_pair() -> Iterator[PostgresPair]:
    binaries = find_postgres()
    if binaries is None:
        missing_tool("PostgreSQL server (apt-get install postgresql)")
    pair = PostgresPair(binaries)
    try:
        pair.start()
        pair.primary.query("CREATE DATABASE template_coachops")
        template = Database(pair.url("template_coachops", hosts=(pair.primary,)))
        migrate.upgrade(template)
        template.close()
        yield pair
    finally:
        pair.stop()


@pytest.fixture
def postgres_pair(_running_pair: PostgresPair) -> PostgresPair:
    """A primary with a synchronous streaming standby, both up, whatever the test before did.

    `pair.url(pair.create("template_coachops"))` is the URL of a new migrated database on both.
    """
    _running_pair.heal(empty=True)
    return _running_pair


BACKENDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Runs the test once for each kind of database."""
    return str(request.param)


@pytest.fixture
def new_database_url(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., str]]:
    """Makes the URL of a fresh database: `new_database_url("postgres", migrated=False)`."""
    made: list[tuple[Callable[[str], None], str]] = []

    def make(backend: str = "sqlite", *, migrated: bool = True) -> str:
        if backend == "sqlite":
            path = tmp_path / f"db-{len(list(tmp_path.glob('db-*')))}" / "coachops.db"
            path.parent.mkdir()
            if migrated:
                shutil.copy(request.getfixturevalue("sqlite_template"), path)
            return f"sqlite:///{path}"
        server: PostgresServer = request.getfixturevalue("postgres_server")
        if migrated:
            copies: Copies = request.getfixturevalue("postgres_copies")
            url, done = copies.take(), copies.give_back
        else:
            url, done = server.create(), server.drop
        made.append((done, url))
        return url

    yield make
    for done, url in made:
        done(url)


@pytest.fixture
def database(backend: str, new_database_url: Callable[..., str]) -> Iterator[Database]:
    """An empty migrated database, SQLite and PostgreSQL in turn."""
    database = Database(new_database_url(backend))
    yield database
    database.close()


@pytest.fixture
def sqlite_database(new_database_url: Callable[..., str]) -> Iterator[Database]:
    """An empty migrated SQLite database, for tests where the kind does not matter."""
    database = Database(new_database_url("sqlite"))
    yield database
    database.close()


@pytest.fixture
def settings(home: Path, sqlite_database: Database) -> Settings:
    """Settings of a local installation in an empty home."""
    return load_settings(home=home, database_url=sqlite_database.url, time_zone="Europe/London")


@pytest.fixture
def count(sqlite_database: Database) -> Callable[[str], int]:
    """Counts the rows of a table."""

    def rows(table: str) -> int:
        with sqlite_database.connect() as connection:
            return int(connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608

    return rows

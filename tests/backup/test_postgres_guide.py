"""The page about PostgreSQL shows the lines that `backup setup` prints, which other tests execute."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coachops.backup import open_place
from coachops.backup.postgres import live, setup
from coachops.core.settings import load_settings
from coachops.db import Database

PAGE = Path(__file__).resolve().parents[2] / "site" / "how-to" / "back-up-postgresql.md"


@pytest.mark.parametrize("engine", ["pgbackrest", "basebackup"])
def test_the_page_shows_the_lines_that_are_printed(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = live.Server(
        version="15.1", data=Path("/var/lib/postgresql/15/main"), socket="/run/postgresql",
        port="5432", superuser="postgres", system_id="1", segment_bytes=1 << 24,
    )  # fmt: skip
    monkeypatch.setattr(live, "server_of", lambda _: server)
    settings = load_settings(
        home=tmp_path,
        database_url="postgresql://coachops@db.example/coachops",
        storage_url="/mnt/backups",
        backup_engine=engine,
    )
    database = Database(settings.database_url)
    plan = setup.set_up(settings, database, open_place(settings))
    database.close()
    page = PAGE.read_text().replace("/var/lib/coachops/secrets", str(tmp_path / "secrets"))
    part = page.split(f"### With {'pgBackRest' if engine == 'pgbackrest' else 'basebackup'}")[1]
    part = part.split("\n### ")[0]
    shown = [
        line.strip()
        for block in re.findall(r"```(?:ini|bash|sql|text)\n(.*?)```", part, re.DOTALL)
        for line in block.splitlines()
        if line.strip()
    ]
    hba = [line.replace("ADDRESS-OF-THE-COACHOPS-MACHINE", "192.0.2.7") for line in plan.hba]
    assert shown == [*plan.commands, *plan.postgresql, *hba, *plan.sql]

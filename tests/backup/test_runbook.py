"""The runbook for admins: every command of its page is run, in order, through the disasters it names.

A remark `<!-- disaster: name -->` in the page makes that disaster happen before the next command.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coachops.cli import main
from coachops.core.settings import load_settings
from tests.support.backups import seeded

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    name: ROOT / "site" / name
    for name in ("guides/disaster-recovery.md", "how-to/back-up-and-restore.md")
}
_STEP = re.compile(
    r"<!-- disaster: (?P<disaster>[\w-]+) -->|^ *\$ (?P<command>coachops .*|COACHOPS_.*)$",
    re.MULTILINE,
)


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """("disaster", name) and ("command", line) in the order of the page."""
    for match in _STEP.finditer(page.read_text()):
        kind = "disaster" if match["disaster"] else "command"
        yield kind, match[kind]


class Machine:
    """A machine with an installation, a safe and a place for backups, on which lines are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.place = folder / "place"
        self.safe = folder / "safe"
        for each in (self.place, self.safe, folder / "srv"):
            each.mkdir()
        seeded(load_settings(home=self.home))
        self.clients = self.count("clients")

    def count(self, table: str) -> int:
        with contextlib.closing(sqlite3.connect(self.home / "coachops.db")) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

    def run(self, line: str) -> tuple[int, str]:
        """A line of the page, its folders replaced by those of the test; exit code and words."""
        line = line.replace("/media/safe", str(self.safe)).replace("/srv", f"{self.folder}/srv")
        line = line.replace("2026-11-23 14:00", "2999-01-01 00:00")  # after every backup
        words = shlex.split(line)
        values = {"COACHOPS_HOME": str(self.home), "COACHOPS_STORAGE_URL": str(self.place)}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            values[name] = value
        assert words.pop(0) == "coachops"
        said = io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            patch.chdir(self.folder)
            for name, value in values.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main.run(words)
        return int(ended.value.code or 0), said.getvalue()

    # the disasters

    def rows_deleted(self) -> None:
        path = self.home / "coachops.db"
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM clients")

    def database_damaged(self) -> None:
        path = self.home / "coachops.db"
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        with path.open("r+b") as file:
            file.seek(0)
            file.write(os.urandom(20_000))

    def machine_lost(self) -> None:
        shutil.rmtree(self.home)

    def key_lost(self) -> None:
        (self.home / "secrets" / "backup.key").unlink()

    def copy_lost(self) -> None:
        (self.safe / "coachops-backup-key.txt").unlink()

    def backup_damaged(self) -> None:
        newest = max((self.place / "backups").iterdir())
        path = next(newest.glob("coachops.db*"))
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    def disaster(self, name: str) -> None:
        act: Callable[[], None] = getattr(self, name.replace("-", "_"))
        act()


@pytest.mark.timeout(1800)
def test_every_command_of_the_runbook_does_its_work_in_its_disaster(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    done, disasters = [], []
    for kind, step in steps(PAGES["guides/disaster-recovery.md"]):
        if kind == "disaster":
            machine.disaster(step)
            disasters.append(step)
            continue
        code, said = machine.run(step)
        assert code == 0, f"{step}\n{said}"
        done.append(step)
    assert disasters == [
        "rows-deleted", "database-damaged", "machine-lost", "key-lost", "copy-lost",
        "backup-damaged",
    ]  # fmt: skip
    assert len(done) > 25
    assert machine.count("clients") == machine.clients > 0
    assert machine.run("coachops backup status")[0] == 0


@pytest.mark.timeout(1800)
def test_every_command_of_the_how_to_works(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for kind, step in steps(PAGES["how-to/back-up-and-restore.md"]):
        assert kind == "command"
        code, said = machine.run(step)
        assert code == 0, f"{step}\n{said}"
    assert (tmp_path / "restored" / "coachops.db").exists()

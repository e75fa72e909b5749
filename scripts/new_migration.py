"""Write a migration from the difference between the models and a scratch database at head."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from coachops.db import Database, migrate


def main(message: str) -> None:
    """Make the revision file `NNNN_<message>.py`; read it before you commit it."""
    versions = Path(migrate.__file__).parent / "migrations" / "versions"
    number = len([path for path in versions.glob("*.py") if path.stem != "__init__"]) + 1
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/scratch.db")
        if number > 1:
            migrate.upgrade(database)
        with database.connect(write=True) as connection:
            command.revision(
                migrate.config(connection),
                message=message,
                autogenerate=True,
                rev_id=f"{number:04d}",
            )


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "change")

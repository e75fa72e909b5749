"""Exports as released versions made them: `python -m tests.export.golden NAME` keeps one more.

The organisation is made up. Every later version must read these files: `test_released.py`.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from coachops.core.actor import SYSTEM
from coachops.db import Database, migrate
from coachops.export import SigningKey, run_export
from coachops.export.pseudonyms import pseudonymise
from tests.export.conftest import make_organisation

GOLDEN = Path(__file__).with_name("golden")
KEY = SigningKey(b"the key of the golden exports, which everybody may know")
VARIANTS = {
    "all": {"formats": ["csv", "json", "jsonl", "parquet"]},
    "excel-gzip": {"formats": ["csv"], "csv_profile": "excel", "compression": "gzip"},
    "pseudonymous": {
        "formats": ["jsonl", "parquet"],
        "privacy": ("pseudonymous", partial(pseudonymise, key=b"a secret that everybody may know")),
    },
    "zstd": {"formats": ["jsonl", "json"], "compression": "zstd"},
}


def main(name: str) -> None:
    """Make the variants of `golden/NAME`."""
    target = GOLDEN / name
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/coachops.db")
        migrate.upgrade(database)
        make_organisation(database, sessions=6)
        for variant, wanted in VARIANTS.items():
            run_export(
                database, SYSTEM, target / variant,
                until=dt.date(2100, 1, 1), key=KEY, **wanted,  # type: ignore[arg-type]
            )  # fmt: skip
        database.close()


if __name__ == "__main__":
    main(sys.argv[1])

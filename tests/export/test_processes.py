"""What a process that makes or checks an export loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from coachops.db import Database
from tests.support.patience import PATIENCE

_EXPORT = """
import functools, sys
from pathlib import Path
from coachops.core.actor import SYSTEM
from coachops.db import Database
from coachops.export import FORMATS, run_export, verify_export
from coachops.export.pseudonyms import pseudonymise

database, folder = Database(sys.argv[1]), Path(sys.argv[2])
hidden = ("pseudonymous", functools.partial(pseudonymise, key=b"a secret"))
for privacy in (None, hidden):
    out = folder / ("hidden" if privacy else "full")
    run_export(database, SYSTEM, out, FORMATS, workers=1, privacy=privacy)
    assert all(check.ok for check in verify_export(out))
print(*sorted({"pandas", "polars"} & sys.modules.keys()))
"""


def test_making_and_checking_an_export_loads_no_pandas(
    organisation: Database, tmp_path: Path
) -> None:
    """It takes half a second and 40 MB, and Arrow loads it to look at a value of Python."""
    url = organisation.url
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, url, tmp_path],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["polars"]


def test_a_process_that_writes_parts_loads_what_it_needs_only() -> None:
    program = (
        "import sys, coachops.export.workers.child, coachops.export.readers.sqlite, "
        "coachops.export.readers.postgres; "
        'print(*({"pandas", "polars", "sqlalchemy", "pydantic"} & sys.modules.keys()))'
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stdout.split() == []

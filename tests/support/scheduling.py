"""Which tests xdist gives to the same worker, and which it begins with.

A file is a unit of work. The files of a folder whose tests share something that takes long to start,
or that works while it waits (a running suite with its background worker), are one unit: else every
worker would start it, and the tests of the others would wait for three of them.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/browser/", "tests/gate/", "tests/docs/", "tests/jobs/buckets/")
"""Folders whose files one worker runs, one after another."""

LONGEST = (
    "browser/",
    "jobs/buckets/",
    "api/test_schemathesis.py",
    "backup/test_postgres_engines.py",
    "faults/test_recovery.py",
    "gate/",
    "docs/",
    "cli/test_demo.py",
    "coaching/test_ownership.py",
    "export/test_outsiders.py",
    "jobs/test_exports.py",
    "faults/test_backup.py",
    "faults/test_ai_processes.py",
    "jobs/test_worker.py",
    "faults/test_jobs_workers.py",
    "export/test_parts.py",
    "faults/test_database_failover.py",
    "faults/test_validation_files.py",
    "cli/test_examples.py",
    "cli/test_main.py",
    "jobs/test_pipeline.py",
    "api/test_exports.py",
    "faults/test_backup_postgres.py",
    "feed/test_dlt.py",
    "feed/test_capture.py",
    "db/test_standby.py",
    "coaching/test_analysis.py",
    "jobs/test_care.py",
    "privacy/test_erasing.py",
    "faults/test_ai.py",
    "faults/test_recovery_kills.py",
    "notebooks/test_notebooks.py",
    "api/test_changes.py",
    "dashboards/test_overview.py",
    "dashboards/test_workspace_session.py",
    "backup/test_restoring.py",
    "webhooks/test_courier.py",
    "export/test_selection.py",
    "faults/test_export_kills.py",
    "coaching/messages/test_suppression.py",
    "faults/test_clock.py",
    "jobs/test_reports.py",
    "reporting/test_reports.py",
)
"""Units of 20 seconds and more, the longest first: started last, each would keep one worker busy
while the others have nothing left to do. The gate stands further down, so that its pages and the
browser's are not open at once. `pytest --durations=100` tells when this is out of date."""


class Units(LoadFileScheduling):
    """Gives out files, and folders that stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """The unit of work that a test belongs to."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def longest_first(items: list[pytest.Item]) -> None:
    """Order the tests; `--no-loadscope-reorder` keeps xdist from putting the long units last."""
    place = {f"tests/{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(unit(item.nodeid), len(place)))

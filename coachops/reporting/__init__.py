"""Reports: notebooks with checked parameters, run in a process of their own, published as one file.

Owns the catalog (`catalog.py`), running (`runner.py`), publishing as self-contained HTML
(`publisher.py`), when reports are due (`schedule.py`), and what notebooks show (`figures.py`,
`weekly.py`). Invariants: parameters are checked before a notebook starts; secrets and the database's
URL reach it by the environment only; a failed run is kept and never looks like a finished one.
To add a report: `reports/<name>.ipynb` and a row in `catalog.py`.
"""

from coachops.reporting.catalog import REPORTS, Report, find_report, list_reports
from coachops.reporting.runner import ReportRun, list_runs, run_report
from coachops.reporting.schedule import SCHEDULE, Due, due_reports, read_schedule

__all__ = [
    "REPORTS",
    "SCHEDULE",
    "Due",
    "Report",
    "ReportRun",
    "due_reports",
    "find_report",
    "list_reports",
    "list_runs",
    "read_schedule",
    "run_report",
]

"""The reports: notebook, parameters and what they are for; one row each.

The parameters of a row are a pydantic model that the runner checks first, because papermill only
warns about an unknown or mistyped parameter. A test compares each model with the notebook's cell.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from coachops.core.errors import CoachError

FOLDER = Path(__file__).resolve().parents[2] / "reports"
"""The notebooks, beside the package in the source tree."""


class Parameters(BaseModel):
    """Base of all parameter models: nothing unknown is accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WeeklyOperationsParameters(Parameters):
    """Parameters of `weekly_operations`."""

    week_start: str = Field(
        "", description="Monday of the week, YYYY-MM-DD; empty: the last complete week."
    )
    weeks: int = Field(12, ge=2, le=104, description="Weeks in the trends, this one included.")

    @field_validator("week_start")
    @classmethod
    def _is_monday(cls, value: str) -> str:
        if value and dt.date.fromisoformat(value).weekday() != 0:
            raise ValueError("is not a Monday")
        return value


@dataclass(frozen=True, slots=True)
class Report:
    """A row of the catalog.

    Attributes:
        name: of the notebook, without its ending.
        title: to show.
        description: what it answers, for whom.
        parameters: the model of its parameters.
        cron: when it runs unless `reports/schedule.toml` says otherwise (organisation's time).
    """

    name: str
    title: str
    description: str
    parameters: type[Parameters]
    cron: str

    @property
    def notebook(self) -> Path:
        """The notebook's file."""
        return FOLDER / f"{self.name}.ipynb"

    def check(self, given: Mapping[str, object]) -> Parameters:
        """The parameters with defaults filled in.

        Raises:
            CoachError: COACH-REP-002 for an unknown, mistyped or impossible one.
        """
        try:
            return self.parameters.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "parameters"
            raise CoachError(
                "COACH-REP-002",
                name=self.name,
                reason=f"{name}: {first['msg'].removeprefix('Value error, ')}",
            ) from None


REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report(
            "weekly_operations",
            "Weekly operations",
            "What the organisation did in a week: sessions, analyses, follow-ups, answers, cost, "
            "and what waits for a person.",
            WeeklyOperationsParameters,
            "0 7 * * 1",
        ),
    )
}
"""Name -> report."""


def list_reports() -> list[Report]:
    """All reports."""
    return list(REPORTS.values())


def find_report(name: str) -> Report:
    """The report of that name.

    Raises:
        CoachError: COACH-REP-001.
    """
    if name not in REPORTS:
        raise CoachError("COACH-REP-001", name=name)
    return REPORTS[name]

"""The reference page of the datasets, written from the registry."""

from __future__ import annotations

from coachops.export.datasets import DATASETS
from coachops.export.definitions import Column, Dataset

_INTRODUCTION = """\
# Datasets

One definition serves exports, schemas and the analysts' frames. Times are UTC with six digits;
days are those of the organisation's calendar. `code` is text of a fixed form, `int64` a whole
number that JSON holds as a string, `json` a nested value (compact text in CSV). A filter by day
compares the session's day, else the time of creation; what a selected row refers to is selected
too.
"""


def reference_markdown() -> str:
    """The page as Markdown: each dataset with its columns."""
    return _INTRODUCTION + "".join(_section(dataset) for dataset in DATASETS.values())


def _section(dataset: Dataset) -> str:
    references = {key.column: key.dataset for key in dataset.foreign_keys}
    lines = [
        f"\n## {dataset.name}\n",
        f"{dataset.description} Version {dataset.version}, schema `{dataset.schema_id}`, "
        f"ordered by {', '.join(f'`{name}`' for name in dataset.sort)}.\n",
        "| column | type | NULL | meaning |",
        "|---|---|---|---|",
        *(_row(column, references.get(column.name)) for column in dataset.columns),
    ]
    return "\n".join(lines) + "\n"


def _row(column: Column, parent: str | None) -> str:
    meaning = column.description
    if column.enum:
        meaning += " One of " + ", ".join(f"`{value}`" for value in column.enum) + "."
    if parent is not None:
        meaning += f" Refers to [{parent}](#{parent})."
    nullable = "yes" if column.nullable else "no"
    return f"| `{column.name}` | {column.kind} | {nullable} | {meaning} |"

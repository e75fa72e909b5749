"""Exports: every dataset of the organisation as files that prove themselves.

Owns the registry of datasets (`datasets.py`), reading one moment of the database, the file formats
(`writers/`), the manifest and its verification. Invariants: a folder is published whole or not at
all; formats of one export hold equal rows, proved by a digest; a filtered export holds the parents
of all its rows. To add a dataset or a column: a row in `datasets.py`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coachops.export.datasets import DATASETS
    from coachops.export.definitions import Column, Dataset
    from coachops.export.exporting import run_export, schema_documents
    from coachops.export.lake import DeltaTable, write_delta
    from coachops.export.reference import reference_markdown
    from coachops.export.restoring import Restored, restore_export
    from coachops.export.signing import SigningKey
    from coachops.export.verifying import Check, require_intact, verify_export
    from coachops.export.verifying.source import verify_source
    from coachops.export.writers import COMPRESSIONS, CSV_PROFILES, FORMATS

__all__ = [
    "COMPRESSIONS",
    "CSV_PROFILES",
    "DATASETS",
    "FORMATS",
    "Check",
    "Column",
    "Dataset",
    "DeltaTable",
    "Restored",
    "SigningKey",
    "reference_markdown",
    "require_intact",
    "restore_export",
    "run_export",
    "schema_documents",
    "verify_export",
    "verify_source",
    "write_delta",
]

_HOMES = {
    "COMPRESSIONS": "writers",
    "CSV_PROFILES": "writers",
    "DATASETS": "datasets",
    "FORMATS": "writers",
    "Check": "verifying",
    "Column": "definitions",
    "Dataset": "definitions",
    "DeltaTable": "lake",
    "Restored": "restoring",
    "SigningKey": "signing",
    "reference_markdown": "reference",
    "require_intact": "verifying",
    "restore_export": "restoring",
    "run_export": "exporting",
    "schema_documents": "exporting",
    "verify_export": "verifying",
    "verify_source": "verifying.source",
    "write_delta": "lake",
}
"""Where each public name lives. Loaded when it is asked for: the processes that write parts
(`workers/child.py`) start twice as fast without SQLAlchemy and the models."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

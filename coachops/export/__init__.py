"""Exports: every dataset of the organisation as files that prove themselves.

Owns the registry of datasets (`datasets.py`), reading one moment of the database, the file formats
(`writers/`), the manifest and its verification. Invariants: a folder is published whole or not at
all; formats of one export hold equal rows, proved by a digest; a filtered export holds the parents
of all its rows. To add a dataset or a column: a row in `datasets.py`.
"""

from coachops.export.datasets import DATASETS
from coachops.export.definitions import Column, Dataset
from coachops.export.exporting import run_export, schema_documents
from coachops.export.reference import reference_markdown
from coachops.export.signing import SigningKey
from coachops.export.verifying import Check, require_intact, verify_export
from coachops.export.writers import COMPRESSIONS, CSV_PROFILES, FORMATS

__all__ = [
    "COMPRESSIONS",
    "CSV_PROFILES",
    "DATASETS",
    "FORMATS",
    "Check",
    "Column",
    "Dataset",
    "SigningKey",
    "reference_markdown",
    "require_intact",
    "run_export",
    "schema_documents",
    "verify_export",
]

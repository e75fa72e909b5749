"""The registry: one row per dataset. Schemas, CSV headers, frames and the reference derive from it.

To add a dataset: a `Dataset` in the file of its area and its name in `DATASETS`; to add a column: a
line, and raise the minor part of the version. Texts are what readers may read: cut utterances are
left out, redacted spans stay redacted, edited insights hold the coach's words beside the engine's. Originals,
passwords and tokens are in no dataset, nor are findings in words that were cut or redacted since;
`activity` and `audit_events` hold ids only.
"""

from __future__ import annotations

from coachops.export.datasets.outcomes import ACTION_ITEMS, FEEDBACK, GOAL_RATINGS, GOALS, MESSAGES
from coachops.export.datasets.people import CLIENTS, COACHES, CONSENTS, ENGAGEMENTS
from coachops.export.datasets.sessions import ANALYSES, INSIGHTS, SESSIONS, TRANSCRIPTS, UTTERANCES
from coachops.export.datasets.use import ACTIVITY, AUDIT_EVENTS
from coachops.export.definitions import Dataset

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        COACHES, CLIENTS, ENGAGEMENTS, SESSIONS, TRANSCRIPTS, UTTERANCES, ANALYSES, INSIGHTS,
        GOALS, GOAL_RATINGS, ACTION_ITEMS, MESSAGES, FEEDBACK, CONSENTS, ACTIVITY, AUDIT_EVENTS,
    )
}  # fmt: skip
"""Name -> dataset, parents before children."""

__all__ = ["DATASETS"]

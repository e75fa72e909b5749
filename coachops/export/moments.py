"""Whether the data are still those of another moment: told by the change feed."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coachops.db import change_feed
from coachops.db.models import ChangeInbox
from coachops.export.datasets import DATASETS


def mark_of(connection: Connection) -> str:
    """Equal for two moments of the same history between which no row of a dataset changed.

    And of the same schemas, with the same columns withheld: parts of an older version never meet those
    of a newer one.

    Changes with a place and those that wait for one are counted together, so giving them places
    changes nothing.
    """
    waiting = connection.scalar(sa.select(sa.func.count()).select_from(ChangeInbox)) or 0
    versions = ",".join(
        "-".join((each.name, each.version, *(each.withheld.instead if each.withheld else ())))
        for each in DATASETS.values()
    )
    schemas = hashlib.sha256(versions.encode()).hexdigest()[:16]
    return f"{change_feed.epoch(connection)}/{change_feed.head(connection) + waiting}/{schemas}"

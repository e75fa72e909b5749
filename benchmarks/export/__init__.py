"""Bulk export of `utterances` against what people use for it, and a whole bundle from end to end.

Every peer reads the same rows of the same database and is run in turn with ours, so that whatever
else the machine does falls on both; the medians count. Peers of Python live in an environment of
their own (`benchmarks/peers`). Seeding three million utterances takes minutes and is kept below
`build/`. Loading modules counts for none of the processes that are started by hand; it does count
for those that an export starts itself.

    python -m benchmarks export                      three million rows, three rounds
    python -m benchmarks export --rounds=5 --rows=3000000
    python -m benchmarks export --quick              twenty thousand rows, one round: to try it
    python -m benchmarks export --ten-million        also whole bundles of one and ten million rows
"""

from benchmarks.export.table import main

__all__ = ["main"]

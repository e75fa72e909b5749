"""Made-up organisations of any size for demos, tests and load: `seed_organisation`.

Owns the shape of the organisation (`plan`), what is said (`talk`), and what each session leaves
behind (`history`). Invariants: equal parameters make equal rows; nothing reads a real transcript.
To add a table to the history: rows in `history.py` and its place in `rows.ORDER`.
"""

from coachops.coaching.seed.organisation import SeedResult, seed_organisation

__all__ = ["SeedResult", "seed_organisation"]

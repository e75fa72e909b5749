"""The checks of `coachops doctor`: each looks at one thing and names the next step.

`machine` needs no database, `data` needs one. Every check runs alone, in a thread of its own: one that
fails or hangs takes nothing from the others. To add one: a function and its row in `CHECKS` of its
module.
"""

from coachops.cli.checks.model import Check, failed, run_all

__all__ = ["Check", "failed", "run_all"]

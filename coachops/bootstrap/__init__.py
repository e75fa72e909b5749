"""The composition root: settings in, wired services out; the only place that joins parts.

Invariants: a database of another version is refused here, before anything reads or writes it;
secrets of the installation are made here and handed down, never read elsewhere.
To add a service: an attribute of `Services`, built in `services()`.
"""

from coachops.bootstrap.wiring import Services, prepare, recovery, services

__all__ = ["Services", "prepare", "recovery", "services"]

"""Settings, errors, clock and ids: what every layer may use, with no input or output of its own.

Invariants: time comes from `core.clock`, ids from `core.ids`, nowhere else (ruff TID251).
The commonest addition is an error code: a row in the fitting file of `core/errors/`.
"""

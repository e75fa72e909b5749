"""Analytics and operations suite for coaching organisations.

The layers are declared in `pyproject.toml` (import-linter) and explained in
`site/explanation/architecture.md`. Importing this package imports nothing else, so that the command
line answers at once.
"""

__version__ = "0.1.0"

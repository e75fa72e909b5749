"""Alembic environment of the suite."""

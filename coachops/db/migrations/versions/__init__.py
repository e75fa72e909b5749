"""The migrations, oldest first; made by `make migration m="…"`, then read and corrected."""

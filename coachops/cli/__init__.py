"""The command line: a thin surface over the capabilities, one module per command group.

Invariants: results on stdout, progress and logs on stderr; `--json` prints exactly one document;
importing `cli.main` imports no heavy library (a test lists them), so `--help` answers at once.
To add a command: a function in the group's module; a group: a row in `cli.main.GROUPS`.
"""

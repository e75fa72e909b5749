"""In every process of a suite under test: limits that no test of it is about are long.

The folder stands on PYTHONPATH, so each interpreter of the suite reads this first, kernels too. The
modules are changed when they are imported, and nothing is imported for it.
"""

from __future__ import annotations

import datetime as dt
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

SECONDS = 240.0
LONG: dict[str, dict[str, Any]] = {
    "uvicorn.config": {},
    "coachops.identity.kernels": {
        "TICKET_LIFE": dt.timedelta(seconds=SECONDS),
        "NEVER_CONNECTED": dt.timedelta(seconds=SECONDS),
    },
    "coachops.api.gate.claims": {"_WAIT": SECONDS},
    "coachops.dashboards.identity": {"_CLAIM_SECONDS": SECONDS},
    "coachops.ai.shared": {"_PATIENCE": SECONDS},
}
"""Limits by module; one that was renamed ends the process instead of being forgotten."""


def _set(module: ModuleType, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        getattr(module, name)
        setattr(module, name, value)
    if module.__name__ == "uvicorn.config":  # a browser that stands still keeps its sockets
        module.Config.ws_ping_timeout = property(lambda _: SECONDS, lambda _, __: None)  # type: ignore[attr-defined]


class _Loader(importlib.abc.Loader):
    def __init__(self, inner: importlib.abc.Loader, changes: dict[str, Any]) -> None:
        self._inner, self._changes = inner, changes

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        _set(module, self._changes)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in LONG:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, LONG[name])
        return spec


sys.meta_path.insert(0, _Finder())

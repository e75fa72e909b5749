"""The one table of long-running processes: what they are, their environment, how to tell they work.

`coachops serve` starts the table on this machine; service files for several machines are rendered
from the same rows.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import coachops
from coachops.core.errors import CoachError

if TYPE_CHECKING:
    from coachops.core.settings import Settings
    from coachops.identity.pages import Page
    from coachops.identity.runtime import Runtime

_PACKAGE = Path(coachops.__file__).parent
_ROOT = _PACKAGE.parent
_LARGEST_MESSAGE = 64 << 20

_VOILA_KEEPS = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""Variables that Voila and its kernels get besides the suite's settings; nothing else leaks in."""


@dataclass(frozen=True, slots=True)
class Process:
    """A row of the table.

    Attributes:
        name: shown before each line of its log.
        command: arguments, the program first.
        environment: all of it; nothing is inherited.
        ready_url: answers 200 once the process works; None: it works while it runs.
        vital: the suite ends where it cannot be kept alive; others are started again for ever,
            because the rest is of use without them.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    ready_url: str | None = None
    vital: bool = True


def make_runtime(
    folder: Path,
    pages: tuple[Page, ...] | None = None,
    notebooks: Path | None = None,
    guide: Path | None = None,
) -> Runtime:
    """Choose ports and secrets of one run.

    Parameters:
        folder: private folder of the run; its path must be short (Unix sockets end at 107 bytes).
        pages: instead of the product's pages.
        notebooks: instead of the product's notebooks.
        guide: the built guide (COACHOPS_GUIDE), where it is; else the one beside the code.

    Raises:
        CoachError: COACH-SYS-004 where the notebooks are not installed.
    """
    from coachops.identity.pages import PAGES  # noqa: PLC0415 imports SQLAlchemy
    from coachops.identity.runtime import Runtime  # noqa: PLC0415 as above

    found = notebooks or _first(
        _ROOT / "notebooks" / "dashboards", _PACKAGE / "notebooks" / "dashboards"
    )
    if not found.is_dir():
        raise CoachError("COACH-SYS-004", path=found)
    return Runtime(
        folder=folder,
        voila_port=free_port(),
        voila_token=secrets.token_urlsafe(32),
        notebooks=found.resolve(),
        guide=_first(*([guide] if guide else []), _ROOT / "build" / "site", _PACKAGE / "guide"),
        pages=PAGES if pages is None else pages,
    )


def table(settings: Settings, runtime: Runtime, *, worker: bool = True) -> tuple[Process, ...]:
    """The processes of one machine, in the order of starting."""
    common = suite_environment(settings)
    inherited = {**os.environ, **common}
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 compared, not bound
    bracketed = f"[{host}]" if ":" in host else host
    rows = [
        Process(
            "api",
            (sys.executable, "-m", "coachops.api", "--runtime", str(runtime.folder)),
            inherited,
            f"http://{bracketed}:{settings.port}/readyz",
        ),
        Process(
            "voila",
            (sys.executable, "-m", "voila", f"--Voila.config_file_paths={runtime.folder}"),
            _voila_environment(runtime, common),
            f"http://127.0.0.1:{runtime.voila_port}/app/voila/static/voila.js",
        ),
    ]
    if worker:
        rows.append(
            Process(
                "worker",
                (sys.executable, "-m", "coachops.cli.main", "worker"),
                inherited,
                vital=False,
            )
        )
    return tuple(rows)


def write_voila_config(settings: Settings, runtime: Runtime) -> None:
    """Write Voila's configuration into the run's folder: the token is in no command line.

    Flags of Voila 0.5: standalone only; warm kernels per page; the ticket's header reaches the
    kernel; nobody chooses template or theme by address. Kernels that never got a user are culled.
    """
    pools: dict[str, dict[str, object]] = {"default": _pool(0)}
    for page in runtime.pages:
        pools[f"{page.name}.ipynb"] = _pool(min(page.preheat, settings.kernel_pool))
    document = {
        "Voila": {
            "ip": "127.0.0.1",
            "port": runtime.voila_port,
            "port_retries": 0,
            "base_url": "/app/",
            "token": runtime.voila_token,
            "open_browser": False,
            "root_dir": str(runtime.notebooks),
            "connection_dir_root": str(runtime.folder),
            "tornado_settings": {"websocket_max_message_size": _LARGEST_MESSAGE},
            # Voila's DEBUG writes what goes between page and kernel: words of people
            "log_level": "INFO" if settings.log_level == "DEBUG" else settings.log_level,
        },
        "VoilaConfiguration": {
            "template": "coachops" if _template().is_dir() else "lab",
            "theme": "light",
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "show_tracebacks": False,
            "http_header_envs": ["X-Kernel-Ticket"],
            "preheat_kernel": True,
            "default_pool_size": 0,
        },
        "VoilaKernelManager": {
            "kernel_pools_config": pools,
            "cull_idle_timeout": 600,
            "cull_interval": 60,
            "fill_delay": 0.5,
        },
        "KernelManager": {"shutdown_wait_time": 1.0, "transport": "ipc"},
        "ZMQChannelsWebsocketConnection": {"limit_rate": False},
    }
    handle = os.open(runtime.folder / "voila.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file)


def suite_environment(settings: Settings) -> dict[str, str]:
    """The suite's settings for child processes, with paths that do not depend on their folder."""
    given = {name: value for name, value in os.environ.items() if name.startswith("COACHOPS_")}
    scheme, _, path = settings.database_url.partition(":///")
    url = settings.database_url
    if scheme == "sqlite" and path and path != ":memory:":
        url = f"sqlite:///{Path(path).resolve()}"
    return given | {
        "COACHOPS_HOME": str(settings.home),
        "COACHOPS_DATABASE_URL": url,
        "COACHOPS_HOST": settings.host,
        "COACHOPS_PORT": str(settings.port),
        "COACHOPS_PUBLIC_URL": settings.public_url,
    }


def require_free_port(host: str, port: int) -> None:
    """Refuse a port that another program listens on. Raises COACH-SYS-005."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CoachError("COACH-SYS-005", host=host, port=port) from error


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Let one suite at a time serve a home folder; a file lock that ends with the process.

    Two gates on one database would take each other's kernels for dead ones.

    Raises:
        CoachError: COACH-SYS-007; COACH-SYS-001 for a home that cannot be written.
    """
    path = settings.home / "locks" / "serve.lock"
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = f"the folder cannot be written ({error.strerror})"
        raise CoachError("COACH-SYS-001", name="COACHOPS_HOME", reason=reason) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CoachError("COACH-SYS-007", home=settings.home) from None
        yield
    finally:
        os.close(handle)


def free_port() -> int:
    """A port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_NOT_FOR_KERNELS = frozenset({"COACHOPS_OPENAI_API_KEY", "COACHOPS_SECOND_OPENAI_API_KEY"})
"""Analyses run in the worker: no page needs a key, only whether there is one."""


def _voila_environment(runtime: Runtime, common: dict[str, str]) -> dict[str, str]:
    from coachops.core.settings import WITHHELD  # noqa: PLC0415 imports pydantic
    from coachops.identity.runtime import CLAIM_VARIABLE  # noqa: PLC0415 imports SQLAlchemy

    kept = {name: os.environ[name] for name in _VOILA_KEEPS if name in os.environ}
    shared = {
        name: WITHHELD if value and name in _NOT_FOR_KERNELS else value
        for name, value in common.items()
    }
    return {
        **kept,
        **shared,
        CLAIM_VARIABLE: str(runtime.claim_socket),
        "JUPYTER_PATH": str(_PACKAGE / "dashboards" / "voila_template"),
        # nobody's personal configuration, kernels or start-up files take part
        "JUPYTER_CONFIG_DIR": str(runtime.folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(runtime.folder / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(runtime.folder / "jupyter"),
        "JUPYTER_NO_CONFIG": "1",
        "IPYTHONDIR": str(runtime.folder / "ipython"),
    }


def _template() -> Path:
    return _PACKAGE / "dashboards" / "voila_template" / "voila" / "templates" / "coachops"


def _pool(size: int) -> dict[str, object]:
    return {"pool_size": size, "kernel_env_variables": {}}


def _first(*candidates: Path) -> Path:
    return next((path for path in candidates if path.exists()), candidates[0])

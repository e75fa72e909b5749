"""Install what the tests need beyond Python; the one table of those tools.

As root on Debian missing tools are installed with apt. Elsewhere the exact command is printed, and
the tests that need the tool are skipped by name. With CI=true a missing tool is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE_PROJECT = ROOT / "tests" / "support" / "node"
PYTHON_PROJECT = ROOT / "tests" / "outsiders"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program the tests need.

    Attributes:
        name: to show.
        binaries: any of these on PATH, or an absolute pattern that matches, means it is there.
        packages: of Debian.
        used_for: which tests.
    """

    name: str
    binaries: tuple[str, ...]
    packages: tuple[str, ...]
    used_for: str

    @property
    def present(self) -> bool:
        """Whether it is on this machine."""
        return any(
            bool(list(Path("/").glob(binary.lstrip("/"))))
            if binary.startswith("/")
            else shutil.which(binary) is not None
            for binary in self.binaries
        )


TOOLS = (
    Tool("Chromium", ("chromium", "chromium-browser"), ("chromium",), "browser tests, screenshots"),
    Tool(
        "PostgreSQL server",
        ("/usr/lib/postgresql/*/bin/postgres", "postgres"),
        ("postgresql",),
        "every database test a second time",
    ),
    Tool("pgBackRest", ("pgbackrest",), ("pgbackrest",), "backups of PostgreSQL"),
    Tool("age", ("age",), ("age",), "backups opened by a program that others wrote"),
    Tool("libfaketime", ("faketime",), ("faketime",), "clocks that jump"),
    Tool("LibreOffice Calc", ("localc",), ("libreoffice-calc",), "opening CSV for spreadsheets"),
    Tool("OpenSSL", ("openssl",), ("openssl",), "checking signatures of exports"),
    Tool("Node.js", ("node",), ("nodejs",), "programs written by others, in Node"),
    Tool("npm", ("npm",), ("npm",), "installing those programs from their lock file"),
)


def main() -> int:
    """Install what is missing; 1 where CI lacks a tool."""
    missing = [tool for tool in TOOLS if not tool.present]
    if missing:
        _install(missing)
    still = [tool for tool in TOOLS if not tool.present]
    for tool in still:
        print(f"{tool.name} is missing: its tests ({tool.used_for}) are skipped.")
    if not _npm_ci():
        still.append(TOOLS[-1])
    ready = _outsiders()
    if not ready:
        print("Checks by frictionless, csvw, check-jsonschema, schemathesis and dlt are skipped.")
    if not ready and os.environ.get("CI") == "true":
        return 1
    return 1 if still and os.environ.get("CI") == "true" else 0


def _install(missing: list[Tool]) -> None:
    packages = [package for tool in missing for package in tool.packages]
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"To run every test:  sudo apt-get update && sudo {' '.join(command)}")
        return
    names = ", ".join(tool.name for tool in missing)
    print(f"Installing {names}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        done = subprocess.run(step, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout[-1000:], done.stderr[-2000:], sep="\n")


def _npm_ci() -> bool:
    """Install the Node packages of the tests from their lock file; True where they are there."""
    lock, made = NODE_PROJECT / "package-lock.json", NODE_PROJECT / "node_modules"
    if not lock.exists():
        return True
    stamp = made / ".ready"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return True
    npm = shutil.which("npm")
    if npm is None:
        return False
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=NODE_PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stderr[-2000:])
        return False
    stamp.touch()
    return True


def _outsiders() -> bool:
    """Install the Python programs of the tests from their lock file; True where they are there."""
    lock, stamp = PYTHON_PROJECT / "uv.lock", PYTHON_PROJECT / ".venv" / ".ready"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return True
    sync = [str(Path(sys.executable).parent / "uv"), "sync", "--frozen", "--quiet"]
    clean = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    for more in ([], ["--system-certs"]):  # as in the Makefile
        done = subprocess.run(
            [*sync, "--python", sys.executable, *more],
            cwd=PYTHON_PROJECT, env=clean, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            stamp.touch()
            return True
    print(done.stderr[-2000:])
    return False


if __name__ == "__main__":
    sys.exit(main())

"""Draw the layers of the house as SVG, from the contract that import-linter enforces."""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SAYS = {
    "api": "surfaces: HTTP, command line, dashboards",
    "jobs": "durable work across capabilities; the only importer of DBOS",
    "bootstrap": "settings in, wired services out",
    "reporting": "papermill reports: catalogue, runner, publisher",
    "frames": "pandas frames for analysts",
    "coaching": "capabilities, independent of each other",
    "ai": "the gateway to the analysis engines; telling others",
    "telemetry": "record what happened",
    "db": "engines, transactions, schema, migrations",
    "resilience": "retry: pure policies",
    "core": "settings, errors, clock, ids: no input or output",
}
WIDTH, ROW, GAP, LEFT = 920, 46, 8, 400


def layers() -> list[list[str]]:
    """The layers from the top, each with its packages that exist."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [contract] = [
        contract
        for contract in document["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    rows = [[name.strip() for name in row.split("|")] for row in contract["layers"]]
    return [kept for row in rows if (kept := [name for name in row if name[0] != "("])]


def picture() -> str:
    """The SVG: a row for each layer, its packages left, what it is for right."""
    rows = layers()
    height = len(rows) * (ROW + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="t" font-family="system-ui, sans-serif">',
        '<title id="t">The layers of coachops, from the surfaces at the top to core at the bottom; '
        "each may import only what lies below it</title>",
    ]
    for index, names in enumerate(rows):
        y = GAP + index * (ROW + GAP)
        shade = 96 - index * 3
        parts.append(
            f'<rect x="0" y="{y}" width="{WIDTH}" height="{ROW}" rx="8" '
            f'fill="hsl(174 35% {shade}%)" stroke="hsl(174 30% 70%)"/>'
        )
        size = 14 if len(" · ".join(names)) < 52 else 12
        parts.append(
            f'<text x="16" y="{y + ROW / 2 + 5}" font-size="{size}" font-weight="600" '
            f'fill="#123b38">{escape(" · ".join(names))}</text>'
        )
        parts.append(
            f'<text x="{LEFT}" y="{y + ROW / 2 + 5}" font-size="14" fill="#27514d">'
            f"{escape(SAYS[names[0]])}</text>"
        )
    parts.append("</svg>\n")
    return "\n".join(parts)

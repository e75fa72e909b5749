"""The look of the dashboards: one table of tokens, from which the style sheet is written.

Colours are named by what they are for. `PAIRS` lists every text colour with each background it
stands on; a test computes the contrast of each (WCAG 2.2: 4.5 for text, 3 for marks). To change
the look, change a token here; rules stand in `assets/theme.css` and only use `var(--co-…)`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

ASSETS: Final = Path(__file__).parent / "assets"

Tone = Literal["ok", "warn", "bad", "info", "neutral"]
TONES: Final[tuple[Tone, ...]] = ("ok", "warn", "bad", "info", "neutral")

COLOURS: Final[dict[str, str]] = {
    # surfaces
    "page": "#f5f6f8",
    "surface": "#ffffff",
    "sunken": "#eef1f4",
    "line": "#dde2e8",
    "line-strong": "#7d8896",  # borders of inputs: a mark, so 3:1 on white
    # text
    "ink": "#17212d",
    "muted": "#535f6d",
    "on-accent": "#ffffff",
    "on-bar": "#e9eef2",
    "on-bar-muted": "#b9c5cf",
    # product
    "bar": "#132b33",
    "bar-line": "#2a444d",
    "accent": "#0b6b66",
    "accent-strong": "#08524e",
    "accent-soft": "#e3f1ef",
    "accent-line": "#a8d3cf",
    "focus": "#1b66d1",
    "mark": "#fff1b8",  # the utterance that a citation points at
    # tones: text, background, line, mark
    "ok": "#12603b",
    "ok-bg": "#e5f4eb",
    "ok-line": "#b3dcc4",
    "ok-mark": "#1d8a56",
    "warn": "#744500",
    "warn-bg": "#fdf3dd",
    "warn-line": "#ecd197",
    "warn-mark": "#b36b00",
    "bad": "#98191f",
    "bad-bg": "#fdeced",
    "bad-line": "#f0bdc0",
    "bad-mark": "#c8323a",
    "bad-strong": "#b3232b",
    "info": "#1b4c8c",
    "info-bg": "#e8f0fb",
    "info-line": "#bad0ee",
    "info-mark": "#2f6fc4",
    "neutral": "#3c4653",
    "neutral-bg": "#edf0f3",
    "neutral-line": "#d3d9e0",
    "neutral-mark": "#66717f",
    # speakers
    "coach": "#0b5d6b",
    "coach-bg": "#e4f2f5",
    "client": "#6a3c8c",
    "client-bg": "#f3ecf8",
    "other": "#535f6d",
    "other-bg": "#eef1f4",
}

# Series of charts, in this order: told apart by lightness and dash as well as by hue.
SERIES: Final[tuple[str, ...]] = (
    "#0b7a75",
    "#c2570c",
    "#4351b8",
    "#a62c6b",
    "#5f7a1a",
    "#566273",
)

SIZES: Final[dict[str, str]] = {
    "space-1": "4px",
    "space-2": "8px",
    "space-3": "12px",
    "space-4": "16px",
    "space-5": "24px",
    "space-6": "32px",
    "space-7": "48px",
    "radius-s": "6px",
    "radius": "12px",
    "radius-pill": "999px",
    "text-xs": "0.8125rem",
    "text-s": "0.875rem",
    "text-m": "0.9375rem",
    "text-l": "1.0625rem",
    "text-xl": "1.375rem",
    "text-2xl": "1.75rem",
    "shadow": "0 1px 2px rgb(19 43 51 / 6%), 0 2px 8px rgb(19 43 51 / 5%)",
    "shadow-high": "0 8px 32px rgb(19 43 51 / 22%)",
    "font": (
        'ui-sans-serif, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", '
        '"Liberation Sans", Arial, system-ui, sans-serif'
    ),
    "mono": 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
}

# (foreground, background, least contrast)
PAIRS: Final[tuple[tuple[str, str, float], ...]] = (
    *(("ink", ground, 4.5) for ground in ("page", "surface", "sunken", "accent-soft", "mark")),
    *(("muted", ground, 4.5) for ground in ("page", "surface", "sunken", "mark")),
    *(("accent", ground, 4.5) for ground in ("page", "surface", "accent-soft", "sunken")),
    *(("accent-strong", ground, 4.5) for ground in ("page", "surface", "accent-soft")),
    *(("on-accent", ground, 4.5) for ground in ("accent", "accent-strong", "bad-strong", "bad")),
    *(("on-bar", ground, 4.5) for ground in ("bar", "bar-line")),
    ("on-bar-muted", "bar", 4.5),
    *((tone, f"{tone}-bg", 4.5) for tone in TONES),
    *((tone, "surface", 4.5) for tone in TONES),
    *(("ink", f"{tone}-bg", 4.5) for tone in TONES),
    *((f"{tone}-mark", "surface", 3.0) for tone in TONES),
    *((f"{tone}-mark", f"{tone}-bg", 3.0) for tone in TONES),
    *((who, f"{who}-bg", 4.5) for who in ("coach", "client", "other")),
    *((who, "surface", 4.5) for who in ("coach", "client", "other")),
    *((who, "mark", 4.5) for who in ("coach", "client", "other")),
    *(("line-strong", ground, 3.0) for ground in ("surface", "page")),
    *(("focus", ground, 3.0) for ground in ("surface", "page", "sunken")),
)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, 0 (black) to 1 (white), after WCAG 2.2."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours `#rrggbb`, 1 to 21, after WCAG 2.2."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def tokens_css() -> str:
    """The tokens as custom properties of `:root`."""
    values = {**COLOURS, **{f"series-{i}": c for i, c in enumerate(SERIES, 1)}, **SIZES}
    lines = "".join(f"--co-{name}:{value};" for name, value in values.items())
    return f":root{{{lines}}}\n"


@cache
def css() -> str:
    """The whole style sheet: tokens and rules."""
    return tokens_css() + (ASSETS / "theme.css").read_text(encoding="utf-8")


TEMPLATE_PATH: Final = Path(__file__).parent / "voila_template"
TEMPLATE_CSS: Final = TEMPLATE_PATH / "voila" / "templates" / "coachops" / "static" / "coachops.css"


def template_css() -> str:
    """The style sheet of the Voila template: that of the page and that of its loading state."""
    return css() + (ASSETS / "loading.css").read_text(encoding="utf-8")


def write_template_css() -> None:
    """Write it where the template finds it: `python -m coachops.dashboards.theme`."""
    TEMPLATE_CSS.parent.mkdir(parents=True, exist_ok=True)
    TEMPLATE_CSS.write_text(template_css(), encoding="utf-8")


if __name__ == "__main__":
    write_template_css()

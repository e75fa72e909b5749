"""A finished notebook as one HTML file that loads nothing from anywhere.

nbconvert's lab template asks a CDN for require.js, MathJax and mermaid; our template (in
`template/`) leaves those out, adds a content security policy under which a browser could not load
them anyway, and rules for print.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).parent / "template"


def publish(notebook: Path, html: Path, title: str) -> None:
    """Write the notebook's texts and outputs, without its code, to `html`."""
    import nbformat  # noqa: PLC0415 a second of imports
    from nbconvert import HTMLExporter  # noqa: PLC0415 as above

    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]  # nbconvert has no types
        template_name="coachops_report",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    document: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # as above
    document.metadata["title"] = title
    document.cells = [
        cell
        for cell in document.cells
        if cell.cell_type == "markdown" or (cell.cell_type == "code" and cell.outputs)
    ]
    text, _ = exporter.from_notebook_node(document)
    html.write_text(text, encoding="utf-8")

"""The page of a report that failed: it lies where the report would, and says what every surface says."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup, escape

from coachops.core import clock, request
from coachops.core.errors import CoachError

NAME = "failed.html"

_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ margin: 0 auto; max-width: 44rem; padding: 24px 16px; color: #17212d; background: #f5f6f8;
  font: 16px/1.5 ui-sans-serif, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }}
main {{ background: #fff; border: 1px solid #dde2e8; border-radius: 12px; padding: 16px 24px; }}
h1 {{ font-size: 1.375rem; }}
.code {{ color: #535f6d; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }}
</style>
</head>
<body><main>
<h1>{title}</h1>
<p>{happened}</p>
<p>{why}</p>
<p><strong>What to do:</strong> {next_step}</p>
<p class="code"><a href="{page}">{code}</a> &middot; {at} UTC &middot; {request_id}</p>
</main></body>
</html>
""")


def write_failure(folder: Path, title: str, error: CoachError, origin: str) -> None:
    """Write the page into the folder of the run; a full disk must not hide the error itself.

    Parameters:
        title: of the report.
        origin: address of the suite, for the link to the guide.
    """
    page = _PAGE.format(
        title=escape(f"{title}: not made"),
        happened=error.message,
        why=error.spec.why,
        next_step=error.next_step,
        page=f"{origin}{error.spec.page}",
        code=error.code,
        at=f"{clock.now():%Y-%m-%d %H:%M}",
        request_id=error.request_id or request.current_id(),
    )
    try:
        (folder / NAME).write_text(page, encoding="utf-8")
    except OSError:
        return

"""The guide's pages about error codes: an overview, and a page for each code, from the catalogue.

The pages of the codes are made while the guide is built (`guide_hooks`), so they cannot be stale; the
overview is kept in the source, as the other reference pages are.
"""

from __future__ import annotations

import re

WHO = {"you": "you", "admin": "your admin", "support": "the support"}
AREAS = {
    "TRN": "Transcript files",
    "CCH": "Sessions, consent and analysis",
    "AI": "The AI service",
    "MSG": "Follow-ups",
    "IDN": "Sign-in and users",
    "ROS": "Roster files",
    "INB": "What other systems write",
    "EXP": "Export",
    "WHK": "Webhooks",
    "FED": "The change feed",
    "PRV": "Privacy",
    "REP": "Reports",
    "JOB": "Background work",
    "API": "Requests over HTTP",
    "QRN": "What could not be accepted",
    "BKP": "Backup and recovery",
    "SYS": "Installation",
    "DB": "Database",
}
"""Areas of the codes in the order of the page, coaches' first."""

FOLDER = "reference/errors"
"""Where the pages of the codes lie below the guide."""


def overview() -> str:
    """Every code with what happened, linked to its page; `#coach-…` leads to its row."""
    from coachops.core.errors import CATALOGUE

    lines = [
        "# Error codes\n",
        "Every message that you can meet carries one of these codes, on a page, in the terminal, in "
        "a report and in the API. Behind each code: why it happens, and what to do. Words in "
        "*italics* stand for what is named in your message.\n",
        "Beside the code stands the id of the request. Quote both when you ask somebody: the id "
        "leads to the lines of the log, and neither says anything about a client.\n",
    ]
    for area, title in AREAS.items():
        rows = [spec for code, spec in sorted(CATALOGUE.items()) if code.split("-")[1] == area]
        if not rows:
            continue
        lines += [f"## {title}\n", "| code | what happened |", "|---|---|"]
        for spec in rows:
            name = spec.code.lower()
            link = f"[{spec.code.removeprefix('COACH-')}](errors/{name}.md){{ #{name} .code-name }}"
            lines.append(f"| {link} | {named(spec.happened)} |")
        lines.append("")
    missing = {code for code in CATALOGUE if code.split("-")[1] not in AREAS}
    if missing:
        raise SystemExit(f"AREAS lacks the area of {', '.join(sorted(missing))}")
    return "\n".join(lines)


def code_pages() -> dict[str, str]:
    """Path below the guide's sources -> text of the page, for every code."""
    from coachops.core.errors import CATALOGUE

    return {f"{FOLDER}/{code.lower()}.md": _code_page(code) for code in CATALOGUE}


def _code_page(code: str) -> str:
    from coachops.api.problems import STATUS, STATUS_OF_CODE
    from coachops.cli.main import EXIT_CODES
    from coachops.core.errors import CATALOGUE

    spec = CATALOGUE[code]
    status = STATUS_OF_CODE.get(code, STATUS[spec.kind])
    later = "It may, without a change." if spec.retryable else "No, something must change first."
    return "\n".join(
        [
            f"# {code}\n",
            f"{AREAS[code.split('-')[1]]} · [all codes](../errors.md#{code.lower()})\n",
            f'!!! quote "What happened"\n\n    {named(spec.happened)}\n',
            f"**Why.** {named(spec.why)}\n",
            f"**What to do.** {named(spec.next_step)}\n",
            f"**Who can mend it.** {WHO[spec.who].capitalize()}.\n",
            f"**Does the same work later?** {later}\n",
            "| where | you meet it as |",
            "|---|---|",
            f'| in the API | status {status}, `"code": "{code}"` |',
            f"| on the command line | exit code {EXIT_CODES.get(spec.kind, 1)} |\n",
            "Does it stay? Quote the code and the id beside it: to your admin as a coach, and in the "
            "log (`request_id`) as an admin. Step by step, for coaches: "
            "[When something fails](../../how-to/when-something-fails.md).\n",
        ]
    )


def named(text: str) -> str:
    """A text of the catalogue with its gaps as words in italics, safe in a table."""
    plain = text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ").strip()
    return re.sub(r"\{(\w+)\}", lambda gap: f"*{gap[1].replace('_', ' ')}*", plain)

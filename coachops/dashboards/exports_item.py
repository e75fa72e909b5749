"""One export of the list: what it is, how far it is, its files, and the way to take it back.

What changes is replaced in place, so that a list of files somebody has opened stays open.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from coachops.core import clock
from coachops.dashboards.components import (
    Area,
    Element,
    Tone,
    area,
    button,
    confirm,
    error_card,
    html,
    join,
    safe_href,
    status_pill,
)
from coachops.dashboards.overview_parts import ago, counted, duration, moment
from coachops.export.issued import Issued

if TYPE_CHECKING:
    from coachops.dashboards.exports import ExportsPage

STATES: Final[dict[str, tuple[str, Tone]]] = {
    "queued": ("Waiting", "info"),
    "running": ("Under way", "info"),
    "ready": ("Ready", "ok"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "neutral"),
    "expired": ("Files deleted", "neutral"),
}
FORMATS: Final = {"csv": "CSV", "jsonl": "JSON Lines", "json": "JSON", "parquet": "Parquet"}


class ExportItem:
    """An export as the page shows it."""

    def __init__(self, page: ExportsPage, export: Issued) -> None:
        self._page = page
        self.export = export
        self._head = Element()
        self._progress = Element(classes="ex-maybe")
        self._files = Element(classes="ex-maybe")
        self._actions = Element(classes="ex-actions ov-maybe")
        self._messages: Area = area()
        self._state = ""
        self.widget = Element(
            children=[self._head, self._progress, self._messages, self._files, self._actions],
            tag="article",
            classes="ex-item",
            attributes={"tabindex": "-1", "aria-label": f"Export {export.key}"},
        )
        self.show(export)

    def show(self, export: Issued) -> None:
        """Show the export as it is now."""
        self.export = export
        _put(self._head, self._heading())
        _put(self._progress, progress(export) if export.open else Markup(""))
        state = "expired" if export.state == "ready" and export.gone else export.state
        if state == self._state:
            return
        self._state = state
        _put(self._files, files(export) if state == "ready" else Markup(""))
        self._actions.children = list(self._buttons(state))
        if export.error is not None:
            self._messages.show(error_card(export.error))
        else:
            self._messages.clear()

    def _heading(self) -> Markup:
        export, zone = self.export, self._page.services.settings.zone
        words, tone = STATES["expired" if export.state == "ready" and export.gone else export.state]
        who = export.requested_by or "the suite itself"
        facts = [f"Asked for by {who} {ago(export.made_at, clock.now())}"]
        if export.snapshot_at and not export.open:
            facts.append(f"as of {moment(export.snapshot_at, zone)}")
        if export.state == "ready" and not export.gone:
            facts.append(f"{export.rows:,} rows, {size(export.bytes)}")
            facts.append(
                f"files until {moment(export.expires_at, zone)}"
                if export.expires_at
                else f"files stay in {export.place}"
            )
        return html(
            '<div class="ex-head"><h3 class="ex-title">{}</h3>{}</div>'
            '<p class="ex-what">{}</p><p class="ex-facts">{}</p>',
            title(export),
            status_pill(words, tone),
            scope(export),
            join(facts, " · "),
        )

    def _buttons(self, state: str) -> Iterable[Any]:
        named = f"export of {title(self.export)}"
        if state in {"queued", "running"}:
            yield confirm(
                "Cancel this export?",
                self._remove,
                label="Cancel",
                yes="Cancel the export",
                no="Go on with it",
                text="What is written already is removed.",
                area=self._messages,
                description=named,
            )
        elif state == "failed":
            if self.export.run:
                yield button("Try again", self._again, area=self._messages, description=named)
            yield button("Put away", self._remove, "quiet", area=self._messages, description=named)
        elif state == "ready" and self.export.managed:
            yield confirm(
                "Delete the files of this export?",
                self._remove,
                label="Delete the files",
                kind="quiet",
                text="Nobody can fetch them afterwards. That it was made stays on record.",
                area=self._messages,
                description=named,
            )

    def _remove(self) -> None:
        self._page.exports.remove(self._page.owner, str(self.export.id))
        self._page.refresh()

    def _again(self) -> None:
        self._page.exports.again(self._page.owner, str(self.export.id))
        self._page.refresh()


def _put(place: Element, content: Markup) -> None:
    if place.content != str(content):
        place.set_content(content)


def title(export: Issued) -> str:
    """What is exported, in a few words."""
    if not export.request.datasets:
        return "All tables"
    names = [name.replace("_", " ") for name in export.datasets]
    if len(names) <= 3:
        return ", ".join(names).capitalize()
    return f"{', '.join(names[:2]).capitalize()} and {len(names) - 2} more tables"


def scope(export: Issued) -> str:
    """In which form, of when and whom."""
    asked = export.request
    parts = [", ".join(FORMATS.get(name, name) for name in export.formats)]
    if "csv" in export.formats and asked.csv_profile == "excel":
        parts.append("for Excel")
    if asked.compression != "none":
        parts.append(asked.compression)
    if asked.since or asked.until:
        parts.append(
            " ".join(
                words
                for words in (
                    f"from {asked.since}" if asked.since else "",
                    f"until {asked.until}" if asked.until else "",
                )
                if words
            )
        )
    for ids, word, many in (
        (asked.coaches, "coach", "coaches"), (asked.clients, "client", "clients"),
    ):  # fmt: skip
        if ids:
            parts.append(counted(len(ids), word, many))
    if export.privacy == "pseudonymous":
        parts.append("pseudonyms only")
    return " · ".join(parts)


def progress(export: Issued) -> Markup:
    """How far it is: a bar, rows, parts, and how long it takes yet."""
    if export.state == "queued":
        return html('<p class="ex-facts">{}</p>', "It begins as soon as a worker is free.")
    whole = export.rows_expected
    share = min(100, round(100 * export.rows / whole)) if whole else 0
    if not export.parts:
        words = "Counting what there is…"
    else:
        words = f"{export.rows:,} of {whole:,} rows"
        if export.eta_seconds is not None and export.eta_seconds >= 1:
            words += f", about {duration(export.eta_seconds)} to go"
    return html(
        '<div class="ex-bar" role="progressbar" aria-label="Progress" aria-valuemin="0" '
        'aria-valuemax="100" aria-valuenow="{}"><span class="ex-bar-fill" style="width:{}%"></span>'
        '</div><p class="ex-progress"><span>{}</span><span>{}</span></p>',
        share,
        max(share, 2),
        words,
        f"part {export.parts_done} of {export.parts}, {size(export.bytes)}" if export.parts else "",
    )


def files(export: Issued) -> Markup:
    """The files to fetch: a row per table, then what proves them."""
    rows, beside = [], []
    by_dataset: dict[str, list[dict[str, Any]]] = {}
    for entry in export.files:
        if entry.get("dataset"):
            by_dataset.setdefault(entry["dataset"], []).append(entry)
        else:
            beside.append(entry)
    for name, entries in by_dataset.items():
        counted_rows = sum(
            entry.get("rows", 0) for entry in entries if entry["format"] == entries[0]["format"]
        )
        rows.append(
            html(
                '<tr><th scope="row">{}</th><td class="ex-number">{:,}</td><td>{}</td></tr>',
                name.replace("_", " "),
                counted_rows,
                join((_fetch(export, entry, entries) for entry in entries), " "),
            )
        )
    proof = join(
        (
            html("<li>{}</li>", _link(export, entry, entry["path"]))
            for entry in beside
            if not entry["path"].startswith("schemas/")
        ),
    )
    return html(
        '<details class="co-details ex-files"><summary>Fetch the files ({})</summary>'
        '<div class="co-details-body"><div class="ex-scroll" tabindex="0" role="region" '
        'aria-label="Files of this export"><table class="ex-table"><thead><tr>'
        '<th scope="col">Table</th><th scope="col" class="ex-number">Rows</th>'
        '<th scope="col">Files</th></tr></thead><tbody>{}</tbody></table></div>'
        '<p class="ex-facts">Beside them, to check that nothing is missing or changed:</p>'
        '<ul class="ex-beside">{}</ul></div></details>',
        len(export.files),
        join(rows),
        proof,
    )


def _fetch(export: Issued, entry: dict[str, Any], entries: list[dict[str, Any]]) -> Markup:
    shards = sum(each["format"] == entry["format"] for each in entries)
    words = FORMATS.get(entry["format"], entry["format"])
    if shards > 1:
        words += f" {entry['path'].rsplit('-', 1)[-1].split('.')[0].lstrip('0')}"
    return _link(export, entry, words)


def _link(export: Issued, entry: dict[str, Any], words: str) -> Markup:
    # `download`: a link that leads away would end the page's kernel, although the page stays
    return html(
        '<span class="ex-file"><a class="co-link" href="{}" download>{}</a>'
        ' <span class="ex-size">{}</span></span>',
        safe_href(f"/v1/exports/{export.id}/files/{entry['path']}"),
        words,
        size(int(entry["bytes"])),
    )


def size(number: int) -> str:
    """Bytes as people read them: `640 B`, `12 kB`, `3.4 MB`."""
    if number < 1000:
        return f"{number} B"
    for unit, factor in (("kB", 10**3), ("MB", 10**6), ("GB", 10**9)):
        if number < 1000 * factor or unit == "GB":
            amount = number / factor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    raise AssertionError("unreachable")

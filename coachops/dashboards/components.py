"""The parts that dashboard pages are built of. Import from here; the files behind it may move.

Every function returns a widget (or HTML where it says so). Texts are escaped; widgets work without
a kernel, so plain tests click them: `button.click()`, `input.type_in(...)`,
`upload.offer_files({...})`, `table.receive({"event": "action", "name": ..., "value": ...})`,
`element.text()`, `element.find(Button)`.

Page        page_frame, NavItem, card, grid, split, stack, row, section, tabs, details, every
Text        paragraph, html, join, link, notice, empty_state, loading, bullet_list
Data        metric, metric_row, table, Column, definition_list, timeline, TimelineItem,
            status_pill (HTML), pill (widget); charts are in `charts`, transcripts in
            `transcript_view`
Input       button, confirm, field, text_input, text_area, select, date_input, checkbox,
            file_upload; `.data` is the checked value, `.on_change(f)`, `.on_submit(f)`,
            `.error = "…"` shows an error below it
Errors      area, guarded, busy, error_card, hold_changes; exceptions without an area go to the page's banner

Sketch of a page:

    messages = area()
    name = text_input("Name", required=True)
    def save() -> None: ...          # may raise CoachError
    page_frame("Users", user="Ada", nav=[NavItem("Users", "/app/users", current=True)], body=[
        messages,
        card("New user", [name, button("Save", save, "primary", area=messages)]),
    ])
"""

from __future__ import annotations

from coachops.dashboards.components_base import (
    Element,
    Part,
    html,
    join,
    report,
    report_to,
    safe_href,
)
from coachops.dashboards.components_data import (
    Column,
    Table,
    TimelineItem,
    bullet_list,
    definition_list,
    empty_state,
    metric,
    metric_row,
    pill,
    sparkline_svg,
    status_pill,
    table,
    timeline,
)
from coachops.dashboards.components_feedback import (
    Area,
    Button,
    area,
    busy,
    button,
    confirm,
    dispose,
    error_card,
    guarded,
    hold_changes,
    loading,
    notice,
)
from coachops.dashboards.components_inputs import (
    CheckField,
    DateField,
    Field,
    SelectField,
    TextField,
    checkbox,
    date_input,
    select,
    text_area,
    text_input,
)
from coachops.dashboards.components_page import (
    NavItem,
    Page,
    Tabs,
    Ticker,
    card,
    details,
    every,
    field,
    grid,
    link,
    page_frame,
    paragraph,
    row,
    section,
    split,
    stack,
    tabs,
)
from coachops.dashboards.components_upload import FileUpload, UploadedFile, file_upload
from coachops.dashboards.theme import Tone

__all__ = [
    "Area",
    "Button",
    "CheckField",
    "Column",
    "DateField",
    "Element",
    "Field",
    "FileUpload",
    "NavItem",
    "Page",
    "Part",
    "SelectField",
    "Table",
    "Tabs",
    "TextField",
    "Ticker",
    "TimelineItem",
    "Tone",
    "UploadedFile",
    "area",
    "bullet_list",
    "busy",
    "button",
    "card",
    "checkbox",
    "confirm",
    "date_input",
    "definition_list",
    "details",
    "dispose",
    "empty_state",
    "error_card",
    "every",
    "field",
    "file_upload",
    "grid",
    "guarded",
    "hold_changes",
    "html",
    "join",
    "link",
    "loading",
    "metric",
    "metric_row",
    "notice",
    "page_frame",
    "paragraph",
    "pill",
    "report",
    "report_to",
    "row",
    "safe_href",
    "section",
    "select",
    "sparkline_svg",
    "split",
    "stack",
    "status_pill",
    "table",
    "tabs",
    "text_area",
    "text_input",
    "timeline",
]

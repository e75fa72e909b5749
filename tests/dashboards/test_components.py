"""Parts of pages: escaping, contrast, errors in words, and messages a hostile browser may send."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator

import ipywidgets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachops.core.errors import CoachError
from coachops.dashboards import components as ui
from coachops.dashboards import theme

EVIL = '<script>alert("x")</script>'


@pytest.fixture(autouse=True)
def _no_banner() -> Iterator[None]:
    yield
    ui.report_to(None)


def message(widget: ui.Part, *buffers: bytes, **content: object) -> None:
    """Deliver a message as the kernel does."""
    widget._on_message(widget, content, list(buffers))


# -- look -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("front", "back", "least"), theme.PAIRS)
def test_each_colour_pair_has_enough_contrast(front: str, back: str, least: float) -> None:
    assert theme.contrast(theme.COLOURS[front], theme.COLOURS[back]) >= least


@pytest.mark.parametrize("colour", theme.SERIES)
def test_series_of_charts_stand_out_from_the_surface(colour: str) -> None:
    assert theme.contrast(colour, theme.COLOURS["surface"]) >= 3


def test_contrast_is_that_of_the_standard() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_rules_use_only_tokens_that_exist() -> None:
    import re

    used = set(re.findall(r"var\(--co-([a-z0-9-]+)", theme.template_css()))
    defined = set(re.findall(r"--co-([a-z0-9-]+):", theme.tokens_css()))
    assert used - defined <= {"transcript-height"}  # set by the transcript on itself


def test_the_style_sheet_of_the_template_is_current() -> None:
    assert theme.TEMPLATE_CSS.read_text(encoding="utf-8") == theme.template_css(), (
        "run: python -m coachops.dashboards.theme"
    )


def test_nothing_shipped_names_another_host() -> None:
    shipped = [*theme.ASSETS.rglob("*.js"), *theme.ASSETS.rglob("*.css")]
    shipped += [p for p in theme.TEMPLATE_PATH.rglob("*") if p.is_file()]
    for path in shipped:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        if path.name == "uPlot.iife.min.js":
            text = text.split("*/", 1)[1]  # its banner names the project
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "eval(" not in text, path


def test_voila_finds_the_template_and_its_parent_through_jupyter_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import jinja2
    from voila.paths import collect_template_paths

    monkeypatch.setenv("JUPYTER_PATH", str(theme.TEMPLATE_PATH))
    paths = collect_template_paths(["voila", "nbconvert"], "coachops", prune=True)
    source = jinja2.FileSystemLoader(paths)
    environment = jinja2.Environment(loader=source, autoescape=False)  # noqa: S701 only parsed
    text, filename, _ = source.get_source(environment, "index.html.j2")
    assert filename.startswith(str(theme.TEMPLATE_PATH))
    assert "jsdelivr" not in text
    parent = "voila/templates/lab/index.html.j2"
    assert f"extends '{parent}'" in text
    # the blocks and calls of the parent that ours relies on
    stock, _, _ = source.get_source(environment, parent)
    for part in ("block body_header", "window.voila_finish()", "vnd.voila.cell-output+json"):
        assert part in stock


def test_the_limit_that_the_template_lifts_is_still_there() -> None:
    """When anywidget drops its two seconds, the line in loading.html.j2 can go."""
    from importlib.metadata import files

    scripts = [f for f in files("anywidget") or [] if f.name == "index.js"]
    assert any("AbortSignal.timeout(2e3)" in f.read_text() for f in scripts)


# -- escaping -------------------------------------------------------------------------------------


def test_text_is_inert_wherever_it_stands() -> None:
    page = ui.page_frame(
        EVIL,
        EVIL,
        EVIL,
        [ui.NavItem(EVIL, "/app/x")],
        [
            ui.card(EVIL, [ui.paragraph(EVIL)], subtitle=EVIL),
            ui.metric(EVIL, EVIL, EVIL, EVIL, change=EVIL),
            ui.table(
                [ui.Column("a", EVIL), ui.Column("b", "B", kind="button")],
                [{"a": EVIL, "b": (EVIL, EVIL)}],
                caption=EVIL,
                on_action=lambda name, value: None,
            ),
            ui.notice("bad", EVIL, EVIL, EVIL, EVIL),
            ui.empty_state(EVIL, EVIL),
            ui.loading(EVIL),
            ui.definition_list([(EVIL, EVIL)]),
            ui.timeline([ui.TimelineItem(EVIL, EVIL, EVIL)]),
            ui.bullet_list([EVIL, ui.link(EVIL, "/x")]),
            ui.pill(EVIL),
            ui.section(EVIL, []),
            ui.details(EVIL, []),
            ui.field(EVIL, ipywidgets.IntText(), EVIL, EVIL),
        ],
    )
    elements = [page, *page.find(ui.Element)]
    assert len(elements) > 12
    for element in elements:
        assert "<script" not in element.content
    assert EVIL in page.text()


@given(st.text())
def test_html_never_lets_a_value_open_a_tag(text: str) -> None:
    made = ui.html("<p>{}</p>", text)
    assert made.count("<") == 2
    assert made.unescape()[3:-4] == text


def test_html_keeps_what_html_made() -> None:
    inner = ui.html("<b>{}</b>", "1 < 2")
    assert ui.html("<p>{}</p>", inner) == "<p><b>1 &lt; 2</b></p>"


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", " JavaScript:x", "java\nscript:x", "data:text/html,x", "//evil.example",
     "\\\\evil.example", "/\\evil.example", "http://plain.example", "vbscript:x"],
)  # fmt: skip
def test_a_link_that_could_run_code_or_leave_the_site_is_refused(href: str) -> None:
    with pytest.raises(ValueError, match="link"):
        ui.link("x", href)


@pytest.mark.parametrize(
    "href", ["/app/x", "#co-main", "?a=b:c", "https://a.example/x", "mailto:a@b.example", "a/b:c"]
)
def test_a_link_within_the_site_is_kept(href: str) -> None:
    assert f'href="{href}"' in ui.link("x", href)


# -- page -----------------------------------------------------------------------------------------


def test_a_page_has_landmarks_a_skip_link_one_h1_and_a_sign_out_form() -> None:
    page = ui.page_frame("Users", user="Ada", nav=[ui.NavItem("Users", "/app/users", current=True)])
    for part in ('href="#co-main"', '<main id="co-main"', "<nav ", 'aria-current="page"',
                 '<form method="post" action="/logout">'):  # fmt: skip
        assert part in page.content
    assert page.content.count("<h1>") == 1


def test_a_child_must_be_a_widget() -> None:
    with pytest.raises(TypeError, match="widget"):
        ui.stack(["text"])


def test_a_foreign_widget_can_be_a_child_and_gets_a_name() -> None:
    foreign = ipywidgets.IntSlider()
    group = ui.field("Weeks", foreign, help="Whole weeks")
    assert group.children == (foreign,)
    assert group.attributes["role"] == "group"
    assert group._slots["body"] == [[foreign.model_id, False]]


def test_the_browser_can_write_no_state() -> None:
    text = ui.text_input("Name", value="Ada")
    element = ui.paragraph("x")
    text.set_state({"value": "Eve", "disabled": True})
    element.set_state({"content": EVIL})
    assert (text.data, text.disabled) == ("Ada", False)
    assert EVIL not in element.content


# -- errors ---------------------------------------------------------------------------------------


def test_an_error_card_says_what_happened_what_to_do_and_the_code() -> None:
    error = CoachError("COACH-DB-001", reason="timeout")
    text = ui.error_card(error).text()
    for part in (error.message, error.next_step, "COACH-DB-001", "Your admin can mend this."):
        assert part in text


def test_a_guarded_callback_shows_a_coded_error_and_clears_it_when_it_works() -> None:
    area = ui.area()
    failing = True

    def act() -> int:
        if failing:
            raise CoachError("COACH-DB-002")
        return 7

    guarded = ui.guarded(act, area)
    assert guarded() is None
    assert "COACH-DB-002" in area.text()
    failing = False
    assert guarded() == 7
    assert area.children == ()


def test_a_guarded_callback_keeps_what_it_said_itself() -> None:
    area = ui.area()
    ui.guarded(lambda: area.show(ui.notice("ok", "Saved")), area)()
    assert "Saved" in area.text()


def test_an_unexpected_exception_is_logged_and_its_words_stay_off_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    area = ui.area()

    def act() -> None:
        raise ValueError("words of a client")

    with caplog.at_level(logging.ERROR):
        ui.guarded(act, area)()
    assert "COACH-SYS-003" in area.text()
    assert "words of a client" not in area.text()
    assert "words of a client" in caplog.text


@pytest.mark.usefixtures("caplog")
def test_an_exception_without_an_area_reaches_the_banner_of_the_page() -> None:
    def act() -> None:
        raise CoachError("COACH-DB-002")

    button = ui.button("Save", act)
    field = ui.text_input("Name")
    field.on_change(lambda text: act())
    page = ui.page_frame("Page", body=[button, field])
    button.click()
    assert "COACH-DB-002" in page.banner.text()
    page.banner.clear()
    message(field, event="value", value="Ada")
    assert "COACH-DB-002" in page.banner.text()


# -- buttons --------------------------------------------------------------------------------------


def test_a_button_runs_its_callback_once_for_a_double_click() -> None:
    runs: list[int] = []
    button = ui.button("Send", lambda: runs.append(1))
    message(button, event="click", count=0)
    message(button, event="click", count=0)  # the second of the double click, seen afterwards
    assert runs == [1]
    message(button, event="click", count=1)
    assert runs == [1, 1]


def test_a_click_within_the_callback_is_dropped() -> None:
    runs: list[int] = []

    def act() -> None:
        runs.append(1)
        button.click()

    button = ui.button("Send", act)
    button.click()
    assert runs == [1]
    assert not button.running


def test_a_button_works_again_after_a_failure() -> None:
    area = ui.area()

    def act() -> None:
        raise CoachError("COACH-DB-002")

    button = ui.button("Send", act, area=area)
    button.click()
    assert not button.running
    assert button.count == 1


def test_a_disabled_button_ignores_forged_clicks() -> None:
    runs: list[int] = []
    button = ui.button("Send", lambda: runs.append(1), disabled=True)
    message(button, event="click", count=0)
    assert runs == []


def test_confirm_asks_before_it_acts() -> None:
    runs: list[int] = []
    button = ui.confirm("Delete it?", lambda: runs.append(1), label="Delete", text="For good.")
    assert button.question == {
        "title": "Delete it?",
        "text": "For good.",
        "yes": "Delete",
        "no": "Cancel",
    }
    button.click()
    assert runs == [1]
    assert ui.button("x", lambda: None).question == {}


def test_busy_marks_and_restores_also_after_an_error() -> None:
    panel = ui.stack([])
    marks: list[str] = []

    def work() -> None:
        with ui.busy(panel):
            marks.append(panel.attributes["aria-busy"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert marks == ["true"]
    assert "aria-busy" not in panel.attributes
    button = ui.button("x", lambda: None)
    with ui.busy(button):
        assert button.running
    assert not button.running


@pytest.mark.parametrize("content", [None, [], "x", {}, {"event": 3}, {"event": "nonsense"}])
def test_malformed_messages_are_dropped(content: object) -> None:
    widgets = [
        ui.button("x", lambda: pytest.fail("ran")),
        ui.text_input("x"),
        ui.select("x", [("a", 1)]),
        ui.file_upload("x"),
        ui.tabs([("a", [])]),
        ui.every(5, lambda: pytest.fail("ran")),
        ui.table([("a", "A")], [{"a": 1}], caption="c"),
    ]
    for widget in widgets:
        widget._on_message(widget, content, [])


# -- inputs ---------------------------------------------------------------------------------------


def test_a_text_is_cleaned_and_refused_above_its_length() -> None:
    seen: list[str] = []
    name = ui.text_input("Name", max_length=5)
    name.on_change(seen.append)
    name.type_in("A\x00d\na")
    assert name.data == "Ada"
    for forged in ("123456", 7, None, {"a": 1}):
        name.type_in(forged)
    assert name.data == "Ada"
    assert seen == ["Ada"]


def test_a_text_area_keeps_lines() -> None:
    notes = ui.text_area("Notes")
    notes.type_in("one\r\ntwo\tthree\x07")
    assert notes.data == "one\ntwo\tthree"


def test_a_select_maps_indexes_to_values_and_refuses_others() -> None:
    chosen: list[object] = []
    field = ui.select("Client", [("Maya", "m"), ("Jonas", "j")], value="j")
    field.on_change(chosen.append)
    assert field.data == "j"
    for forged in (2, -1, True, "0", None, 0.0):
        field.type_in(forged)
    assert field.data == "j"
    field.type_in(0)
    assert field.data == "m"
    assert chosen == ["m"]
    field.set_choices([])
    assert field.data is None


def test_a_date_is_parsed_and_held_within_its_bounds() -> None:
    day = ui.date_input("Day", least=dt.date(2026, 1, 1), most=dt.date(2026, 12, 31))
    assert day.data is None
    day.type_in("2026-11-23")
    assert day.data == dt.date(2026, 11, 23)
    for forged in ("2025-12-31", "2027-01-01", "2026-13-01", "tomorrow", 5):
        day.type_in(forged)
    assert day.data == dt.date(2026, 11, 23)
    day.type_in("")
    assert day.data is None


def test_a_checkbox_takes_only_booleans() -> None:
    box = ui.checkbox("Agree")
    box.type_in("yes")
    assert box.data is False
    box.type_in(True)
    assert box.data is True


def test_a_disabled_input_ignores_the_browser_and_a_change_clears_its_error() -> None:
    name = ui.text_input("Name", disabled=True)
    name.type_in("Eve")
    assert name.data == ""
    name.disabled, name.error = False, "Give a name."
    name.type_in("Ada")
    assert (name.data, name.error) == ("Ada", "")


def test_enter_submits() -> None:
    done: list[int] = []
    name = ui.text_input("Name")
    name.on_submit(lambda: done.append(1))
    message(name, event="submit")
    assert done == [1]


def test_an_input_needs_a_label() -> None:
    with pytest.raises(ValueError, match="label"):
        ui.text_input(" ")


# -- upload ---------------------------------------------------------------------------------------


def test_files_arrive_whole_and_bad_ones_are_refused_with_a_reason() -> None:
    batches: list[list[ui.UploadedFile]] = []
    upload = ui.file_upload("Transcripts", [".txt"], on_files=batches.append, max_bytes=3_000_000)
    content = bytes(range(256)) * 8_000  # more than one piece
    upload.offer_files(
        {
            "C:\\x\\a.txt": content,
            "b.exe": b"x",
            "c.txt": b"",
            "d.TXT": b"d",
            "e.txt": b"x" * 3_000_001,
        }
    )
    (files,) = batches
    assert [(f.name, f.content) for f in files] == [("a.txt", content), ("d.TXT", b"d")]
    texts = {row["name"]: row["text"] for row in upload.items}
    assert texts == {
        "a.txt": "Received", "b.exe": "Wrong type", "c.txt": "Empty", "d.TXT": "Received",
        "e.txt": "Too large",
    }  # fmt: skip
    upload.set_status(files[0].key, "Imported", "ok", "42 cues")
    assert upload.items[0]["detail"] == "42 cues"


def test_more_bytes_than_announced_are_refused() -> None:
    upload = ui.file_upload("x", on_files=lambda files: pytest.fail("accepted"))
    message(upload, event="offer", files=[{"key": "k", "name": "a.txt", "size": 3}])
    message(upload, b"four", event="piece", key="k", offset=0)
    assert upload.items[0]["text"] == "Changed"


def test_pieces_out_of_turn_are_ignored() -> None:
    got: list[ui.UploadedFile] = []
    upload = ui.file_upload("x", on_files=got.extend)
    offered = [{"key": k, "name": f"{k}.txt", "size": 2} for k in ("a", "b")]
    message(upload, event="offer", files=offered)
    message(upload, b"bb", event="piece", key="b", offset=0)  # a is first
    message(upload, b"a", event="piece", key="a", offset=1)  # from the middle
    message(upload, b"a", event="piece", key="a", offset=0)
    message(upload, b"a", event="piece", key="a", offset=0)  # again
    message(upload, b"a", event="piece", key="a", offset=1)
    message(upload, b"bb", event="piece", key="b", offset=0)
    assert [f.content for f in got] == [b"aa", b"bb"]


def test_too_many_files_and_too_many_bytes_are_refused() -> None:
    upload = ui.file_upload("x", max_files=2, max_total_bytes=10)
    upload.offer_files({"a": b"1234", "b": b"12345678", "c": b"1"})
    assert [row["text"] for row in upload.items] == ["Received", "Too much", "Too many"]


# -- data -----------------------------------------------------------------------------------------


def test_a_table_is_semantic_and_names_its_rows() -> None:
    table = ui.table(
        [("name", "Name"), ui.Column("n", "Sessions", align="end")],
        [{"name": "Maya", "n": 1203}, {"name": "Jonas", "n": None}],
        caption="Clients",
    )
    for part in ('<caption class="co-hidden">Clients', 'th scope="col"', 'th scope="row"', "1,203"):
        assert part in table.content
    assert "none" in table.content


def test_an_empty_table_says_so() -> None:
    table = ui.table([("a", "A")], [], caption="c", empty="No transcripts yet.")
    assert table.text() == "No transcripts yet."
    assert "<table" not in table.content


def test_a_table_calls_only_with_values_its_rows_offer() -> None:
    calls: list[tuple[str, str]] = []
    table = ui.table(
        [("name", "Name"), ui.Column("open", "", kind="button")],
        [{"name": "Maya", "open": ("Open", "7")}],
        caption="Clients",
        on_action=lambda name, value: calls.append((name, value)),
    )
    message(table, event="action", name="open", value="8")
    message(table, event="action", name="delete", value="7")
    message(table, event="action", name="open", value=["7"])
    assert calls == []
    message(table, event="action", name="open", value="7")
    assert calls == [("open", "7")]
    table.set_rows([{"name": "Jonas", "open": ("Open", "9")}])
    message(table, event="action", name="open", value="7")
    assert calls == [("open", "7")]


def test_tabs_take_only_panels_they_have() -> None:
    seen: list[int] = []
    tabs = ui.tabs([("One", ui.paragraph("1")), ("Two", [])])
    tabs.on_select(seen.append)
    for forged in (2, -1, "1", True):
        message(tabs, event="select", index=forged)
    message(tabs, event="select", index=1)
    assert (tabs.selected, seen) == (1, [1])


def test_a_ticker_answers_also_when_its_callback_fails() -> None:
    def act() -> None:
        raise CoachError("COACH-DB-002")

    ticker = ui.every(0.1, act)
    message(ticker, event="tick")
    assert ticker.answered == 1
    assert ticker.every == 0.5


def test_a_metric_shows_its_definition_as_text() -> None:
    text = ui.metric("Sessions", 1203, definition="Imported or typed.", trend=[1, None, 3]).text()
    assert "1,203" in text
    assert "Imported or typed." in text


def test_disposing_closes_everything_below() -> None:
    inner = ui.paragraph("x")
    tabs = ui.tabs([("One", inner)])
    card = ui.card("c", [tabs])
    ui.dispose([card])
    assert inner.comm is None
    assert card.comm is None

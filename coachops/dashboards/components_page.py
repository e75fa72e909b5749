"""The frame of a page and what arranges things on it: cards, grids, rows, tabs, inputs in groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets
from markupsafe import Markup

from coachops.dashboards.components_base import (
    Element,
    Part,
    html,
    join,
    log,
    report_to,
    safe_href,
)
from coachops.dashboards.components_feedback import Area
from coachops.dashboards.components_inputs import Field
from coachops.dashboards.theme import Tone

PRODUCT = "coachops"
_ids = itertools.count(1)


def new_id(name: str) -> str:
    """An HTML id that no other component of this kernel has."""
    return f"co-py-{name}-{next(_ids)}"


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the top bar.

    Attributes:
        label: the words shown.
        href: where it leads; within this site, https or mailto.
        current: whether it is the page shown now.
    """

    label: str
    href: str
    current: bool = False


class Page(Element):
    """A whole page. `banner` shows errors and news on top; `body` holds the content.

    Slot `trail` stands above the heading: the way back of a page with several views; slot
    `conditions` above that: what is out of order now. `conditions` is who watches that, if anybody.
    """

    conditions: object = None

    def __init__(self, frame: Callable[[str, str], Markup], body: Iterable[Any]) -> None:
        self._frame = frame
        self.banner = Area(classes="co-banner-area")
        self.body = Element(children=body, classes="co-stack co-page-body")
        super().__init__(
            frame("", ""),
            classes="co-page",
            slots={"banner": [self.banner], "content": [self.body]},
        )
        report_to(self.banner.show_exception)

    def set_title(self, title: str, subtitle: str = "") -> None:
        """Replace the heading, for a page whose content changes as a whole."""
        self.set_content(self._frame(title, subtitle))


def page_frame(
    title: str,
    subtitle: str = "",
    user: str = "",
    nav: Sequence[NavItem] = (),
    body: Iterable[Any] | Any = (),
    *,
    sign_out_url: str = "/logout",
    actions: Iterable[Any] = (),
) -> Page:
    """The frame: skip link, top bar with links and sign-out, heading, banner area, `body`.

    Parameters:
        title: the page's only h1.
        user: the person's name; without it there is no sign-out.
        sign_out_url: where the sign-out form posts to.
        actions: widgets beside the heading, such as a button.

    An exception of any callback without an area of its own appears in the page's banner area.
    """
    links = join(
        html(
            '<li><a class="co-nav-link" href="{}"{}>{}</a></li>',
            safe_href(item.href),
            Markup(' aria-current="page"') if item.current else "",
            item.label,
        )
        for item in nav
    )
    leave = (
        html(
            '<div class="co-user"><span class="co-user-name">{}</span>'
            '<form method="post" action="{}"><button class="co-sign-out" type="submit">Sign out'
            "</button></form></div>",
            user,
            safe_href(sign_out_url),
        )
        if user
        else ""
    )

    def frame(title: str, subtitle: str) -> Markup:
        return html(
            '<a class="co-skip" href="#co-main">Skip to the content</a>'
            '<header class="co-bar"><div class="co-bar-inner">'
            '<span class="co-product"><span class="co-logo" aria-hidden="true"></span>{}</span>'
            '{}{}</div></header><main id="co-main" class="co-main" tabindex="-1">'
            '<div data-slot="conditions"></div><div data-slot="trail"></div><div class="co-heading"><div><h1>{}</h1>{}</div><div class="co-actions" '
            'data-slot="actions"></div></div>'
            '<div data-slot="banner"></div><div data-slot="content"></div></main>',
            PRODUCT,
            html('<nav class="co-nav" aria-label="Main"><ul>{}</ul></nav>', links) if nav else "",
            leave,
            title,
            html('<p class="co-subtitle">{}</p>', subtitle) if subtitle else "",
        )

    page = Page(frame, _widgets(body))
    page.set_title(title, subtitle)
    page.fill("actions", actions)
    return page


def _widgets(value: Iterable[Any] | Any) -> tuple[Any, ...]:
    return (value,) if hasattr(value, "model_id") else tuple(value)


def card(
    title: str,
    children: Iterable[Any] | Any = (),
    *,
    actions: Iterable[Any] = (),
    tone: Tone | None = None,
    subtitle: str = "",
    level: int = 2,
) -> Element:
    """A titled surface; `tone` puts a coloured edge on it. `level` is that of its heading."""
    name = new_id("card")
    head = html(
        '<div class="co-card-head"><div><h{l} id="{id}">{title}</h{l}>{sub}</div>'
        '<div class="co-actions" data-slot="actions"></div></div>'
        '<div class="co-card-body co-stack" data-slot="body"></div>',
        l=int(level),
        id=name,
        title=title,
        sub=html('<p class="co-muted">{}</p>', subtitle) if subtitle else "",
    )
    return Element(
        head,
        _widgets(children),
        tag="section",
        classes="co-card" + (f" co-edge co-edge-{tone}" if tone else ""),
        attributes={"aria-labelledby": name},
        slots={"actions": actions},
    )


def grid(children: Iterable[Any], min_width: int = 280) -> Element:
    """Children side by side, each at least `min_width` pixels wide, wrapping where space ends."""
    step = min((200, 240, 280, 320, 360, 420, 480), key=lambda w: abs(w - min_width))
    return Element(children=children, classes=f"co-grid co-grid-{step}")


def split(left: Iterable[Any] | Any, right: Iterable[Any] | Any) -> Element:
    """Two columns that scroll apart on a laptop (analysis beside transcript), stacked on a phone."""
    return Element(
        Markup(
            '<div class="co-split-part co-stack" data-slot="left"></div>'
            '<div class="co-split-part co-stack" data-slot="right"></div>'
        ),
        classes="co-split",
        slots={"left": _widgets(left), "right": _widgets(right)},
    )


def stack(children: Iterable[Any]) -> Element:
    """Children below each other with the usual distance."""
    return Element(children=children, classes="co-stack")


def row(children: Iterable[Any], *, align: str = "end") -> Element:
    """Children in a line that wraps: buttons, or inputs with a button; `align` is end or center."""
    return Element(children=children, classes=f"co-row co-row-{align}")


def section(title: str, children: Iterable[Any], *, level: int = 2) -> Element:
    """A heading with content, without a surface of its own."""
    name = new_id("section")
    return Element(
        html('<h{0} id="{1}" class="co-section-title">{2}</h{0}>', int(level), name, title),
        children,
        tag="section",
        classes="co-stack co-section",
        attributes={"aria-labelledby": name},
    )


def paragraph(text: str, *, muted: bool = False) -> Element:
    """A paragraph; line breaks of `text` stay."""
    kind = "co-text co-muted" if muted else "co-text"
    return Element(html('<p class="{}">{}</p>', kind, text))


def link(label: str, href: str) -> Markup:
    """A link as HTML, for use in `table` cells, `definition_list` and `html(...)`."""
    return html('<a class="co-link" href="{}">{}</a>', safe_href(href), label)


def details(summary: str, children: Iterable[Any] | Any, *, opened: bool = False) -> Element:
    """Content behind a summary line that opens it."""
    return Element(
        html(
            '<details class="co-details"{}><summary>{}</summary>'
            '<div class="co-stack co-details-body" data-slot="body"></div></details>',
            Markup(" open") if opened else "",
            summary,
        ),
        _widgets(children),
    )


def field(
    label: str,
    widget: Any,
    help: str = "",  # noqa: A002 the word that readers of the page know it by
    error: str = "",
) -> Any:
    """Name a widget: ours take label, help and error themselves; a foreign one gets a group."""
    if isinstance(widget, Field):
        widget.label, widget.help, widget.error = label, help, error
        return widget
    name = new_id("field")
    return Element(
        html(
            '<span class="co-label" id="{}">{}</span>{}<div data-slot="body"></div>{}',
            name,
            label,
            html('<p class="co-help">{}</p>', help) if help else "",
            html('<p class="co-field-error" role="alert">{}</p>', error) if error else "",
        ),
        [widget],
        classes="co-field",
        attributes={"role": "group", "aria-labelledby": name},
    )


class Tabs(Part):
    """Panels of which one is shown. Made by `tabs`."""

    kind = "tabs"
    name = traitlets.Unicode("").tag(sync=True)
    labels: Any = traitlets.List().tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)
    _panels: Any = traitlets.List().tag(sync=True)

    def __init__(self, name: str, panels: Sequence[tuple[str, Iterable[Any] | Any]]) -> None:
        self.children: list[tuple[Any, ...]] = [_widgets(content) for _, content in panels]
        self._changed: list[Callable[[int], object]] = []
        super().__init__(name=name, labels=[label for label, _ in panels])
        self._sync()

    def _sync(self) -> None:
        self._panels = [
            [[w.model_id, isinstance(w, anywidget.AnyWidget)] for w in panel]
            for panel in self.children
        ]

    def on_select(self, callback: Callable[[int], object]) -> None:
        """Call `callback(index)` when a person chooses a tab."""
        self._changed.append(callback)

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """`{"event": "select", "index"}` from the browser."""
        index = message.get("index")
        if isinstance(index, bool) or not isinstance(index, int) or message["event"] != "select":
            return
        if 0 <= index < len(self.labels):
            self._from_browser("selected", index, index)
            for callback in self._changed:
                callback(index)
        else:
            log.warning("tabs: no panel %s", index)


def tabs(panels: Sequence[tuple[str, Iterable[Any] | Any]], *, name: str = "Sections") -> Tabs:
    """Panels `(label, widget or widgets)` of which one is shown; arrow keys move between them."""
    return Tabs(name, panels)


class Ticker(Part):
    """Calls back every few seconds while the page is looked at. Made by `every`."""

    kind = "ticker"
    every = traitlets.Float(10.0).tag(sync=True)
    paused = traitlets.Bool(False).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)

    def __init__(self, seconds: float, callback: Callable[[], object]) -> None:
        self._callback = callback
        super().__init__(every=max(0.5, seconds))

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """`{"event": "tick"}` from the browser."""
        if message["event"] != "tick" or self.paused:
            return
        try:
            self._callback()
        finally:
            self.answered += 1  # the page waits for this before it asks again


def every(seconds: float, callback: Callable[[], object]) -> Ticker:
    """An invisible part that calls `callback()` every `seconds` while the page is visible.

    Put it among a page's children. The beat comes from the browser: a closed or hidden page is
    quiet, so its kernel can be reaped, and a slow callback is never called on top of itself.
    """
    return Ticker(seconds, callback)

"""What all components share: escaping, the element widget, and the rule for browser messages.

Two rules keep the page safe by construction:

- Text becomes HTML only through `html(...)`, which escapes every value that is not itself the result
  of `html(...)`. `Element` escapes a plain `str`.
- No synced trait can be written by the browser: `Part` refuses state from it. Browsers send
  messages, and each widget checks every field of them before it believes one.

A widget's code lives once per page in a `Library` (see `assets/stub.js`), so a page of hundred
widgets does not send it a hundred times.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import anywidget
import ipywidgets
import traitlets
from markupsafe import Markup, escape

from coachops.core import request
from coachops.core.errors import CoachError
from coachops.dashboards import theme

log = logging.getLogger(__name__)

_STUB: Final = (theme.ASSETS / "stub.js").read_text(encoding="utf-8")
_SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "core": ("core.js", "inputs.js", "upload.js"),
    "charts": ("uplot/uPlot.iife.min.js", "charts.js"),
    "transcript": ("transcript.js",),
}
_STYLES: Final[dict[str, tuple[str, ...]]] = {"charts": ("uplot/uPlot.min.css",)}

TAGS: Final = frozenset(
    {"div", "section", "article", "aside", "main", "header", "footer", "nav", "form", "span"}
)
ATTRIBUTES: Final = frozenset(
    {
        "role", "id", "tabindex", "title", "lang",
        "aria-label", "aria-labelledby", "aria-describedby", "aria-live", "aria-busy",
        "aria-atomic", "aria-hidden",
    }
)  # fmt: skip


def html(template: str, /, *args: object, **values: object) -> Markup:
    """Fill `template` (trusted HTML with `{}` or `{name}`) with escaped values.

    A value that is itself the result of `html` is inserted as it is; everything else is escaped.
    """
    return Markup(template).format(*args, **values)  # noqa: S704 the template is a literal of ours


def join(parts: Iterable[object], separator: str = "") -> Markup:
    """Join values to HTML, escaping those that are not HTML already."""
    return Markup(separator).join(escape(p) for p in parts)  # noqa: S704 separator is ours


def safe_href(href: str) -> str:
    """`href` when it is a link within the site, an anchor, https or mailto.

    Raises:
        ValueError: for any other scheme (`javascript:` runs code) and for `//host`.
    """
    # browsers strip control characters and blanks, and read a backslash as a slash
    plain = "".join(c for c in href if c > " " and c != "\x7f").replace("\\", "/")
    head = plain.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    if plain.startswith("//") or (
        ":" in head and not plain.lower().startswith(("https://", "mailto:"))
    ):
        raise ValueError("a link must stay on this site or use https")
    return plain


class Library(ipywidgets.Widget):  # type: ignore[misc] # ipywidgets has no types
    """The code and styles of a family of widgets, sent to the page once."""

    code = traitlets.Unicode().tag(sync=True)
    styles = traitlets.Dict().tag(sync=True)

    def set_state(self, sync_data: Mapping[str, object]) -> None:
        """Refuse: the browser has nothing to write here."""


_libraries: dict[str, Library] = {}


def _library(name: str) -> Library:
    """The library widget of this kernel, made anew when the old one was closed."""
    found = _libraries.get(name)
    if found is None or found.comm is None:
        code = "\n".join(_read(path) for path in _SOURCES[name])
        styles = {"coachops-theme": theme.css()}
        if name in _STYLES:
            styles[f"coachops-{name}"] = "\n".join(_read(path) for path in _STYLES[name])
        found = _libraries[name] = Library(code=code, styles=styles)
    return found


def _read(path: str) -> str:
    return (theme.ASSETS / path).read_text(encoding="utf-8")


class Part(anywidget.AnyWidget):
    """Base of all widgets of the dashboards.

    Subclasses set `LIBRARY` and `kind` and may override `receive`. Messages from the browser reach
    `receive` as a dict with `event`; a message it cannot use is dropped with a log line, and an
    exception never reaches the page.
    """

    LIBRARY = "core"
    kind = "element"
    _esm = _STUB
    _kind = traitlets.Unicode().tag(sync=True)
    _library = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: object) -> None:
        super().__init__(
            _kind=self.kind,
            _library=_library(self.LIBRARY).model_id,
            **traits,
        )
        self.on_msg(self._on_message)

    def set_state(self, sync_data: Mapping[str, object]) -> None:
        """Refuse state from the browser: it may only send messages, which are checked."""
        log.debug("ignored state from the browser for %s: %s", type(self).__name__, list(sync_data))

    def _on_message(self, _widget: object, content: object, buffers: Sequence[Any]) -> None:
        if not isinstance(content, dict) or not isinstance(content.get("event"), str):
            log.warning("%s: malformed message from the browser", type(self).__name__)
            return
        with request.using():
            try:
                self.receive(content, buffers)
            except Exception as problem:
                report(problem)

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """Handle a message `{"event": …}` from the browser; everything in it is untrusted."""

    def _from_browser(self, name: str, value: object, raw: object) -> None:
        """Set trait `name` to `value`; tell the browser only when it differs from its own `raw`."""
        with self._lock_property(**{name: raw}):
            setattr(self, name, value)

    def focus(self) -> None:
        """Move the keyboard focus to this widget."""
        self.send({"event": "focus"})


class Element(Part):
    """An HTML element with child widgets in named slots.

    Parameters:
        content: HTML made by `html(...)`; a plain `str` is escaped. An element with `data-slot="x"`
            in it holds the children given for `x`; children of `body` without such a place come last.
            A button with `data-event="name" data-value="v"` calls the handlers of `on_action`.
        children: widgets of slot `body`.
        tag: one of `TAGS`.
        classes: CSS classes, separated by blanks.
        attributes: HTML attributes out of `ATTRIBUTES`.
        slots: children by slot name.
    """

    tag = traitlets.Unicode("div").tag(sync=True)
    classes = traitlets.Unicode("").tag(sync=True)
    attributes = traitlets.Dict().tag(sync=True)
    content = traitlets.Unicode("").tag(sync=True)
    _slots = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        content: str | Markup = "",
        children: Iterable[Any] = (),
        *,
        tag: str = "div",
        classes: str = "",
        attributes: Mapping[str, str] | None = None,
        slots: Mapping[str, Iterable[Any]] | None = None,
    ) -> None:
        attributes = dict(attributes or {})
        if tag not in TAGS or not attributes.keys() <= ATTRIBUTES:
            raise ValueError(f"not an element of the design system: {tag} {sorted(attributes)}")
        self._children: dict[str, tuple[Any, ...]] = {}
        self._actions: list[Callable[[str, str], object]] = []
        self._allowed: set[tuple[str, str]] = set()
        super().__init__(
            tag=tag, classes=classes, attributes=attributes, content=str(escape(content))
        )
        for name, members in {"body": children, **(slots or {})}.items():
            self.fill(name, members)

    @property
    def children(self) -> tuple[Any, ...]:
        """The widgets of slot `body`."""
        return self._children.get("body", ())

    @children.setter
    def children(self, members: Iterable[Any]) -> None:
        self.fill("body", members)

    def slot(self, name: str) -> tuple[Any, ...]:
        """The widgets of a slot."""
        return self._children.get(name, ())

    def fill(self, name: str, members: Iterable[Any]) -> None:
        """Replace the widgets of slot `name`."""
        widgets = tuple(members)
        for widget in widgets:
            if not isinstance(widget, ipywidgets.Widget):
                raise TypeError(f"a child must be a widget, not {type(widget).__name__}")
        self._children[name] = widgets
        self._slots = {
            slot: [[w.model_id, isinstance(w, anywidget.AnyWidget)] for w in group]
            for slot, group in self._children.items()
        }

    def set_content(self, content: str | Markup) -> None:
        """Replace the HTML; a plain `str` is escaped."""
        self.content = str(escape(content))

    def on_action(
        self, callback: Callable[[str, str], object], allowed: Iterable[tuple[str, str]]
    ) -> None:
        """Call `callback(name, value)` for a click on a `data-event` button.

        `allowed` lists the pairs that the page really offers; any other is dropped, since a
        browser can send what it likes.
        """
        self._actions.append(callback)
        self._allowed |= set(allowed)

    def receive(self, message: Mapping[str, object], buffers: Sequence[Any] = ()) -> None:
        """A click on a button within the HTML: `{"event": "action", "name", "value"}`."""
        pair = (message.get("name"), message.get("value"))
        if message["event"] != "action" or pair not in self._allowed:
            log.warning("element: unknown action from the browser")
            return
        for callback in self._actions:
            callback(str(pair[0]), str(pair[1]))

    def find(self, kind: type[Any]) -> list[Any]:
        """All widgets of a class below this one, in reading order: for tests and page code."""
        found: list[Any] = []
        for group in self._children.values():
            for widget in group:
                if isinstance(widget, kind):
                    found.append(widget)
                if isinstance(widget, Element):
                    found += widget.find(kind)
        return found

    def text(self) -> str:
        """All text below this element without tags: for tests."""
        parts = [Markup(self.content.replace("<", " <")).striptags()]  # noqa: S704 made by html()
        for group in self._children.values():
            parts += [w.text() if hasattr(w, "text") else "" for w in group]
        return " ".join(p for p in parts if p)


Reporter = Callable[[BaseException], None]
_reporters: list[Reporter] = []


def report_to(reporter: Reporter | None) -> None:
    """Show exceptions of callbacks that have no area of their own through `reporter`.

    A kernel serves one page; `page_frame` sets its banner here. None removes it.
    """
    _reporters[:] = [] if reporter is None else [reporter]


def report(problem: BaseException) -> None:
    """Log an exception that a callback raised, and show it where the page shows errors."""
    error = as_coach_error(problem)
    for reporter in _reporters:
        reporter(error)


def as_coach_error(problem: BaseException) -> CoachError:
    """The error to show for `problem`; an unexpected one becomes COACH-SYS-003 and is logged.

    Its message is not shown: it may hold a client's words or a path.
    """
    if isinstance(problem, CoachError):
        problem.request_id = problem.request_id or request.current_id() or request.new_request_id()
        log.info("shown to the user: %s", problem.code, extra={"request_id": problem.request_id})
        return problem
    with request.using(request.current_id()):
        log.error("unexpected exception in a dashboard", exc_info=problem)
        return CoachError("COACH-SYS-003", reason=type(problem).__name__)

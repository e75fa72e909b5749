"""A part of the session view that is drawn anew only when what it shows has changed.

So a poll or an edit elsewhere does not take away what the coach is typing here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from coachops.coaching.review import Review
from coachops.dashboards.components import Element, dispose, html, stack

if TYPE_CHECKING:
    from coachops.coaching.messages import MessageRow
    from coachops.dashboards.workspace.session import SessionView


class Panel:
    """Base of the panels; subclasses give `title`, `data` and `build`.

    Parameters:
        view: the session shown; `view.review` and `view.message` are as last loaded.
    """

    title = ""

    def __init__(self, view: SessionView) -> None:
        self.view = view
        self._body = stack([])
        # where the keyboard and the screen reader go when this panel is what matters next
        self._top = Element(
            html('<span class="co-hidden" tabindex="-1" data-focus>{}</span>', self.title),
            classes="ws-top",
        )
        self.element = Element(children=[self._top, self._body], classes="ws-panel")
        self._shown: object = self  # equal to no data

    @property
    def review(self) -> Review:
        """The transcript with its analysis, as last loaded."""
        return self.view.review

    @property
    def message(self) -> MessageRow | None:
        """The follow-up, as last loaded."""
        return self.view.message

    def data(self) -> object:
        """All that the panel shows: it is drawn anew when this is not equal to the last."""
        raise NotImplementedError

    def build(self) -> Iterable[Any]:
        """The widgets for the data as it is now."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Draw anew if something changed."""
        data = self.data()
        if data != self._shown:
            self._shown = data
            self.redraw()

    def redraw(self) -> None:
        """Draw anew."""
        old, self._body.children = self._body.children, tuple(self.build())
        dispose(old)

    def focus(self) -> None:
        """Move the reader to the top of this panel."""
        self._top.focus()

"""A one-time link that an admin hands over: shown once, with a button that copies it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import anywidget
import traitlets

_CODE: Final = """
function render({ model, el }) {
  el.classList.add("co-host");
  const box = document.createElement("div");
  box.className = "co ov-link";
  const label = document.createElement("label");
  label.className = "co-label";
  label.textContent = model.get("label");
  const input = document.createElement("input");
  input.readOnly = true;
  input.value = model.get("value");
  input.id = `co-link-${model.model_id ?? Math.random()}`;
  input.addEventListener("focus", () => input.select());
  label.htmlFor = input.id;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "co-button co-button-primary";
  button.textContent = "Copy";
  const said = document.createElement("p");
  said.className = "co-help";
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    let copied = false;
    try {
      await navigator.clipboard.writeText(input.value);
      copied = true;
    } catch {
      // no clipboard on plain HTTP: the old way, else the marked text can be copied by hand
      input.focus();
      input.select();
      copied = document.execCommand("copy");
    }
    said.textContent = copied ? "Copied." : "Press Ctrl+C to copy the marked link.";
  });
  const line = document.createElement("div");
  line.className = "ov-link-line co-field";
  line.append(input, button);
  box.append(label, line, said);
  el.append(box);
}
export default { render };
"""


class LinkField(anywidget.AnyWidget):
    """A link to copy; the browser cannot change it.

    Parameters:
        label: what the link does.
        value: the link; it is a secret until it is used.
    """

    _esm = _CODE
    label = traitlets.Unicode("").tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)

    def __init__(self, label: str, value: str) -> None:
        super().__init__(label=label, value=value)

    def set_state(self, sync_data: Mapping[str, object]) -> None:
        """Refuse: the browser has nothing to write here."""

    def text(self) -> str:
        """The label: a test that prints a page must not print a secret."""
        return self.label

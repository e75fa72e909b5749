"""Words of the command line are cleaned like any other text that comes in (`core.text`)."""

from __future__ import annotations

from typing import Any

from coachops.core.text import clean_text


def clean_words(command: Any) -> None:
    """Clean what is given for every option and argument of a command that takes plain text.

    Paths are no texts and keep the bytes that name them; passwords stay as they were typed.
    """
    for child in getattr(command, "commands", {}).values():
        clean_words(child)
    for parameter in command.params:
        if not getattr(parameter, "hide_input", False):
            parameter.callback = _after(parameter.callback)


def _after(callback: Any) -> Any:
    """`callback`, if any, on the cleaned value."""

    def cleaned(context: Any, parameter: Any, value: Any) -> Any:
        value = _cleaned(value)
        return value if callback is None else callback(context, parameter, value)

    return cleaned


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_cleaned, value))
    return value

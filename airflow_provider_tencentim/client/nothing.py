"""What templates leave behind when there was nothing to render."""

from __future__ import annotations

# How None and an empty list look once they are rendered to text.
_NOTHING_IN_WORDS = frozenset({"", "None", "null", "[]"})


def is_nothing(value: object) -> bool:
    """Tell whether a rendered value is what templates leave when there was nothing to render.

    :param value: None, blank text, what has no items, and the text that these are rendered to.
    """
    if isinstance(value, str):
        return value.strip() in _NOTHING_IN_WORDS
    return value is None or (isinstance(value, list | tuple | dict | set | frozenset) and not value)

"""What a widget is made of. Knows ipywidgets only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets

__all__ = ["parts"]


def parts(widget: ipywidgets.Widget, without: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """All widgets that a widget's synced traits lead to, itself first, `without` and what only that leads to left out.

    Args:
        widget: Where to begin.
        without: A widget that others share.
    """
    found = {id(without): without}
    waiting = [widget]
    out = []
    while waiting:
        one = waiting.pop()
        if id(one) not in found:
            found[id(one)] = one
            out.append(one)
            waiting.extend(inner for name in one.keys for inner in _widgets_in(getattr(one, name)))
    return out


def _widgets_in(value: Any) -> Iterator[ipywidgets.Widget]:
    if isinstance(value, ipywidgets.Widget):
        yield value
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _widgets_in(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _widgets_in(inner)

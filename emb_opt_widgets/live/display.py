"""How a search, or a training, shows itself in a notebook. Knows no widgets: who has some says so with `show_with`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any

from emb_opt_widgets.errors import EmbOptError

__all__ = ["announce", "announce_to", "bundle", "lasting", "show", "show_with", "still", "summary", "when_lasting"]

Bundle = Mapping[str, Any]
_lasting = False
_waiting: list[Callable[[], None]] = []
_front: tuple[Callable[[Any], Bundle], Callable[[Any], bool]] | None = None
_panel: Callable[[Any, Any], None] | None = None


def show_with(bundled: Callable[[Any], Bundle], shown: Callable[[Any], bool]) -> None:
    """Show searches so from now on.

    Args:
        bundled: A search to what a front end may show of it, by mime type.
        shown: Shows a search by itself and keeps its picture up to date; False where it cannot.
    """
    global _front
    _front = bundled, shown


def announce_to(panel: Callable[[Any, Any], None]) -> None:
    """Tell a front end's panel of each new live thing in a kernel: what drives it, and IPython's shell."""
    global _panel
    _panel = panel


def announce(driver: Any, shell: Any) -> None:
    """A live thing came to be in a kernel."""
    if _panel is not None:
        _panel(driver, shell)


@singledispatch
def summary(search: Any) -> str:
    """A search as a piece of inert HTML; other live things register their own."""
    from emb_opt_widgets.report import search_summary

    return search_summary(search)


def still(search: Any) -> dict[str, Any]:
    """A picture that runs nothing and needs no kernel, and a line of text."""
    return {"text/plain": repr(search), "text/html": summary(search)}


def bundle(search: Any) -> dict[str, Any]:
    """What a front end may show of a search, by mime type; the still picture alone where widgets cannot be had."""
    try:
        return still(search) if _front is None else dict(_front[0](search))
    except (ImportError, EmbOptError):
        return still(search)


def show(search: Any) -> bool:
    """Show a search in the running cell; False where the caller has to."""
    try:
        return _front is not None and _front[1](search)
    except (ImportError, EmbOptError):
        return False


def lasting() -> None:
    """The front end's views outlast a change of the picture beside them (JupyterLab's own begin anew)."""
    global _lasting
    _lasting = True
    while _waiting:
        _waiting.pop()()


def when_lasting(then: Callable[[], None]) -> None:
    """Do something as soon as the front end has said so."""
    if _lasting:
        then()
    else:
        _waiting.append(then)

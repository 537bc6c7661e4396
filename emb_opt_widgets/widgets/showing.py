"""What a notebook is given to show: a live widget, a picture that needs no kernel, a line of text.

A notebook that is saved keeps the picture.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from weakref import WeakKeyDictionary

from emb_opt_widgets.controller import Controller
from emb_opt_widgets.display import still
from emb_opt_widgets.search import Search
from emb_opt_widgets.widgets.picture import WIDGET, Picture

__all__ = ["OURS", "WIDGET", "bundle", "dashboard_of", "headless", "mimebundle", "show"]

OURS = "application/vnd.emb-opt-widgets.view+json"
_dashboards: WeakKeyDictionary[Controller, Any] = WeakKeyDictionary()
_pictures: WeakKeyDictionary[Controller, Picture] = WeakKeyDictionary()


def _kernel() -> Any:
    """The kernel this runs in, or None."""
    ipython = sys.modules.get("IPython")
    return getattr(None if ipython is None else ipython.get_ipython(), "kernel", None)


def headless() -> bool:
    """Whether nobody can see a widget here: no kernel, or one whose cells are run by a program.

    A front end with a person before it lets a cell ask for input; programs that execute notebooks (nbclient, nbconvert,
    papermill) do not. Voilà is such a program, and shows widgets all the same.
    """
    kernel = _kernel()
    if kernel is None:
        return True
    asked = kernel.get_parent("shell").get("content", {}).get("allow_stdin", True)
    return not asked and not os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


def mimebundle(search: Search, model_id: str, text: str) -> dict[str, Any]:
    """What to show of a widget, by mime type.

    Args:
        search: Whose picture stands where no widget can. model_id: The widget's. text: For a terminal.
    """
    out = {**still(search), "text/plain": text}
    return out if headless() else {**out, **_live(model_id)}


def bundle(search: Search) -> dict[str, Any]:
    """What to show of a search, by mime type: its dashboard, where anybody can see it."""
    return still(search) if headless() else {**still(search), **_live(dashboard_of(search).model_id)}


def _live(model_id: str) -> dict[str, Any]:
    return {OURS: {}, WIDGET: {"version_major": 2, "version_minor": 0, "model_id": model_id}}


def dashboard_of(search: Search) -> Any:
    """The dashboard that displaying a search shows: the same one each time, until it is closed."""
    from emb_opt_widgets.widgets.dashboard import Dashboard

    known = _dashboards.get(search.controller)
    if known is None or known.comm is None:
        known = _dashboards[search.controller] = Dashboard(search)
    return known


def show(search: Search) -> bool:
    """Show a search as output of the running cell, with a picture that is drawn anew when it comes to rest.

    Returns:
        False where there is no kernel.
    """
    if _kernel() is None:
        return False
    if search.controller not in _pictures:
        _pictures[search.controller] = Picture(search.controller)
    _pictures[search.controller].publish(bundle(search))
    return True

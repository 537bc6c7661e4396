"""What a notebook is given to show: a live widget, a picture that needs no kernel, a line of text.

A notebook that is saved keeps the picture.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any
from weakref import WeakKeyDictionary

from emb_opt_widgets.live.display import still
from emb_opt_widgets.widgets.picture import WIDGET, Picture

__all__ = ["OURS", "WIDGET", "bundle", "dashboard_of", "headless", "mimebundle", "shell", "show"]

OURS = "application/vnd.emb-opt-widgets.view+json"
_DASHBOARDS = {"search": ("dashboard", "Dashboard"), "training": ("training_view", "TrainingDashboard")}
_dashboards: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
_pictures: WeakKeyDictionary[Any, Picture] = WeakKeyDictionary()


def shell() -> Any:
    """IPython's shell, or None."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _kernel() -> Any:
    """The kernel this runs in, or None."""
    return getattr(shell(), "kernel", None)


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


def mimebundle(search: Any, model_id: str, text: str) -> dict[str, Any]:
    """What to show of a widget, by mime type.

    Args:
        search: A search or a training, whose picture stands where no widget can.
        model_id: The widget's. text: For a terminal.
    """
    out = {**still(search), "text/plain": text}
    return out if headless() else {**out, **_live(model_id)}


def bundle(search: Any) -> dict[str, Any]:
    """What to show of a search or a training, by mime type: its dashboard, where anybody can see it."""
    return still(search) if headless() else {**still(search), **_live(dashboard_of(search).model_id)}


def _live(model_id: str) -> dict[str, Any]:
    return {OURS: {}, WIDGET: {"version_major": 2, "version_minor": 0, "model_id": model_id}}


def dashboard_of(search: Any) -> Any:
    """The dashboard that displaying a search or a training shows: the same one each time, until it is closed."""
    from emb_opt_widgets.widgets.feed import Feed

    known = _dashboards.get(search.controller)
    if known is None or known.comm is None:
        module, name = _DASHBOARDS[Feed.of(search).kind]
        made = getattr(importlib.import_module(f"emb_opt_widgets.widgets.{module}"), name)
        known = _dashboards[search.controller] = made(search)
    return known


def show(search: Any) -> bool:
    """Show a search or a training as output of the running cell, its picture drawn anew when it comes to rest.

    Returns:
        False where there is no kernel.
    """
    if _kernel() is None:
        return False
    if search.controller not in _pictures:
        _pictures[search.controller] = Picture(search.controller, type(search).driven_by)
    _pictures[search.controller].publish(bundle(search))
    return True

"""The still picture of a search in a notebook's output, drawn anew whenever the search comes to rest.

Beside a live view only where the front end's views outlast that.
"""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.live import display
from emb_opt_widgets.search.engine import SearchRun
from emb_opt_widgets.search.search import Search

__all__ = ["WIDGET", "Picture"]

WIDGET = "application/vnd.jupyter.widget-view+json"

_PAUSE = 0.2


class Picture:
    """What a notebook keeps of a search. Does not keep the search alive.

    Args:
        controller: What drives the search.
        driven: Makes the search of it: a training has its own.
    """

    def __init__(self, controller: SearchRun, driven: Callable[[Any], Any] = Search.driven_by) -> None:
        self._controller = weakref.ref(controller)
        self._driven = driven
        self._name = uuid.uuid4().hex
        self._data: Mapping[str, Any] = {}
        self._due: threading.Timer | None = None
        self._promised = False
        controller.listen(self._hear)

    def publish(self, data: Mapping[str, Any]) -> None:
        """Show it as output of the running cell.

        Args:
            data: By mime type.
        """
        self._data = data
        self._send(data, update=False)

    def redraw(self) -> None:
        """Replace the picture in every output that has it, in the notebook's model and not only on the page."""
        self._due = None
        if WIDGET not in self._data:
            self._publish_again()
        elif not self._promised:
            self._promised = True
            display.when_lasting(self._publish_again)

    def _publish_again(self) -> None:
        self._promised = False
        controller = self._controller()
        if controller is not None and self._data:
            self._send({**self._data, **display.still(self._driven(controller))}, update=True)

    def _send(self, data: Mapping[str, Any], update: bool) -> None:
        from IPython.display import publish_display_data

        publish: Any = publish_display_data
        publish(dict(data), transient={"display_id": self._name}, update=update)

    def _hear(self, bodies: Sequence[ev.Body]) -> None:
        controller = self._controller()
        if controller is None or self._due is not None:
            return
        rested = any(isinstance(body, (ev.Paused, ev.Finished)) for body in bodies)
        changed = not controller.running and any(isinstance(body, ev.Commanded) for body in bodies)
        if rested or changed:
            self._due = threading.Timer(_PAUSE, self.redraw)
            self._due.daemon = True
            self._due.start()

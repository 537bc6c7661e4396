"""What happened, and who asked for it."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets

from emb_opt_widgets.widgets.base import SearchWidget
from emb_opt_widgets.widgets.bundle import FeedView

__all__ = ["EventLog"]


class EventLog(SearchWidget):
    """What happened in the search and who asked for it, newest first.

    Args:
        search: What it shows.
    """

    def _views(self) -> Sequence[ipywidgets.Widget]:
        return [FeedView("event-log", self._feed)]
